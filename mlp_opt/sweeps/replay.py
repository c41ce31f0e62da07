"""One lane of a sweep once more, to the same bits: in a tile of the same size, filled with copies of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from ..errors import InputError
from ..experiment import Experiment
from ..lane import HISTORY_ROWS
from ..store.sweep_folder import SweepFolder
from ..train import Run
from . import study as studies
from . import tiles
from .plan import LaneId
from .results import history_of


def prepare(folder: Path, lane: tuple[int, int, int]) -> tuple[Experiment, Callable[[], Run]]:
    """(the lane as an experiment, a function that trains it). lane: (trial, fold, repeat). InputError if there is no such lane."""
    study = studies.open_study(folder)
    limits = {"trial": len(study.trials), "fold": study.plan.folds, "repeat": study.plan.repeats}
    for (name, most), value in zip(limits.items(), lane, strict=True):
        if not 0 <= value < most:
            raise InputError(f"{name} must be from 0 to {most - 1} in {folder}, got {value}")
    sizes = SweepFolder(folder).load_plan(study.data.digest, len(study.plan.buckets))
    if sizes is None:
        raise InputError(f"the sweep in {folder} has not begun")
    identity = LaneId(*lane)
    index = int(study.plan.bucket_of[identity.trial])
    bucket = study.plan.buckets[index]
    bucket.tile = sizes[index]

    def go() -> Run:
        spec, shared, data = bucket.spec, study.plan.shared_order, study.datasets()[identity.fold]
        hparams = study.plan.hparams(bucket, [study.plan.lane(identity)] * bucket.tile)
        state, first, parts, running = tiles.init_tile(spec, shared, hparams), 0, [], True
        while running:
            until = min(first + HISTORY_ROWS, study.config.epochs)
            state, new, alive = tiles.advance_tile(spec, shared, state, hparams, data, first, until)
            parts.append(np.asarray(new)[0, : until - first])
            first, running = until, until < study.config.epochs and bool(np.asarray(alive)[0])
        one = jax.tree.map(lambda x: x[0], state)
        diverged = int(one.diverged_at)
        ended = "diverged" if diverged else "finished" if int(one.epoch) >= study.config.epochs else "patience"
        history = history_of(study, np.concatenate(parts))
        return Run(bucket.spec.model, one.best, one.params, history, int(one.best_epoch), ended, diverged or None, one)

    return study.experiment(identity), go
