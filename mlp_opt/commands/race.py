"""`mlp-opt race`: optimizers on a surface; pictures, an animation, tables, one page."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from ..config import RaceConfig, TrainConfig
from ..diagnose.optax_races import difference, optax_optimizer, optax_race
from ..errors import InputError, check_name
from ..experiment import build_optimizer
from ..figures import race_report
from ..races import fair as fairness
from ..races import maps, paths
from ..store import files
from ..surfaces import SURFACES, Surface, from_expression, surface

MOST_STEPS = 100_000


def main(options: RaceConfig, out: Path | None, as_json: bool) -> int:
    """Race, save, print. 0, or 1 if no optimizer's path stays finite."""
    started = time.perf_counter()
    with jax.enable_x64(True):  # two numbers a step: digits cost nothing here
        land = _surface(options)
        rates = _rates(options, land)
        optimizers = {name: _build(options, name, rate) for name, rate in rates.items()}
        folder = files.new_folder(out or files.next_folder(Path("runs"), f"race-{land.name}"))
        found = paths.race(land, optimizers, steps=options.steps)
        twins = _twins(options, land, rates, optimizers) if options.optax else {}
        extras: dict[str, Any] = {}
        if options.fair:
            builds = {name: partial(_build, options, name) for name in rates}
            extras["fair"] = fairness.fair(land, builds, options.steps, options.target, options.seed)
        if options.basins:
            extras["basins"] = {name: maps.basins(land, optimizer, options.steps) for name, optimizer in optimizers.items()}
        if options.heat:
            extras["heat"] = {name: _heat(options, land, name) for name in rates}
        table = _table(land, rates, found, twins)
        race_report.save(folder, land, found, rates, table, twins, options.target, options.gif, **extras)
    seconds = time.perf_counter() - started
    _tell(options, land, table, extras, folder, seconds, as_json)
    if not any(np.isfinite(path.loss[-1]) for path in found.values()):
        print("every path has left the finite numbers; try smaller --rates", file=sys.stderr)
        return 1
    return 0


def _surface(options: RaceConfig) -> Surface:
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


def _rates(options: RaceConfig, land: Surface) -> dict[str, float]:
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


def _own_options(options: RaceConfig, name: str) -> dict[str, Any]:
    pairs = ((key.partition("."), value) for key, value in options.optimizer_options.items())
    return {option: value for (rule, _, option), value in pairs if rule == name}


def _build(options: RaceConfig, name: str, rate: float, **more: float) -> Any:
    """The optimizer with its rate (or the schedule up to it) and its own options, checked as in `train`."""
    rule, fixed = ("sgd", {"momentum": 0.9, "nesterov": True}) if name == "nesterov" else (name, {})
    own: dict[str, Any] = fixed | _own_options(options, name) | more
    config = TrainConfig(optimizer=rule, learning_rate=rate, schedule=options.schedule, optimizer_options=own)
    return build_optimizer(config, options.steps)


def _twins(options: RaceConfig, land: Surface, rates: dict[str, float], optimizers: dict[str, Any]) -> dict[str, np.ndarray]:
    """optax's positions, for the rules that it has."""
    made = {name: optimizers[name].update.traced["learning_rate"] for name in rates}  # a number or a schedule
    theirs = {name: optax_optimizer(name, rate, **_own_options(options, name)) for name, rate in made.items()}
    known = {name: optimizer for name, optimizer in theirs.items() if optimizer is not None}
    return {name: path.w for name, path in optax_race(land, known, steps=options.steps).items()}


def _heat(options: RaceConfig, land: Surface, name: str) -> maps.Heat:
    second = maps.second_number(name)
    return maps.heat(land, lambda rate, **more: _build(options, name, rate, **more), second, steps=options.steps, target=options.target)


def _table(land: Surface, rates: dict[str, float], found: dict[str, paths.Path], twins: dict[str, np.ndarray]) -> pl.DataFrame:
    """A row an optimizer, in the order of the last losses: where it ended and how far from a minimum and from optax."""
    rows: list[dict[str, Any]] = []
    for name, path in found.items():
        w, loss = path.w[-1], float(path.loss[-1])
        near = float(paths.distance_to_minima(land, w))
        row: dict[str, Any] = {"optimizer": name, "learning rate": rates[name], "last loss": loss, "x": float(w[0]), "y": float(w[1])}
        row["to nearest minimum"] = near if math.isfinite(near) else None
        if twins:
            row["largest difference to optax"] = difference(path.w, twins[name]) if name in twins else None
        rows.append(row)
    rows.sort(key=lambda row: (not math.isfinite(row["last loss"]), row["last loss"]))
    return pl.DataFrame(rows, infer_schema_length=None)


def _tell(
    options: RaceConfig, land: Surface, table: pl.DataFrame, extras: dict[str, Any], folder: Path, seconds: float, as_json: bool
) -> None:
    results = extras.get("fair", {})
    if as_json:
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()} for row in table.iter_rows(named=True)
        ]
        result = {
            "out": str(folder),
            "surface": land.name,
            "start": land.start,
            "steps": options.steps,
            "seconds": round(seconds, 3),
            "race": rows,
        }
        if results:
            result["fair"] = race_report.fair_table(results).to_dicts()
        print(json.dumps(result))
        return
    console = Console()
    title = f"{land.name}, f = {land.formula}; start {land.start[0]:g}, {land.start[1]:g}; {options.steps} steps"
    console.print(_printed(title, table))
    if results:
        unit = "steps until the loss stays under the target" if options.target is not None else "last losses"
        console.print("", _printed(f"fair: each at its best of 36 rates, {unit} from other random starts", race_report.fair_table(results)))
    console.print(f"{seconds:.1f} s; pictures, tables and report.html in {folder}", highlight=False, soft_wrap=True)


def _printed(title: str, frame: pl.DataFrame) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for i, name in enumerate(frame.columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in frame.iter_rows():
        table.add_row(*("-" if v is None else f"{v:.3g}" if isinstance(v, float) else str(v) for v in row))
    return table
