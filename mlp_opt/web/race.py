"""The page's Race tab, server side: surfaces, paths, updates step by step, basins, heat maps. All numbers are JAX's.

Every request names the whole race, so the server keeps nothing between two of them but compiled programs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import race_setup
from ..compiled import jit
from ..config import RaceConfig
from ..diagnose.optax_races import difference, optax_optimizer
from ..errors import InputError, check_name
from ..expressions import LENGTH
from ..figures.looks import BASINS, LOOKS
from ..optimizers import as_pytree
from ..races import fair as fairness
from ..races import maps
from ..races.explain import STATES, explain
from ..races.heights import Relief, relief
from ..races.paths import RULES, SEVEN, Path, default_rate, paths
from ..schedules import SCHEDULES
from ..surfaces import SURFACES, Surface
from . import limits
from .messages import Reply, known, number, pair, text, whole
from .programs import remember

RACE = ("surface", "expression", "x", "y", "condition", "start", "methods", "steps", "schedule", "optax")
# What a method's sliders move, beside its learning rate: name, default, lowest, highest, scale. "below 1" is the logarithm of 1 - value.
_DECAY, _EPS = (0.0, 0.9999, "below 1"), (1e-10, 1.0, "log")
KNOBS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "momentum": (("momentum", 0.9, *_DECAY),),
    "nesterov": (("momentum", 0.9, *_DECAY),),
    "adagrad": (("initial_accumulator_value", 0.1, 0.0, 1.0, "linear"),),
    "adadelta": (("rho", 0.9, *_DECAY), ("eps", 1e-6, *_EPS)),
    "rmsprop": (("decay", 0.9, *_DECAY), ("eps", 1e-8, *_EPS)),
    "lion": (("b1", 0.9, *_DECAY), ("b2", 0.99, *_DECAY)),
    "qhm": (("momentum", 0.999, *_DECAY), ("nu", 0.7, 0.0, 1.0, "linear")),
    "qhadam": (("b1", 0.995, *_DECAY), ("b2", 0.999, *_DECAY)),
} | dict.fromkeys(("adam", "adamw", "nadam", "amsgrad", "adamax", "radam"), (("b1", 0.9, *_DECAY), ("b2", 0.999, *_DECAY)))
COLUMNS = ("x", "y", "loss", "above", "height", "gx", "gy", "ux", "uy", "mx", "my", "vx", "vy")
_lands: dict[Any, tuple[Surface, Relief, float]] = {}
_lock = threading.Lock()


def read(body: dict[str, Any], more: tuple[str, ...] = ()) -> RaceConfig:
    """The race that a request names, bounded; `more`: keys that another reads. InputError for anything else."""
    known(body, "the request", RACE + more)
    given: dict[str, Any] = {}
    for key, longest in (("surface", 40), ("expression", LENGTH), ("schedule", 40)):
        if body.get(key) is not None:
            given[key] = text(body[key], key, longest)
    for key in ("x", "y", "start"):
        if body.get(key) is not None:
            given[key] = pair(body[key], key)
    if body.get("condition") is not None:
        given["condition"] = number(body["condition"], "condition", 1e-6, 1e6)
    if "schedule" in given:
        check_name("schedule", given["schedule"], SCHEDULES)
    steps = whole(body.get("steps", 200), "steps", 1, limits.STEPS)
    methods = body.get("methods", [{"name": name} for name in SEVEN])
    if not isinstance(methods, list) or not 1 <= len(methods) <= limits.METHODS:
        raise InputError(f"methods must be a list of 1 to {limits.METHODS}")
    rates: dict[str, float] = {}
    options: dict[str, float] = {}
    names = [read_method(method, rates, options) for method in methods]
    if len(set(names)) < len(names):
        raise InputError("methods must have different names")
    if type(body.get("optax", False)) is not bool:
        raise InputError("optax must be true or false")
    rest = dict(optimizers=tuple(names), rates=rates, optimizer_options=options, optax=body.get("optax", False))
    return RaceConfig(**given, **rest, steps=steps)


def read_method(method: Any, rates: dict[str, float], options: dict[str, float]) -> str:
    """The name of an optimizer that a request gives; its rate and numbers, bounded, go into `rates` and `options`."""
    if not isinstance(method, dict):
        raise InputError("a method must be an object with name, rate and options")
    known(method, "a method", ("name", "rate", "options"))
    name = check_name("optimizer", text(method.get("name"), "name of a method", 40), RULES)
    if method.get("rate") is not None:
        rates[name] = number(method["rate"], f"learning rate of {name}", 1e-8, 1e4)
    chosen = method.get("options") or {}
    if not isinstance(chosen, dict):
        raise InputError(f"options of {name} must be an object")
    for key, value in chosen.items():
        check_name(f"option of {name}", key, [knob[0] for knob in KNOBS.get(name, ())])
        options[f"{name}.{key}"] = number(value, f"{key} of {name}", 0.0, 10.0)
    return name


class Race:
    """A race that has been read: surface, learning rates, optimizers."""

    def __init__(self, options: RaceConfig):
        self.options = options
        self.surface, self.relief, self.lowest = _land(options)
        self.rates = race_setup.rates_of(options, self.surface)
        self.optimizers = {name: race_setup.build(options, name, rate) for name, rate in self.rates.items()}

    def run(self) -> dict[str, Path]:
        """Every optimizer's path of `steps`, computed with the next of limits.LANES and cut."""
        steps = self.options.steps
        lanes = next(n for n in limits.LANES if n >= steps)
        at = jnp.asarray(self.surface.start, float)
        found = jax.device_get(paths(self.surface.f, tuple(self.optimizers.values()), at, lanes))
        cut = [Path(*(None if a is None else a[: steps + 1] for a in path)) for path in found]
        return dict(zip(self.optimizers, cut, strict=True))

    def twins(self) -> dict[str, np.ndarray]:
        """optax's positions (steps+1, 2), for the rules that it has."""
        rules = {name: optimizer.update.traced["learning_rate"] for name, optimizer in self.optimizers.items()}
        names = tuple(name for name in rules if optax_optimizer(name, 0.1) is not None)
        numbers = tuple({"learning_rate": rules[name]} | race_setup.own_options(self.options, name) for name in names)
        lanes = next(n for n in limits.LANES if n >= self.options.steps)
        found = jax.device_get(_optax(self.surface.f, numbers, jnp.asarray(self.surface.start, float), names, lanes))
        return {name: w[: self.options.steps + 1] for name, w in zip(names, found, strict=True)}


