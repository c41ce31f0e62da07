"""Optimizers' paths on a surface: seen from above, in relief, and as loss against step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..races.paths import Path
from ..surfaces import Surface
from .lanes import dress, titled
from .looks import LOOKS, Look
from .relief import Relief, draw_map, draw_relief, relief

HALO = [effects.Stroke(linewidth=3.4, foreground="white", alpha=0.85), effects.Normal()]


def label(name: str, rate: Any) -> str:
    """The legend's words for an optimizer: its name and rate, or that the rate is scheduled."""
    if rate is None:
        return name
    return f"{name}, {rate:.2g}" if isinstance(rate, (int, float)) else f"{name}, {rate}"


def line(look: Look) -> dict[str, Any]:
    return dict(color=look.color, linestyle=look.line, linewidth=1.9)


def heading(surface: Surface) -> str:
    return surface.name.replace("_", " ")


def drawable(w: np.ndarray) -> np.ndarray:
    """Positions with NaN for those too far off to be put on any picture."""
    return np.where(np.abs(w) < 1e6, w, np.nan)


def formula(surface: Surface) -> str:
    """f(x, y) = ... in mathematics; nothing if it would be too long for a panel."""
    return f"$f(x, y) = {surface.latex}$" if len(surface.latex) < 90 else ""


def race_picture(
    surface: Surface,
    paths: Mapping[str, Path],
    rates: Mapping[str, Any] | None = None,
    optax: Mapping[str, np.ndarray] | None = None,
    gap: float | None = None,
    title: str = "",
) -> Figure:
    """The race of `paths` (see races.race): map, relief, loss against step. rates: learning rates for the legend.

    optax: positions (steps+1, 2) of optax's own paths, drawn as white dots over ours; gap: the largest difference, to be told.
    """
    figure = Figure(figsize=(15, 6), layout=ConstrainedLayoutEngine(h_pad=0.12))
    grid = figure.add_gridspec(1, 3, width_ratios=[1, 1.12, 0.95])
    above, losses = figure.add_subplot(grid[0]), figure.add_subplot(grid[2])
    solid: Any = figure.add_subplot(grid[1], projection="3d")
    land = relief(surface)
    first = next(iter(paths.values()))
    draw_map(above, land, first.w[0])
    lift = draw_relief(solid, land)
    for name, path in paths.items():
        look = LOOKS[name]
        above.plot(*drawable(path.w).T, **line(look), path_effects=HALO, zorder=4, gid=name, label=label(name, (rates or {}).get(name)))
        points, inside = lift(path.w, path.loss)
        solid.plot(*np.where(inside[:, None], points, np.nan).T, **line(look), path_effects=HALO, zorder=4)
    for name, path in paths.items():  # over all the lines
        end: dict[str, Any] = dict(marker=LOOKS[name].marker, color=LOOKS[name].color, markeredgecolor="white", markersize=9, linestyle="")
        above.plot(*drawable(path.w[-1:]).T, **end, zorder=6)
        points, inside = lift(path.w[-1:], path.loss[-1:])
        solid.plot(*points[inside].T, **end, zorder=6)
    if optax:
        _overlay(above, optax, gap)
    _losses(losses, surface, paths, land)
    handles, labels = above.get_legend_handles_labels()
    titled(
        above,
        title or heading(surface),
        f"start {first.w[0][0]:g}, {first.w[0][1]:g} (yellow); {len(first.w) - 1} steps; learning rates below",
        14,
    )
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 7), frameon=False, fontsize=10.5, handlelength=2.6)
    solid.set_title(formula(surface), fontsize=11, pad=8)
    return figure


def _overlay(axes: Axes, optax: Mapping[str, np.ndarray], gap: float | None) -> None:
    every = max(len(next(iter(optax.values()))) // 25, 1)
    for w in optax.values():
        axes.plot(*w[::every].T, ".", color="white", ms=4, mec="0.2", mew=0.4, zorder=5, gid="optax")
    note = "dots: optax's paths" + ("" if gap is None else f", at most {gap:.1e} away")
    axes.text(
        0.02, 0.02, note, transform=axes.transAxes, fontsize=9, zorder=7, bbox=dict(facecolor="white", alpha=0.85, edgecolor="none", pad=2)
    )


def _losses(axes: Axes, surface: Surface, paths: Mapping[str, Path], land: Relief) -> None:
    """Loss against step: above the lowest known minimum in the logarithm, or as it is where none is known."""
    known = bool(surface.minima)
    lowest = min((float(np.asarray(surface.f(*m))) for m in surface.minima), default=0.0)
    for name, path in paths.items():
        loss = np.where(np.isfinite(path.loss), path.loss - lowest, np.nan)
        axes.plot(np.maximum(loss, 1e-12) if known else loss, **line(LOOKS[name]))
    if known:
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(axes.get_ylim()[0], 1e-12))
    else:
        top = np.nanmax(land.t) if land.scale is None else None
        axes.set_ylim(float(np.nanmin(land.t)) * 1.05 if land.scale is None else None, top)
    axes.set(xlabel="step (gradients used)", ylabel="f above its lowest minimum" if known else "f(x, y)")
    axes.set_box_aspect(1)
    dress(axes)
