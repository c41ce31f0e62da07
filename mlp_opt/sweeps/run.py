"""Run a study in a folder and gather its results: table, best model, ensemble."""

from __future__ import annotations

import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..config import dump_sweep_toml
from ..data import dataset
from ..errors import InputError
from ..store import files
from ..store.sweep_folder import CONFIG, SweepFolder
from . import study as studies
from . import table as tables
from .engine import Engine
from .results import SHOWN, Sweep, gather, write, write_result
from .study import Study
from .worker import Done, Task


def sweep(
    space: dict[str, Any] | list[dict[str, Any]],
    data: Any,
    y: Any = None,
    *,
    when: Any = (),
    task: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Engine], None] | None = None,
    **settings: Any,
) -> Sweep:
    """Train every trial of `space` on `data`, as vmapped lanes on all cores or devices.

    data: the name of a data set; a table (a polars or pandas data frame, or a file's path) with y the column to predict,
    or several; or X (rows, columns) with y (rows,) or (rows, targets): whole numbers or texts are classes, floats values
    (`task` "binary", "multiclass", "multilabel" or "regression" overrides). space and when: see `sweeps.space`, for
    example {"learning_rate": {"log_uniform": [1e-4, 1.0]}, "optimizer": ["momentum", "adam"], "hidden": [[32], [64, 64]]};
    a list of trials, [{"learning_rate": 0.1}, {"learning_rate": 0.2, "hidden": [32]}], is taken as it is.
    settings: any field of TrainConfig (what does not vary: epochs, batch_size, test_size, ...) and of SweepConfig
    (method, trials, repeats, folds, halving, top, ...). The test part is set aside first and chooses nothing.

    out: folder to keep everything in; resume=True goes on with the unfinished sweep in it. Raises InputError for
    anything that does not fit, before training. KeyboardInterrupt leaves `out` resumable.
    """
    space, when = plain(space), plain(when) or []
    if "dataset" in settings:
        raise InputError("give the data as the second argument, not as dataset")
    named: dict[str, Any] = {"dataset": str(data), "task": task or ""} if isinstance(data, (str, Path)) else {}
    if named and y is not None:
        named["target"] = y
    config, options = studies.settings_of(settings | named)
    known = None if named else dataset.of(data, y, task, config.columns)
    study = studies.make(config, options, space, when, known)
    if out is None:
        with tempfile.TemporaryDirectory(prefix="mlp_opt-") as temporary:
            return _whole(run(study, Path(temporary), on_progress, kept=False), None)
    if resume and (Path(out) / CONFIG).exists():
        before, now = files.read(Path(out) / CONFIG).decode(), dump_sweep_toml(config, options, space, list(when))
        if tomllib.loads(before) != tomllib.loads(now):
            raise InputError(f"{out} holds another sweep; choose another out, or call with the settings in {Path(out) / CONFIG}")
        return _written(run(study, Path(out), on_progress), Path(out))
    folder = files.new_folder(Path(out))
    start(study, space, when, folder)
    return _written(run(study, folder, on_progress), folder)


