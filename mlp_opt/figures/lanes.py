"""Parts of a sweep's pictures: axes, titles, and what lies along their edge. What they draw: `numbers`."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .numbers import COLORS as COLORS
from .numbers import DASHES as DASHES
from .numbers import MARKERS as MARKERS
from .numbers import Group, limits

STRIP = 0.035  # height above the lower edge, as a share of the axes, at which diverged and clipped lanes are drawn


def dress(axes: Axes, grid: str = "both") -> None:
    axes.grid(True, axis=grid, color="0.9", linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.6")
    axes.tick_params(color="0.6", which="both")


def titled(axes: Axes, title: str, small: str, size: int = 14) -> None:
    """A bold title, and under it a smaller text, both from the left edge of the axes. (Two of an axes' three titles: the empty lines
    under the bold one make room for the other, and the layout keeps room for both.)"""
    axes.set_title(
        title + "\n" * (1 + small.count("\n")), x=0, ha="left", fontsize=size, fontweight="bold", linespacing=1.25, parse_math=False
    )
    axes.set_title(small, loc="left", fontsize=max(9.5, 0.46 * size), color="0.35", parse_math=False)


def score_axis(axes: Axes, score: np.ndarray, metric: str, above: float = 0.08) -> float:
    """Sets the score's axis, with room below for what diverged; returns the score below which it is cut."""
    low, high = limits(score, metric)
    axes.set_ylim(low - 0.1 * (high - low), high + above * (high - low))
    return low


def scaled_axis(axes: Axes, x: np.ndarray, scale: str) -> None:
    finite = x[np.isfinite(x)]
    if scale == "log" and finite.size and finite.max() > 0:
        if finite.min() > 0:
            axes.set_xscale("log")
        else:
            axes.set_xscale("symlog", linthresh=float(finite[finite > 0].min()))


def edge(axes: Axes, rows: np.ndarray, x: np.ndarray, shown: list[Group], marker: str, name: str, size: int) -> None:
    """Lanes that have no place on the score's axis (a mask) along its lower edge, a row a group; their number goes into the legend."""
    style: dict[str, Any] = dict(linestyle="", marker=marker, markersize=size, zorder=4)
    where: dict[str, Any] = dict(transform=axes.get_xaxis_transform(), clip_on=False, alpha=0.8, gid=name.split()[0])
    for group, y in zip(shown, np.linspace(0.015, 0.065, len(shown)) if len(shown) > 1 else [STRIP], strict=True):
        at = x[rows & group.rows]
        if len(at):
            axes.plot(at, np.full(len(at), y), color=group.color, **style, **where)
    if rows.any():
        axes.plot([], [], color="0.35", label=f"{name} ({rows.sum():,})", gid="key", **style)
