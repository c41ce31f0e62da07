"""What a sweep varies: distributions over the fields of a configuration, and the trials drawn from them.

    {"learning_rate": {"log_uniform": [1e-4, 1.0]},        a number, uniform in its logarithm
     "dropout":       {"uniform": [0.0, 0.5]},             a number
     "batch_size":    {"integer": [16, 128]},              a whole number, both ends included
     "hidden":        [[32], [64, 64]],                    one of these
     "optimizer":     ["momentum", "adam"]}

A number takes "points" for a grid: {"log_uniform": [1e-4, 1.0], "points": 9}. Options of the optimizer and of
the schedule are named "optimizer_options.momentum", or nested. A conditional block applies only where its
condition holds: when = [{"optimizer": "momentum", "space": {"optimizer_options": {"momentum": [0.5, 0.9]}}}].

Instead of a space, a list of trials may be given: [{"learning_rate": 0.1, "hidden": [32]}, ...].

Imports neither jax nor scikit-learn. The same space, method, number and seed give the same trials, in whatever order
the fields are written: each field's draws come from its name.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import OPTION_TABLES, SWEPT, TrainConfig, typed
from ..errors import InputError, check_name

METHODS = ("random", "sobol", "grid")
MOST_TRIALS = 10_000_000
KINDS = ("log_uniform", "uniform", "integer", "choice")

Trial = dict[str, Any]  # field of the configuration -> value, only what varies


@dataclass(frozen=True)
class Dimension:
    """One varied field. low and high for numbers, choices for the rest; when: field -> values that switch it on."""

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()
    points: int = 0
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def at(self, u: float) -> Any:
        """The value at u in [0, 1)."""
        if self.kind == "choice":
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.kind == "integer":
            return int(self.low) + min(int(u * (self.high - self.low + 1)), int(self.high - self.low))
        if self.kind == "uniform":
            return self.low + (self.high - self.low) * u
        return math.exp(math.log(self.low) + (math.log(self.high) - math.log(self.low)) * u)

    def grid(self) -> list[Any]:
        """All values of a grid, both ends included."""
        if self.kind == "choice":
            return list(self.choices)
        if max(self.points, (self.kind == "integer" and not self.points) * (self.high - self.low)) > MOST_TRIALS:
            raise InputError(f"a grid of {self.name} alone has more than the {MOST_TRIALS:,} trials that a sweep may have")
        if self.kind == "integer" and not self.points:
            return list(range(int(self.low), int(self.high) + 1))
        if not self.points:
            raise InputError(f'a grid needs the number of points of {self.name}: {{"{self.kind}": [...], "points": 5}}, or a list')
        spacing = np.geomspace if self.kind == "log_uniform" else np.linspace
        values = spacing(self.low, self.high, self.points)
        return sorted({int(v) for v in np.round(values)}) if self.kind == "integer" else [float(v) for v in values]

    @property
    def scale(self) -> str:
        """How a picture should draw it: "log", "linear" or "category"."""
        numbers = all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in self.choices)
        if self.kind == "log_uniform" or (
            self.choices and numbers and min(self.choices) > 0 and max(self.choices) >= 8 * min(self.choices)
        ):
            return "log"
        return "linear" if numbers else "category"


def parse(space: Any, when: Any = (), where: str = "space") -> tuple[Dimension, ...]:
    """The dimensions of a space as TOML or Python has it. InputError names the field and what is accepted."""
    dimensions = _block(space, (), where)
    if not isinstance(when, (list, tuple)):
        raise InputError(f"{where}: when must list blocks with a condition and a space each, got {when!r}")
    conditional: list[Dimension] = []
    for i, block in enumerate(when):
        at = f"{where}: when[{i}]"
        if not isinstance(block, dict) or "space" not in block or len(block) < 2:
            raise InputError(f'{at} must be a table with a condition and a space, as {{optimizer = "momentum", space = {{...}}}}')
        known = {d.name: d for d in dimensions}
        conditions = []
        for name, accepted in block.items():
            if name == "space":
                continue
            _field(f"{at}: condition", name)
            several = isinstance(accepted, list) and (name != "hidden" or any(isinstance(v, list) for v in accepted))
            accepted = accepted if several else [accepted]
            conditions.append((name, tuple(_value(f"{at}: {name}", name, v) for v in accepted)))
            choices = known[name].choices if name in known else ()
            if choices and not any(v in choices for v in conditions[-1][1]):
                never = " or ".join(map(show, conditions[-1][1]))
                raise InputError(f"{at}: {name} is never {never}; it is {', '.join(map(show, choices))}")
        for d in _block(block["space"], tuple(conditions), f"{at}: space"):
            if d.name in known:
                raise InputError(f"{at}: {d.name} is in the unconditional space already")
            conditional.append(d)
    dimensions += _ordered(conditional, where)
    if not dimensions:
        raise InputError(f"{where} is empty: nothing varies; name at least one field, as learning_rate = {{log_uniform = [1e-4, 1.0]}}")
    return tuple(dimensions)


def show(value: Any) -> str:
    """A value as tables show it: 64-64 for sizes, four digits for numbers."""
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _ordered(dimensions: list[Dimension], where: str) -> list[Dimension]:
    """By what they depend on and then by name, so that the order of the blocks changes nothing."""
    rest, found = sorted(dimensions, key=lambda d: (d.name, repr(d.when))), []
    while rest:
        to_come = {d.name for d in rest}
        ready = [d for d in rest if not to_come & {name for name, _ in d.when}]
        if not ready:
            raise InputError(f"{where}: the conditions of {', '.join(sorted(to_come))} depend on each other")
        found += ready
        rest = [d for d in rest if d not in ready]
    return found


def listed(given: list[Any], where: str = "space") -> tuple[tuple[Dimension, ...], list[Trial]]:
    """(dimensions, trials) of a list of trials. InputError names the trial and the field."""
    found: list[Trial] = []
    for number, fields in enumerate(given):
        at = f"{where}: trial {number}"
        if not isinstance(fields, dict):
            raise InputError(f"{at} must be a table of fields, got {fields!r}")
        flat = _flat(fields)
        for name in flat:
            _field(f"{at}: {name}", name)
        found.append({name: _value(f"{at}: {name}", name, value) for name, value in flat.items()})
    names = sorted({name for trial in found for name in trial})
    if not names:
        raise InputError(f"{where} is empty: it lists no trial with a field")
    return tuple(Dimension(n, "choice", choices=tuple(dict.fromkeys(t[n] for t in found if n in t))) for n in names), found


def trials(dimensions: tuple[Dimension, ...], base: TrainConfig, method: str, number: int, seed: int) -> list[Trial]:
    """The trials, in order: `number` draws, or the whole grid (then `number` is not used)."""
    check_name("method", method, METHODS)
    if method == "grid":
        return _grid(dimensions, base)
    if not 1 <= number <= MOST_TRIALS:
        raise InputError(f"trials must be a whole number from 1 to {MOST_TRIALS:,}, got {number}")
    if method == "sobol":
        from scipy.stats import qmc

        draws = qmc.Sobol(len(dimensions), rng=seed).random_base2(max(number - 1, 0).bit_length())[:number]
    else:
        keys = [zlib.crc32(d.name.encode()) for d in dimensions]
        draws = np.stack([np.random.default_rng([seed, key]).random(number) for key in keys], axis=1)
    return [_drawn(dimensions, base, row) for row in draws.tolist()]


def resolve(base: TrainConfig, trial: Trial) -> TrainConfig:
    """The configuration of a trial: `base` with the trial's values."""
    return dataclasses.replace(base, **fields_of(base, trial))


