"""`mlp-opt race`: optimizers on a surface; pictures, an animation, tables, one page."""

from __future__ import annotations

import json
import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from .. import race_setup
from ..config import RaceConfig
from ..diagnose.optax_races import difference
from ..figures import race_report
from ..races import fair as fairness
from ..races import maps, paths
from ..store import files
from ..surfaces import Surface


def main(options: RaceConfig, out: Path | None, as_json: bool) -> int:
    """Race, save, print. 0, or 1 if no optimizer's path stays finite."""
    started = time.perf_counter()
    with jax.enable_x64(True):  # two numbers a step: digits cost nothing here
        land = race_setup.surface_of(options)
        rates = race_setup.rates_of(options, land)
        optimizers = {name: race_setup.build(options, name, rate) for name, rate in rates.items()}
        folder = files.new_folder(out or files.next_folder(Path("runs"), f"race-{land.name}"))
        found = paths.race(land, optimizers, steps=options.steps)
        twins = race_setup.twins(options, land, rates, optimizers) if options.optax else {}
        extras: dict[str, Any] = {}
        if options.fair:
            builds = {name: partial(race_setup.build, options, name) for name in rates}
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


def _heat(options: RaceConfig, land: Surface, name: str) -> maps.Heat:
    second = maps.second_number(name)
    return maps.heat(
        land, lambda rate, **more: race_setup.build(options, name, rate, **more), second, steps=options.steps, target=options.target
    )


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
