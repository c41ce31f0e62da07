"""What a sweep found: table, leaderboard, best model, ensemble; gathered, written, summed up."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl

from .. import experiment, train
from ..data import encode, split
from ..errors import InputError
from ..experiment import Experiment
from ..model import Layer, Params
from ..store import arrays, files, model_files
from ..store.model_files import Ensemble, TrainedModel
from ..store.sweep_folder import SweepFolder
from . import table as tables
from .engine import Engine
from .plan import LaneId
from .study import Study

RESULT = "result.json"
SHOWN = 10  # trials whose weights and curves are kept, at least


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    table: one row a lane (`load_sweep` says what is in it). leaderboard: the best trials. best: the model to take
    away; None if every run diverged. ensemble: the mean of the `top` best lanes. rungs: one row a lane and rung.
    histories: trial -> history of its best lane, for the lanes of the ensemble. tiles: bucket -> lanes in a tile.
    seconds: of this process. folder: where everything is, None if it was not kept. damaged: what was found damaged in it
    and done again, a line each.
    """

    table: pl.DataFrame
    leaderboard: pl.DataFrame
    best: TrainedModel | None
    ensemble: Ensemble | None
    rungs: pl.DataFrame
    histories: dict[int, dict[str, np.ndarray]]
    tiles: dict[str, int]
    seconds: float
    folder: Path | None
    damaged: tuple[str, ...] = ()


def gather(study: Study, engine: Engine, folder: SweepFolder, seconds: float, path: Path | None) -> Sweep:
    varied = tables.names(study.dimensions)
    rungs = tables.rungs(folder, varied, study.metric)
    table = tables.table(rungs, varied)
    lanes = [lane for _, _, lane in engine.pool.best]
    top = lanes[: study.settings.top]
    weights = jax.device_put([_leaves(engine.pool.models[lane]) for lane in top])  # all at once
    members = tuple(_trained(study, lane, leaves, table) for lane, leaves in zip(top, weights, strict=True))
    best = None if not members else _best(study, members[0]) if study.settings.folds == 1 else _refit(study, lanes[0], table)
    ensemble = _ensemble(study, members) if members else None
    histories: dict[int, dict[str, np.ndarray]] = {}
    for lane in lanes:
        histories.setdefault(study.plan.identity(lane).trial, history_of(study, engine.pool.models[lane]["history"]))
    tiles = {f"{i} {bucket.name}": bucket.tile for i, bucket in enumerate(study.plan.buckets)}
    board = tables.leaderboard(table, varied, study.metric)
    return Sweep(table, board, best, ensemble, rungs, histories, tiles, seconds, path, tuple(folder.damaged))


def history_of(study: Study, rows: np.ndarray) -> dict[str, np.ndarray]:
    return named(rows, study.metric, study.has_validation)


def named(rows: np.ndarray, metric: str, has_validation: bool) -> dict[str, np.ndarray]:
    """A lane's rows (epochs, 4) as a history."""
    rows = rows[~np.isnan(rows[:, 0])]
    names = [f"{part}_{what}" for part in ("train", "val") for what in ("loss", metric)]
    kept = names if has_validation else names[:2]
    return {"epoch": np.arange(1, len(rows) + 1)} | {name: rows[:, i].astype(np.float64) for i, name in enumerate(kept)}


def kept_history(folder: Path, task: str, lane: int, metric: str, has_validation: bool) -> dict[str, np.ndarray] | None:
    """The history of a lane whose weights a sweep's folder keeps (one of the best); None of any other. task, lane: as in the log."""
    path = folder / "models" / f"{task}.safetensors"
    if not path.is_file():
        return None
    try:
        rows = arrays.load(path).get(f"{lane}/history")
    except InputError:  # damaged: a sweep that goes on sets it aside
        return None
    return None if rows is None else named(rows, metric, has_validation)