def plain(value: Any) -> Any:
    """NumPy numbers and arrays, and tuples, as plain Python ones, which a configuration file can hold."""
    if isinstance(value, dict):
        return {str(name): plain(v) for name, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def start(study: Study, space: Any, when: Any, folder: Path) -> None:
    """Write the description of the sweep into its (new) folder."""
    SweepFolder(folder).describe(dump_sweep_toml(study.config, study.settings, space, list(when)))


def run(
    study: Study,
    path: Path,
    on_progress: Callable[[Engine], None] | None = None,
    stop: threading.Event | None = None,
    kept: bool = True,
) -> Sweep | None:
    """Train what is not done yet, gather and write the results. None if `stop` was set before the end."""
    folder = SweepFolder(path, kept)
    with folder.writing():
        return _run(study, folder, on_progress, stop)


def _run(study: Study, folder: SweepFolder, on_progress: Callable[[Engine], None] | None, stop: threading.Event | None) -> Sweep | None:
    started, describe, path = time.perf_counter(), _Describe(study), folder.path
    engine = Engine(
        study.plan, study.brackets, study.datasets(), study.tests(), folder, describe, study.has_validation,
        eta=study.settings.eta, top=max(study.settings.top, SHOWN), workers=study.settings.workers,
    )  # fmt: skip
    engine.stop = stop or engine.stop
    sizes = folder.load_plan(study.data.digest, len(study.plan.buckets)) if folder.kept else None
    if sizes is None:
        sizes = engine.choose_tiles(study.settings.tile)
        if folder.kept:
            folder.save_plan(sizes, study.data.digest)
    else:
        for bucket, size in zip(study.plan.buckets, sizes, strict=True):
            bucket.tile = size
    if not engine.run(on_progress):
        return None
    states_matter = not engine.pool.best
    engine.rescue()
    found = gather(study, engine, folder, time.perf_counter() - started, path if folder.kept else None)
    if folder.kept:
        write(found, path)
        for key in set() if states_matter else folder.saved("states"):
            folder.remove(f"states/{key}")
    return found


def _whole(found: Sweep | None, folder: Path | None) -> Sweep:
    if found is None:
        go_on = "without out nothing of it is kept" if folder is None else f"go on with resume=True and out={str(folder)!r}"
        raise InputError(f"the sweep was stopped; {go_on}")
    return found


def _written(found: Sweep | None, folder: Path) -> Sweep:
    whole = _whole(found, folder)
    write_result(whole, folder)
    return whole


class _Describe:
    """The lines of the log for the lanes of a finished tile."""

    def __init__(self, study: Study):
        self.study = study
        names = [name for name in tables.names(study.dimensions) if "." not in name]
        self.base = {name: getattr(study.config, name) for name in names}  # of trials that leave a field as it is
        self.scores = [f"{part}_{what}" for part in ("train", "val", "test") for what in ("loss", study.metric)]

    def __call__(self, task: Task, done: Done) -> list[dict[str, Any]]:
        """What each was, what came out, what varied."""
        columns = self._which(task) | self._outcome(task, done)
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for row in rows:
            varied = self.base | self.study.trials[row["trial"]]
            row |= {name: tables.cell(value) for name, value in varied.items() if name != "seed"}
        return rows

    def _which(self, task: Task) -> dict[str, list[Any]]:
        study, n = self.study, len(task.lanes)
        trial, fold, repeat = (column.tolist() for column in study.plan.identities(task.lanes))
        seeds = [study.trials[t].get("seed", study.config.seed) for t in trial]
        columns: dict[str, list[Any]] = {"task": [task.key] * n, "lane": list(task.lanes), "trial": trial, "fold": fold, "repeat": repeat}
        seed = [(s + r) % 2**32 for s, r in zip(seeds, repeat, strict=True)]
        return columns | {"seed": seed, "bracket": [task.bracket] * n, "rung": [task.rung] * n}

    def _outcome(self, task: Task, done: Done) -> dict[str, list[Any]]:
        study, n = self.study, len(task.lanes)
        diverged, epochs, best, best_value = (
            np.asarray(leaf)[:n] for leaf in (done.state.diverged_at, done.state.epoch, done.state.best_epoch, done.state.best_value)
        )
        at = np.where((best > 0) & ((diverged > 0) | study.has_validation), best, epochs) - 1
        measured = np.where((at >= 0)[:, None], done.history[np.arange(n), np.maximum(at, 0)], np.nan)
        value = best_value
        if not study.has_validation:  # the last weights are kept, so the last epoch counts
            value = measured[:, 0] if study.config.monitor == "loss" else -measured[:, 1]
        waited = epochs - best >= study.plan.patience(task.bucket, task.lanes)  # in the last epoch of the rung, it may be
        going = (epochs >= task.until) & ~waited
        ended = np.where(epochs >= study.config.epochs, "finished", np.where(going, "running", "patience"))
        test = np.full((n, 2), np.nan) if done.test is None else np.stack(done.test, axis=1)[:n]
        scores = np.concatenate([_finite(measured), _finite(np.where((diverged > 0)[:, None], np.nan, test))], axis=1)
        columns = {
            "epochs": epochs,
            "best_epoch": best,
            "status": np.where(diverged > 0, "diverged", ended),
            "diverged_at": _where(diverged > 0, diverged),
            "value": _finite(np.where(diverged > 0, np.nan, value)),
            **dict(zip(self.scores, scores.T, strict=True)),
        }
        return {name: column.tolist() for name, column in columns.items()} | {"seconds": [round(done.seconds / n, 6)] * n}


def _where(good: np.ndarray, values: np.ndarray) -> np.ndarray:
    """As Python numbers, None where one is not good."""
    return np.where(good, values, np.array(None))


def _finite(values: np.ndarray) -> np.ndarray:
    return _where(np.isfinite(values), values)