def fields_of(base: TrainConfig, trial: Trial) -> dict[str, Any]:
    """The fields of a trial's configuration that are not as in `base`; options are added to those of `base`."""
    fields: dict[str, Any] = {}
    for name, value in trial.items():
        table, _, option = name.partition(".")
        if option:
            fields.setdefault(table, dict(getattr(base, table)))[option] = value
        else:
            fields[table] = value
    return fields


def _drawn(dimensions: tuple[Dimension, ...], base: TrainConfig, row: list[float]) -> Trial:
    trial: Trial = {}
    for d, u in zip(dimensions, row, strict=True):
        if _holds(d, trial, base):
            trial[d.name] = d.at(u)
    return trial


def _holds(d: Dimension, trial: Trial, base: TrainConfig) -> bool:
    return all(_current(name, trial, base) in accepted for name, accepted in d.when)


def _current(name: str, trial: Trial, base: TrainConfig) -> Any:
    if name in trial:
        return trial[name]
    table, _, option = name.partition(".")
    return getattr(base, table).get(option) if option else getattr(base, table)


def _grid(dimensions: tuple[Dimension, ...], base: TrainConfig) -> list[Trial]:
    """Every combination, once; a dimension that does not apply adds none."""
    found: list[Trial] = [{}]
    for d in dimensions:
        values = d.grid()
        if len(found) * len(values) > MOST_TRIALS and sum(len(values) if _holds(d, t, base) else 1 for t in found) > MOST_TRIALS:
            raise InputError(f"the grid has more than the {MOST_TRIALS:,} trials that a sweep may have; with {d.name}")
        found = list(itertools.chain.from_iterable([{**t, d.name: v} for v in values] if _holds(d, t, base) else [t] for t in found))
    return list({repr(sorted(t.items())): t for t in found}.values())  # two blocks may set the same field


