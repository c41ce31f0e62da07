"""A worker trains one tile at a time, from the start of its rung to the end, on one core or device."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from ..errors import InputError
from ..lane import COLUMNS, HISTORY_ROWS, Data, HParams, LaneState
from ..model import Params
from ..store.sweep_folder import SweepFolder
from . import tiles
from .plan import Plan

CHECKPOINT_EVERY_S = 60.0  # a tile under way is saved this often
CALL_S = 2.0  # a compiled call lasts about this long at most, so that a stop is answered soon


class Task(NamedTuple):
    """A tile's work in a rung: train `lanes` from epoch `first` to `until`."""

    key: str
    bracket: int
    rung: int
    bucket: int
    lanes: tuple[int, ...]
    first: int
    until: int
    last: bool


class Begun(NamedTuple):
    """A tile that can go on at once: hyperparameters and state, on the device, and its history (lanes, epochs, columns) so far."""

    hparams: HParams
    state: LaneState
    history: np.ndarray


class Done(NamedTuple):
    """What a worker brings back. history (lanes, epochs, columns); of the last rung test: (losses, scores).

    After a last rung nobody goes on from the state: it has no arrays but the lanes' counts, and the weights that may be kept
    stay on the device.
    """

    state: LaneState
    weights: Params
    history: np.ndarray
    test: tuple[np.ndarray, np.ndarray] | None
    seconds: float


@dataclass
class Progress:
    """How far a sweep is. Epochs are lane-epochs."""

    epochs: int
    epochs_done: int = 0
    lanes: int = 0
    lanes_done: int = 0
    started: float = field(default_factory=time.monotonic)
    resumed_epochs: int = 0