@partial(jit, static_argnames=("names", "steps"))
def _optax(f: Any, numbers: Any, start: Any, names: tuple[str, ...], steps: int) -> Any:
    """optax's paths as a program of its numbers: its optimizers are made while it is traced."""
    made = tuple(as_pytree(optax_optimizer(name, **given)) for name, given in zip(names, numbers, strict=True))
    return tuple(path.w for path in paths(f, made, start, steps))


def _land(options: RaceConfig) -> tuple[Surface, Relief, float]:
    """The surface, its heights and its lowest known value (NaN without one), kept: while a start is dragged they stay as they are."""
    key = (options.surface, options.expression, options.x, options.y, options.condition)
    with _lock:
        kept = _lands.get(key)
    if kept is None:
        land = race_setup.surface_of(options)
        if options.expression is not None:
            remember(jax.tree.structure(land.f))
        lowest = min((float(np.asarray(land.f(*map(jnp.float64, m)))) for m in land.minima), default=np.nan)
        kept = land, relief(land, limits.GRID), lowest
        with _lock:
            _lands[key] = kept
            while len(_lands) > limits.SURFACES:
                _lands.pop(next(iter(_lands)))
    start = (options.start[0], options.start[1]) if options.start else kept[0].start
    return replace(kept[0], start=start), *kept[1:]


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """float64 on the CPU, where two numbers a step belong, even beside a GPU."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        yield


def about(body: dict[str, Any]) -> Reply:
    """What there is to choose from: surfaces, methods with their sliders and looks, schedules, limits."""
    known(body, "the request", ())
    methods = {
        name: {
            "color": LOOKS[name].color, "line": LOOKS[name].line, "marker": LOOKS[name].marker,
            "knobs": [dict(zip(("name", "default", "low", "high", "scale"), knob, strict=True)) for knob in KNOBS.get(name, ())],
            "heat": maps.second_number(name) if name in KNOBS else None, "explained": name in STATES,
        }
        for name in sorted(RULES, key=lambda name: (name not in SEVEN, SEVEN.index(name) if name in SEVEN else name))
    }  # fmt: skip
    surfaces = [{"name": s.name, "formula": s.formula} for s in SURFACES.values()]
    most = {"steps": limits.STEPS, "methods": limits.METHODS, "expression": LENGTH}
    return Reply(
        {"basins": BASINS, "surfaces": surfaces, "methods": methods, "first": SEVEN, "schedules": list(SCHEDULES), "limits": most}, {}
    )


def surface(body: dict[str, Any]) -> Reply:
    """The surface's facts and heights: `heights` (n, n) squeezed as in the pictures, rows from low y to high."""
    race = Race(read(body))
    land = race.surface
    drawn = race.relief
    defaults = {name: default_rate(land, name) for name in RULES}
    marks = drawn.ticks()
    values = np.nanmin(drawn.t), np.nanmax(drawn.t)
    head = {"name": land.name, "formula": land.formula, "x": land.x, "y": land.y, "start": land.start, "unbounded": land.unbounded}
    head |= {"low": float(values[0]), "high": float(values[1]), "rates": defaults, "lowest": race.lowest}
    head |= {"scale": "log" if drawn.scale else "linear", "ticks": marks and {"at": marks[0], "text": marks[1]}}
    return Reply(head, {"heights": drawn.t, "minima": np.asarray(land.minima, float).reshape(-1, 2)})


