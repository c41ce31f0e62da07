"""Run a study in a folder and gather its results: table, best model, ensemble."""

from __future__ import annotations

import math
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
from .results import SHOWN, Sweep, finite, gather, write, write_result
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
            return _started(study, space, when, Path(temporary), on_progress, kept=False)
    if resume and (Path(out) / CONFIG).exists():
        before, now = files.read(Path(out) / CONFIG).decode(), dump_sweep_toml(config, options, space, list(when))
        if tomllib.loads(before) != tomllib.loads(now):
            raise InputError(f"{out} holds another sweep; choose another out, or call with the settings in {Path(out) / CONFIG}")
        return _written(run(study, Path(out), on_progress), Path(out))
    return _started(study, space, when, files.new_folder(Path(out)), on_progress)


def plain(value: Any) -> Any:
    """NumPy numbers and arrays, and tuples, as plain Python ones, which a configuration file can hold."""
    if isinstance(value, dict):
        return {str(name): plain(v) for name, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def start(study: Study, space: Any, when: Any, folder: Path) -> None:
    """Write the description of the sweep into its (new) folder."""
    files.write(folder / CONFIG, dump_sweep_toml(study.config, study.settings, space, list(when)))


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
    sizes = folder.load_plan(study.data.digest)
    if sizes is None:
        folder.save_plan(engine.choose_tiles(study.settings.tile), study.data.digest)
    else:
        for bucket, size in zip(study.plan.buckets, sizes, strict=True):
            bucket.tile = size
    if not engine.run(on_progress):
        return None
    engine.rescue()
    found = gather(study, engine, folder, time.perf_counter() - started, path if folder.kept else None)
    if folder.kept:
        write(found, path)
    return found


def _started(study: Study, space: Any, when: Any, folder: Path, on_progress: Any, kept: bool = True) -> Sweep:
    start(study, space, when, folder)
    found = run(study, folder, on_progress, kept=kept)
    return _written(found, folder) if kept else _whole(found, folder)


def _whole(found: Sweep | None, folder: Path) -> Sweep:
    if found is None:
        raise InputError(f"the sweep was stopped; go on with resume=True and out={str(folder)!r}")
    return found


def _written(found: Sweep | None, folder: Path) -> Sweep:
    write_result(_whole(found, folder), folder)
    return _whole(found, folder)


class _Describe:
    """The line of the log for a lane of a finished tile."""

    def __init__(self, study: Study):
        self.study, self.metric = study, study.metric

    def __call__(self, lane: int, done: Done, i: int, task: Task) -> dict[str, Any]:
        study, state = self.study, done.state
        identity = study.plan.identity(lane)
        diverged, epochs, best = int(state.diverged_at[i]), int(state.epoch[i]), int(state.best_epoch[i])
        at = (best if best and (study.has_validation or diverged) else epochs) - 1
        measured = done.history[i][at].tolist() if 0 <= at < done.history.shape[1] else [math.nan] * 4
        value = math.inf if diverged else float(state.best_value[i])
        if not study.has_validation and not diverged:  # the last weights are kept, so the last epoch counts
            value = measured[0] if study.config.monitor == "loss" else -measured[1]
        ended = "finished" if epochs >= study.config.epochs else "running" if epochs >= task.until else "patience"
        names = [f"{part}_{what}" for part in ("train", "val") for what in ("loss", self.metric)]
        row: dict[str, Any] = {"task": task.key, "lane": lane, **identity._asdict(), "seed": self._seed(identity)}
        row |= {"bracket": task.bracket, "rung": task.rung, "epochs": epochs, "best_epoch": best}
        row |= {"status": "diverged" if diverged else ended, "diverged_at": diverged or None, "value": finite(value)}
        row |= dict(zip(names, map(finite, measured), strict=True))
        test = (None, None) if done.test is None or diverged else (float(done.test[0][i]), float(done.test[1][i]))
        row |= {"test_loss": finite(test[0]), f"test_{self.metric}": finite(test[1])}
        row["seconds"] = round(done.seconds / len(task.lanes), 6)
        return row | {name: tables.cell(v) for name, v in study.trials[identity.trial].items() if name != "seed"}

    def _seed(self, identity: Any) -> int:
        trial = self.study.trials[identity.trial]
        return (trial.get("seed", self.study.config.seed) + identity.repeat) % 2**32
