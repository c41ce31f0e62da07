"""What a sweep's pictures show of many lanes at once: trends over one hyperparameter, cells of two. The table as in `sweep`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from .numbers import FEW, Group, binned, choices, diverged, floats, groups, is_number, quantiles, scores, text


class Trend(NamedTuple):
    """A group's lanes over one number, bin by bin."""

    group: Group
    at: np.ndarray  # (n,), the bins' centres
    middle: np.ndarray  # (n, 3), the 10, 50 and 90 % quantiles of the score; a diverged lane counts as worst
    lost: np.ndarray  # (n,), the share that diverged
    binned: bool  # whether values were put together


class Side(NamedTuple):
    """A side of the cells: labels, of the cells or (`edges`) of the edges between them; each lane's cell, -1 if in none."""

    labels: list[str]
    edges: bool
    place: np.ndarray


class Cells(NamedTuple):
    """Lanes by two hyperparameters, rows along y, columns along x."""

    lanes: np.ndarray  # how many
    lost: np.ndarray  # the share that diverged
    middle: np.ndarray  # the median score; NaN where at least half diverged
    x: Side
    y: Side
    what: str  # the score's name


def trends(table: pl.DataFrame, name: str, scale: str, metric: str, by: str) -> list[Trend]:
    """The score over the number `name`, a trend for each value of the category `by` (one for all if it is no column)."""
    x, bad, (score, _), shown = floats(table, name), diverged(table), scores(table, metric), groups(table, by)
    index, centres, edges = binned(x, scale, max(4, min(14, int(np.sqrt(table.height / len(shown))))))
    found = []
    for group in shown:
        rows = [group.rows & (index == i) for i in range(len(centres))]
        kept = np.array([r.any() for r in rows], bool)
        middle = np.array([quantiles(score[r], bad[r], (0.1, 0.5, 0.9)) for r in rows if r.any()]).reshape(-1, 3)
        lost = np.array([bad[r].mean() for r in rows if r.any()])
        found.append(Trend(group, centres[kept], middle, lost, len(edges) > 0))
    return found


def cells(table: pl.DataFrame, x: str, y: str, scales: Mapping[str, str], metric: str) -> Cells:
    """The median score over two hyperparameters, many values in bins."""
    across, up = _side(table, x, scales[x]), _side(table, y, scales[y])
    shape = (len(up.labels) - up.edges, len(across.labels) - across.edges)
    bad, (score, what) = diverged(table), scores(table, metric)
    count, lost, middle = np.zeros(shape, int), np.zeros(shape), np.full(shape, np.nan)
    for r, c in np.ndindex(*shape):
        here = (up.place == r) & (across.place == c)
        count[r, c], lost[r, c] = here.sum(), bad[here].mean() if here.any() else 0.0
        middle[r, c] = quantiles(score[here], bad[here], [0.5])[0] if lost[r, c] < 0.5 else np.nan
    return Cells(count, lost, middle, across, up, what)


def _side(table: pl.DataFrame, name: str, scale: str) -> Side:
    values = choices(table, name)
    if is_number(table, name) and len(values) > FEW:
        index, _, edges = binned(floats(table, name), scale, 8)
        return Side([text(float(f"{edge:.2g}")) for edge in edges], True, index)
    common = table[name].value_counts(sort=True)[name].head(FEW).to_list()
    values = [value for value in values if value in common]  # the most frequent of too many categories
    place = {value: i for i, value in enumerate(values)}
    return Side([text(value) for value in values], False, np.array([place.get(value, -1) for value in table[name].to_list()]))
