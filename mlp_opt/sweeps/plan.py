"""Trials become lanes, lanes of the same program a bucket, and a bucket is cut into tiles.

A lane is one training: (trial, fold, repeat), numbered trial-major. What makes the program (LaneSpec, and the
structure of HParams: which rule, which flags, which terms) makes the bucket; numbers make the lane.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import experiment
from ..config import TrainConfig
from ..errors import InputError
from ..lane import HParams, LaneSpec
from ..train import prepare_lane
from .space import Trial, resolve

NUMBERS = ("init_scale", "l1", "l2", "dropout", "label_smoothing")  # left out of the program where no trial has them


class LaneId(NamedTuple):
    """Which training a lane is."""

    trial: int
    fold: int
    repeat: int


@dataclass
class Bucket:
    """The trials that one compiled program trains. numbers: (trials, leaves), the leaves of their HParams."""

    spec: LaneSpec
    structure: Any
    trials: list[int] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    row_of: dict[int, int] = field(default_factory=dict)
    tile: int = 0

    @property
    def name(self) -> str:
        """For people and for files: the sizes, the batch, the rule."""
        rule = self.structure.unflatten(self.rows[0]).optimizer.update
        module = getattr(rule, "function", rule).__module__.rpartition(".")[2]
        return f"{'-'.join(map(str, self.spec.model.sizes))} batch {self.spec.batch_size} {module}"


@dataclass(frozen=True)
class Plan:
    """All lanes of a sweep. shared_order: every lane sees the samples in the same order (the fast way)."""

    buckets: tuple[Bucket, ...]
    bucket_of: np.ndarray  # of each trial
    folds: int
    repeats: int
    shared_order: bool

    @property
    def lanes_of_a_trial(self) -> int:
        return self.folds * self.repeats

    def lane(self, identity: LaneId) -> int:
        return (identity.trial * self.folds + identity.fold) * self.repeats + identity.repeat

    def identity(self, lane: int) -> LaneId:
        trial, rest = divmod(lane, self.lanes_of_a_trial)
        return LaneId(trial, *divmod(rest, self.repeats))

    def lanes(self, trial: int) -> range:
        return range(trial * self.lanes_of_a_trial, (trial + 1) * self.lanes_of_a_trial)

    def hparams(self, bucket: Bucket, lanes: Iterable[int]) -> HParams:
        """Stacked HParams of these lanes: every leaf (lanes,), but data_seed () where the order is shared."""
        ids = [self.identity(lane) for lane in lanes]
        table = np.array([bucket.rows[bucket.row_of[i.trial]] for i in ids])
        kind = np.float64 if bucket.spec.dtype == "float64" else np.float32
        hparams: HParams = bucket.structure.unflatten([column.astype(kind) for column in table.T])
        seed = np.array([int(s) + i.repeat for s, i in zip(table[:, _leaf(bucket.structure, "seed")], ids, strict=True)], np.int64)
        order = table[:, _leaf(bucket.structure, "data_seed")].astype(np.uint32)
        patience = None if hparams.patience is None else table[:, _leaf(bucket.structure, "patience")].astype(np.int32)
        return hparams._replace(
            seed=(seed % 2**32).astype(np.uint32), data_seed=order[0] if self.shared_order else order, patience=patience
        )

    def tiles(self, lanes: Iterable[int]) -> list[tuple[int, tuple[int, ...]]]:
        """(bucket, lanes) of each tile, in an order in which neighbours are of different buckets."""
        groups: dict[tuple[int, int], list[int]] = {}
        for lane in lanes:
            i = self.identity(lane)
            groups.setdefault((int(self.bucket_of[i.trial]), i.fold), []).append(lane)
        cut = []
        for (bucket, fold), members in sorted(groups.items()):
            size = self.buckets[bucket].tile
            pieces = [tuple(members[k : k + size]) for k in range(0, len(members), size)]
            cut += [(k, fold, bucket, piece) for k, piece in enumerate(pieces)]
        return [(bucket, piece) for _, _, bucket, piece in sorted(cut)]


def make(base: TrainConfig, trials: list[Trial], shape: tuple[int, int], task: str, rows: int, folds: int = 1, repeats: int = 1) -> Plan:
    """Check every trial and sort the trials into buckets. rows: training rows of the smallest fold.

    InputError names the trial and what no run could have. A number that varies is in every program, be it 0.
    """
    varied = {name for trial in trials for name in trial}
    traced = frozenset(n for n in NUMBERS if n in varied)
    order = base.seed if base.data_seed is None else base.data_seed
    found: dict[Any, int] = {}
    buckets: list[Bucket] = []
    bucket_of = np.zeros(len(trials), np.int32)
    for number, trial in enumerate(trials):
        config = resolve(base, trial)
        try:
            spec, hparams = lane_of(config, shape, task, rows, order, traced)
        except InputError as error:
            raise InputError(f"trial {number} ({describe(trial)}): {error}") from error
        leaves, structure = jax.tree.flatten(hparams)
        index = found.setdefault((spec, structure), len(buckets))
        if index == len(buckets):
            buckets.append(Bucket(spec, structure))
        bucket = buckets[index]
        bucket.row_of[number] = len(bucket.rows)
        bucket.trials.append(number)
        bucket.rows.append(leaves)
        bucket_of[number] = index
    most = float(np.finfo(np.float64 if base.dtype == "float64" else np.float32).max)
    for bucket in buckets:
        wrong = np.argwhere(np.abs(np.array(bucket.rows, np.float64)) > most)
        if len(wrong):
            number, value = bucket.trials[wrong[0][0]], bucket.rows[wrong[0][0]][wrong[0][1]]
            raise InputError(f"trial {number} ({describe(trials[number])}): {value:g} is too large for {base.dtype}")
    return Plan(tuple(buckets), bucket_of, folds, repeats, "data_seed" not in varied)


def lane_of(
    config: TrainConfig, shape: tuple[int, int], task: str, rows: int, order: int, traced: frozenset[str]
) -> tuple[LaneSpec, HParams]:
    """The lane of a configuration. order: the data_seed where the configuration has none."""
    experiment.check(config, task)
    model = experiment.build_model(config, *shape, task)
    optimizer = experiment.build_optimizer(config, experiment.total_steps(config, rows))
    options = experiment.lane_options(config)
    if options["data_seed"] is None:
        options["data_seed"] = order
    return prepare_lane(model, optimizer, rows, traced=traced, **options)


def describe(trial: Trial) -> str:
    """A trial in a line."""
    return ", ".join(f"{name}={show(value)}" for name, value in trial.items())


def show(value: Any) -> str:
    """A value as tables show it: 64-64 for sizes, four digits for numbers."""
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=1024)
def _leaf(structure: Any, name: str) -> int:
    """The place of HParams.`name` among the leaves."""
    numbered: HParams = structure.unflatten(list(range(structure.num_leaves)))
    return getattr(numbered, name)