class Trainer:
    """Trains tiles; any number of threads may call `train`. where: (bracket, rung, lane) -> (tile, place) of saved states."""

    def __init__(self, plan: Plan, datasets: list[Data], tests: list[tuple[Any, Any]] | None, folder: SweepFolder, progress: Progress):
        self.plan, self.folder, self.progress = plan, folder, progress
        self.devices = jax.local_devices()
        self.data = [[tiles.on(d, fold) for fold in datasets] for d in self.devices]
        self.tests = None if tests is None else [tiles.on(d, tests) for d in self.devices]
        self.where: dict[tuple[int, int, int], tuple[str, int]] = {}
        self.compiled: set[Any] = set()
        self._lock = threading.Lock()
        self._compiling: dict[Any, threading.Lock] = {}
        self._epoch_s: dict[int, float] = {}  # of a tile of the bucket, to size the calls
        self._busy = [0] * len(self.devices)  # workers on each

    def begin(self, task: Task) -> Begun | None:
        """Begin a tile that waits for a worker, so that it does not wait for Python then. None if only its worker can."""
        bucket = self.plan.buckets[task.bucket]
        if len(self.devices) > 1 or ("draw", bucket.spec.model, bucket.tile, 0) not in self.compiled:
            return None
        return self._begin(task, 0)

    def train(self, task: Task, begun: Begun | None, stop: threading.Event) -> Done | None:
        """Train a tile to the end of its rung on the device with the fewest tiles; None if stopped before (and saved)."""
        if stop.is_set():
            return None
        with self._lock:
            device = self._busy.index(min(self._busy))
            self._busy[device] += 1
        try:
            return self._train(task, begun, device, stop)
        finally:
            with self._lock:
                self._busy[device] -= 1

    def _train(self, task: Task, begun: Begun | None, device: int, stop: threading.Event) -> Done | None:
        start, plan, bucket = time.perf_counter(), self.plan, self.plan.buckets[task.bucket]
        spec, shared = bucket.spec, plan.shared_order
        data = self.data[device][plan.identity(task.lanes[0]).fold]
        hparams, state, history = begun or self._begin(task, device)
        del begun  # the state is overwritten
        first, saved = history.shape[1], time.monotonic()
        running = first < task.until
        while running:
            epochs = min(self._call(task.bucket), task.until - first, HISTORY_ROWS)
            with self._once((task.bucket, device)) as new_program:
                if new_program:  # no epochs: compile, and hold nobody off while it trains
                    state, _, _ = tiles.advance_tile(spec, shared, state, hparams, data, first, first)
            called = time.perf_counter()
            state, new, alive = tiles.advance_tile(spec, shared, state, hparams, data, first, first + epochs)
            history = np.concatenate([history, np.asarray(new)[:, :epochs]], axis=1)
            with self._lock:
                self.progress.epochs_done += epochs * len(task.lanes)
                self._epoch_s[task.bucket] = (time.perf_counter() - called) / epochs
            first += epochs
            running = first < task.until and bool(np.asarray(alive).any())
            if running and (stop.is_set() or time.monotonic() - saved > CHECKPOINT_EVERY_S):
                self.folder.save(f"states/part-{task.key}", packed(tiles.fetched(state), history))
                saved = time.monotonic()
                if stop.is_set():
                    return None
        test, weights = None, state.best if data.X_val is not None else state.params
        if task.last and self.tests is not None:
            with self._once(("test", spec.model, bucket.tile, device)):
                loss, score = tiles.evaluate_tile(spec.model, weights, *self.tests[device][plan.identity(task.lanes[0]).fold])
            test = np.asarray(loss), np.asarray(score)
        with self._lock:
            self.progress.epochs_done += (task.until - first) * len(task.lanes)  # of lanes that all ended early
        rest = np.full((bucket.tile, task.until - first, len(COLUMNS)), np.nan, history.dtype)  # if all ended early
        history = np.concatenate([history, rest], axis=1)
        if task.last:
            state = state._replace(params=(), opt_state=None, best=())
        return Done(tiles.fetched(state), weights, history, test, time.perf_counter() - start)

    def _begin(self, task: Task, device: int) -> Begun:
        """A tile where it was stopped, or from the rung before, or new."""
        bucket, shared, d = self.plan.buckets[task.bucket], self.plan.shared_order, self.devices[device]
        hparams = tiles.on(d, self.plan.hparams(bucket, tiles.filled(task.lanes, bucket.tile)))
        part = self.folder.load(f"states/part-{task.key}")
        if part is None and task.rung == 0:
            with self._once(("draw", bucket.spec.model, bucket.tile, device)):
                new = tiles.init_tile(bucket.spec, shared, hparams)
            return Begun(hparams, new, np.zeros((bucket.tile, 0, len(COLUMNS)), new.best_value.dtype))
        like = jax.eval_shape(lambda h: tiles.init_tile(bucket.spec, shared, h), hparams)
        if part is not None:
            state, history = _unpacked(part, like)
            return Begun(hparams, tiles.on(d, state), history)
        files: dict[str, dict[str, np.ndarray]] = {}
        picked = []
        for lane in tiles.filled(task.lanes, bucket.tile):
            picked.append(self.saved(task.bracket, task.rung - 1, lane, files))
        state, history = _unpacked({name: np.stack([p[name] for p in picked]) for name in picked[0]}, like)
        return Begun(hparams, tiles.on(d, state), history)

    def saved(self, bracket: int, rung: int, lane: int, files: dict[str, dict[str, np.ndarray]] | None = None) -> dict[str, Any]:
        """The state of a lane at the end of a rung. files: what has been read already."""
        files = {} if files is None else files
        key, place = self.where[(bracket, rung, lane)]
        if key not in files:
            files[key] = self.folder.load(f"states/{key}") or _lost(self.folder, key)
        return {name: array[place] for name, array in files[key].items()}

    @contextmanager
    def _once(self, program: Any) -> Iterator[bool]:
        """Whether the call inside is the first of its program. The first holds the others off, so that one thread compiles."""
        if program in self.compiled:
            yield False
            return
        with self._lock:
            lock = self._compiling.setdefault(program, threading.Lock())
        with lock:
            yield program not in self.compiled
            self.compiled.add(program)

    def _call(self, bucket: int) -> int:
        """Epochs in the next compiled call."""
        return max(1, int(CALL_S / self._epoch_s[bucket])) if bucket in self._epoch_s else HISTORY_ROWS if self._small(bucket) else 1

    def _small(self, bucket: int) -> bool:
        """Whether an epoch surely takes no time, so that the first call need not feel its way."""
        b, rows, platform = self.plan.buckets[bucket], self.data[0][0].X.shape[0], self.devices[0].platform
        products = tiles.flops(b.spec.model, rows) * b.tile / tiles.FLOPS.get(platform, 1e10)
        return HISTORY_ROWS * max(products, rows / b.spec.batch_size * tiles.STEP_S.get(platform, 1e-5)) < 2 * CALL_S


def packed(state: LaneState, history: np.ndarray) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves} | {"history": history}


def _unpacked(content: dict[str, np.ndarray], like: Any) -> tuple[LaneState, np.ndarray]:
    named = jax.tree_util.tree_leaves_with_path(like)
    leaves = [content[jax.tree_util.keystr(path)].astype(leaf.dtype) for path, leaf in named]
    return jax.tree.unflatten(jax.tree.structure(like), leaves), content["history"]


def _lost(folder: SweepFolder, key: str) -> dict[str, np.ndarray]:
    go_on = f"; continue with: mlp-opt sweep --resume {folder.path}" if folder.kept else ""
    raise InputError(f"{folder.path}/states/{key}.safetensors is lost or damaged{go_on}")
