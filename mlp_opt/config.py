"""The typed configuration of a training run and of a sweep, from TOML and flags. Imports neither jax nor scikit-learn."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

import tyro

from .errors import InputError, check_name

Options = dict[str, Any]
Kinds = dict[str, str]
hints_of = lru_cache(get_type_hints)  # field -> type; half a millisecond without being remembered


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Defaults train a small network on any data set."""

    dataset: tyro.conf.Positional[str] = ""
    """Name of the data set (`mlp-opt datasets` lists them), or a table: a file .csv, .csv.gz, .tsv, .parquet or .npz."""
    target: tuple[str, ...] = ()
    """Of a table: the column to predict; several, as a,b, for several outputs."""
    task: str = ""
    """Of a table: binary, multiclass, multilabel or regression; default: told from the target's values."""
    columns: Kinds = field(default_factory=dict)
    """Of a table: what columns are, where that is not told right: NAME=number, category, date, text or drop, as zip=category,id=drop."""
    hidden: tuple[int, ...] = (256,)
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
    l1: float = 0.0
    """Penalty l1 times the sum of the sizes of all weights: drives those that matter little to 0."""
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
    scaling: str = "auto"
    """Of numbers, fitted on the training part: standard (each column), robust (by its quartiles, bounded), range (all
    columns together, for pixels) or none; auto: robust for tables, else standard."""
    test_size: float = 0.2
    """Share of the rows set aside for the final test; 0: none."""
    validation: float = 0.1
    """Share of the other rows set aside to choose the best epoch; 0: none, and the last epoch is kept."""
    split_seed: int = 0
    """random_state of the split."""
    seed: int = 0
    """Seed of weights, order and dropout."""
    data_seed: int | None = None
    """Seed of the order alone; None: the same as seed."""
    dtype: str = "float32"
    """Of the parameters: float32, float64, bfloat16, float16."""


class ColumnConfig(TrainConfig):
    """Runs that differ in nothing but numbers, as one configuration: such a number is a column, an array (runs,)."""

    def __init__(self, base: TrainConfig, fields: dict[str, Any]):
        self.__dict__.update(vars(base) | fields)


@dataclass(frozen=True)
class SweepConfig:
    """What a sweep does with its space of configurations."""

    method: str = "random"
    """random, sobol (quasi-random: fewer holes) or grid (every combination)."""
    trials: int = 256
    """Configurations to draw; a grid has as many as it has."""
    sweep_seed: int = 0
    """Seed of the draw."""
    repeats: int = 1
    """Train every trial with so many seeds: seed, seed + 1, ..."""
    folds: int = 1
    """Cross-validate with so many folds of the rows that are not test rows; 1: the validation part."""
    halving: bool = False
    """Successive halving: all trials train a little, the best third of them three times as long, and so on."""
    brackets: int = 1
    """With --halving: Hyperband's brackets, of which the first drops most, the last but one the fewest; 1: one of them."""
    eta: int = 3
    """With --halving: keep one trial in so many."""
    min_epochs: int = 0
    """With --halving: epochs before trials are dropped for the first time; 0: epochs / eta^2."""
    top: int = 8
    """Networks whose mean is the ensemble."""
    tile: int = 0
    """Networks trained in one compiled call; 0: chosen by size, and measured where it matters."""
    workers: int = 0
    """Tiles trained at the same time; 0: one a core, or one a device."""


@dataclass(frozen=True)
class RaceConfig:
    """A race of optimizers on a surface."""

    surface: tyro.conf.Positional[str] = ""
    """local_minimum, global_minimum, sine_saddle, ecliptic_bowl, hills, plateau, rosenbrock, rastrigin, beale, himmelblau,
    styblinski_tang, branin, booth, quadratic, saddle, cliff."""
    expression: str | None = None
    """A function of your own instead, as 'x**2 + 3*sin(y)': x, y, numbers, pi, e, + - * / **, sin, cos, exp, log, sqrt, abs, tanh."""
    x: tuple[float, ...] = ()
    """With --expression: the domain's lowest and highest x; default: -2,2."""
    y: tuple[float, ...] = ()
    """With --expression: the domain's lowest and highest y; default: -2,2."""
    condition: float | None = None
    """With the surface quadratic: its condition number (100)."""
    start: tuple[float, ...] = ()
    """Where all start, as -1.5,2; default: the surface's."""
    optimizers: tuple[str, ...] = ("sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam")
    """Which race: any optimizer of `train`, and nesterov."""
    rates: Options = field(default_factory=dict)
    """Learning rates, as sgd=0.01,adam=0.1."""
    optimizer_options: Options = field(default_factory=dict)
    """Their other arguments, as momentum.momentum=0.95,adam.b1=0.8."""
    schedule: str = "constant"
    """constant, step, exponential, cosine, warmup_cosine, one_cycle; over the whole race."""
    steps: int = 200
    """Gradients that each optimizer may use."""
    optax: bool = False
    """Draw optax's own paths over ours, and tell the largest difference."""
    fair: bool = False
    """Compare the optimizers from random starts, each at the best of 36 learning rates, tuned on other starts."""
    target: float | None = None
    """With --fair or --heat: count the steps until the loss stays at or under this, instead of comparing the last losses."""
    basins: bool = False
    """Map 256 x 256 starts by the minimum that they lead to, and by the steps needed."""
    heat: bool = False
    """Map learning rate x momentum (or another decay), a run a cell."""
    seed: int = 0
    """Of the random starts of --fair."""
    gif: bool = True
    """Make the animation."""


