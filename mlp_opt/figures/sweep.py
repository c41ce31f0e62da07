"""Pictures of a sweep: what its hyperparameters did to the validation score of thousands of networks.

Every function takes the sweep's `table`, one row a lane (a trial x fold x seed), with the columns of the trial (`trial`, `seed`,
`bracket`, ...), `status`, `value` (the monitored quantity, lower is better), `train_<metric>`, `val_<metric>`, ... and one column for
each varied hyperparameter; `scales` says "log", "linear" or "category" for each. Without validation data the training score is shown.
A diverged lane has no score: it counts as worse than every other one, and is drawn as a cross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from .headline import duration as duration
from .headline import headline as headline
from .importance import explained as explained
from .importance import importance as importance
from .importance import importances as importances
from .lanes import (
    FEW,
    Group,
    axis_number,
    binned,
    choices,
    diverged,
    dress,
    edge,
    floats,
    groups,
    is_number,
    label,
    limits,
    quantiles,
    scaled_axis,
    score_axis,
    scores,
    text,
    titled,
)
from .trials import best_curves as best_curves
from .trials import brackets as brackets


def sensitivity(table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str], metric: str) -> Figure | None:
    """The score against the learning rate (or another number), a line an optimizer: median, 10-90 % band (of up to 4), every lane
    faint; below it the share that diverged. None if no number was varied."""
    name = axis_number(table.select(varied), varied)
    if name is None:
        return None
    x, bad, (score, what) = floats(table, name), diverged(table), scores(table, metric)
    figure, strip = Figure(figsize=(9, 5.4), layout="constrained"), bool(bad.any())
    panels = figure.subplots(1 + strip, 1, sharex=True, squeeze=False, height_ratios=[5, 1][: 1 + strip])[:, 0]
    shown = groups(table, "optimizer" if "optimizer" in varied else "")
    _, centres, edges = binned(x, scales[name], max(4, min(14, int(np.sqrt(table.height / len(shown))))))
    scaled_axis(panels[0], x, scales[name])
    low = score_axis(panels[0], score, metric)
    band = len(shown) <= 4  # more would cover each other
    for i, group in enumerate(shown):
        shift = 1 + 0.05 * (i - (len(shown) - 1) / 2) if not len(edges) and panels[0].get_xscale() == "log" else 1.0  # side by side
        _group_line(panels, group, x, score, bad, (centres, edges, shift), band)
    edge(panels[0], bad, x, shown, "x", "diverged", 5)
    edge(panels[0], score < low, x, shown, "v", f"below {text(low)}", 4)
    panels[0].set_ylabel(what)
    panels[-1].set_xlabel(label(name))
    for axes in panels:
        dress(axes)
    if strip:
        panels[1].set(ylim=(-0.05, 1.05), ylabel="diverged", yticks=[0, 0.5, 1])
        panels[1].yaxis.set_major_formatter(PercentFormatter(1))
    if panels[0].get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", frameon=False)
    small = f"a point a network; line: median{', band: 10–90 %' * band}, a diverged network counts as worst"
    halved = int((table["status"] == "halved").sum())
    small += f"\n{halved:,} were dropped by halving and count as they stood then" if halved else ""
    titled(panels[0], f"Sensitivity to {label(name)}", small)
    return figure


def _group_line(
    panels: np.ndarray,
    group: Group,
    x: np.ndarray,
    score: np.ndarray,
    bad: np.ndarray,
    bins: tuple[np.ndarray, np.ndarray, float],
    band: bool,
) -> None:
    """One optimizer's points, median and band, and in the strip below its share of diverged lanes, bin by bin."""
    centres, edges, shift = bins
    index = np.searchsorted(edges[1:-1], x, side="right") if len(edges) else np.searchsorted(centres, x)
    rows = [group.rows & np.isfinite(x) & (index == i) for i in range(len(centres))]
    kept = np.array([r.any() for r in rows])
    at = centres[kept] * shift
    middle = np.array([quantiles(score[r], bad[r], (0.1, 0.5, 0.9)) for r in rows if r.any()]).reshape(-1, 3)
    middle = np.where(np.isnan(middle), np.nan, np.maximum(middle, panels[0].get_ylim()[0]))
    n = int(group.rows.sum())
    axes, size = panels[0], float(np.clip(60 / np.sqrt(max(n, 1)), 1.6, 5))
    axes.plot(
        x[group.rows] * shift, score[group.rows], group.marker, color=group.color, markersize=size, alpha=0.3, markeredgewidth=0, zorder=2
    )
    if band:
        axes.fill_between(at, middle[:, 0], middle[:, 2], color=group.color, alpha=0.13, linewidth=0, zorder=1)
    axes.plot(
        at,
        middle[:, 1],
        group.dashes,
        marker=group.marker,
        color=group.color,
        markersize=5,
        linewidth=2,
        label=group.name or None,
        zorder=3,
    )
    if len(panels) > 1:
        share = [float(bad[r].mean()) for r in rows if r.any()]
        panels[1].plot(at, share, group.dashes, marker=group.marker, color=group.color, markersize=4, linewidth=1.5)


