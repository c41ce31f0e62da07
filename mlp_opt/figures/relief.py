"""A surface as a map and in relief, in greys that leave the colours to the optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D

from ..races.heights import Relief
from ..races.heights import relief as relief

GREYS = LinearSegmentedColormap.from_list("low is light", ["#fcfcfb", "#d9dadd", "#aeb1b8", "#8a8f99"])
MANY = 12  # more minima than this are drawn as dots
START = "#F0E442"  # Okabe & Ito's yellow, on nothing else


def draw_map(axes: Axes, land: Relief, start: Any = None, levels: int = 22) -> None:
    """Contours, the known minima as white stars and the start."""
    t = np.ma.masked_invalid(land.t)
    shades = axes.contourf(land.x, land.y, t, levels, cmap=GREYS, zorder=0)
    shades.set_rasterized(True)
    axes.contour(land.x, land.y, t, levels, colors="white", linewidths=0.6, linestyles="solid", zorder=1)
    if land.surface.minima:
        many = len(land.surface.minima) > MANY
        style: dict[str, Any] = (
            dict(ms=3, marker=".", mec="0.25", mfc="0.25") if many else dict(ms=13, marker="*", mec="black", mfc="white")
        )
        axes.plot(*np.array(land.surface.minima).T, linestyle="", zorder=2, gid="minima", **style)
    if start is not None:
        axes.plot(*start, "o", ms=8, mec="black", mfc=START, zorder=3, gid="start")
    axes.set(xlim=land.surface.x, ylim=land.surface.y, xlabel="x", ylabel="y")
    axes.set_box_aspect(1)


def draw_relief(axes: Axes3D, land: Relief) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The surface in three dimensions. Returns lift(w (n, 2), loss (n,)) -> (points (n, 3), inside (n,) bool): where a path
    lies on it, and which of its points are within the box."""
    X, Y = np.meshgrid(land.x, land.y)
    low, high = float(np.nanmin(land.t)), float(np.nanmax(land.t))
    high = high if high > low else low + 1
    drawn = axes.plot_surface(X, Y, land.t, cmap=GREYS, rcount=80, ccount=80, linewidth=0, antialiased=False, zorder=0)
    drawn.set_rasterized(True)
    axes.computed_zorder = False
    axes.view_init(elev=42, azim=-62)
    axes.set(xlim=land.surface.x, ylim=land.surface.y, zlim=(low, high), xlabel="x", ylabel="y")
    for axis, n in ((axes.xaxis, 4), (axes.yaxis, 4), (axes.zaxis, 5)):
        axis.set_major_locator(MaxNLocator(n, prune="both"))
    marks = land.ticks()
    if marks:
        axes.set_zticks(*marks)
    axes.set_box_aspect((1, 1, 0.62), zoom=1.0)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set_facecolor("white")
        axis._axinfo["grid"].update(color="0.88", linewidth=0.6)  # the only place where matplotlib keeps it

    def lift(w: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = np.asarray(land.squeeze(loss))
        inside = np.isfinite(t) & (t <= high)
        for column, (least, most) in zip(w.T, (land.surface.x, land.surface.y), strict=True):
            inside &= (column >= least) & (column <= most)
        return np.column_stack([w, t + 0.01 * (high - low)]), inside

    return lift
