"""The picture of a whole sweep: every network a point. The table as in `sweep`."""

from __future__ import annotations

import re
from textwrap import shorten
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .lanes import dress, edge, scaled_axis, score_axis, titled
from .numbers import FEW, Group, axis_number, diverged, duration, floats, groups, label, scores, text, varied_of


def headline(table: pl.DataFrame, seconds: float | int, title: str, metric: str) -> Figure:
    """Every network of the sweep as one point, and how long they took together: score against learning rate, coloured by optimizer,
    larger with more hidden units; the highest marked, the diverged along the lower edge."""
    name = axis_number(table, varied_of(table))
    x = floats(table, name) if name else table["trial"].cast(pl.Float64).to_numpy()
    bad, (score, what) = diverged(table), scores(table, metric)
    figure = Figure(figsize=(12, 6), layout="constrained")
    axes = figure.subplots()
    log = name == "learning_rate" or (x[np.isfinite(x)].min(initial=np.inf) > 0 and np.nanmax(x) > 20 * np.nanmin(x))
    scaled_axis(axes, x, "log" if log else "linear")
    low = score_axis(axes, score, metric, above=0.14)
    shown = groups(table, "optimizer")
    x, spread = _spread(x, shown, axes.get_xscale() == "log")
    units, size = _sizes(table)
    style: dict[str, Any] = dict(linewidths=0.5, edgecolors="white", alpha=0.75, zorder=3)
    for group in shown:
        rows = group.rows & (score >= low)
        axes.scatter(x[rows], score[rows], size(units[rows]), group.color, marker=group.marker, gid="networks", **style)
    edge(axes, bad, x, shown, "x", "diverged", 6)
    edge(axes, score < low, x, shown, "v", f"below {text(low)}", 5)
    _crown(axes, x, score, metric)
    if not name:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel((label(name) if name else "trial") + spread, fontsize=13)
    axes.set_ylabel(what, fontsize=13)
    axes.tick_params(labelsize=11)
    dress(axes)
    keys = _key(axes, shown, units, size)
    if keys:
        figure.legend(handles=keys, loc="outside right upper", frameon=False, fontsize=11, labelspacing=0.7)
    number = "1 network" if table.height == 1 else f"{table.height:,} networks"
    titled(axes, f"{number} in {duration(seconds)}", shorten(title, 110, placeholder=" …"), 28)
    figure.get_layout_engine().set(w_pad=0.16, h_pad=0.16)  # type: ignore[union-attr,call-arg]
    return figure


def _spread(x: np.ndarray, shown: list[Group], log: bool) -> tuple[np.ndarray, str]:
    """Few values of x would put the points on top of each other: spread sideways by group and a little at random; and what to say."""
    values = np.unique(x[np.isfinite(x)])
    if not 1 < len(values) <= FEW or len(x) <= len(values):
        return x, ""
    at = np.log(np.where(x > 0, x, np.nan)) if log else x
    gap = np.nanmin(np.diff(np.log(values[values > 0]) if log else values))
    place = np.sum([i * group.rows for i, group in enumerate(shown)], axis=0) - (len(shown) - 1) / 2
    at = at + gap * (0.5 * place + np.random.default_rng(0).uniform(-0.2, 0.2, len(x))) / max(len(shown), 2)
    return np.exp(at) if log else at, " (points spread sideways)"


def _sizes(table: pl.DataFrame) -> tuple[np.ndarray, Any]:
    """Each lane's number of hidden units (all 0 if not varied), and the area of the marker for such a number."""
    widths = table["hidden"].fill_null("").to_list() if "hidden" in table.columns else [""] * table.height
    units = np.array([sum(int(n) for n in re.findall(r"\d+", width)) for width in widths], float)
    most, base = units.max(initial=0), float(np.clip(3600 / np.sqrt(max(table.height, 1)), 50, 240))
    return units, lambda n: base * (0.18 + 0.82 * n / most) if most else np.full(np.shape(n), base / 2)


def _crown(axes: Axes, x: np.ndarray, score: np.ndarray, metric: str) -> None:
    """A ring around the highest score, and its number beside it."""
    if np.isfinite(score).any():
        best = int(np.nanargmax(score))
        said = f"highest: {score[best]:.1%}" if metric == "accuracy" else f"highest: {score[best]:.3f}"
        axes.plot(
            x[best],
            score[best],
            "o",
            markersize=17,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=1.6,
            zorder=5,
            gid="best",
        )
        axes.get_xlim()  # settles the limits
        across = axes.transAxes.inverted().transform(axes.transData.transform((x[best], score[best])))[0]
        side = "left" if across < 0.1 else "right" if across > 0.9 else "center"
        place: dict[str, Any] = dict(
            xytext=(0, 13), textcoords="offset points", ha=side, va="bottom", fontsize=12, fontweight="bold", zorder=6
        )
        axes.annotate(said, (x[best], score[best]), **place)


def _key(axes: Axes, shown: list[Group], units: np.ndarray, size: Any) -> list[Line2D]:
    """The legend: colours, some sizes, then what lies along the lower edge."""
    dot: dict[str, Any] = dict(linestyle="", markeredgecolor="white", markeredgewidth=0.5)
    keys = [Line2D([], [], color=g.color, marker=g.marker, markersize=9, label=g.name, **dot) for g in shown if g.name]
    if units.max(initial=0) > units.min(initial=np.inf):
        some = np.unique(np.quantile(units, [0, 0.5, 1], method="nearest"))
        areas = [(n, float(np.sqrt(size(n)))) for n in some]
        keys += [Line2D([], [], color="0.55", marker="o", markersize=s, label=f"{n:.0f} hidden units", **dot) for n, s in areas]
    return keys + [line for line in axes.lines if line.get_gid() == "key"]
