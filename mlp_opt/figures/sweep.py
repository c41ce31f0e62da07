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

from .forest import chosen as chosen
from .forest import explained as explained
from .forest import importances as importances
from .headline import headline as headline
from .importance import importance as importance
from .lanes import dress, edge, scaled_axis, score_axis, titled
from .numbers import axis_number, diverged, floats, label, limits, scores, text
from .numbers import duration as duration
from .sweep_numbers import Trend, cells, trends
from .trials import best_curves as best_curves
from .trials import brackets as brackets


def sensitivity(table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str], metric: str) -> Figure | None:
    """The score against the learning rate (or another number), a line an optimizer: median, 10-90 % band (of up to 4), every lane
    faint; below it the share that diverged. None if no number was varied."""
    name = axis_number(table.select(varied), varied)
    if name is None:
        return None
    x, bad, (score, what) = floats(table, name), diverged(table), scores(table, metric)
    found = trends(table, name, scales[name], metric, "optimizer" if "optimizer" in varied else "")
    figure, strip = Figure(figsize=(9, 5.4), layout="constrained"), bool(bad.any())
    panels = figure.subplots(1 + strip, 1, sharex=True, squeeze=False, height_ratios=[5, 1][: 1 + strip])[:, 0]
    shown = [trend.group for trend in found]
    scaled_axis(panels[0], x, scales[name])
    low = score_axis(panels[0], score, metric)
    band = len(shown) <= 4  # more would cover each other
    for i, trend in enumerate(found):
        shift = 1 + 0.05 * (i - (len(shown) - 1) / 2) if not trend.binned and panels[0].get_xscale() == "log" else 1.0  # side by side
        _group_line(panels, trend, x, score, shift, band)
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


def _group_line(panels: np.ndarray, trend: Trend, x: np.ndarray, score: np.ndarray, shift: float, band: bool) -> None:
    """One optimizer's points, median and band, and in the strip below its share of diverged lanes, bin by bin."""
    group, at = trend.group, trend.at * shift
    middle = np.where(np.isnan(trend.middle), np.nan, np.maximum(trend.middle, panels[0].get_ylim()[0]))
    axes, size = panels[0], float(np.clip(60 / np.sqrt(max(group.rows.sum(), 1)), 1.6, 5))
    points: dict[str, Any] = dict(color=group.color, markersize=size, alpha=0.3, markeredgewidth=0, zorder=2)
    axes.plot(x[group.rows] * shift, score[group.rows], group.marker, **points)
    if band:
        axes.fill_between(at, middle[:, 0], middle[:, 2], color=group.color, alpha=0.13, linewidth=0, zorder=1)
    line: dict[str, Any] = dict(marker=group.marker, color=group.color)
    axes.plot(at, middle[:, 1], group.dashes, markersize=5, linewidth=2, label=group.name or None, zorder=3, **line)
    if len(panels) > 1:
        panels[1].plot(at, trend.lost, group.dashes, markersize=4, linewidth=1.5, **line)


def heat(table: pl.DataFrame, x: str, y: str, scales: Mapping[str, str], metric: str) -> Figure:
    """The median score over two hyperparameters, many values in bins; a cell is hatched where at least half of its lanes diverged, and
    empty where there are none."""
    found, bad = cells(table, x, y, scales, metric), bool(diverged(table).any())
    count, lost, middle, what = found.lanes, found.lost, found.middle, found.what
    shape = count.shape
    figure = Figure(figsize=(2.9 + 0.78 * max(shape[1], 5), 1.7 + 0.58 * max(shape[0], 3)), layout="constrained")
    axes = figure.subplots()
    floor = limits(middle, metric)[0] if metric == "r2" else None
    image = axes.imshow(middle, origin="lower", aspect="auto", cmap="viridis", vmin=floor)
    if np.isfinite(middle).any():
        cut = floor is not None and np.nanmin(middle) < floor
        figure.colorbar(image, ax=axes, label=f"median {what}", extend="min" if cut else "neither").outline.set_visible(False)
    for r, c in zip(*np.nonzero(count), strict=True):
        _cell(axes, int(r), int(c), float(middle[r, c]), float(lost[r, c]), image)
    for side, axis, name in ((found.x, axes.xaxis, x), (found.y, axes.yaxis, y)):
        axis.set_ticks(np.arange(len(side.labels)) - 0.5 * side.edges, side.labels)
        axis.set_label_text(label(name))
    axes.spines[:].set_visible(False)
    seen = count[count > 0]
    each = f"{seen.min():,}" if seen.min() == seen.max() else f"{seen.min():,} to {seen.max():,}"
    small = f"{each} network{'' if seen.max() == 1 else 's'} a cell" + ("; hatched: at least half diverged (div.)" if bad else "")
    titled(axes, f"{what[0].upper()}{what[1:]} by {label(x)} and {label(y)}", small)
    return figure


def _cell(axes: Axes, r: int, c: int, middle: float, lost: float, image: Any) -> None:
    """The text of one cell: its median, and the share of its lanes that diverged if any did."""
    if lost >= 0.5:
        axes.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor="0.93", edgecolor="0.7", hatch="////", linewidth=0, gid="diverged"))
    lines = ([f"{middle:.3f}" if middle > -1 else f"{middle:.3g}"] if np.isfinite(middle) else []) + ([f"{lost:.0%} div."] if lost else [])
    red, green, blue, _ = image.cmap(image.norm(middle)) if np.isfinite(middle) else (1, 1, 1, 1)
    bright = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
    style: dict[str, Any] = dict(bbox=dict(facecolor="0.93", edgecolor="none", pad=1.5)) if lost >= 0.5 else {}
    axes.text(c, r, "\n".join(lines), ha="center", va="center", fontsize=9, color="black" if bright else "white", **style)