def _block(space: Any, when: tuple[tuple[str, tuple[Any, ...]], ...], where: str) -> list[Dimension]:
    if not isinstance(space, dict):
        raise InputError(f"{where} must be a table of fields, got {space!r}")
    flat = _flat(space)
    return [_dimension(f"{where}: {name}", name, value, when) for name, value in sorted(flat.items())]


def _finite(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    try:
        return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:
        return False


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Nested options under their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if not isinstance(name, str):
            raise InputError(f"a field's name must be text, got {name!r}")
        if name in OPTION_TABLES and isinstance(value, dict):
            flat |= {f"{name}.{option}": v for option, v in value.items()}
        else:
            flat[name] = value
    return flat


def _field(where: str, name: str) -> None:
    table, _, option = name.partition(".")
    if option and table in OPTION_TABLES:
        return
    if name not in SWEPT:
        check_name(f"field in {where.removesuffix(': ' + name)}", name, (*SWEPT, *(f"{t}.NAME" for t in OPTION_TABLES)))


def _value(where: str, name: str, value: Any) -> Any:
    """One value of the field, of its type."""
    if "." in name:
        if isinstance(value, bool) or _finite(value):
            return value
        raise InputError(f"{where} must be a number, or true or false, got {value!r}")
    return typed(where, value, SWEPT[name])


def _dimension(where: str, name: str, value: Any, when: tuple[tuple[str, tuple[Any, ...]], ...]) -> Dimension:
    _field(where, name)
    if isinstance(value, (list, tuple)):
        value = {"choice": list(value)}
    if not isinstance(value, dict):
        raise InputError(f"{where} must be a list of values or a table with one of {', '.join(KINDS)}, got {value!r}")
    rest = {k: v for k, v in value.items() if k != "points"}
    for key in rest:
        check_name(f"key in {where}", key, (*KINDS, "points"))
    if len(rest) != 1:
        raise InputError(f"{where} must have exactly one of {', '.join(KINDS)}, got {', '.join(rest) or 'none'}")
    kind, given = next(iter(rest.items()))
    points = value.get("points", 0)
    if isinstance(points, bool) or not isinstance(points, int) or ("points" in value and points < 1):
        raise InputError(f"{where}: points must be a whole number >= 1, got {points!r}")
    if kind == "choice":
        if not isinstance(given, (list, tuple)) or not len(given):
            raise InputError(f"{where} must list at least one value, got {given!r}")
        return Dimension(name, kind, choices=tuple(_value(where, name, v) for v in given), when=when)
    low, high = _range(where, name, kind, given)
    return Dimension(name, kind, low, high, points=points, when=when)


def _range(where: str, name: str, kind: str, given: Any) -> tuple[float, float]:
    numbers = isinstance(given, (list, tuple)) and len(given) == 2
    if not numbers or not all(map(_finite, given)) or not _finite(given[1] - given[0]):
        raise InputError(f"{where}: {kind} takes two numbers [low, high], got {given!r}")
    low, high = given
    if not low < high:
        raise InputError(f"{where}: {kind} needs low < high, got {given!r}: the range is empty")
    if kind == "log_uniform" and low <= 0:
        raise InputError(f"{where}: log_uniform needs low > 0, got {given!r}: a logarithm cannot pass through 0")
    whole = "." not in name and SWEPT[name] in (int, int | None)
    if "." not in name and not whole and SWEPT[name] is not float:
        raise InputError(f"{where} does not take numbers in a range; give a list of values")
    if kind == "integer" and (int(low) != low or int(high) != high):
        raise InputError(f"{where}: integer takes whole numbers, got {given!r}")
    if whole and kind != "integer":
        raise InputError(f"{where} takes whole numbers: use integer or a list, got {kind}")
    return float(low), float(high)
