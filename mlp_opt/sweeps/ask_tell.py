"""Optuna in front of the engine: it asks for whole batches of trials, tiles train them, it is told how they ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl

from ..bound import is_whole
from ..config import SWEPT
from ..errors import InputError
from .run import sweep
from .study import settings_of
from .table import cell


def optuna_sweep(
    study: Any,
    suggest: Callable[[Any], dict[str, Any]],
    data: Any,
    y: Any = None,
    *,
    trials: int = 128,
    at_once: int = 32,
    tile: int = 8,
    **settings: Any,
) -> pl.DataFrame:
    """Let an Optuna study choose the trials: `at_once` are asked for, trained together in tiles, and told.

    study: of optuna.create_study; "minimize" is told the value that the sweep ranks by (validation loss, or minus the
    score with monitor="score"), "maximize" minus that. suggest: trial -> the fields that vary, as
    {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True), "hidden": [32]}. data, y, settings: as
    for `sweep`. A batch of asks is one sweep: a sampler learns between batches, not within. Tiles always have `tile`
    lanes, so that a program is compiled once, whatever the sampler's mix. A diverged trial is told as failed.

    Returns the table of `sweep`, with trial numbered as in the study. Raises InputError as `sweep` does.
    """
    from optuna.trial import TrialState

    if not (is_whole(trials) and is_whole(at_once)) or trials < 1 or at_once < 1:
        raise InputError(f"trials and at_once must be whole numbers >= 1, got {trials} and {at_once}")
    if len(study.directions) != 1:
        raise InputError(f"the study has {len(study.directions)} objectives; a sweep ranks by one")
    for name in {"out", "resume", "halving"} & set(settings):
        raise InputError(f"{name} does not go with optuna_sweep: each batch is a sweep of its own, trained to the end")
    sign = -1.0 if study.direction.name == "MAXIMIZE" else 1.0
    tables: list[pl.DataFrame] = []
    while (left := trials - sum(table["trial"].n_unique() for table in tables)) > 0:
        asked = [study.ask() for _ in range(min(at_once, left))]
        try:
            found = sweep([suggest(trial) for trial in asked], data, y, tile=tile, **settings).table
        except BaseException:
            for trial in asked:
                study.tell(trial, state=TrialState.FAIL)
            raise
        for number, trial in enumerate(asked):
            values = found.filter(pl.col("trial") == number)["value"].to_list()
            if any(v is None or not math.isfinite(v) for v in values):
                study.tell(trial, state=TrialState.FAIL)
            else:
                study.tell(trial, sign * sum(values) / len(values))
        names = {i: trial.number for i, trial in enumerate(asked)}
        tables.append(found.with_columns(pl.col("trial").replace(names)))
    whole = pl.concat(tables, how="diagonal_relaxed")
    base, _ = settings_of({name: settings[name] for name in SWEPT if name in settings})
    fields = {n: cell(getattr(base, n)) for n in whole.columns if n in SWEPT and n != "seed"}  # of a batch in which no trial has it
    return whole.with_columns(pl.col(n).fill_null(value) for n, value in fields.items() if value is not None)
