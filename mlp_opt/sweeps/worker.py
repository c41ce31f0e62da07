"""A worker trains tiles to the end of their rung, on one core or device.

On a CPU the last tiles take turns: after each compiled call a worker goes on with the one that has most left,
so that 3 tiles take 2 workers one and a half times as long as one, not twice, and a slow core holds nobody up.
"""

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
SLICE_S = 0.015  # and at least this long where tiles take turns


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


@dataclass(eq=False)
class Tile:
    """A tile that waits or trains. begun: None until it is; seconds: of work; unsaved: since when it trains without a save, if it does."""

    task: Task
    begun: Begun | None
    alive: bool = True
    seconds: float = 0.0
    unsaved: float | None = None

    @property
    def epoch(self) -> int:
        """Epochs that it has been trained for."""
        return self.task.first if self.begun is None else self.begun.history.shape[1]

    @property
    def runs(self) -> bool:
        """Whether any of its lanes goes on in this rung."""
        return self.alive and self.epoch < self.task.until


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
    """Trains the tiles that are added; any number of threads may call `work`.

    where: (bracket, rung, lane) -> (tile, place) of saved states. sharing: whether tiles should take turns: those that were
    added are all that is left for now, and more than the workers.
    """

    def __init__(self, plan: Plan, datasets: list[Data], tests: list[tuple[Any, Any]] | None, folder: SweepFolder, progress: Progress):
        self.plan, self.folder, self.progress = plan, folder, progress
        self.devices = jax.local_devices()
        self.data = [[tiles.on(d, fold) for fold in datasets] for d in self.devices]
        self.tests = None if tests is None else [tiles.on(d, tests) for d in self.devices]
        self.where: dict[tuple[int, int, int], tuple[str, int]] = {}
        self.compiled: set[Any] = set()
        self._lock = threading.Lock()
        self._compiling: dict[Any, threading.Lock] = {}
        self.sharing = False
        self._waiting: list[Tile] = []
        self._training: list[Tile] = []
        self._epoch_s: dict[int, float] = {}  # of a tile of the bucket, to size the calls
        self._busy = [0] * len(self.devices)  # workers on each

    def add(self, task: Task) -> None:
        """Put a tile before the workers."""
        tile = Tile(task, self.begin(task))
        with self._lock:
            self._waiting.append(tile)

    def begin(self, task: Task) -> Begun | None:
        """Begin a tile that waits for a worker, so that it does not wait for Python then. None if only its worker can."""
        bucket = self.plan.buckets[task.bucket]
        if len(self.devices) > 1 or ("draw", bucket.spec.model, bucket.tile, 0) not in self.compiled:
            return None
        return self._begin(task, 0)

    def work(self, stop: threading.Event) -> tuple[Task, Done | None]:
        """Train until a tile is at the end of its rung; None for what it brought if it was stopped before (and saved).

        On the device with the fewest tiles. One call of this a tile that was added; which of them it ends is left open.
        """
        with self._lock:
            tile = self._waiting.pop(self._longest() if self._shares() else 0)
            self._training.append(tile)
            device = self._busy.index(min(self._busy))
            self._busy[device] += 1
        try:
            while tile.runs:
                if stop.is_set():
                    self._save(tile)
                    return tile.task, None
                self._advance(tile, device)
                if tile.runs and tile.unsaved is not None and time.perf_counter() - tile.unsaved > CHECKPOINT_EVERY_S:
                    self._save(tile)
                tile = self._swapped(tile)
            return tile.task, self._done(tile, device)
        finally:
            with self._lock:
                self._training.remove(tile)
                self._busy[device] -= 1

    def _longest(self) -> int:
        """Which of the tiles that wait has most left to train; one whose program another compiles only if all are such."""
        return max(range(len(self._waiting)), key=lambda i: (not self._held(self._waiting[i]), self._left(self._waiting[i])))

    def _held(self, tile: Tile) -> bool:
        """Whether another tile compiles this one's program."""
        bucket = tile.task.bucket
        return (bucket, 0) not in self.compiled and any(other.task.bucket == bucket for other in self._training)

    def _swapped(self, tile: Tile) -> Tile:
        """The tile to go on with: this one, or one that waits and has more left, so that in the end all workers end together."""
        with self._lock:
            if not self._waiting or not tile.runs or not self._shares():
                return tile
            other = self._waiting[i := self._longest()]
            if self._held(other) or self._left(other) <= self._left(tile):
                return tile
            self._waiting[i] = tile
            self._training[self._training.index(tile)] = other
            return other

    def _shares(self) -> bool:
        """Whether tiles take turns: they should, and any worker can go on with any."""
        return self.sharing and len(self.devices) == 1 and self.devices[0].platform == "cpu"

    def _advance(self, tile: Tile, device: int) -> None:
        """Train a tile for some epochs."""
        start, task, plan = time.perf_counter(), tile.task, self.plan
        bucket, shared = plan.buckets[task.bucket], plan.shared_order
        data = self.data[device][plan.identity(task.lanes[0]).fold]
        hparams, state, history = tile.begun or self._begin(task, device)
        tile.begun = None  # the state is overwritten
        first = history.shape[1]
        with self._once((task.bucket, device)) as new_program:
            if new_program:  # no epochs: compile, and hold nobody off while it trains
                state, _, _ = tiles.advance_tile(bucket.spec, shared, state, hparams, data, first, first)
        epochs, called = self._epochs(task, first), time.perf_counter()
        state, new, alive = tiles.advance_tile(bucket.spec, shared, state, hparams, data, first, first + epochs)
        history = np.concatenate([history, np.asarray(new)[:, :epochs]], axis=1)
        tile.begun, tile.alive = Begun(hparams, state, history), bool(np.asarray(alive).any())
        tile.unsaved = start if tile.unsaved is None else tile.unsaved
        now = time.perf_counter()
        tile.seconds += now - start
        with self._lock:
            self.progress.epochs_done += epochs * len(task.lanes)
            self._epoch_s[task.bucket] = (now - called) / epochs

    def _save(self, tile: Tile) -> None:
        """Save a tile under way, if it has been trained since."""
        if tile.begun is not None and tile.unsaved is not None:
            self.folder.save(f"states/part-{tile.task.key}", packed(tiles.fetched(tile.begun.state), tile.begun.history))
            tile.unsaved = None

    def _done(self, tile: Tile, device: int) -> Done:
        """What a tile at the end of its rung brings back."""
        start, task, bucket = time.perf_counter(), tile.task, self.plan.buckets[tile.task.bucket]
        fold = self.plan.identity(task.lanes[0]).fold
        _, state, history = tile.begun or self._begin(task, device)
        test, weights = None, state.best if self.data[device][fold].X_val is not None else state.params
        if task.last and self.tests is not None:
            with self._once(("test", bucket.spec.model, bucket.tile, device)):
                loss, score = tiles.evaluate_tile(bucket.spec.model, weights, *self.tests[device][fold])
            test = np.asarray(loss), np.asarray(score)
        missing = task.until - history.shape[1]  # if all its lanes ended early
        with self._lock:
            self.progress.epochs_done += missing * len(task.lanes)
        history = np.concatenate([history, np.full((bucket.tile, missing, len(COLUMNS)), np.nan, history.dtype)], axis=1)
        if task.last:
            state = state._replace(params=(), opt_state=None, best=())
        return Done(tiles.fetched(state), weights, history, test, tile.seconds + time.perf_counter() - start)

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

    def _epochs(self, task: Task, first: int) -> int:
        """Epochs in the next compiled call of a tile: half of what is left where others wait for their turn."""
        left = task.until - first
        epoch_s, surely = self._epoch_seconds(task.bucket)
        if not surely:
            return 1
        call_s = CALL_S
        if self._shares():
            call_s = min(call_s, max(SLICE_S, left * epoch_s / 2))
        return min(left, HISTORY_ROWS, max(1, round(call_s / epoch_s)))

    def _left(self, tile: Tile) -> float:
        """Seconds, about, that a tile will train yet."""
        return (tile.task.until - tile.epoch) * self._epoch_seconds(tile.task.bucket)[0]

    def _epoch_seconds(self, bucket: int) -> tuple[float, bool]:
        """Seconds an epoch of a tile, and whether a first call need not feel its way: they were measured, or are surely next to nothing."""
        if bucket in self._epoch_s:
            return self._epoch_s[bucket], True
        b = self.plan.buckets[bucket]
        guess = tiles.epoch_s(b.spec, b.tile, self.data[0][0].X.shape[0], self.devices[0].platform)
        return guess, HISTORY_ROWS * guess < 2 * CALL_S


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
