"""The engine: tiles onto workers, rungs, results; everything that is needed to go on is on the disk before it counts.

One worker a core (threads: one compiled tile each) or one a device. Workers train tiles to the end of a rung (the last
of them in turns, on a CPU); this thread begins tiles, writes what comes back and decides who goes on. Memory holds
the tiles in flight, a few numbers a lane, and the best models; the rest is in the folder (but the log of one not kept).
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np

from ..lane import Data
from ..store.sweep_folder import SweepFolder
from . import halving, tiles
from .plan import Bucket, Plan
from .pool import Pool
from .worker import Done, Progress, Task, Trainer, packed


class _Rung(NamedTuple):
    """Who is in a rung, its tiles, and the keys of those that are to be done."""

    trials: list[int]
    tasks: list[Task]
    missing: set[str]


class Engine:
    """Trains the lanes of a plan. `datasets`: one a fold; `tests`: (X, y) a fold, for scores that choose nothing."""

    def __init__(
        self,
        plan: Plan,
        brackets: tuple[halving.Bracket, ...],
        datasets: list[Data],
        tests: list[tuple[Any, Any]] | None,
        folder: SweepFolder,
        describe: Callable[[Task, Done], list[dict[str, Any]]],
        has_validation: bool,
        eta: int = 3,
        top: int = 8,
        workers: int = 0,
    ):
        self.plan, self.brackets, self.folder, self.describe, self.eta = plan, brackets, folder, describe, eta
        lanes = len(plan.bucket_of) * plan.lanes_of_a_trial
        self.progress = Progress(self._total_epochs(), lanes=lanes)
        self.trainer = Trainer(plan, datasets, tests, folder, self.progress)
        self.devices = self.trainer.devices
        self.workers = workers or max(len(self.devices), cores() if self.devices[0].platform == "cpu" else 1)
        self.values = np.full((len(brackets), max(len(b.rungs) for b in brackets), lanes), np.nan)
        self.pool = Pool(plan, folder, top, has_validation)
        self.again: dict[tuple[int, int], _Rung] = {}  # (bracket, rung) whose trials the log knows
        self.stop = threading.Event()

    def choose_tiles(self, tile: int = 0) -> list[int]:
        """The tile size of each bucket: given, or chosen (`tiles.choose`)."""
        data = self.trainer.data[0][0]
        with ThreadPoolExecutor(self.workers) as pool:
            for bucket in self.plan.buckets:
                some = list(self.plan.lanes(bucket.trials[0]))[:1]

                def seconds(T: int, bucket: Bucket = bucket, some: list[int] = some) -> float:
                    hparams = self.plan.hparams(bucket, some * T)
                    return tiles.timed(bucket, self.plan.shared_order, hparams, data, self.workers, pool)

                stages, folds, buckets = self._stages(bucket), self.plan.folds, len(self.plan.buckets)
                platform, rows = self.devices[0].platform, data.X.shape[0]
                bucket.tile = tile or tiles.choose(bucket, stages, folds, buckets, self.workers, platform, seconds, rows)
        return [bucket.tile for bucket in self.plan.buckets]

    def _stages(self, bucket: Bucket) -> list[tuple[int, int]]:
        """(lanes of a fold, epochs) of the bucket in each rung, if its share of the survivors stays what it is."""
        mine, found = set(bucket.trials), []
        for bracket in self.brackets:
            if n := sum(trial in mine for trial in bracket.trials):
                found += [(trials * self.plan.repeats, epochs) for trials, epochs in halving.stages(n, bracket.rungs, self.eta)]
        return found

    def run(self, on_progress: Callable[[Engine], None] | None = None) -> bool:
        """Train everything that is not done yet. False if `stop` was set before the end: the folder says how to go on."""
        tell = on_progress or (lambda engine: None)
        queue: deque[Task] = deque()
        open_rungs = self._resume(queue)
        flying: set[Task] = set()
        futures: set[Future[tuple[Task, Done | None]]] = set()
        finished: set[Future[tuple[Task, Done | None]]] = set()
        pool = ThreadPoolExecutor(self.workers)
        try:
            while (queue and not self.stop.is_set()) or futures:
                brought = [(future, *future.result()) for future in finished]
                flying -= {task for _, task, _ in brought}
                self._submit(queue, flying, futures, pool)  # first: what is read of a finished tile waits on a GPU for the next
                for future, task, done in brought:
                    futures.discard(future)
                    if done is None:
                        queue.appendleft(task)
                    else:
                        self._finish(task, done, open_rungs, queue)
                self._submit(queue, flying, futures, pool)  # of a rung that has opened
                tell(self)
                finished = wait(futures, timeout=0.25, return_when=FIRST_COMPLETED).done
        except BaseException:  # Ctrl-C in a notebook, a full disk: let the tiles under way save themselves
            self.stop.set()
            pool.shutdown(wait=True)
            with contextlib.suppress(Exception):  # and keep the tiles that are done
                for future in futures:
                    if not future.cancelled() and future.exception() is None:
                        task, done = future.result()
                        if done is not None:
                            self._finish(task, done, open_rungs, queue)
            raise
        finally:
            pool.shutdown(wait=True)
        return not queue

    def _submit(
        self, queue: deque[Task], flying: set[Task], futures: set[Future[tuple[Task, Done | None]]], pool: ThreadPoolExecutor
    ) -> None:
        """Begin tiles until each worker has one and as many wait, begun, so that no worker waits for this thread."""
        left = len(queue) + len(flying)
        self.trainer.sharing = self.workers < left <= 2 * self.workers  # before a worker looks how much of its tile it trains
        while queue and len(flying) < 2 * self.workers and not self.stop.is_set():
            flying.add(task := self._pick(queue, flying))
            self.trainer.add(task)
            futures.add(pool.submit(self.trainer.work, self.stop))

    def _pick(self, queue: deque[Task], flying: set[Task]) -> Task:
        """The next tile; one whose program is being compiled by another worker waits, if there are others."""
        compiling = {t.bucket for t in flying if not any((t.bucket, d) in self.trainer.compiled for d in range(len(self.devices)))}
        for i, task in enumerate(queue):
            if task.bucket not in compiling:
                del queue[i]
                return task
        return queue.popleft()

    # --- rungs ---

    def _tasks(self, bracket: int, rung: int, trials: list[int]) -> list[Task]:
        rungs = self.brackets[bracket].rungs
        lanes = [lane for t in trials for lane in self.plan.lanes(t)]
        first, until = rungs[rung - 1] if rung else 0, rungs[rung]
        return [
            Task(f"b{bracket}-r{rung}-{i:05d}", bracket, rung, bucket, members, first, until, rung == len(rungs) - 1)
            for i, (bucket, members) in enumerate(self.plan.tiles(lanes))
        ]

    def _resume(self, queue: deque[Task]) -> dict[int, tuple[int, list[int], set[str]]]:
        """Fill the queue with what is not done; returns bracket -> (rung, its trials, its tasks that are not done)."""
        logged: dict[str, dict[int, dict[str, Any]]] = {}
        for row in self.folder.rows():
            logged.setdefault(row["task"], {})[row["lane"]] = row
        self.trainer.where.clear()
        self.again.clear()
        ended: dict[str, list[dict[str, Any]]] = {}  # finished tiles of last rungs
        known = {b: self._known(b, logged, ended) for b in range(len(self.brackets))}
        lost = self.pool.restore(ended)
        for b, rungs in known.items():
            self._needed(b, rungs, lost)
        if not self.pool.best and not any(rung.missing for rungs in known.values() for rung in rungs):
            for b, rungs in known.items():  # all that is left to do is `rescue`, which may want any state
                for rung in rungs:
                    rung.missing.update(t.key for t in rung.tasks if not t.last and self._is_lost(t.key))
                self._needed(b, rungs, lost)
        open_rungs: dict[int, tuple[int, list[int], set[str]]] = {}
        for b, rungs in known.items():
            r = next((r for r, rung in enumerate(rungs) if rung.missing), len(rungs) - 1)
            open_rungs[b] = (r, rungs[r].trials, set(rungs[r].missing))
            queue.extend(t for t in rungs[r].tasks if t.key in rungs[r].missing)
            self.again |= {(b, k): rungs[k] for k in range(r + 1, len(rungs))}
            for t in [t for rung in rungs for t in rung.tasks if t.key not in rung.missing]:
                self.progress.epochs_done += (t.until - t.first) * len(t.lanes)
                self.folder.remove(f"states/part-{t.key}")  # if a kill came between the log and that
        self.progress.lanes_done += sum(len(rows) for key, rows in ended.items() if key not in lost)
        self.progress.resumed_epochs = self.progress.epochs_done
        return open_rungs

    def _known(self, b: int, logged: dict[str, dict[int, dict[str, Any]]], ended: dict[str, list[dict[str, Any]]]) -> list[_Rung]:
        """The rungs of a bracket as far as the log knows who is in them; the finished tiles of a last one go to `ended`."""
        trials, found = list(self.brackets[b].trials), []
        for rung in range(len(self.brackets[b].rungs)):
            found.append(_Rung(trials, self._tasks(b, rung, trials), set()))
            for t in found[-1].tasks:
                rows = logged.get(t.key, {})
                if set(rows) != set(t.lanes):
                    found[-1].missing.add(t.key)
                    continue
                self._note(t, [rows[lane]["value"] for lane in t.lanes])
                if t.last:
                    ended[t.key] = [rows[lane] for lane in t.lanes]
            if found[-1].missing or rung == len(self.brackets[b].rungs) - 1:
                break
            trials = self._survivors(b, rung, trials)
            if not trials:
                self.again[(b, rung + 1)] = _Rung([], [], set())
                break
        return found

    def _needed(self, b: int, rungs: list[_Rung], lost: set[str]) -> None:
        """Add to what is missing the tiles whose weights are lost, and those whose state another goes on from and is lost."""
        top = rungs[-1]
        top.missing.update(t.key for t in top.tasks if t.key in lost)
        if top.missing:  # who goes on from it is not known yet
            done = [t.key for t in top.tasks if not t.last and t.key not in top.missing]
            top.missing.update(filter(self._is_lost, done))
        for r in range(len(rungs) - 1, 0, -1):
            lanes = [lane for t in rungs[r].tasks if t.key in rungs[r].missing for lane in t.lanes]
            needed = {self.trainer.where[(b, r - 1, lane)][0] for lane in lanes}
            rungs[r - 1].missing.update(filter(self._is_lost, needed))

    def _is_lost(self, key: str) -> bool:
        return self.folder.load(f"states/{key}") is None

    def _note(self, task: Task, values: list[float | None]) -> None:
        for place, (lane, value) in enumerate(zip(task.lanes, values, strict=True)):
            self.values[task.bracket, task.rung, lane] = math.inf if value is None else value
            self.trainer.where[(task.bracket, task.rung, lane)] = (task.key, place)

    def _finish(self, task: Task, done: Done, open_rungs: dict[int, tuple[int, list[int], set[str]]], queue: deque[Task]) -> None:
        """Write what a tile brought: first what is needed to go on, then the lines that say it is done."""
        rows = self.describe(task, done)
        if task.last:
            self.pool.offer(task.key, rows, done)
        else:
            self.folder.save(f"states/{task.key}", packed(done.state, done.history))
        self.folder.append(rows)
        self.folder.remove(f"states/part-{task.key}")
        self.pool.prune()
        self._note(task, [row["value"] for row in rows])
        self.progress.lanes_done += len(rows) if task.last else 0
        open_rungs[task.bracket][2].discard(task.key)
        self._climb(task.bracket, open_rungs, queue)

    def _climb(self, b: int, open_rungs: dict[int, tuple[int, list[int], set[str]]], queue: deque[Task]) -> None:
        """Open the bracket's next rung if all of this one are done; of one that was done before only what is done again."""
        rung, trials, missing = open_rungs[b]
        while trials and not missing and rung + 1 < len(self.brackets[b].rungs):
            rung += 1
            if (b, rung) not in self.again:
                trials = self._survivors(b, rung - 1, trials)
                tasks = self._tasks(b, rung, trials) if trials else []
                missing = {t.key for t in tasks}
            else:
                trials, tasks, again = self.again[(b, rung)]
                missing = set(again)
            queue.extend(t for t in tasks if t.key in missing)
        open_rungs[b] = (rung, trials, missing)

    def _survivors(self, bracket: int, rung: int, trials: list[int]) -> list[int]:
        """Who goes on; the others are done."""
        lanes = self.values[bracket, rung].reshape(-1, self.plan.lanes_of_a_trial)
        kept = halving.survivors(trials, lanes.mean(axis=1), self.eta)
        self.progress.lanes_done += (len(trials) - len(kept)) * self.plan.lanes_of_a_trial
        return kept

    def rescue(self) -> None:
        """Where the last survivors of the halving diverged, keep the best of those that it dropped."""
        if self.pool.best:
            return
        found = []
        for b, bracket in enumerate(self.brackets):
            values = self.values[b].reshape(len(self.values[b]), -1, self.plan.lanes_of_a_trial)[:, list(bracket.trials)].mean(axis=2)
            last = (~np.isnan(values)).sum(axis=0) - 1
            found += [(values[rung, i], t, b, rung) for i, (t, rung) in enumerate(zip(bracket.trials, last.tolist(), strict=True))]
        mean, trial, b, rung = min(found)  # of those that diverged it is infinite
        for lane in self.plan.lanes(trial) if math.isfinite(mean) else ():
            self.pool.adopt(lane, float(mean), float(self.values[b, rung, lane]), self.trainer.saved(b, rung, lane))

    def _total_epochs(self) -> int:
        done = [n * epochs for b in self.brackets for n, epochs in halving.stages(len(b.trials), b.rungs, self.eta)]
        return sum(done) * self.plan.lanes_of_a_trial


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