def _leaves(saved: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [saved[name] for name in sorted(saved) if name != "history"]


def _trained(study: Study, lane: int, leaves: list[jax.Array], table: pl.DataFrame) -> TrainedModel:
    """A lane as a model to take away, with the scores of its row. leaves: W, b of each layer."""
    identity = study.plan.identity(lane)
    params: Params = tuple(Layer(W, b) for W, b in zip(leaves[::2], leaves[1::2], strict=True))
    row = table.row(lane, named=True)
    names = {"train": "train", "val": "validation", "test": "test"}
    scores = {f"{long}_{w}": row[f"{short}_{w}"] for short, long in names.items() for w in ("loss", study.metric)}
    about = {
        "metrics": {name: value for name, value in scores.items() if value is not None},
        "trial": identity._asdict(),
        **{name: row[name] for name in ("status", "epochs", "best_epoch", "diverged_at")},
        "config": dataclasses.asdict(study.config_of(identity)),
    }
    bucket, data = study.plan.buckets[study.plan.bucket_of[identity.trial]], study.data
    encoder = study.folds[identity.fold][2]
    return TrainedModel(bucket.spec.model, params, encoder, data.task, data.classes, data.targets, about)


def _best(study: Study, member: TrainedModel) -> TrainedModel:
    """The best lane, scored once more on all its parts, training part included."""
    real = study.experiment(LaneId(**member.about["trial"]))
    about = member.about
    history = {"epoch": np.arange(about["epochs"])}
    run = train.Run(real.model, member.params, member.params, history, about["best_epoch"], about["status"], about["diverged_at"], None)
    trained = experiment.finish(real, run)
    trained.about["trial"] = about["trial"]
    return trained


def _refit(study: Study, lane: int, table: pl.DataFrame) -> TrainedModel:
    """After cross-validation: the best trial trained on all rows that are not test rows, for the mean best epoch of its lanes."""
    identity = study.plan.identity(lane)._replace(fold=0, repeat=0)
    config = study.config_of(identity)
    rest, _, _ = split.split(study.data, config.test_size, 0.0, config.split_seed)
    encoder = encode.fit(study.data, *rest, config.scaling)
    model = experiment.build_model(config, encoder.width, study.data.outputs, study.data.task)
    optimizer = experiment.build_optimizer(config, experiment.total_steps(config, len(rest.y)))
    real = Experiment(config, study.data, rest, None, study.test, encoder, model, optimizer)
    mine = table.filter(pl.col("trial") == identity.trial)
    epochs = max(1, round(float(mine["best_epoch"].mean())))  # type: ignore[arg-type]
    X, y = real.inputs(rest)
    options = experiment.lane_options(config) | {"patience": None}
    run = train.fit(real.model, real.optimizer, X, y, epochs=epochs, **options)
    trained = experiment.finish(real, run)
    scores = {f"cv_{study.metric}": mine[f"val_{study.metric}"].mean(), "cv_lanes": len(mine)}
    trained.about["metrics"] |= scores
    trained.about["trial"] = {"trial": identity.trial}
    return trained


def _ensemble(study: Study, members: tuple[TrainedModel, ...]) -> Ensemble:
    """The mean of the members, scored on the test part."""
    scores: dict[str, Any] = {}
    ensemble = Ensemble(members, {"metrics": scores, "trials": [m.about["trial"] for m in members]})
    if study.test is not None:
        scores[f"test_{study.metric}"] = score(ensemble, study.test.X, study.test.y)
    return ensemble


def score(model: TrainedModel | Ensemble, X: Any, y: Any) -> float:
    """Accuracy or R^2 of a model's predictions on rows as they come."""
    from sklearn.metrics import accuracy_score, r2_score

    y_hat = model.predict(X)
    if model.task == "regression":
        return float(r2_score(y, y_hat))
    if model.task == "multilabel":
        return float(np.mean((y_hat > 0.5) == (y > 0.5)))
    return float(accuracy_score(y, y_hat.argmax(axis=1) if model.task == "multiclass" else y_hat[:, 0] > 0.5))


def write(found: Sweep, path: Path) -> None:
    """trials.parquet, best/, ensemble/."""
    buffer = io.BytesIO()
    found.table.write_parquet(buffer)
    files.write(path / tables.TABLE, buffer.getvalue())
    for name, model in (("best", found.best), ("ensemble", found.ensemble)):
        if model is not None:
            (path / name).mkdir(exist_ok=True)
            model_files.save(path / name, model)


def summary(found: Sweep) -> dict[str, Any]:
    """The result in plain values, for result.json and --json."""
    status = dict(sorted(found.table["status"].value_counts().iter_rows()))
    best = None if found.best is None else found.best.about
    scores = {} if best is None else best["metrics"]
    result: dict[str, Any] = {"out": str(found.folder), "seconds": round(found.seconds, 3), "networks": len(found.table)}
    result |= {"trials": found.table["trial"].n_unique(), "status": status, "epochs": int(found.table["epochs"].sum())}
    result |= {"best_trial": best and best["trial"]["trial"], "best": {k: finite(v) for k, v in scores.items()}}
    result |= {"ensemble": {} if found.ensemble is None else found.ensemble.about["metrics"], "tiles": found.tiles}
    return result


def write_result(found: Sweep, path: Path) -> None:
    """result.json, written last: it says that the sweep is finished."""
    files.write(path / RESULT, json.dumps(summary(found), indent=1, allow_nan=False) + "\n")


def finite(value: float | int | None) -> float | int | None:
    return value if value is not None and math.isfinite(value) else None