OPTION_TABLES = ("optimizer_options", "schedule_options")
_HELD = (
    "dataset",
    "target",
    "task",
    "columns",
    "epochs",
    "monitor",
    "scaling",
    "test_size",
    "validation",
    "split_seed",
    "dtype",
    *OPTION_TABLES,
)
SWEPT: dict[str, Any] = {name: hint for name, hint in hints_of(TrainConfig).items() if name not in _HELD}  # fields that a sweep may vary

DEFAULT_SPACE: dict[str, Any] = {  # of `mlp-opt sweep DATASET` without a word
    "optimizer": ["momentum", "rmsprop", "adam"],
    "learning_rate": {"log_uniform": [1e-4, 1.0]},
    "hidden": [[32], [64], [64, 64]],
}


def load_toml(path: str | Path) -> dict[str, Any]:
    """The values in a TOML file, checked against TrainConfig. InputError names file, key and value."""
    return _checked(Path(path), _read(Path(path)), TrainConfig)


def load_sweep_toml(path: str | Path) -> tuple[dict[str, Any], dict[str, Any], Any, list[Any]]:
    """(values of TrainConfig, values of SweepConfig, space, when) of a sweep's file: its tables [sweep], [space], [[when]].

    space is a table, or with [[space]] a list of trials.
    """
    values = _read(Path(path))
    sweep, space, when = values.pop("sweep", {}), values.pop("space", {}), values.pop("when", [])
    for name, table, kind in (("sweep", sweep, dict), ("space", space, (dict, list)), ("when", when, list)):
        if not isinstance(table, kind):
            raise InputError(f"{path}: {name} must be a table{' in double brackets, [[when]]' if kind is list else ''}, got {table!r}")
    tables = ("[sweep]", "[space]", "[[when]]")
    return _checked(Path(path), values, TrainConfig, also=tables), _checked(Path(path), sweep, SweepConfig, "[sweep] "), space, when


def with_fields(space: Any, lines: Sequence[str], path: Any = None) -> Any:
    """The space of the file `path`, with the fields of `--space` lines of TOML in it or in place of its own."""
    seen: set[str] = set()
    for line in lines:
        if isinstance(space, list):
            raise InputError(f"--space {line!r}: {path} lists its trials; remove [[space]] from it, or --space")
        try:
            fields = tomllib.loads(line)
        except tomllib.TOMLDecodeError as error:
            how = "write --space 'learning_rate = {log_uniform = [1e-4, 1.0]}'"
            raise InputError(f"--space {line!r} is not TOML: {error}; {how}") from error
        for name, value in fields.items():
            both = isinstance(value, dict) and isinstance(space.get(name), dict) and name in OPTION_TABLES
            if name in seen and not both:
                raise InputError(f"--space {line!r}: {name} has its values in another --space already")
            seen.add(name)
            space = space | {name: space[name] | value if both else value}
    return space


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error


def _checked(path: Path, values: dict[str, Any], kind: type, table: str = "", also: tuple[str, ...] = ()) -> dict[str, Any]:
    hints = hints_of(kind)
    for key, value in values.items():
        if key not in hints:
            other, place = (TrainConfig, "the top of the file") if table else (SweepConfig, "[sweep]")
            if (table or also) and key in hints_of(other):
                raise InputError(f"{path}: {table}{key} belongs under {place}")
            check_name(f"key in {path} {table}".rstrip(), key, (*hints, *also))
        values[key] = typed(f"{path}: {table}{key}", value, hints[key])
    return values


def typed(where: str, value: Any, hint: Any) -> Any:
    """`value` as the field's type, or InputError."""
    if hint == int | None:
        hint = int
    if hint is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1000:
        return float(value)
    if hint in (bool, int, float, str) and type(value) is hint:
        return value
    if hint == Options and isinstance(value, dict) and all(isinstance(v, (int, float, bool)) for v in value.values()):
        return value
    if hint == Kinds and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return value
    if hint in (tuple[int, ...], tuple[str, ...]):
        kind = int if hint == tuple[int, ...] else str
        values = [value] if isinstance(value, kind) else value
        if isinstance(values, (list, tuple)) and all(type(v) is kind for v in values):
            return tuple(values)
    names: dict[Any, str] = {
        tuple[int, ...]: "a list of whole numbers",
        tuple[str, ...]: "a name or a list of names",
        Options: "a table of numbers",
        Kinds: "a table of names",
    }
    names |= {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    raise InputError(f"{where} must be {names[hint]}, got {value!r}")


def dump_toml(config: TrainConfig) -> str:
    """The configuration as TOML that load_toml reads back."""
    import tomli_w

    return tomli_w.dumps(_plain(config))


def dump_sweep_toml(config: TrainConfig, sweep: SweepConfig, space: Any, when: list[Any]) -> str:
    """The sweep as TOML that load_sweep_toml reads back."""
    import tomli_w

    return tomli_w.dumps(_plain(config) | {"sweep": dataclasses.asdict(sweep), "space": space} | ({"when": when} if when else {}))


def _plain(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(config).items() if value is not None}