def race_paths(body: dict[str, Any]) -> Reply:
    """`paths` (methods, steps+1, columns), columns as in COLUMNS, NaN where a rule has no m or v; with optax its positions
    in `optax` (methods, steps+1, 2) and in the header the largest difference of each."""
    race = Race(read(body))
    found = race.run()
    rows = np.stack([_row(path, race.relief.squeeze(path.loss), path.loss - race.lowest) for path in found.values()])
    head: dict[str, Any] = {"methods": list(found), "rates": race.rates, "columns": COLUMNS, "steps": race.options.steps}
    head |= {"start": race.surface.start}
    if not race.options.optax:
        return Reply(head, {"paths": rows})
    twins = race.twins()
    head["differences"] = {name: difference(found[name].w, w) for name, w in twins.items()}
    missing = np.full((race.options.steps + 1, 2), np.nan)
    return Reply(head, {"paths": rows, "optax": np.stack([twins.get(name, missing) for name in found])})


def _row(path: Path, height: Any, above: Any) -> np.ndarray:
    blank = np.full_like(path.w, np.nan)
    parts = [path.w, np.stack([path.loss, above, height], axis=1), path.gradient, path.update]
    return np.concatenate([*parts, *(blank if a is None else a for a in (path.m, path.v))], axis=1)


def step_by_step(body: dict[str, Any]) -> Reply:
    """One method's update taken apart, for every step: the states in the header, their values as arrays."""
    race = Race(read(body, ("method",)))
    name = check_name("method of the race", body.get("method"), race.optimizers)
    states, values = explain(name, race.optimizers[name], race.run()[name])
    return Reply({"method": name, "states": [state._asdict() for state in states]}, values)


