"""The page's Sweep tab, server side: the table of a sweep's folder and what the report tells of it, for any pair of hyperparameters.

What is computed is computed by the functions that the report draws with. A trial whose curves the folder does not keep is trained again.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ..errors import InputError, check_name
from ..figures.looks import LOOKS
from . import folders, limits
from .messages import Reply, known, whole
from .runs import about, curves, reading, result_of, unchanged
from .runs import computing as computing

COLUMNS = ("trial", "fold", "repeat", "group", "status", "score", "value", "epochs")  # of `lanes`, before the hyperparameters
STATUS = ("finished", "patience", "diverged", "halved", "running")
_kept: dict[Any, Any] = {}
_lock = threading.Lock()


def _remembered(key: Any, make: Callable[[], Any], most: int = limits.KEPT) -> Any:
    """What `make` gives, of the last few keys. Two threads may make the same at once."""
    with _lock:
        if key in _kept:
            _kept[key] = _kept.pop(key)  # the latest last
            return _kept[key]
    made = make()
    with _lock:
        _kept[key] = made
        mine = [k for k in _kept if k[0] == key[0]]
        for old in mine[: max(len(mine) - most, 0)]:
            del _kept[old]
    return made


def _found(folder: folders.Folder) -> Any:
    """The folder's sweep as `sweeps.table.opened` has it. InputError."""
    from ..sweeps import table

    with reading(folder):
        return _remembered(("table", folder.path, folder.stamp), lambda: table.opened(folder.path))


def _read(body: dict[str, Any], *more: str) -> tuple[folders.Folder, Any]:
    """(folder, its sweep) of a request that may have these keys, too. InputError."""
    known(body, "the request", ("name", *more))
    folder = folders.opened(body, "sweep")
    return folder, _found(folder)


def opened(body: dict[str, Any]) -> Reply:
    """The sweep: facts, hyperparameters and leaderboard in the header; `lanes` (networks, columns), columns as in COLUMNS and then the
    hyperparameters, of a category the place among its values."""
    known(body, "the request", ("name", "seen"))
    folder = folders.opened(body, "sweep")
    if (same := unchanged(folder, body)) is not None:
        return same
    log = folder.path / "trials.jsonl"
    if not (folder.path / "trials.parquet").exists() and not (log.exists() and log.stat().st_size):
        return Reply({**about(folder), "begun": True}, {})  # its first networks are training
    found = _found(folder)
    from ..figures import numbers
    from ..sweeps.table import leaderboard

    with reading(folder):
        table, varied, result = found.table, found.varied, result_of(folder)
        score, what = numbers.scores(table, found.metric)
        by = _by(found)
        shown = numbers.groups(table, by)
        fields, columns = zip(*[_field(found, name) for name in varied], strict=True) if varied else ((), ())
        group = np.sum([i * g.rows for i, g in enumerate(shown)], axis=0)
        status = np.array([STATUS.index(s) if s in STATUS else 0 for s in table["status"].to_list()])
        first = [table[name].to_numpy() for name in COLUMNS[:3]]
        lanes = np.column_stack([*first, group, status, score, numbers.values_of(table), table["epochs"].to_numpy(), *columns])
        drawn = np.unique(np.linspace(0, len(lanes) - 1, min(len(lanes), limits.NETWORKS)).round().astype(int))
        counts = dict(sorted(table["status"].value_counts().iter_rows()))
        seconds = result.get("seconds")
        best = dict(result.get("best") or {})
        board = leaderboard(table, varied, found.metric, limits.BOARD)
        head = {
            "networks": table.height, "trials": table["trial"].n_unique(), "drawn": len(drawn), "folds": table["fold"].n_unique(),
            "repeats": table["repeat"].n_unique(), "epochs": int(table["epochs"].sum()), "counts": counts, "planned": _planned(folder),
            "took": numbers.duration(seconds) if isinstance(seconds, (int, float)) else None,
            "test": {name: value for name, value in best.items() if name.startswith("test_") and isinstance(value, float)},
            "metric": found.metric, "what": what, "range": numbers.limits(score, found.metric),
            "columns": [*COLUMNS, *varied], "fields": fields, "by": by, "groups": [_look(g, by) for g in shown], "statuses": STATUS,
            "x": numbers.axis_number(table.select(varied), varied) if varied else None,
            "board": {"columns": [_heading(name) for name in board.columns], "rows": [list(map(_cell, row)) for row in board.iter_rows()]},
            "dataset": _settings(folder)[0].get("dataset", ""),
        }  # fmt: skip
    return Reply(about(folder) | head, {"lanes": lanes[drawn]})


def _settings(folder: folders.Folder) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    from ..config import load_sweep_toml

    return load_sweep_toml(folder.path / "config.toml")


