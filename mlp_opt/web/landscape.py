"""The page's Landscape tab, server side: what `mlp-opt landscape` left in a folder. Every number is from its landscape.npz."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..figures.looks import LOOKS, OTHER
from ..figures.loss_scale import Scale, scale_of
from . import folders, limits
from .messages import Reply, known
from .runs import about, config_of, reading, result_of, unchanged
from .runs import computing as computing

COLUMNS = ("x", "y", "height", "loss", "on_plane", "gap")
MOST = 2**26  # bytes of the numbers, unpacked


def opened(body: dict[str, Any]) -> Reply:
    """Planes `heights0`, `heights1`, ... (ny, nx), log10 of the loss within its scale, rows from low y to high; `paths` (optimizers,
    points, columns); `line_t`, `line_loss` and `line_score` (lines, points); `sharp0`, ... (2, points), epochs and eigenvalues."""
    known(body, "the request", ("name", "seen"))
    folder = folders.opened(body, "landscape")
    if (same := unchanged(folder, body)) is not None:
        return same
    with reading(folder):
        found, config, result = _numbers(folder.path / "landscape.npz"), config_of(folder.path), result_of(folder)
        rows = {str(row["optimizer"]): row for row in result.get("runs", [])}
        seen = _second(found, "path")
        names = [name for name in dict.fromkeys((*rows, *seen)) if name in seen][: limits.PATHS]
        rates = {name: row["learning rate"] for name, row in rows.items()}
        planes, scale, arrays = _planes(found)
        paths = _paths(found, names, scale)
        lines, more = _lines(found)
        sharp, tops = _sharpness(found, config, rates)
        every = dict.fromkeys([*names, *(line["to"] for line in lines), *(s["name"] for s in sharp)])
        head = {
            "planes": planes, "scale": [scale.low, scale.high], "cut": scale.cut, "low": np.log10(scale.low), "high": np.log10(scale.high),
            "methods": names, "steps": paths.shape[1] - 1, "columns": COLUMNS, "lines": lines, "sharpness": sharp,
            "looks": {name: LOOKS.get(name, OTHER)._asdict() for name in every}, "rates": rates, "runs": list(rows.values()),
            "dataset": config.dataset, "hidden": "-".join(map(str, config.hidden)) or "none", "batch": config.batch_size,
            "metric": "r2" if any("train r2" in row for row in rows.values()) else "accuracy",
            "explained": found["plane/explained"].tolist() if "plane/explained" in found else None,
        }  # fmt: skip
    return Reply(about(folder) | head, {**arrays, "paths": paths, **more, **tops})


def _numbers(path: Path) -> dict[str, np.ndarray]:
    """The arrays of landscape.npz, once their sizes are known to be fit. InputError."""
    try:
        with zipfile.ZipFile(path) as packed:
            if len(packed.infolist()) > 4000 or sum(part.file_size for part in packed.infolist()) > MOST:
                raise InputError(f"{path} holds more numbers than the page shows")
        with np.load(path, allow_pickle=False) as kept:
            return {name: np.asarray(kept[name], float) for name in kept.files}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _second(found: dict[str, np.ndarray], first: str) -> list[str]:
    """The second parts of the names that begin with `first`."""
    return [name.split("/", 2)[1] for name in found if name.startswith(f"{first}/")]


def _planes(found: dict[str, np.ndarray]) -> tuple[list[dict[str, Any]], Scale, dict[str, np.ndarray]]:
    places = [name.removesuffix("/loss") for name in found if name.startswith("plane/") and name.endswith("/loss")][: limits.PATHS]
    losses = [found[f"{place}/loss"] for place in places]
    scale, planes, arrays = scale_of(losses), [], {}
    for k, (place, loss) in enumerate(zip(places, losses, strict=True)):
        xs, ys = found[f"{place}/xs"], found[f"{place}/ys"]
        if loss.shape != (len(ys), len(xs)) or not 2 <= min(loss.shape) <= max(loss.shape) <= limits.SIDE:
            raise InputError(f"landscape.npz is damaged: a plane of {loss.shape} points on {len(xs)} x {len(ys)}")
        planes.append({"title": place.removeprefix("plane").strip("/"), "x": [xs[0], xs[-1]], "y": [ys[0], ys[-1]]})
        arrays[f"heights{k}"] = np.log10(scale.clipped(loss))
    return planes, scale, arrays


def _paths(found: dict[str, np.ndarray], names: list[str], scale: Scale) -> np.ndarray:
    """(optimizers, epochs + 1, columns). Where a path has ended it stays; its losses are NaN there."""
    most = max((len(found[f"path/{name}/at"]) for name in names), default=1)
    if most > limits.CURVE:
        raise InputError(f"a path has {most:,} points, at most {limits.CURVE:,} are shown")
    rows = []
    for name in names:
        at, loss, on_plane = (found[f"path/{name}/{part}"] for part in ("at", "loss", "on_plane"))
        row = np.column_stack([at, np.log10(scale.clipped(on_plane)), loss, on_plane, loss - on_plane])
        stay = np.repeat(row[-1:], most - len(row), axis=0)
        stay[:, 3:] = np.nan
        rows.append(np.concatenate([row, stay]))
    return np.stack(rows) if rows else np.zeros((0, most, len(COLUMNS)))


def _lines(found: dict[str, np.ndarray]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    from ..diagnose.plane import Line

    names = list(dict.fromkeys(_second(found, "line")))[: 8 * limits.PATHS]
    lines = [Line(*(found[f"line/{name}/{part}"] for part in ("t", "loss", "score"))) for name in names]
    told = []
    for name, line in zip(names, lines, strict=True):
        start, between, end = name.rpartition(" to ")
        told.append({"from": start if between else None, "to": end, "barrier": line.barrier if between else None})
    arrays = {f"line_{part}": np.stack([getattr(line, part) for line in lines]) for part in ("t", "loss", "score")} if lines else {}
    return told, arrays


def _sharpness(found: dict[str, np.ndarray], config: Any, rates: dict[str, float]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The largest eigenvalue along each run, and the curvature above which full-batch steps at its rate diverge."""
    from ..diagnose.landscape import stable_below

    told, arrays = [], {}
    for k, name in enumerate(list(dict.fromkeys(_second(found, "hessian")))[: limits.PATHS]):
        options = config.optimizer_options if name == config.optimizer else {}
        known_rate = name in rates and config.schedule == "constant"
        told.append({"name": name, "limit": stable_below(name, rates[name], options) if known_rate else None})
        arrays[f"sharp{k}"] = np.stack([found[f"hessian/{name}/epochs"], found[f"hessian/{name}/top"][:, 0]])
    return told, arrays


QUICK: dict[str, Callable[[dict[str, Any]], Reply]] = {"landscape/open": opened}
SLOW: dict[str, Callable[[dict[str, Any]], Reply]] = {}
