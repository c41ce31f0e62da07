"""A configuration made real: data, split, scaling, model, optimizer, one lane, test score."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import metrics, schedules, train
from .bound import within
from .config import TrainConfig, hints_of, typed
from .data import dataset, encode, sources, split
from .data.dataset import Dataset
from .data.encode import Encoder
from .data.split import Part
from .errors import InputError, check_name
from .lane import LaneState
from .model import MLP, Params
from .optimizers import OPTIMIZERS, Optimizer
from .store.model_files import TrainedModel

PIECE = 32_768  # rows that are encoded at a time for their scores
LOSS_OF_TASK = {"binary": "bce", "multilabel": "bce", "multiclass": "softmax_cross_entropy", "regression": "mse"}


@dataclass(frozen=True)
class Experiment:
    """Everything that a training run needs, checked."""

    config: TrainConfig
    data: Dataset
    train: Part
    validation: Part | None
    test: Part | None
    encoder: Encoder
    model: MLP
    optimizer: Optimizer

    def inputs(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """(X, y) of some rows as the network reads them: float64 if it computes in it, else float32."""
        return encoded(self.encoder, part, self.config.dtype)


def encoded(encoder: Encoder, part: Part, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """(X, y) of some rows as a network with parameters of `dtype` reads them."""
    return encoder.X(part.X, np.float64 if dtype == "float64" else np.float32), encoder.y(part.y)


def load(config: TrainConfig, data: Dataset | None = None) -> Dataset:
    """The configured data set, or `data`, with the configuration checked against its task. InputError for what does not fit."""
    if data is None and not sources.table_files.is_file(config.dataset):
        check(config, config.task or sources.source_of(config.dataset).task)  # what costs nothing first
    data = data or sources.load(config.dataset, config.target, config.task, config.columns)
    check(config, data.task)
    return data


def prepare(config: TrainConfig, data: Dataset | None = None) -> Experiment:
    """Load, split and encode the data (`data`, if given, in place of a named set) and build the model and the optimizer.

    InputError for anything that does not fit.
    """
    data = load(config, data)
    parts = split.split(data, config.test_size, config.validation, config.split_seed)
    encoder = encode.fit(data, *parts[0], config.scaling)
    model = build_model(config, encoder.width, data.outputs, data.task)
    return Experiment(config, data, *parts, encoder, model, build_optimizer(config, total_steps(config, len(parts[0].y))))


def build_model(config: TrainConfig, inputs: int, outputs: int, task: str) -> MLP:
    """The configured network for so many inputs and outputs of the task."""
    activation = config.activation[0] if len(config.activation) == 1 else config.activation
    model = MLP((inputs, *config.hidden, outputs), activation, LOSS_OF_TASK[task], config.residual, config.init)
    if "step" in model.activations:
        raise InputError("activation 'step' cannot be trained: its gradient is 0 everywhere; try 'sigmoid' or 'relu'")
    return model


def total_steps(config: TrainConfig, rows: int) -> int:
    """Updates of the whole run on so many training rows."""
    if config.batch_size > rows:
        raise InputError(f"batch_size {config.batch_size} is larger than the {rows} training rows; 0 takes all of them")
    return config.epochs * -(-rows // (config.batch_size or rows))


def run(
    experiment: Experiment,
    on_epochs: Callable[[dict[str, np.ndarray], LaneState], bool | None] | None = None,
    state: LaneState | None = None,
    history: dict[str, np.ndarray] | None = None,
) -> train.Run:
    """Train; arguments as in `fit`."""
    config, validation = experiment.config, experiment.validation
    run = train.fit(
        experiment.model,
        experiment.optimizer,
        *experiment.inputs(experiment.train),
        epochs=config.epochs,
        validation=None if validation is None else experiment.inputs(validation),
        on_epochs=on_epochs,
        state=state,
        history=history,
        **lane_options(config),
    )
    gc.collect()  # JAX lets go of arrays that it read in place only then
    return run


def learn(data: Any, y: Any = None, *, task: str | None = None, **settings: Any) -> TrainedModel:
    """Train one network on `data` and return it with its encoder and scores: `mlp-opt train` in Python.

    data: the name of a data set, or a file's path; a polars or pandas data frame with y the column to predict, or
    several; or X (rows, columns) with y (rows,) or (rows, targets). settings: any field of TrainConfig, as hidden=(64, 64)
    or columns={"zip": "category"}. InputError for what does not fit, and for a run that diverged.
    """
    hints = hints_of(TrainConfig)
    if "dataset" in settings:
        raise InputError("give the data as the first argument, not as dataset")
    given = {check_name("setting", name, hints): value for name, value in settings.items()}
    if isinstance(data, (str, Path)):
        given |= {"dataset": str(data), "task": task or ""} | ({} if y is None else {"target": y})
    given = {name: value if value is None else typed(name, value, hints[name]) for name, value in given.items()}
    config = TrainConfig(**given)
    experiment = prepare(config, None if config.dataset else dataset.of(data, y, task, config.columns))
    found = run(experiment)
    if found.stopped == "diverged":
        raise InputError(f"diverged at step {found.diverged_at}; try a learning_rate below {config.learning_rate:g}")
    return finish(experiment, found)


def lane_options(config: TrainConfig) -> dict[str, Any]:
    """The arguments of `fit` that are plain values of the configuration."""
    names = ("seed", "data_seed", "l1", "l2", "dropout", "label_smoothing", "init_scale", "monitor", "dtype")
    options = {name: getattr(config, name) for name in names}
    return options | {"batch_size": config.batch_size or None, "patience": config.patience or None}


def finish(experiment: Experiment, run: train.Run) -> TrainedModel:
    """The trained model with its scores: the best epoch where there is a validation part, else the last."""
    config, data = experiment.config, experiment.data
    params = run.best if experiment.validation is not None or run.stopped == "diverged" else run.last
    metric = metrics.METRICS[experiment.model.loss]
    scores: dict[str, float] = {}
    for name, part in (("train", experiment.train), ("validation", experiment.validation), ("test", experiment.test)):
        if part is not None:
            loss, score = _scores(experiment, params, part)
            scores |= {f"{name}_loss": loss, f"{name}_{metric}": score}
    about = {
        "metrics": scores,
        "stopped": run.stopped,
        "epochs": len(run.history["epoch"]),
        "best_epoch": run.best_epoch,
        "diverged_at": run.diverged_at,
        "config": dataclasses.asdict(config),
        "rows": {"train": len(experiment.train.y), "test": 0 if experiment.test is None else len(experiment.test.y)},
        "versions": {"python": platform.python_version(), "jax": jax.__version__, "mlp_opt": _version()},
    }
    return TrainedModel(experiment.model, params, experiment.encoder, data.task, data.classes, data.targets, about)


def _scores(experiment: Experiment, params: Params, part: Part) -> tuple[float, float]:
    """(loss, score) of all rows of a part, encoded a piece at a time."""
    model, found, labels = experiment.model, [], []
    for first in range(0, len(part.y), PIECE):
        X, y = experiment.inputs(part.take(np.arange(first, min(first + PIECE, len(part.y)))))
        X, y = train.check_data(model, X, y, experiment.config.dtype)
        found.append(train.outputs(model, params, X))
        labels.append(y)
    loss, score = train.measure(model, jnp.concatenate(found, axis=1), jnp.concatenate(labels))
    return float(loss), float(score)


def build_optimizer(config: TrainConfig, steps: int) -> Optimizer:
    """The configured optimizer; its schedule spans `steps` updates."""
    rule = OPTIMIZERS[check_name("optimizer", config.optimizer, OPTIMIZERS)]
    options = _checked_options("optimizer", config.optimizer, rule, config.optimizer_options)
    return rule(_schedule(config, steps), **options)


def _schedule(config: TrainConfig, steps: int) -> Any:
    peak, T = config.learning_rate, float(steps)
    if config.schedule == "constant":
        if config.schedule_options:
            raise InputError("schedule 'constant' takes no options")
        return peak
    make = schedules.SCHEDULES[check_name("schedule", config.schedule, schedules.SCHEDULES)]
    defaults: dict[str, dict[str, Any]] = {
        "step": {"init_value": peak, "step_size": max(math.ceil(T / 3), 1)},
        "exponential": {"init_value": peak, "transition_steps": T, "decay_rate": 0.01},
        "cosine": {"init_value": peak, "decay_steps": T},
        "warmup_cosine": {"init_value": 0.0, "peak_value": peak, "warmup_steps": 0.1 * T, "decay_steps": T},
        "one_cycle": {"transition_steps": T, "peak_value": peak},
    }
    return make(**defaults[config.schedule] | _checked_options("schedule", config.schedule, make, config.schedule_options))


@lru_cache
def _options_of(make: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments that a configuration may give."""
    taken = {k: p for k, p in inspect.signature(make).parameters.items() if k not in ("learning_rate", "mask", "weight_decay_mask")}
    return {k: p for k, p in taken.items() if not k.endswith("dtype")}


def _checked_options(kind: str, name: str, make: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options of an optimizer or schedule, each known to it and of the right type. A column of numbers, as `check` has it."""
    accepted = _options_of(make) if options else {}
    for key, value in options.items():
        check_name(f"option of {kind} {name}", key, accepted)
        flag = isinstance(accepted[key].default, bool)
        if flag != isinstance(value, bool) or not (flag or within(value, -math.inf, math.inf)):
            raise InputError(f"option {key} of {kind} {name} must be {'true or false' if flag else 'a number'}, got {value!r}")
        low, high, words = _RANGES.get(key, (0, math.inf, ">= 0"))
        if not flag and not within(value, low, high):
            raise InputError(f"option {key} of {kind} {name} must be {words}, got {value!r}")
    return options


_BELOW_1 = (0.0, 1.0, "from 0 up to but not 1")
_LEAST, _ABOVE_1 = math.ulp(0.0), math.nextafter(1.0, 2.0)
_POSITIVE = (_LEAST, math.inf, "> 0")
_RANGES: dict[str, tuple[float, float, str]] = {
    **dict.fromkeys(("b1", "b2", "momentum", "decay", "rho", "pct_start"), _BELOW_1),
    **dict.fromkeys(("step_size", "transition_steps", "decay_steps", "decay_rate", "div_factor", "final_div_factor"), _POSITIVE),
}


def check(config: TrainConfig, task: str) -> None:
    """InputError for a name or number of the configuration that no run could have. A number may be a column: those of many runs."""
    check_name("optimizer", config.optimizer, OPTIMIZERS)
    check_name("schedule", config.schedule, schedules.SCHEDULES)

    def require(name: str, good: Any, accepted: str) -> None:
        if not good:
            raise InputError(f"{name} must be {accepted}, got {getattr(config, name)!r}")

    def between(name: str, low: float | int, high: float | int, accepted: str) -> None:
        require(name, within(getattr(config, name), low, high), accepted)

    require("hidden", all(n >= 1 for n in config.hidden), "whole numbers >= 1")
    between("learning_rate", _LEAST, math.inf, "a number > 0")
    between("batch_size", 0, math.inf, "a whole number >= 0 (0: all rows)")
    between("epochs", 1, 2**31, "a whole number >= 1")
    between("test_size", 0, 1, "a number from 0 (no test) up to but not 1")
    between("validation", 0, 1, "a number from 0 up to but not 1")
    between("patience", 0, 2**31, "a whole number from 0 (never) to 2^31 - 1")
    between("split_seed", 0, 2**32, "a whole number from 0 to 2^32 - 1")
    between("seed", 0, 2**32, "a whole number from 0 to 2^32 - 1")
    require("data_seed", config.data_seed is None or within(config.data_seed, 0, 2**32), "a whole number from 0 to 2^32 - 1")
    between("l1", 0, math.inf, "a number >= 0")
    between("l2", 0, math.inf, "a number >= 0")
    between("dropout", 0, 1, "a number from 0 up to but not 1")
    between("label_smoothing", 0, _ABOVE_1, "a number from 0 to 1")
    between("init_scale", _LEAST, math.inf, "a number > 0")
    check_name("dtype", config.dtype, train.DTYPES)
    check_name("monitor", config.monitor, ("loss", "score"))
    check_name("scaling", config.scaling, encode.SCALINGS)
    require("label_smoothing", task != "regression" or within(config.label_smoothing, 0, _LEAST), "0 for a regression")


def _version() -> str:
    from . import __version__

    return __version__
