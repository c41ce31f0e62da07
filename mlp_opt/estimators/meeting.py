"""A Meeting: many fits whose lanes are trained together, in tiles, on all cores.

Each fit is a thread, and does its own share (checks, initial weights, at last the scores) when it has the turn,
one at a time, so that they do not fight over Python. When no fit can go on before its lane is trained, the lanes
are put into groups that go on in step, each in as few tiles as hold those that still run.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from ..errors import InputError
from ..lane import HParams, LaneSpec, LaneState
from ..sweeps.plan import Bucket
from ..sweeps.tiles import advance_tile, fitting, guess, powers
from . import together
from .together import Call, epochs_of_a_call, precision, surely_left


class _Lane:
    """A lane, its fit waiting for `trained`: (state, history)."""

    def __init__(self, number: int, call: Call):
        self.number, self.call, self.state = number, call, call.state
        self.trained: Future[tuple[LaneState, np.ndarray]] = Future()
        self.history: list[np.ndarray] = []

    def fail(self, error: BaseException) -> None:
        with contextlib.suppress(InvalidStateError):  # it is done, or has failed with another tile
            self.trained.set_exception(error)

    def end(self, state: LaneState) -> None:
        history = np.concatenate(self.history).astype(np.float64)
        self.trained.set_result((state, history[: int(state.epoch) - self.call.first]))


class _Tile:
    """Lanes that one call trains. The last is there in copies, so that there are always `size`."""

    def __init__(self, lanes: list[_Lane], size: int, shared_order: bool):
        filled = lanes + lanes[-1:] * (size - len(lanes))
        self.lanes, self.shared_order = lanes, shared_order
        kind = np.float64 if lanes[0].call.spec.dtype == "float64" else np.float32

        def stacked(*leaves: Any) -> np.ndarray:
            return np.stack([np.asarray(leaf, kind if isinstance(leaf, float) else None) for leaf in leaves])

        self.state: LaneState = jax.tree.map(stacked, *(lane.state for lane in filled))
        self.hparams: HParams = jax.tree.map(stacked, *(lane.call.hparams for lane in filled))
        self.left = surely_left(self.state, self.hparams)
        if shared_order and self.hparams.data_seed is not None:
            self.hparams = self.hparams._replace(data_seed=self.hparams.data_seed[0])

    def compile(self, spec: LaneSpec, data: Any, first: int) -> None:
        """Make the program, by a call of no epochs (before any other: the state is NumPy's still, and stays)."""
        advance_tile(spec, self.shared_order, self.state, self.hparams, data, first, first)

    def advance(self, spec: LaneSpec, data: Any, first: int, epochs: int, last: bool) -> None:
        """Train on; lanes that stop go back to their fits, all of them if this is the last call."""
        were = self.left
        self.state, history, _ = advance_tile(spec, self.shared_order, self.state, self.hparams, data, first, first + epochs)
        history, self.left = np.asarray(history), surely_left(self.state, self.hparams)
        for i, lane in enumerate(self.lanes):
            if were[i]:
                lane.history.append(history[i, :epochs])
                if last or not self.left[i]:  # the fit's share begins while the others are trained
                    lane.end(self.of(i))

    def of(self, i: int) -> LaneState:
        """The state of a lane: copies, since the arrays are overwritten by the next call."""
        return jax.tree.map(lambda leaf: np.array(np.asarray(leaf)[i]), self.state)

    def running(self) -> list[_Lane]:
        """The lanes that have not stopped, their states up to date."""
        found = [(i, lane) for i, lane in enumerate(self.lanes) if self.left[i]]
        for i, lane in found:
            lane.state = self.of(i)
        return [lane for _, lane in found]


class _Program:
    """What a group's tiles are compiled to, and their size."""

    def __init__(self, size: int):
        self.size, self._lock, self._compiled = size, threading.Lock(), False

    def ready(self, compile: Callable[[], None]) -> None:
        """Compile it if nobody has; others wait, so that one thread compiles, but not until a tile is trained."""
        if self._compiled:
            return
        with self._lock:
            if not self._compiled:
                compile()
            self._compiled = True


class _Group:
    """Lanes of one program on the same data, from the same epoch to the same epoch. They go on in step."""

    def __init__(self, lanes: list[_Lane], program: _Program, shared_order: bool):
        call = lanes[0].call
        self.spec, self.first, self.until, self.seconds = call.spec, call.first, call.until, math.inf
        self.lanes, self.program, self.shared_order = lanes, program, shared_order
        with precision(self.spec.dtype):
            self.data = jax.device_put(call.data)
        self.lock, self.tiles, self.busy, self.epochs = threading.Lock(), self._cut(lanes), 0, 0

    def _cut(self, lanes: list[_Lane]) -> list[_Tile]:
        size = self.program.size
        return [_Tile(lanes[k : k + size], size, self.shared_order) for k in range(0, len(lanes), size)]

    def next(self) -> list[_Tile]:
        """The tiles of the next round; none if all lanes are done."""
        self.first += self.epochs
        running = sum(int(np.count_nonzero(tile.left[: len(tile.lanes)])) for tile in self.tiles)
        if running <= (len(self.tiles) - 1) * self.program.size:
            self.tiles = self._cut([lane for tile in self.tiles for lane in tile.running()])
        left = np.array([tile.left.max() for tile in self.tiles] or [0])
        self.epochs = epochs_of_a_call(left, self.seconds, self.until - self.first)
        self.busy = len(self.tiles) if self.epochs else 0
        return self.tiles if self.epochs else []

    def advance(self, tile: _Tile) -> bool:
        """One call; whether it was the last of the round."""
        with precision(self.spec.dtype):
            self.program.ready(lambda: tile.compile(self.spec, self.data, self.first))
            start = time.perf_counter()
            tile.advance(self.spec, self.data, self.first, self.epochs, self.first + self.epochs == self.until)
        with self.lock:
            self.busy -= 1
            self.seconds = time.perf_counter() - start
            return self.busy == 0


class Meeting:
    """Fits that train their lanes together. workers: tiles at the same time; most: fits under way at the same time.

    What is trained together depends on the fits, their order and these two numbers, not on time: the bits do not either.
    """

    def __init__(self, workers: int, most: int):
        self.workers, self.most = workers, most
        self._turn = threading.Lock()  # held by the fit that does its own share; the next lines are its
        self._submitted = self._begun = self._ended = 0
        self._waiting: dict[Any, list[_Lane]] = {}
        self._programs: dict[Any, _Program] = {}
        self._opened, self._closed = threading.Event(), threading.Event()
        self._fits, self._tiles = ThreadPoolExecutor(most), ThreadPoolExecutor(workers)

    def submit(self, task: Callable[[], Any]) -> Future[Any]:
        """Run the task, which fits estimators of ours, in a thread of its own once all are submitted."""
        self._submitted += 1
        return self._fits.submit(self._run, self._submitted, task)

    def open(self) -> None:
        """All are submitted: begin."""
        self._opened.set()

    def close(self) -> None:
        """Wait until nothing is under way. If all are not done, the search is left: fits that wait fail, tiles end after their call."""
        self._closed.set()
        self._opened.set()
        try:
            with self._turn:
                self._fail_waiting(_abandoned())
            self._fits.shutdown()
        finally:  # a second Ctrl-C
            self._tiles.shutdown()

    def advance(self, call: Call) -> tuple[LaneState, np.ndarray]:
        """Wait until the lane is trained; other fits have the turn meanwhile."""
        self._check_open()
        lane = _Lane(together.HERE.number, call)
        self._waiting.setdefault(_kind(call), []).append(lane)
        self._deal()
        self._turn.release()
        try:
            error = lane.trained.exception()
        finally:
            self._turn.acquire()
        if error is not None:  # a new one for each fit: the other is that of many threads
            raise RuntimeError("the tile of this fit's lane failed") from error
        return lane.trained.result()

    def _run(self, number: int, task: Callable[[], Any]) -> Any:
        self._opened.wait()
        with self._turn:
            self._check_open()
            self._begun += 1
            together.HERE.meeting, together.HERE.number = self, number
            try:
                return task()
            finally:
                del together.HERE.meeting, together.HERE.number
                self._ended += 1
                self._deal()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise _abandoned()

    def _deal(self) -> None:
        """If all fits under way wait, and no other can begin: their lanes go to the workers."""
        waiting, under_way = sum(map(len, self._waiting.values())), self._begun - self._ended
        if waiting < under_way or (self._begun < self._submitted and under_way < self.most) or self._closed.is_set():
            return
        try:
            rounds = [(k, group, tile) for group in self._groups(waiting // self.workers) for k, tile in enumerate(group.next())]
        except Exception as error:
            return self._fail_waiting(error)
        self._waiting = {}
        for _, group, tile in sorted(rounds, key=lambda item: item[0]):  # neighbours are of different programs
            self._tiles.submit(self._advance, group, tile)

    def _groups(self, share: int) -> Iterator[_Group]:
        """The lanes that wait, sorted into groups. share: lanes for each worker."""
        for kind, lanes in self._waiting.items():
            shared = len({int(lane.call.hparams.data_seed or 0) for lane in lanes}) == 1
            key = *kind[:3], shared
            if key not in self._programs:
                self._programs[key] = _Program(_size(lanes[0].call.spec, len(lanes), max(share, 1)))
            yield _Group(sorted(lanes, key=lambda lane: (lane.call.rate, lane.number)), self._programs[key], shared)

    def _fail_waiting(self, error: Exception) -> None:
        for lane in [lane for lanes in self._waiting.values() for lane in lanes]:
            lane.fail(error)
        self._waiting = {}

    def _advance(self, group: _Group, tile: _Tile) -> None:
        try:
            self._check_open()
            if group.advance(tile):
                for new in group.next():
                    self._tiles.submit(self._advance, group, new)
        except BaseException as error:
            for lane in group.lanes:
                lane.fail(error)


def _abandoned() -> InputError:
    return InputError("the search was left before this fit was done")


def _kind(call: Call) -> Any:
    """(spec, terms, shapes; data, epochs): lanes of which all is equal can share a tile; the first three are the program's."""
    arrays = jax.tree.leaves(call.data)
    digest = hashlib.blake2b()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    shapes = tuple((np.shape(a), np.asarray(a).dtype.name) for a in arrays)
    terms = jax.tree.structure((call.hparams, call.data, call.state))
    return call.spec, terms, shapes, digest.digest(), call.first, call.until


def _size(spec: LaneSpec, lanes: int, share: int) -> int:
    """How many lanes a tile has: a power of 2 that the cache holds, not more than a worker's share, with few copies to fill up."""
    return fitting(powers(min(guess(Bucket(spec, None), jax.default_backend()), share)), [(lanes, 1)], 1)
