"""Where a fit hands over its lane: it is trained by itself, or in the Meeting that the fit belongs to."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from ..lane import COLUMNS, HISTORY_ROWS, Data, HParams, LaneSpec, LaneState
from ..train import advance_lane

LEAST = 8  # epochs in a compiled call, if they are quick: it may be a few too many for lanes that stop
QUICK_S = 0.05
HERE = threading.local()  # .meeting: that of the fit that runs in this thread


class Call(NamedTuple):
    """A lane to train from epoch `first`, its state's, until it stops by itself (HParams.tol) or `until` epochs are done.

    rate: its learning rate. Lanes of like rates stop at like times, so they are put into one tile.
    """

    spec: LaneSpec
    hparams: HParams
    data: Data
    state: LaneState
    first: int
    until: int
    rate: float


def precision(dtype: Any) -> Any:
    """A context in which arrays of `dtype` keep it: JAX makes float64 float32 unless told otherwise."""
    return jax.enable_x64(True) if np.dtype(dtype) == np.float64 else contextlib.nullcontext()


def advance(call: Call) -> tuple[LaneState, np.ndarray]:
    """Train the lane, by itself or in its meeting: (state, history (epochs, COLUMNS) float64), NumPy arrays."""
    meeting = getattr(HERE, "meeting", None)
    if meeting is not None:
        return meeting.advance(call)
    spec, state, first, found, seconds = call.spec, call.state, call.first, [np.zeros((0, len(COLUMNS)))], math.inf
    with precision(spec.dtype):
        data = jax.device_put(call.data)
        while epochs := epochs_of_a_call(surely_left(state, call.hparams), seconds, call.until - first):
            start = time.perf_counter()
            state, history = advance_lane(spec, state, call.hparams, data, first, first + epochs)
            found.append(np.asarray(history, np.float64)[:epochs])
            first, seconds = first + epochs, time.perf_counter() - start
        return jax.tree.map(np.asarray, state), np.concatenate(found)[: int(state.epoch) - call.first]


def surely_left(state: LaneState, hparams: HParams) -> np.ndarray:
    """How many epochs each lane surely goes on, if it does not diverge: 0 if it has stopped."""
    return np.where(np.asarray(state.diverged_at) == 0, np.maximum(hparams.patience + 1 - np.asarray(state.waited, np.int64), 0), 0)


def epochs_of_a_call(left: np.ndarray, seconds: float, rest: int) -> int:
    """How many epochs the next call does: as many as surely one lane goes on, and at least LEAST if the last call was quick."""
    most = int(left.max())
    return min(max(most, LEAST if seconds < QUICK_S else 1), rest, HISTORY_ROWS) if most else 0
