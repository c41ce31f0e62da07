"""The best lanes so far, with their weights: what the best model and the ensemble are made of.

Lanes are ordered by (mean value of their trial, trial, own value, number), so the first is of the leaderboard's first
trial, and the pool does not depend on the order in which tiles end. A lane waits until all lanes of its trial are done.
Files in models/ hold the weights before the log says that the lane is done, so a kill at any time loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..store.sweep_folder import SweepFolder
from . import tiles
from .plan import Plan

Key = tuple[float, float, int]


class Pool:
    """`best`: the top lanes' (mean, value, lane), best first. `models`: lane -> (weights, history, file)."""

    def __init__(self, plan: Plan, folder: SweepFolder, top: int, has_validation: bool):
        self.plan, self.folder, self.top, self.has_validation = plan, folder, top, has_validation
        self.best: list[Key] = []
        self.waiting: dict[int, dict[int, float]] = {}  # trial -> lane -> value
        self.models: dict[int, dict[str, np.ndarray]] = {}
        self.file_of: dict[int, str] = {}
        self._live: set[str] = set()
        self._entered: set[int] = set()

    def offer(self, key: str, rows: list[dict[str, Any]], done: Any) -> None:
        """Take in the lanes of a finished tile; writes their weights if any is kept."""
        self._enter(rows)
        place = {row["lane"]: i for i, row in enumerate(rows)}
        kept = self._wanted(place)
        weights = tiles.picked(done.weights, [place[lane] for lane in kept])
        for lane, leaves in zip(kept, weights, strict=True):
            self.models[lane] = {f"{k:03d}": leaf for k, leaf in enumerate(leaves)} | {"history": done.history[place[lane]].copy()}
        self._save(key, kept)

    def restore(self, ended: dict[str, list[dict[str, Any]]]) -> set[str]:
        """Take in finished tiles from the log, key -> rows. Returns those whose weights are needed and lost: to be done again."""
        for rows in ended.values():
            self._enter(rows)
        lost = {key for key, rows in ended.items() if not self._load(key, rows)}
        for key in self.folder.saved("models") - self._live:  # a kill came between the log and `prune`
            self.folder.remove(f"models/{key}")
        return lost

    def _load(self, key: str, rows: list[dict[str, Any]]) -> bool:
        wanted = self._wanted(row["lane"] for row in rows)
        content = (self.folder.load(f"models/{key}") or {}) if wanted else {}
        for lane in wanted:
            mine = {name.split("/")[1]: array for name, array in content.items() if name.startswith(f"{lane}/")}
            if not mine:
                return False
            self.models[lane] = mine
            self.file_of[lane] = key
            self._live.add(key)
        return True

    def adopt(self, lane: int, mean: float, value: float, state: dict[str, Any]) -> None:
        """Take in a lane from the state that it had at a rung."""
        part = ".best[" if self.has_validation else ".params["
        names = sorted((n for n in state if n.startswith(part)), key=lambda n: (int(n[len(part) :].split("]")[0]), n))
        self._take([(float(mean), float(value), lane)])
        self.models[lane] = {f"{k:03d}": np.asarray(state[name]) for k, name in enumerate(names)} | {"history": state["history"]}

    def prune(self) -> None:
        """Forget the weights of lanes that are out, and delete files that hold none that is in."""
        for lane in self.models.keys() - self._wanted(self.models):
            del self.models[lane]
            self.file_of.pop(lane, None)
        for key in self._live - set(self.file_of.values()):
            self.folder.remove(f"models/{key}")
            self._live.discard(key)

    def _save(self, key: str, lanes: list[int]) -> None:
        if lanes and self.folder.kept:
            content = {f"{lane}/{name}": array for lane in lanes for name, array in self.models[lane].items()}
            self.folder.save(f"models/{key}", content)
            self.file_of |= dict.fromkeys(lanes, key)
            self._live.add(key)

    def _enter(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            lane, value = row["lane"], row["value"]
            if lane in self._entered:  # its weights were lost, not its value
                continue
            self._entered.add(lane)
            trial = lane // self.plan.lanes_of_a_trial
            waiting = self.waiting.setdefault(trial, {})
            waiting[lane] = math.inf if value is None else value
            if len(waiting) == self.plan.lanes_of_a_trial:
                del self.waiting[trial]
                values = [waiting[lane] for lane in sorted(waiting)]  # a sum depends on the order
                mean = float(np.mean(values)) if len(values) > 1 else values[0]
                if math.isfinite(mean) and (len(self.best) < self.top or mean <= self.best[-1][0]):
                    self._take((mean, v, lane) for lane, v in waiting.items())

    def _take(self, new: Iterable[Key]) -> None:
        order = sorted([*self.best, *new], key=lambda key: (key[0], key[2] // self.plan.lanes_of_a_trial, *key[1:]))
        self.best = order[: self.top]

    def _wanted(self, lanes: Iterable[int]) -> list[int]:
        """Those of the lanes that are among the best, or may be once all of their trial are done."""
        best = {lane for _, _, lane in self.best}
        return [lane for lane in lanes if lane in best or lane // self.plan.lanes_of_a_trial in self.waiting]
