"""Trials become lanes, lanes of the same program a bucket, and a bucket is cut into tiles.

A lane is one training: (trial, fold, repeat), numbered trial-major. What makes the program (LaneSpec, and the
structure of HParams: which rule, which flags, which terms) makes the bucket; numbers make the lane.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import experiment
from ..config import ColumnConfig, TrainConfig
from ..errors import InputError
from ..lane import HParams, LaneSpec
from ..train import prepare_lane
from .space import Trial, fields_of, resolve, show

NUMBERS = ("init_scale", "l1", "l2", "dropout", "label_smoothing")  # left out of the program where no trial has them
LANES = frozenset((*NUMBERS, "learning_rate", "seed", "data_seed"))  # numbers of a lane, as all options that are no flags


class LaneId(NamedTuple):
    """Which training a lane is."""

    trial: int
    fold: int
    repeat: int


@dataclass
class Bucket:
    """The trials that one compiled program trains. rows: (trials, leaves) float64, the leaves of their HParams."""

    spec: LaneSpec
    structure: Any
    trials: list[int] = field(default_factory=list)
    rows: Any = None
    tile: int = 0

    @property
    def name(self) -> str:
        """For people and for files: the sizes, the batch, the rule."""
        rule = self.structure.unflatten(list(range(self.structure.num_leaves))).optimizer.update
        module = getattr(rule, "function", rule).__module__.rpartition(".")[2]
        return f"{'-'.join(map(str, self.spec.model.sizes))} batch {self.spec.batch_size} {module}"


@dataclass(frozen=True)
class Plan:
    """All lanes of a sweep. shared_order: every lane sees the samples in the same order (the fast way)."""

    buckets: tuple[Bucket, ...]
    bucket_of: np.ndarray  # of each trial
    row_of: np.ndarray  # of each trial, in its bucket
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

    def identities(self, lanes: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(trials, folds, repeats) of these lanes."""
        trial, rest = np.divmod(np.asarray(lanes), self.lanes_of_a_trial)
        return trial, *np.divmod(rest, self.repeats)

    def lanes(self, trial: int) -> range:
        return range(trial * self.lanes_of_a_trial, (trial + 1) * self.lanes_of_a_trial)

    def hparams(self, bucket: Bucket, lanes: Sequence[int]) -> HParams:
        """Stacked HParams of these lanes: every leaf (lanes,), but data_seed () where the order is shared."""
        trial, _, repeat = self.identities(lanes)
        table = bucket.rows[self.row_of[trial]]
        kind = np.float64 if bucket.spec.dtype == "float64" else np.float32
        hparams: HParams = bucket.structure.unflatten([column.astype(kind) for column in table.T])
        seed = table[:, _leaf(bucket.structure, "seed")].astype(np.int64) + repeat
        order = table[:, _leaf(bucket.structure, "data_seed")].astype(np.uint32)
        patience = None if hparams.patience is None else table[:, _leaf(bucket.structure, "patience")].astype(np.int32)
        return hparams._replace(
            seed=(seed % 2**32).astype(np.uint32), data_seed=order[0] if self.shared_order else order, patience=patience
        )

    def patience(self, bucket: int, lanes: Sequence[int]) -> Any:
        """Epochs without a new best after which each of these lanes stops; infinite where none does."""
        column = _leaf(self.buckets[bucket].structure, "patience")
        return math.inf if column is None else self.buckets[bucket].rows[self.row_of[self.identities(lanes)[0]], column]

    def tiles(self, lanes: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
        """(bucket, lanes) of each tile, in an order in which neighbours are of different buckets."""
        trial, fold, _ = self.identities(lanes)
        group = self.bucket_of[trial] * self.folds + fold
        order = np.argsort(group, kind="stable")
        parts = np.split(np.asarray(lanes)[order], np.flatnonzero(np.diff(group[order])) + 1)
        cut = []
        for part in parts:
            first = self.identity(int(part[0]))
            bucket = int(self.bucket_of[first.trial])
            size = self.buckets[bucket].tile
            pieces = np.split(part, range(size, len(part), size))
            cut += [(k, first.fold, bucket, tuple(piece.tolist())) for k, piece in enumerate(pieces)]
        return [(bucket, piece) for _, _, bucket, piece in sorted(cut)]


def make(base: TrainConfig, trials: list[Trial], shape: tuple[int, int], task: str, rows: int, folds: int = 1, repeats: int = 1) -> Plan:
    """Check every trial and sort the trials into buckets. rows: training rows of the smallest fold.

    InputError names the trial and what no run could have. A number that varies is in every program, be it 0.
    """
    varied = {name for trial in trials for name in trial}
    traced = frozenset(n for n in NUMBERS if n in varied)
    order = base.seed if base.data_seed is None else base.data_seed
    found: dict[Any, list[tuple[list[int], np.ndarray]]] = {}
    for members, together in _alike(trials):
        try:
            spec, hparams = lane_of(ColumnConfig(base, fields_of(base, together)), shape, task, rows, order, traced)
        except InputError:  # the first that is at fault, alone, says it best
            for number, trial in enumerate(trials):
                try:
                    lane_of(resolve(base, trial), shape, task, rows, order, traced)
                except InputError as error:
                    raise InputError(f"trial {number} ({describe(trial)}): {error}") from error
            raise
        leaves, structure = jax.tree.flatten(hparams)
        columns = [np.broadcast_to(np.asarray(leaf, np.float64), len(members)) for leaf in leaves]
        found.setdefault((spec, structure), []).append((members, np.stack(columns, axis=1)))
    buckets: list[Bucket] = []
    bucket_of, row_of = np.zeros(len(trials), np.int32), np.zeros(len(trials), np.int32)
    for (spec, structure), groups in found.items():
        numbers = np.concatenate([members for members, _ in groups])
        by_number = np.argsort(numbers)
        bucket = Bucket(spec, structure, numbers[by_number].tolist(), np.concatenate([rows for _, rows in groups])[by_number])
        bucket_of[bucket.trials], row_of[bucket.trials] = len(buckets), np.arange(len(numbers))
        buckets.append(bucket)
    most = float(np.finfo(np.float64 if base.dtype == "float64" else np.float32).max)
    for bucket in buckets:
        wrong = np.argwhere(np.abs(bucket.rows) > most)
        if len(wrong):
            number, value = bucket.trials[wrong[0][0]], bucket.rows[tuple(wrong[0])]
            raise InputError(f"trial {number} ({describe(trials[number])}): {value:g} is too large for {base.dtype}")
    return Plan(tuple(buckets), bucket_of, row_of, folds, repeats, "data_seed" not in varied)


def _alike(trials: list[Trial]) -> Iterator[tuple[list[int], Trial]]:
    """Trials that differ in nothing but numbers of a lane, together: (which, one trial that holds these numbers as columns)."""
    groups: dict[Any, list[int]] = {}
    for number, trial in enumerate(trials):
        groups.setdefault(tuple((name, None if _counts(name, v) else v) for name, v in trial.items()), []).append(number)
    for members in groups.values():
        first = trials[members[0]]
        kinds = {n: np.float64 if "." in n else None for n in first}  # an option may be a whole number of any size
        yield members, {n: np.array([trials[t][n] for t in members], kinds[n]) if _counts(n, v) else v for n, v in first.items()}


def _counts(name: str, value: Any) -> bool:
    """Whether it is a number of a lane, not of the program: no flag, nor a weight decay of 0, which adadelta leaves out."""
    flag = value is None or isinstance(value, bool) or (name == "optimizer_options.weight_decay" and value == 0)
    return (name in LANES or "." in name) and not flag


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
    return prepare_lane(model, optimizer, rows, traced=traced, columns=True, **options)


def describe(trial: Trial) -> str:
    """A trial in a line."""
    return ", ".join(f"{name}={show(value)}" for name, value in trial.items())


@lru_cache(maxsize=1024)
def _leaf(structure: Any, name: str) -> Any:
    """The place of HParams.`name` among the leaves; None where there is no such leaf."""
    numbered: HParams = structure.unflatten(list(range(structure.num_leaves)))
    return getattr(numbered, name)