def _planned(folder: folders.Folder) -> int | None:
    """How many networks there will be; None of a grid, which is not counted here."""
    _, settings, space, _ = _settings(folder)
    if not isinstance(space, list) and settings.get("method", "random") == "grid":
        return None
    trials = len(space) if isinstance(space, list) else settings.get("trials", 256)
    return int(trials * settings.get("folds", 1) * settings.get("repeats", 1))


def _by(found: Any) -> str:
    return "optimizer" if "optimizer" in found.varied else ""


def _look(group: Any, by: str) -> dict[str, str]:
    look = LOOKS.get(group.name) if by == "optimizer" else None
    color, line, marker = look or (group.color, group.dashes, group.marker)
    return {"name": group.name[:80], "color": color, "line": line, "marker": marker}


def _field(found: Any, name: str) -> tuple[dict[str, Any], np.ndarray]:
    """A hyperparameter: what the page calls it and can do with it; its column as numbers."""
    from ..figures import numbers

    told: dict[str, Any] = {"name": name, "label": numbers.label(name)[:80], "scale": found.scales[name], "values": None}
    told["varies"] = found.table[name].n_unique() > 1
    if numbers.is_number(found.table, name):
        return told, numbers.floats(found.table, name)
    values = numbers.choices(found.table, name)
    told["values"] = [numbers.text(value)[:80] for value in values[: limits.CATEGORIES]]
    place = {value: i for i, value in enumerate(values)}
    return told, np.array([place[value] for value in found.table[name].to_list()], float)


def _heading(name: str) -> dict[str, str]:
    from ..figures.numbers import label

    spelled = {"rank": "", "val_loss": "val. loss", "val_accuracy": "val. accuracy", "val_r2": "val. R²", "train_r2": "train R²"}
    return {"name": name, "label": spelled.get(name, label(name)[:80])}


def _cell(value: Any) -> Any:
    return value[:80] if isinstance(value, str) else value


def trends(body: dict[str, Any]) -> Reply:
    """The score over one number, group by group: `at0` (n,), `middle0` (n, 3), `lost0` (n,), `at1`, ... as in figures.sweep_numbers."""
    folder, found = _read(body, "x")
    from ..figures import numbers, sweep_numbers

    x = check_name("hyperparameter", body.get("x"), found.varied)
    if not numbers.is_number(found.table, x):
        raise InputError(f"{x} is no number that varies in this sweep")
    with reading(folder):
        shown = sweep_numbers.trends(found.table, x, found.scales[x], found.metric, _by(found))
    arrays = {f"{part}{k}": getattr(trend, part) for k, trend in enumerate(shown) for part in ("at", "middle", "lost")}
    return Reply({"name": folder.name, "x": x, "stamp": folder.stamp, "binned": any(trend.binned for trend in shown)}, arrays)


def cells(body: dict[str, Any]) -> Reply:
    """The median score over two hyperparameters: `middle`, `lost`, `lanes` (rows of y, columns of x), labels in the header, and for
    each network that is drawn its place `column` and `row`, -1 if in none."""
    folder, found = _read(body, "x", "y")
    from ..figures import sweep_numbers

    x, y = (check_name("hyperparameter", body.get(key), found.varied) for key in "xy")
    with reading(folder):
        made = sweep_numbers.cells(found.table, x, y, found.scales, found.metric)
        drawn = np.unique(np.linspace(0, found.table.height - 1, min(found.table.height, limits.NETWORKS)).round().astype(int))
    sides = {key: {"name": name, "labels": [text[:80] for text in side.labels], "edges": side.edges}
             for key, name, side in (("x", x, made.x), ("y", y, made.y))}  # fmt: skip
    arrays = {"middle": made.middle, "lost": made.lost, "lanes": made.lanes, "column": made.x.place[drawn], "row": made.y.place[drawn]}
    return Reply({"name": folder.name, "stamp": folder.stamp, "what": made.what, **sides}, arrays)


def importance(body: dict[str, Any]) -> Reply:
    """Each hyperparameter's share in a trial's rank, how far that can be trusted, and the pair that the heat map begins with."""
    folder, found = _read(body)
    from ..figures import forest

    def make() -> Any:
        told = forest.explained(found.table, found.varied, found.scales)
        return told, forest.chosen(found.table, found.varied, found.scales, told[0])

    with reading(folder):
        (shares, fit), pair = _remembered(("importance", folder.path, folder.stamp), make)
    ranked = sorted(shares.items(), key=lambda share: -share[1])
    return Reply({"name": folder.name, "stamp": folder.stamp, "shares": ranked, "fit": fit, "pair": pair}, {})


