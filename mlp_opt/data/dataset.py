"""A data set: rows as they come (an array of numbers, or a table) and what is to be predicted of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError, check_name
from . import columns

TASKS = ("binary", "multiclass", "multilabel", "regression")
MAX_CLASSES = 20  # of whole numbers, beyond which they are values
Rows = Any  # np.ndarray | pl.DataFrame


@dataclass(frozen=True)
class Dataset:
    """X (n, features): float64 numbers, or a table whose columns are of `kinds`. y: labels 0..K-1 (n,) int64; values
    (n,) float64; for several targets (n, targets) float64, 0 or 1 each for "multilabel".

    task: one of TASKS. classes: the labels' names (binary, multiclass). kinds: feature -> kind, empty for an array.
    notes: lines for people: what was dropped, and why.
    """

    name: str
    X: Rows
    y: np.ndarray
    task: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    targets: tuple[str, ...] = ("y",)
    kinds: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Outputs of a network for this task."""
        return len(self.classes) if self.task == "multiclass" else len(self.targets)

    @cached_property
    def digest(self) -> str:
        """Of the samples: what was stopped goes on only with the data that it began with."""
        digest = hashlib.sha256(np.ascontiguousarray(self.y).tobytes())
        if isinstance(self.X, np.ndarray):
            digest.update(np.ascontiguousarray(self.X).tobytes())
        else:
            for column in self.X:
                digest.update(repr((column.name, column.dtype)).encode())
                digest.update(column.cast(pl.String).fill_null("\0").str.join("\n").item().encode())
        return digest.hexdigest()


def of(data: Any, y: Any, task: str | None = None, kinds: Mapping[str, str] | None = None) -> Dataset:
    """A data frame with the name (or names) of its target, or arrays X and y, as a data set."""
    if columns.is_table(data):
        table = columns.frame(data)
        if not isinstance(y, str) and not (isinstance(y, (list, tuple)) and y and all(isinstance(name, str) for name in y)):
            raise InputError(f"give the column to predict as y, of {_some(table.columns)}")
        return of_table("data", table, y, task or "", kinds)
    if y is None or kinds:
        raise InputError("give a data set's name, a data frame and its column to predict, or arrays X and y (whose columns are numbers)")
    return of_arrays(data, y, task)


def of_arrays(X: Any, y: Any, task: str | None = None) -> Dataset:
    """Arrays as a data set. Whole numbers, texts and bools are classes, other numbers values, unless `task` says otherwise."""
    X, y = _array(X, "X"), _numbers(_array(y, "y"), "y")
    if X.ndim != 2 or y.ndim not in (1, 2) or len(X) != len(y):
        raise InputError(f"X must be (rows, columns) and y (rows,) or (rows, targets), got {X.shape} and {y.shape}")
    if len(X) < 2 or 0 in (*X.shape, *y.shape):
        raise InputError(f"X of shape {X.shape} and y of shape {y.shape}: at least 2 rows, a column and a target are needed")
    if X.dtype.kind not in "biuf" or not np.isfinite(X).all():
        raise InputError("X must hold finite numbers; give a data frame for categories and missing values")
    features = tuple(f"x{i}" for i in range(X.shape[1]))
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2:
        names = tuple(f"y{i}" for i in range(y.shape[1]))
        return _several("data", X.astype(np.float64), y, task, features, names)
    if task is None:
        task = "regression" if y.dtype.kind == "f" else "multiclass" if len(np.unique(y)) > 2 else "binary"
    y, classes = _labelled(y, check_name("task", task, TASKS), "y")
    return Dataset("data", X.astype(np.float64), y, task, classes, features)


def _array(given: Any, name: str) -> np.ndarray:
    """As an array; bytes as the text that they are. InputError for what is none."""
    try:
        array = np.asarray(given)
        return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    except UnicodeDecodeError as error:
        raise InputError(f"{name} holds bytes that are no UTF-8 text: {error}") from error
    except ValueError as error:
        raise InputError(f"{name} must be an array: {error}") from error


def _numbers(array: np.ndarray, name: str) -> np.ndarray:
    """Objects that are all numbers as numbers. InputError for objects of several types, or with missing ones."""
    if array.dtype.kind != "O":
        return array
    cells = array.ravel().tolist()
    kinds = {type(cell) for cell in cells}
    if all(issubclass(kind, (int, float, np.number, np.bool_)) for kind in kinds):
        found = np.array(array.tolist())
        whole = not any(issubclass(kind, (float, np.floating)) for kind in kinds)
        return array if whole and found.dtype.kind not in "biu" else found  # an int that no 64 bits hold
    if len(kinds) > 1 and not all(issubclass(kind, str) for kind in kinds):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"{name} holds objects of the types {names}; give numbers or texts only, and no missing ones")
    return array


