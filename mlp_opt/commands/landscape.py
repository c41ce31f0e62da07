"""`mlp-opt landscape`: train with several optimizers, and look at the loss that they saw."""

from __future__ import annotations

import io
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from ..config import TrainConfig, dump_toml
from ..errors import InputError, check_name
from ..store import files
from . import progress

GRIDS = (5, 201)  # points on a side
MOST_OPTIMIZERS = 7

CAPTIONS = {
    "plane": "The training loss on the plane nearest to the paths. No path lies in it: beside it, how far the loss drawn under each path is"
    " from the loss that the network had.",
    "surface": "The same plane as a surface; the paths are their projections on it.",
    "around": "The training loss around each solution along two random directions, in which every neuron moves by its own norm.",
    "interpolation": "Loss and score on straight lines. The barrier is the largest rise of the loss above the chord between its two ends.",
    "sharpness": "The largest eigenvalue of the Hessian along each run. Full-batch steps with one learning rate diverge along a direction"
    " of higher curvature than the dashed line; for adaptive steps there is no such line.",
}


def main(
    config: TrainConfig,
    optimizers: Sequence[str],
    rates: Mapping[str, Any],
    plane: str,
    grid: int,
    hessian_rows: int,
    run: Path | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Train, compute, draw, save. 0; 1 if every run diverged; InputError for what cannot be."""
    from ..diagnose import landscape

    check_name("plane", plane, landscape.PLANES)
    if not GRIDS[0] <= grid <= GRIDS[1]:
        raise InputError(f"grid must be a whole number from {GRIDS[0]} to {GRIDS[1]} points on a side, got {grid}")
    if hessian_rows < 0:
        raise InputError(f"hessian_rows must be a whole number >= 0 (0: no eigenvalues), got {hessian_rows}")
    if len(optimizers) > MOST_OPTIMIZERS or len(set(optimizers)) < len(optimizers):
        raise InputError(f"--optimizers takes up to {MOST_OPTIMIZERS} different names, got {','.join(optimizers)}")
    saved = None
    if run is not None:
        config, saved = landscape.opened(run)
    if config.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
        saved = None if run is None else landscape.opened(run)[1]
    own = {config.optimizer: config.learning_rate} if not optimizers or run is not None else {}
    names = tuple(optimizers) or (config.optimizer,)
    chosen = landscape.rates_of(names, {name: rate for name, rate in own.items() if name in names} | dict(rates))
    made = landscape.prepared(config, chosen)
    folder = files.new_folder(out or files.next_folder(Path("runs"), config.dataset, "-landscape"))
    files.write(folder / "config.toml", dump_toml(config))
    started = time.perf_counter()
    with progress.counting("networks trained") as show:
        runs = landscape.recorded(made, saved, on_run=show)
    kept = runs.without_diverged()
    for name in [name for name in runs.paths if name not in kept.paths]:
        print(f"{name} diverged at step {runs.paths[name].run.diverged_at} and is not drawn; try a smaller learning rate", file=sys.stderr)
    if not kept.paths:
        return 1
    seen = landscape.views(kept, plane, grid, config.seed)
    curved = landscape.sharpness(kept, hessian_rows) if hessian_rows else {}
    table = _table(runs, seen, curved)
    _save(folder, config, kept, seen, curved, table)
    _tell(folder, table, time.perf_counter() - started, as_json)
    return 0


def _save(folder: Path, config: TrainConfig, runs: Any, seen: list[Any], curved: dict[str, Any], table: pl.DataFrame) -> None:
    """The pictures, the numbers in landscape.npz, report.html."""
    from ..diagnose import landscape
    from ..figures import page

    lines = landscape.lines(runs)
    figures = _figures(config, runs, seen, lines, curved)
    files.write(folder / "landscape.npz", _numbers(runs, seen, lines, curved))
    pictures = []
    for name, figure in figures.items():
        files.write(folder / f"{name}.png", drawn := _bytes(figure, "png"))
        files.write(folder / f"{name}.svg", _bytes(figure, "svg"))
        pictures.append((name, figure, drawn, CAPTIONS[name]))
    shape = "-".join(map(str, runs.model.sizes))
    facts = [f"{shape}, {len(runs.X):,} training rows, batches of {runs.batch_size:,}"]
    notes = [
        "Each run starts from the same weights and sees the samples in the same order. The learning rates are as given or the usual ones;"
        " nobody tuned them, so this page ranks no optimizer.",
        "Losses are the plain mean over the training rows, without penalty or dropout. A run that diverged is not drawn.",
        "landscape.npz holds every number that is drawn here.",
    ]
    files.write(folder / "report.html", page.pictures(f"The loss landscape of {runs.name}", facts, table, pictures, notes))


def _tell(folder: Path, table: pl.DataFrame, seconds: float, as_json: bool) -> None:
    rows = [{k: _plain(v) for k, v in row.items()} for row in table.iter_rows(named=True)]
    result = {"out": str(folder), "seconds": round(seconds, 3), "runs": rows}
    files.write(folder / "result.json", json.dumps(result, indent=1, allow_nan=False) + "\n")  # last: what is finished holds it
    if as_json:
        print(json.dumps(result))
    else:
        _print(table, folder, seconds)


def _figures(config: TrainConfig, runs: Any, seen: list[Any], lines: Any, curved: dict[str, Any]) -> dict[str, Figure]:
    from ..diagnose import landscape
    from ..figures import landscape as draw
    from ..figures import sharpness
    from ..figures.looks import LOOKS, OTHER

    name, figures = runs.name, {}
    if seen[0].shares is None:
        figures["around"] = draw.around(seen, runs.rates, f"The loss of {name} around each solution")
    else:
        figures["plane"] = draw.plane(seen[0], runs.rates, f"The loss of {name} on one plane")
        figures["surface"] = draw.surface(seen[0], runs.rates, f"The loss of {name} on one plane")
    figures["interpolation"] = sharpness.interpolation(lines[0], lines[1], runs.metric, f"Straight lines between networks, {name}")
    if curved:
        shown = []
        for optimizer, (epochs, found) in curved.items():
            look = LOOKS.get(optimizer, OTHER)
            options = config.optimizer_options if optimizer == config.optimizer else {}
            limit = landscape.stable_below(optimizer, runs.rates[optimizer], options) if config.schedule == "constant" else None
            history = runs.paths[optimizer].run.history
            shown.append(sharpness.Sharpness(optimizer, look.color, look.line, epochs, found.top[:, 0], limit, history))
        figures["sharpness"] = sharpness.sharpness(shown, f"Curvature along the runs, {name}", "dashed: full-batch steps diverge above")
    return figures


def _numbers(runs: Any, seen: list[Any], lines: Any, curved: dict[str, Any]) -> bytes:
    """Everything drawn, as npz: names say what, slashes separate them."""
    arrays: dict[str, np.ndarray] = {}
    for view in seen:
        at = f"plane/{view.title}" if view.title else "plane"
        arrays |= {f"{at}/{k}": getattr(view.surface, k) for k in ("xs", "ys", "loss", "score")}
        arrays |= {} if view.shares is None else {f"{at}/explained": view.shares}
        for name, (epochs, shadow) in view.shadows.items():
            found = {"epochs": epochs, "at": shadow.at, "loss": shadow.loss, "on_plane": shadow.on_plane}
            arrays |= {f"path/{name}/{k}": v for k, v in found.items()}
    for name, line in [*lines[0].items(), *((f"{a} to {b}", line) for (a, b), line in lines[1].items())]:
        arrays |= {f"line/{name}/{k}": v for k, v in line._asdict().items()}
    for name, (epochs, found) in curved.items():
        arrays |= {f"hessian/{name}/{k}": v for k, v in {"epochs": epochs, **found._asdict()}.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _table(runs: Any, seen: list[Any], curved: dict[str, Any]) -> pl.DataFrame:
    """A row an optimizer: how its run ended, and how far the plane is from the truth there."""
    metric, rows = runs.metric, []
    for name, path in runs.paths.items():
        history = path.run.history
        row: dict[str, Any] = {"optimizer": name, "learning rate": runs.rates[name], "epochs": len(history["epoch"])}
        row |= {"train loss": float(history["train_loss"][-1]), f"train {metric}": float(history[f"train_{metric}"][-1])}
        if name in seen[0].shadows:
            row["largest gap"] = float(np.abs(seen[0].shadows[name][1].gap).max())
        if name in curved:
            row |= {"top eigenvalue": float(curved[name][1].top[-1, 0]), "lowest": float(curved[name][1].lowest[-1])}
        rows.append(row | {"ended": path.run.stopped})
    return pl.DataFrame(rows)


def _print(table: pl.DataFrame, folder: Path, seconds: float) -> None:
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    shown = Table(box=None, header_style="bold")
    for name, kind in table.schema.items():
        shown.add_column(name, justify="right" if kind.is_numeric() else "left")
    for row in table.iter_rows():
        shown.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    console.print(shown)
    console.print(f"{seconds:.1f} s; report.html, pictures and landscape.npz in {folder}", soft_wrap=True)


def _bytes(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN
