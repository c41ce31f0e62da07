"""The typed configuration of a training run, from TOML and flags. Imports neither jax nor scikit-learn."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import tyro

from .errors import InputError, check_name

Options = dict[str, Any]


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Defaults train a small network on any data set."""

    dataset: tyro.conf.Positional[str] = ""
    """Name of the data set; `mlp-opt datasets` lists them."""
    hidden: tuple[int, ...] = (64,)
    """Units of each hidden layer, as 64,64; none for no hidden layer."""
    activation: tuple[str, ...] = ("relu",)
    """One for all hidden layers, or one each: step, identity, relu, leaky_relu, elu, softplus, sigmoid, tanh, silu, gelu, gelu_tanh."""
    residual: bool = False
    """Add a hidden layer's input to its output where the widths agree."""
    init: str = "he_normal"
    """Initial weights: he_normal, he_uniform, glorot_normal, glorot_uniform, lecun_normal, lecun_uniform, orthogonal, normal, zeros."""
    init_scale: float = 1.0
    """Multiplies the initial weights (for "normal": their standard deviation)."""
    optimizer: str = "adam"
    """sgd, momentum, adagrad, rmsprop, adam, adamw, nadam, amsgrad, adamax, adadelta, radam, lion, qhm, qhadam."""
    optimizer_options: Options = field(default_factory=dict)
    """Its other arguments, as b1=0.8,eps=1e-3."""
    learning_rate: float = 1e-3
    """The learning rate, or the schedule's highest."""
    schedule: str = "constant"
    """constant, step, exponential, cosine, warmup_cosine, one_cycle; over the whole run."""
    schedule_options: Options = field(default_factory=dict)
    """Its other arguments, in steps where they count, as warmup_steps=100."""
    batch_size: int = 32
    """Samples a step; 1 is SGD, 0 all of them (gradient descent)."""
    epochs: int = 50
    """Passes over the training samples."""
    l2: float = 0.0
    """Penalty l2/2 times the sum of all squared weights."""
    dropout: float = 0.0
    """Share of hidden units dropped at each step."""
    label_smoothing: float = 0.0
    """Share of the targets mixed with the uniform distribution (classification)."""
    patience: int = 0
    """Stop after so many epochs without a new best; 0: never."""
    monitor: str = "loss"
    """What "best" means: loss or score (accuracy, R^2), on the validation part if there is one."""
    scaling: str = "standard"
    """standard (each column), range (all columns together, for pixels) or none; fitted on the training part."""
    test_size: float = 0.2
    """Share of the rows set aside for the final test."""
    validation: float = 0.1
    """Share of the other rows set aside to choose the best epoch; 0: none, and the last epoch is kept."""
    split_seed: int = 0
    """random_state of the split."""
    seed: int = 0
    """Seed of weights, order and dropout."""
    dtype: str = "float32"
    """Of the parameters: float32, float64, bfloat16, float16."""


def load_toml(path: str | Path) -> dict[str, Any]:
    """The values in a TOML file, checked against TrainConfig. InputError names file, key and value."""
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    hints = get_type_hints(TrainConfig)
    for key, value in values.items():
        check_name(f"key in {path}", key, hints)
        values[key] = _typed(f"{path}: {key}", value, hints[key])
    return values


def _typed(where: str, value: Any, hint: Any) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (bool, int, float, str) and type(value) is hint:
        return value
    if hint == Options and isinstance(value, dict) and all(isinstance(v, (int, float, bool)) for v in value.values()):
        return value
    if hint in (tuple[int, ...], tuple[str, ...]):
        kind = int if hint == tuple[int, ...] else str
        values = [value] if isinstance(value, kind) else value
        if isinstance(values, list) and all(type(v) is kind for v in values):
            return tuple(values)
    names: dict[Any, str] = {
        tuple[int, ...]: "a list of whole numbers",
        tuple[str, ...]: "a name or a list of names",
        Options: "a table of numbers",
    }
    names |= {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    raise InputError(f"{where} must be {names[hint]}, got {value!r}")


def dump_toml(config: TrainConfig) -> str:
    """The configuration as TOML that load_toml reads back."""
    import tomli_w

    return tomli_w.dumps(dataclasses.asdict(config))
