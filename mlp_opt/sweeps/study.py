"""A sweep's description made real: data, folds, trials, plan; and any of its lanes as an experiment of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import experiment, metrics, train
from ..config import SweepConfig, TrainConfig, hints_of, typed
from ..data import encode, split
from ..data.dataset import Dataset
from ..data.encode import Encoder
from ..data.split import Part
from ..errors import InputError, check_name
from ..experiment import Experiment
from ..lane import Data
from ..store.sweep_folder import CONFIG
from . import halving, plan, space
from .plan import LaneId, Plan
from .space import Dimension, Trial
from .table import described


@dataclass(frozen=True)
class Study:
    """A sweep, checked. folds: (training, validation or None) rows of each fold, with the encoder fitted on the training rows."""

    config: TrainConfig
    settings: SweepConfig
    dimensions: tuple[Dimension, ...]
    data: Dataset
    folds: tuple[tuple[Part, Part | None, Encoder], ...]
    test: Part | None
    trials: list[Trial]
    plan: Plan

    @property
    def metric(self) -> str:
        """ "accuracy" or "r2"."""
        return metrics.METRICS[self.plan.buckets[0].spec.model.loss]

    @property
    def has_validation(self) -> bool:
        return self.folds[0][1] is not None

    @cached_property
    def brackets(self) -> tuple[halving.Bracket, ...]:
        s = self.settings
        return halving.brackets(len(self.trials), self.config.epochs, s.halving, s.brackets, s.min_epochs, s.eta, s.sweep_seed)

    def datasets(self) -> list[Data]:
        """The training and validation samples of each fold, scaled, as arrays that the lanes read."""
        model, dtype = self.plan.buckets[0].spec.model, self.config.dtype
        found = []
        for rows, held, encoder in self.folds:
            validation = None if held is None else experiment.encoded(encoder, held, dtype)
            found.append(train.prepare_data(model, *experiment.encoded(encoder, rows, dtype), validation, None, dtype))
        return found

    def tests(self) -> list[tuple[Any, Any]] | None:
        """The test samples as each fold's lanes read them."""
        if self.test is None:
            return None
        model, dtype = self.plan.buckets[0].spec.model, self.config.dtype
        return [train.check_data(model, *experiment.encoded(e, self.test, dtype), dtype, "test ") for _, _, e in self.folds]

    def config_of(self, identity: LaneId) -> TrainConfig:
        """The configuration of a lane, its seeds resolved."""
        config = space.resolve(self.config, self.trials[identity.trial])
        order = self.config.seed if self.config.data_seed is None else self.config.data_seed
        seed = (config.seed + identity.repeat) % 2**32
        return dataclasses.replace(config, seed=seed, data_seed=order if config.data_seed is None else config.data_seed)

    def experiment(self, identity: LaneId) -> Experiment:
        """A lane as `train` would run it: the same rows, scaling, model and optimizer."""
        rows, held, encoder = self.folds[identity.fold]
        config = self.config_of(identity)
        model = experiment.build_model(config, encoder.width, self.data.outputs, self.data.task)
        optimizer = experiment.build_optimizer(config, experiment.total_steps(config, len(rows.y)))
        return Experiment(config, self.data, rows, held, self.test, encoder, model, optimizer)


def make(
    config: TrainConfig, settings: SweepConfig, varied: Any, when: Any = (), data: Dataset | None = None, where: str = "space"
) -> Study:
    """Check everything, load and split the data, draw the trials. InputError for anything that does not fit."""
    _check(settings)
    if isinstance(varied, list):
        if when:
            raise InputError(f"{where} lists its trials: there is nothing for [[when]] to do")
        dimensions, trials = space.listed(varied, where)
    else:
        dimensions = space.parse(varied, when, where)
        trials = space.trials(dimensions, config, settings.method, settings.trials, settings.sweep_seed)
    data = experiment.load(config, data)
    if settings.folds > 1:
        rest, _, test = split.split(data, config.test_size, 0.0, config.split_seed)
        pairs: list[tuple[Part, Part | None]] = list(split.folds(rest, settings.folds, config.split_seed, data.name))
    else:
        rest, held, test = split.split(data, config.test_size, config.validation, config.split_seed)
        pairs = [(rest, held)]
    encoders = encode.one_width([encode.fit(data, *rows, config.scaling) for rows, _ in pairs])
    folds = tuple((rows, held, encoder) for (rows, held), encoder in zip(pairs, encoders, strict=True))
    shape = (encoders[0].width, data.outputs)
    made = plan.make(config, trials, shape, data.task, len(pairs[0][0].y), settings.folds, settings.repeats)
    return Study(config, settings, dimensions, data, folds, test, trials, made)


def open_study(folder: Path, data: Dataset | None = None) -> Study:
    """The sweep that a folder's config.toml describes."""
    config, settings, varied, when = described(folder)
    return make(TrainConfig(**config), SweepConfig(**settings), varied, when, data, str(folder / CONFIG))


def settings_of(given: dict[str, Any]) -> tuple[TrainConfig, SweepConfig]:
    """Keyword arguments sorted into the two configurations. InputError for an unknown name or a wrong type."""
    found: list[dict[str, Any]] = [{}, {}]
    hints = [hints_of(TrainConfig), hints_of(SweepConfig)]
    for name, value in given.items():
        check_name("setting", name, (*hints[0], *hints[1]))
        which = name in hints[1]
        found[which][name] = value if value is None else typed(name, value, hints[which][name])
    return TrainConfig(**found[0]), SweepConfig(**found[1])


def _check(s: SweepConfig) -> None:
    check_name("method", s.method, space.METHODS)
    limits = {"trials": 1, "repeats": 1, "folds": 1, "brackets": 1, "eta": 2, "min_epochs": 0, "top": 1, "tile": 0, "workers": 0}
    for name, least in limits.items():
        value = getattr(s, name)
        if not least <= value < 2**31:
            raise InputError(f"{name} must be a whole number >= {least}, got {value}")
    if not 0 <= s.sweep_seed < 2**32:
        raise InputError(f"sweep_seed must be a whole number from 0 to 2^32 - 1, got {s.sweep_seed}")
    if s.brackets > 1 and not s.halving:
        raise InputError(f"brackets {s.brackets} needs halving")
