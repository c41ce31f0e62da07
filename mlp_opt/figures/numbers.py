"""A sweep's lanes as arrays, their groups and bins: what its pictures and its page show, without any drawing. The table as in `sweep`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from .looks import TRAIN, VALIDATION

PLAIN = r"trial|fold|repeat|seed|bracket|rung|status|epochs|best_epoch|diverged_at|value|seconds|(train|val|test)_(loss|accuracy|r2)"
LABELS = {"loss": "loss", "accuracy": "accuracy", "r2": "R²"}
COLORS = [TRAIN, VALIDATION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]  # Okabe & Ito without the yellow, faint on white
MARKERS, DASHES = "osD^vPX", ("-", "--", ":")
FEW = 12  # up to so many different values are shown as they are, more are put into bins


class Group(NamedTuple):
    """The lanes that share a colour: `rows` is a mask over the table."""

    name: str
    color: str
    marker: str
    dashes: str
    rows: np.ndarray


def floats(table: pl.DataFrame, name: str) -> np.ndarray:
    """A column as float64, NaN where it is null or where there is no such column."""
    if name not in table.columns:
        return np.full(table.height, np.nan)
    return table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def diverged(table: pl.DataFrame) -> np.ndarray:
    """Which lanes diverged, a mask."""
    return (table["status"] == "diverged").to_numpy()


def scores(table: pl.DataFrame, metric: str) -> tuple[np.ndarray, str]:
    """The score of each lane (NaN if it diverged) and what to call it: of the validation data, or of the training data without any."""
    found = {part: np.where(diverged(table), np.nan, floats(table, f"{part}_{metric}")) for part in ("val", "train")}
    part = "train" if np.isfinite(found["train"]).any() and not np.isfinite(found["val"]).any() else "val"
    return found[part], f"{'validation' if part == 'val' else 'training'} {LABELS[metric]}"


def values_of(table: pl.DataFrame) -> np.ndarray:
    """What the lanes are ranked by, lower is better: `value`, or the training loss if there is none; infinite if diverged or unknown."""
    value = floats(table, "value" if np.isfinite(floats(table, "value")).any() else "train_loss")
    return np.where(diverged(table) | ~np.isfinite(value), np.inf, value)


def limits(score: np.ndarray, metric: str) -> tuple[float, float]:
    """The lowest and the highest score to show. R² has no lower bound: it is cut at -0.2, or at the median if nothing beats the mean."""
    finite = score[np.isfinite(score)]
    if not finite.size:
        return (0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    if metric == "r2":
        low = max(low, -0.2) if high > 0 else float(np.median(finite))
    return (low, high) if high > low else (low - 0.02, high + 0.02)


def label(name: str) -> str:
    """A hyperparameter's name for people."""
    return name.rpartition(".")[2].replace("_", " ")


def text(value: Any) -> str:
    """One value of a hyperparameter, short."""
    if value is None or value == "":
        return "none"
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        return re.sub(r"(\.0+)?e-0*", "e-", f"{value:.1e}")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _order(value: Any) -> tuple:
    """Sorts numbers by size and widths such as 64-64 by depth, then width; what is not set comes last."""
    if isinstance(value, str) and re.fullmatch(r"[\d-]*", value):
        return (0, len(re.findall(r"\d+", value)), [int(n) for n in re.findall(r"\d+", value)])
    return (2,) if value is None else (1, value) if isinstance(value, str) else (0, 0, [value])


def choices(table: pl.DataFrame, name: str) -> list:
    return sorted(table[name].unique().to_list(), key=_order)


def is_number(table: pl.DataFrame, name: str) -> bool:
    return name in table.columns and table[name].dtype.is_numeric() and table[name].drop_nulls().n_unique() > 1


def groups(table: pl.DataFrame, name: str) -> list[Group]:
    """The lanes by the value of a category, each with its colour; one group if it was not varied."""
    if name not in table.columns:
        return [Group("", COLORS[0], MARKERS[0], DASHES[0], np.ones(table.height, bool))]
    n, values = len(COLORS), choices(table, name)
    masks = [table[name].eq_missing(value).to_numpy() for value in values]
    looks = [(COLORS[i % n], MARKERS[(i + i // n) % n], DASHES[i // n % 3]) for i in range(len(values))]
    return [Group(text(value), *look, mask) for value, look, mask in zip(values, looks, masks, strict=True)]


def binned(x: np.ndarray, scale: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bin of each number (-1 for NaN), the bins' centres, and their edges, none where the few values are their own bins."""
    values = np.unique(x[np.isfinite(x)])
    if len(values) <= FEW:
        index, centres, edges = np.searchsorted(values, x), values, np.array([])
    elif scale == "log" and values[0] > 0:
        edges = np.geomspace(values[0], values[-1], n + 1)
        index, centres = np.searchsorted(edges[1:-1], x, side="right"), np.sqrt(edges[1:] * edges[:-1])
    else:
        edges = np.linspace(values[0], values[-1], n + 1)
        index, centres = np.searchsorted(edges[1:-1], x, side="right"), (edges[1:] + edges[:-1]) / 2
    return np.where(np.isfinite(x), index, -1), centres, edges


def quantiles(score: np.ndarray, bad: np.ndarray, at: Sequence[float]) -> np.ndarray:
    """Quantiles of the scores, a diverged lane counted as minus infinity; NaN if there is nothing to count."""
    counted = np.where(bad, -np.inf, score)
    counted = np.sort(counted[~np.isnan(counted)])
    return counted[[max(int(np.ceil(q * counted.size)) - 1, 0) for q in at]] if counted.size else np.full(len(at), np.nan)


def axis_number(table: pl.DataFrame, names: Sequence[str]) -> str | None:
    """The numeric hyperparameter that goes on an axis: the learning rate, else the first that takes more than one value."""
    return next((name for name in ("learning_rate", *names) if is_number(table, name)), None)


def varied_of(table: pl.DataFrame) -> list[str]:
    """The columns that are hyperparameters."""
    return [name for name in table.columns if not re.fullmatch(PLAIN, name)]


def duration(seconds: float | int) -> str:
    """4.2 s, 21 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