def of_table(
    name: str, table: pl.DataFrame, target: str | Sequence[str], task: str = "", kinds: Mapping[str, str] | None = None
) -> Dataset:
    """A table as a data set: every column that is not a target is a feature, of the given or inferred kind.

    Rows without a target are left out. InputError for anything that no network could learn.
    """
    targets = (target,) if isinstance(target, str) else tuple(target)
    if not targets:
        raise InputError(f"{name}: say what to predict: --target COLUMN; its columns: {_some(table.columns)}")
    for wanted in targets:
        check_name(f"target in {name}", wanted, table.columns)
    if task:
        check_name("task", task, TASKS)
    given = dict(kinds or {})
    columns.check_kinds(given, table.columns, name)
    if set(given) & set(targets):
        raise InputError(f"{name}: {sorted(set(given) & set(targets))[0]!r} is a target; say what it is with --task, not --columns")
    if len(set(targets)) < len(targets):
        raise InputError(f"{name}: a target stands twice in {', '.join(targets)}")
    mask = pl.DataFrame([columns.present(table[t]) for t in targets]).select(pl.all_horizontal(pl.all())).to_series()
    notes = []
    if not mask.all():
        notes.append(f"{(~mask).sum():,} of {len(table):,} rows have no {' and '.join(targets)} and are left out")
        table = table.filter(mask)
    if len(table) < 2:
        raise InputError(f"{name} has {len(table)} rows with a {targets[0]}; at least 2 are needed")
    features, found = _features(table.drop(targets), given, notes, name)
    if not features:
        raise InputError(f"{name} has no column to learn from: {'; '.join(notes) or 'only the target'}")
    X = pl.DataFrame({f: columns.as_kind(table[f], found[f], name) for f in features})
    if len(targets) > 1:
        y = np.stack([_values(table[t], f"{name}: target {t!r}") for t in targets], axis=1)
        return _several(name, X, y, task or None, tuple(features), targets, found, tuple(notes))
    where = f"{name}: target {targets[0]!r}"
    task, raw = _task(table[targets[0]], task, where)
    y, classes = _labelled(raw, task, where)
    return Dataset(name, X, y, task, classes, tuple(features), targets, found, tuple(notes))


def _features(table: pl.DataFrame, given: Mapping[str, str], notes: list[str], where: str) -> tuple[list[str], dict[str, str]]:
    found, why = {}, {}
    for column in table.columns:
        kind, reason = (given[column], "as asked") if column in given else columns.kind_of(table[column])
        if kind == "drop":
            why[column] = reason
        else:
            found[column] = kind
    for reason in dict.fromkeys(why.values()):
        names = [c for c, r in why.items() if r == reason]
        notes.append(f"left out {_some(names)}: {reason}")
    return list(found), found


def _task(series: pl.Series, task: str, where: str) -> tuple[str, np.ndarray]:
    """The task, inferred if "", and the target's cells: numbers or text."""
    kind, reason = columns.kind_of(series.alias("target"))
    if kind == "date" and not task:
        raise InputError(f"{where} holds dates; make it a number or a few classes, or give --task multiclass")
    if reason == "is always the same":
        raise InputError(f"{where} is constant: it is always {series[0]!r}")
    if task == "regression" or (not task and kind == "number"):
        values = _values(series, where)
        whole = bool((values == np.round(values)).all())
        distinct = len(np.unique(values))
        if task or not whole or distinct > MAX_CLASSES or 2 * distinct > len(values):
            return "regression", values
    labels = columns.as_kind(series, "category", where)
    counts = labels.n_unique()
    if not task and 2 * counts > len(labels):
        raise InputError(f"{where} has {counts:,} different values in {len(labels):,} rows, which is neither a number nor a few classes")
    return task or ("binary" if counts == 2 else "multiclass"), labels.to_numpy()


def _values(series: pl.Series, where: str) -> np.ndarray:
    if series.dtype == pl.String and columns.text(series).str.to_lowercase().is_in(list(columns.TRUTHS)).all():
        return columns.text(series).str.to_lowercase().replace_strict(columns.TRUTHS, return_dtype=pl.Float64).to_numpy()
    return columns.as_kind(series, "number", where).to_numpy()


def _labelled(y: np.ndarray, task: str, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """y as labels or values, with the labels' names."""
    if task == "regression":
        if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
            raise InputError(f"{where} must hold finite numbers for a regression")
        return y.astype(np.float64), ()
    classes, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
    if task == "multilabel" or len(classes) < 2 or (task == "binary" and len(classes) > 2):
        raise InputError(f"{where} holds {len(classes)} classes, which is no {task} task")
    names = [str(c).lower() if y.dtype.kind == "b" else str(c) for c in classes]
    if counts.min() < 2:
        raise InputError(f"{where}: the class {names[int(counts.argmin())]!r} has 1 row; every class needs at least 2")
    order = _natural(names)
    back = np.argsort(order)
    return back[labels].astype(np.int64), tuple(names[i] for i in order)


def _natural(names: list[str]) -> list[int]:
    """The order of the classes: numbers by value, words by the alphabet."""
    try:
        return sorted(range(len(names)), key=lambda i: float(names[i]))
    except ValueError:
        return sorted(range(len(names)), key=lambda i: names[i])


def _several(
    name: str, X: Rows, y: np.ndarray, task: str | None, features: tuple[str, ...], targets: tuple[str, ...],
    kinds: Mapping[str, str] | None = None, notes: tuple[str, ...] = (),
) -> Dataset:  # fmt: skip
    if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
        raise InputError(f"{name}: several targets must hold finite numbers, or 0 and 1 each")
    truths = bool(np.isin(y, (0, 1)).all())
    task = task or ("multilabel" if truths else "regression")
    if task not in ("multilabel", "regression") or (task == "multilabel" and not truths):
        raise InputError(f"{name}: several targets are a multilabel task (0 and 1) or a regression, not {task}")
    constant = [t for i, t in enumerate(targets) if (y[:, i] == y[0, i]).all()]
    if constant:
        raise InputError(f"{name}: target {constant[0]!r} is constant")
    return Dataset(name, X, y.astype(np.float64), task, (), features, targets, dict(kinds or {}), notes)


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
