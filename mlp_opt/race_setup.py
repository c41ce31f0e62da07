"""What the options of a race mean: its surface, its optimizers, optax's beside them. Bad options raise InputError."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .config import RaceConfig, TrainConfig
from .diagnose.optax_races import optax_optimizer, optax_race
from .errors import InputError, check_name
from .experiment import build_optimizer
from .races import paths
from .surfaces import SURFACES, Surface, from_expression, surface

MOST_STEPS = 100_000


def surface_of(options: RaceConfig) -> Surface:
    """The surface that the options name, at their start; InputError for what does not fit together."""
    if bool(options.surface) == (options.expression is not None):
        raise InputError(f"name a surface or give --expression, one of the two; surfaces: {', '.join(SURFACES)}")
    if not 1 <= options.steps <= MOST_STEPS:
        raise InputError(f"--steps must be a whole number from 1 to {MOST_STEPS}, got {options.steps}")
    if not 0 <= options.seed < 2**32:
        raise InputError(f"--seed must be a whole number from 0 to 2^32 - 1, got {options.seed}")
    if options.target is not None and not math.isfinite(options.target):
        raise InputError(f"--target must be a number, got {options.target}")
    for name, pair in (("start", options.start), ("x", options.x), ("y", options.y)):
        if (pair and len(pair) != 2) or not all(map(math.isfinite, pair)):
            raise InputError(f"--{name} must be two numbers, as --{name}=-1,2, got {','.join(f'{p:g}' for p in pair)}")
    start = (options.start[0], options.start[1]) if options.start else None
    if options.expression is not None:
        x, y = ((pair[0], pair[1]) if pair else (-2.0, 2.0) for pair in (options.x, options.y))
        made = from_expression(options.expression, x, y, start)
    else:
        if options.x or options.y:
            raise InputError("--x and --y belong to --expression; a surface has a domain of its own")
        made = surface(options.surface, **({} if options.condition is None else {"condition": options.condition}))
    if options.expression is not None and options.condition is not None:
        raise InputError("--condition belongs to the surface quadratic, not to --expression")
    if options.fair and made.unbounded and options.target is None:
        raise InputError(f"--fair on {made.name}, which has no lowest loss, needs --target, the loss to be reached")
    if options.basins and not made.minima:
        raise InputError(f"--basins: no minimum of {made.name} is known")
    return made if start is None else replace(made, start=start)


def rates_of(options: RaceConfig, land: Surface) -> dict[str, float]:
    """Each racing optimizer's learning rate, checked."""
    if not options.optimizers:
        raise InputError("--optimizers: name at least one")
    for name in options.optimizers:
        check_name("optimizer", name, paths.RULES)
    for name, rate in options.rates.items():
        check_name("optimizer in --rates", name, options.optimizers)
        if isinstance(rate, bool) or not (rate > 0 and math.isfinite(rate)):
            raise InputError(f"--rates: the learning rate of {name} must be a number > 0, got {rate}")
    for key in options.optimizer_options:
        check_name("optimizer in --optimizer-options", key.partition(".")[0], options.optimizers)
    return {name: float(options.rates.get(name, paths.default_rate(land, name))) for name in dict.fromkeys(options.optimizers)}


def own_options(options: RaceConfig, name: str) -> dict[str, Any]:
    pairs = ((key.partition("."), value) for key, value in options.optimizer_options.items())
    return {option: value for (rule, _, option), value in pairs if rule == name}


def build(options: RaceConfig, name: str, rate: float, **more: float) -> Any:
    """The optimizer with its rate (or the schedule up to it) and its own options, checked as in `train`."""
    rule, fixed = ("sgd", {"momentum": 0.9, "nesterov": True}) if name == "nesterov" else (name, {})
    own: dict[str, Any] = fixed | own_options(options, name) | more
    config = TrainConfig(optimizer=rule, learning_rate=rate, schedule=options.schedule, optimizer_options=own)
    return build_optimizer(config, options.steps)


def twins(options: RaceConfig, land: Surface, rates: dict[str, float], optimizers: dict[str, Any]) -> dict[str, np.ndarray]:
    """optax's positions, for the rules that it has."""
    made = {name: optimizers[name].update.traced["learning_rate"] for name in rates}  # a number or a schedule
    theirs = {name: optax_optimizer(name, rate, **own_options(options, name)) for name, rate in made.items()}
    known = {name: optimizer for name, optimizer in theirs.items() if optimizer is not None}
    return {name: path.w for name, path in optax_race(land, known, steps=options.steps).items()}