def basins(body: dict[str, Any]) -> Reply:
    """Where a method leads: `label` and `steps` (n, n), rows from low y to high, see races.basins."""
    race = Race(read(body, ("method",)))
    name = check_name("method of the race", body.get("method"), race.optimizers)
    found = maps.basins(race.surface, race.optimizers[name], race.options.steps, limits.BASINS)
    reached = float(np.mean(found.label >= 0))
    return Reply({"method": name, "reached": reached, "distance": found.distance}, {"label": found.label, "steps": found.steps})


def heat(body: dict[str, Any]) -> Reply:
    """Last losses over learning rate and the method's second number: `loss` (n, m), `rates` (m,), `second` (n,)."""
    race = Race(read(body, ("method",)))
    name = check_name("method of the race", body.get("method"), race.optimizers)
    if name not in KNOBS:
        raise InputError(f"{name} has one number only, its learning rate: there is no map to draw")
    second = maps.second_number(name)
    size = limits.HEAT
    rates, other = np.geomspace(1e-5, 1e2, size[0]), np.linspace(0, 0.99, size[1])

    def build(rate: float, **more: float) -> Any:
        return race_setup.build(race.options, name, rate, **more)

    found = maps.heat(race.surface, build, second, steps=race.options.steps, rates=rates, second=other)
    return Reply(
        {"method": name, "second": second}, {"loss": found.loss, "shade": shade(found.loss, race.lowest), "rates": rates, "values": other}
    )


def shade(loss: np.ndarray, lowest: float) -> np.ndarray:
    """Losses as numbers from 0 (the lowest) to 1 (the worst that is no worse than most), in the logarithm; NaN where not finite."""
    finite = np.isfinite(loss)
    if not finite.any():
        return np.full(loss.shape, np.nan)
    above = np.where(finite, loss, np.nan) - (lowest if np.isfinite(lowest) else np.nanmin(loss[finite]))
    order = np.log10(np.maximum(above, 1e-12))
    low, high = np.nanmin(order), np.nanquantile(order, 0.9)
    return np.clip((order - low) / max(high - low, 1e-9), 0, 1)


def fair(body: dict[str, Any]) -> Reply:
    """Each method at its own best of 36 rates, see races.fair: in the header `results`, each one's rate, the median of its
    reported scores and the share that missed; `rates` (36,) and `tuned` (methods, 36), the medians by which they were chosen.

    Scores are last losses above the lowest known or, where none is known (`above` is false), above the best seen.
    """
    race = Race(read(body))
    builds = {name: partial(race_setup.build, race.options, name) for name in race.rates}
    found = fairness.fair(race.surface, builds, race.options.steps)
    tuned = np.stack([r.tuning[:, 1] for r in found.values()])
    known = bool(np.isfinite(race.lowest))
    seen = np.concatenate([tuned.ravel(), *(r.scores for r in found.values())])
    base = race.lowest if known else float(seen[np.isfinite(seen)].min(initial=0.0))
    results = {name: {"rate": r.rate, "median": float(r.quartiles[1]) - base, "missed": r.missed} for name, r in found.items()}
    counts = {"steps": race.options.steps, "tuning": fairness.TUNING, "reporting": fairness.REPORTING}
    return Reply({"results": results, "above": known, **counts}, {"rates": fairness.RATES, "tuned": tuned - base})


QUICK: dict[str, Callable[[dict[str, Any]], Reply]] = {
    "race/about": about, "race/surface": surface, "race/paths": race_paths, "race/explain": step_by_step,
}  # fmt: skip
SLOW: dict[str, Callable[[dict[str, Any]], Reply]] = {"race/basins": basins, "race/heat": heat, "race/fair": fair}


def warm(name: str) -> None:
    """Compile the programs of a surface's race, so that the first drag is quick."""
    with computing():
        body = {"surface": name}
        surface(body)
        race_paths(body)