def chosen(
    table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str], shares: Mapping[str, float] | None = None
) -> tuple[str, str] | None:
    """The two hyperparameters for `heat`, numbers before categories (x, y): the most important of `importances`, in doubt the learning
    rate. None if fewer than two take more than one value."""
    names = [name for name in varied if table[name].n_unique() > 1]
    if len(names) < 2:
        return None
    shares = importances(table, varied, scales) if shares is None else shares
    first = sorted(names, key=lambda name: (-shares[name], name != "learning_rate", name != "optimizer"))[:2]
    x, y = sorted(first, key=lambda name: (scales[name] == "category", name != "learning_rate"))
    return x, y


def heat(table: pl.DataFrame, x: str, y: str, scales: Mapping[str, str], metric: str) -> Figure:
    """The median score over two hyperparameters, many values in bins; a cell is hatched where at least half of its lanes diverged, and
    empty where there are none."""
    columns, x_labels, x_edges = _cells(table, x, scales[x])
    rows, y_labels, y_edges = _cells(table, y, scales[y])
    shape = (len(y_labels) - y_edges, len(x_labels) - x_edges)
    bad, (score, what) = diverged(table), scores(table, metric)
    count, lost, middle = np.zeros(shape, int), np.zeros(shape), np.full(shape, np.nan)
    for r, c in np.ndindex(*shape):
        here = (rows == r) & (columns == c)
        count[r, c], lost[r, c] = here.sum(), bad[here].mean() if here.any() else 0.0
        middle[r, c] = quantiles(score[here], bad[here], [0.5])[0] if lost[r, c] < 0.5 else np.nan
    figure = Figure(figsize=(2.9 + 0.78 * max(shape[1], 5), 1.7 + 0.58 * max(shape[0], 3)), layout="constrained")
    axes = figure.subplots()
    floor = limits(middle, metric)[0] if metric == "r2" else None
    image = axes.imshow(middle, origin="lower", aspect="auto", cmap="viridis", vmin=floor)
    if np.isfinite(middle).any():
        cut = floor is not None and np.nanmin(middle) < floor
        figure.colorbar(image, ax=axes, label=f"median {what}", extend="min" if cut else "neither").outline.set_visible(False)
    for r, c in zip(*np.nonzero(count), strict=True):
        _cell(axes, int(r), int(c), float(middle[r, c]), float(lost[r, c]), image)
    for edges, names, axis, name in ((x_edges, x_labels, axes.xaxis, x), (y_edges, y_labels, axes.yaxis, y)):
        axis.set_ticks(np.arange(len(names)) - 0.5 * edges, names)
        axis.set_label_text(label(name))
    axes.spines[:].set_visible(False)
    seen = count[count > 0]
    each = f"{seen.min():,}" if seen.min() == seen.max() else f"{seen.min():,} to {seen.max():,}"
    small = f"{each} network{'' if seen.max() == 1 else 's'} a cell" + ("; hatched: at least half diverged (div.)" if bad.any() else "")
    titled(axes, f"{what[0].upper()}{what[1:]} by {label(x)} and {label(y)}", small)
    return figure


def _cells(table: pl.DataFrame, name: str, scale: str) -> tuple[np.ndarray, list[str], bool]:
    """Each lane's row or column in the heat map (-1: none), the tick labels, and whether these stand at the edges of bins."""
    values = choices(table, name)
    if is_number(table, name) and len(values) > FEW:
        index, _, edges = binned(floats(table, name), scale, 8)
        return index, [text(float(f"{edge:.2g}")) for edge in edges], True
    common = table[name].value_counts(sort=True)[name].head(FEW).to_list()
    values = [value for value in values if value in common]  # the most frequent of too many categories
    place = {value: i for i, value in enumerate(values)}
    return np.array([place.get(value, -1) for value in table[name].to_list()]), [text(value) for value in values], False


def _cell(axes: Axes, r: int, c: int, middle: float, lost: float, image: Any) -> None:
    """The text of one cell: its median, and the share of its lanes that diverged if any did."""
    if lost >= 0.5:
        axes.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor="0.93", edgecolor="0.7", hatch="////", linewidth=0, gid="diverged"))
    lines = ([f"{middle:.3f}" if middle > -1 else f"{middle:.3g}"] if np.isfinite(middle) else []) + ([f"{lost:.0%} div."] if lost else [])
    red, green, blue, _ = image.cmap(image.norm(middle)) if np.isfinite(middle) else (1, 1, 1, 1)
    bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
    style: dict[str, Any] = dict(bbox=dict(facecolor="0.93", edgecolor="none", pad=1.5)) if lost >= 0.5 else {}
    axes.text(c, r, "\n".join(lines), ha="center", va="center", fontsize=9, color="black" if bright else "white", **style)