def _lane(body: dict[str, Any], found: Any, folder: folders.Folder) -> tuple[tuple[int, int, int], dict[str, Any]]:
    """((trial, fold, repeat), its row in the table) that a request names. InputError."""
    lane = body.get("lane")
    if not isinstance(lane, list) or len(lane) != 3:
        raise InputError("lane must be three whole numbers: trial, fold, repeat")
    trial, fold, repeat = (whole(value, name, 0, 2**31) for value, name in zip(lane, COLUMNS[:3], strict=True))
    table = found.table
    mine = table.filter((table["trial"] == trial) & (table["fold"] == fold) & (table["repeat"] == repeat))
    if not mine.height:
        raise InputError(f"{folder.path} has no trial {trial}" + (f" with fold {fold} and repeat {repeat}" if fold or repeat else ""))
    return (trial, fold, repeat), mine.row(0, named=True)


def trial(body: dict[str, Any]) -> Reply:
    """One network: its hyperparameters and scores, and its curves as arrays if the folder keeps them, else how long they would take."""
    folder, found = _read(body, "lane")
    from ..figures.numbers import label, text

    lane, row = _lane(body, found, folder)
    with reading(folder):
        history = _history(folder, found, lane)
        told = {key: row.get(key) for key in ("seed", "status", "epochs", "best_epoch", "diverged_at")}
        told["values"] = [[label(name)[:80], text(row[name])[:80]] for name in found.varied if row[name] is not None]
        told["scores"] = {
            f"{part}_{what}": row.get(f"{part}_{what}") for part in ("train", "val", "test") for what in ("loss", found.metric)
        }
        head = {"stamp": folder.stamp, "name": folder.name, "lane": lane, "kept": history is not None, "again": _again(folder, lane)}
        head |= {"takes": _takes(folder, row), "too_long": _takes(folder, row) > limits.REPLAY}
        more, arrays = curves(history) if history else ({"metric": found.metric}, {})
    return Reply(head | told | {"metric": more["metric"]}, arrays)


def _history(folder: folders.Folder, found: Any, lane: tuple[int, int, int]) -> dict[str, np.ndarray] | None:
    """The history of a lane, if the folder keeps it."""
    from ..store.sweep_folder import SweepFolder
    from ..sweeps.results import kept_history

    def make() -> dict[Any, Any]:
        rows = SweepFolder(folder.path).rows()
        return {tuple(row[name] for name in COLUMNS[:3]): (row["task"], row["lane"]) for row in rows}

    task, number = _remembered(("tasks", folder.path, folder.stamp), make).get(lane, ("", 0))
    if not re.fullmatch(r"[\w-]{1,80}", task) or not folders.inside(folder.path / "models" / f"{task}.safetensors", limits.WEIGHTS):
        return None
    validated = bool(found.table["val_loss"].is_not_null().any())
    return kept_history(folder.path, task, number, found.metric, validated)


def _again(folder: folders.Folder, lane: tuple[int, int, int]) -> str:
    more = "".join(f" --{name} {value}" for name, value in zip(("fold", "repeat"), lane[1:], strict=True) if value)
    return f"mlp-opt train --from {folder.path} --trial {lane[0]}{more}"


def _takes(folder: folders.Folder, row: dict[str, Any]) -> float:
    """About how many seconds it takes to train a lane again: alone it fills a whole tile. Compiling comes on top."""
    path = folder.path / "plan.json"
    tile = max(json.loads(path.read_bytes())["tiles"], default=1) if path.is_file() else 1
    return float(row["seconds"] or 0.0) / max(row["epochs"], 1) * int(_settings(folder)[0].get("epochs", 50)) * tile


def replay(body: dict[str, Any]) -> Reply:
    """The curves of a network whose history the folder does not keep: it is trained again, to the same bits."""
    folder, found = _read(body, "lane")
    from ..sweeps import replay as replays

    lane, row = _lane(body, found, folder)
    if _takes(folder, row) > limits.REPLAY:
        raise InputError(f"training it again takes about {_takes(folder, row):.0f} s; do it with: {_again(folder, lane)}")

    def make() -> Any:
        with jax.enable_x64(_settings(folder)[0].get("dtype") == "float64"):
            _, go = replays.prepare(folder.path, lane)
            return go().history

    with reading(folder):
        plan = tuple((folder.path / name).stat().st_mtime_ns for name in ("config.toml", "plan.json"))
        head, arrays = curves(_remembered(("history", folder.path, plan, lane), make, 64))
    return Reply({"name": folder.name, "lane": lane, **head}, arrays)


QUICK: dict[str, Callable[[dict[str, Any]], Reply]] = {
    "sweep/open": opened,
    "sweep/trends": trends,
    "sweep/cells": cells,
    "sweep/trial": trial,
}
SLOW: dict[str, Callable[[dict[str, Any]], Reply]] = {"sweep/importance": importance, "sweep/replay": replay}
