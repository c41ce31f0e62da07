"""Scalars for TensorBoard: event files in DIR/tensorboard, written by tensorboardX (`pip install 'mlp-opt[tensorboard]'`).

A run has loss/train, accuracy/train, loss/val, accuracy/val of each epoch (r2 in place of accuracy for a regression).
A sweep has such a run for each of its best trials, trial-0012 say, with what varied as its hyperparameters and
final/val_loss and the like as its metrics, which TensorBoard's HPARAMS page compares.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

FOLDER = "tensorboard"


def check() -> None:
    """InputError if tensorboardX is not installed; to be called before anything is trained."""
    try:
        import tensorboardX.event_file_writer  # noqa: F401
    except ImportError as error:
        raise InputError("--tensorboard needs tensorboardX: pip install 'mlp-opt[tensorboard]'") from error


class Scalars:
    """The event file of one run, in `folder`. What an earlier process left there is replaced: a history holds all epochs.

    Written by whoever calls, not by tensorboardX's thread: a full disk ends that, and its queue is waited for forever.
    """

    def __init__(self, folder: Path) -> None:
        check()
        from tensorboardX.event_file_writer import EventsWriter

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"))
        self._written = 0

    def write(self, history: Mapping[str, np.ndarray]) -> None:
        """Add the epochs of `history` (a column a name, `epoch` counts from 1) that were not written yet, and flush."""
        for i in range(self._written, len(history["epoch"])):
            for name, column in history.items():
                part, _, what = name.partition("_")
                if what:
                    self._scalar(f"{what}/{part}", float(column[i]), int(history["epoch"][i]))
        self._written = len(history["epoch"])
        self._writer.flush()

    def hyperparameters(self, values: Mapping[str, Any], scores: Mapping[str, float], epochs: int) -> None:
        """What was chosen for this run and what came of it, for the HPARAMS page; scores as scalars at step `epochs`, too."""
        from tensorboardX.summary import hparams

        plain = {name: value for name, value in values.items() if value is not None}
        for summary in hparams(plain, dict(scores)):
            self._add(summary, 0)
        for name, score in scores.items():
            self._scalar(name, score, epochs)

    def _scalar(self, name: str, value: float, step: int) -> None:
        from tensorboardX.summary import scalar

        self._add(scalar(name, value), step)

    def _add(self, summary: Any, step: int) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writer.write_event(Event(summary=summary, wall_time=time.time(), step=step))

    def close(self) -> None:
        self._writer.close()


def write_sweep(folder: Path, table: Any, histories: Mapping[int, Mapping[str, np.ndarray]], varied: list[str]) -> None:
    """A run for each trial of `histories` in folder/tensorboard.

    table: the sweep's, a row a lane; a trial of several lanes (folds, seeds) has the means of their scores, and the
    history of its best lane. varied: the columns of the table that the space varied.
    """
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for trial, history in histories.items():
        lanes = table.filter(table["trial"] == trial)
        scores = {f"final/{c}": lanes[c].mean() for c in table.columns if c.split("_")[0] in ("train", "val", "test") and "_" in c}
        scalars = Scalars(folder / FOLDER / f"trial-{trial:04d}")
        scalars.write(history)
        row = lanes.row(0, named=True)
        known = {name: score for name, score in scores.items() if score is not None}
        scalars.hyperparameters({name: row[name] for name in varied}, known, len(history["epoch"]))
        scalars.close()
