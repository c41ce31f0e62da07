"""Pictures of a network's loss landscape: planes with the paths of training runs, in 2-D and 3-D. What they draw: `diagnose.landscape`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LightSource, LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from ..diagnose.landscape import View
from ..diagnose.plane import Surface
from .lanes import dress, titled
from .looks import LOOKS, OTHER, Look
from .loss_scale import Scale, scale_of

LEVELS = 24
MAP = LinearSegmentedColormap.from_list("depth", colormaps["bone"](np.linspace(0.45, 1, 64)))  # dark is low; leaves the hues to the paths


def plane(view: View, rates: Mapping[str, float], title: str) -> Figure:
    """The plane nearest to some training runs: filled contours of the loss, each run's path, and beside them how far the loss
    that is drawn under a path is from the loss that the network had."""
    figure = Figure(figsize=(11.5, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.75, 1])
    axes, beside = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    below = figure.add_subplot(grid[1, 1], sharex=beside)
    scale = scale_of([view.surface.loss])
    _contours(axes, view.surface, scale)
    shares = np.zeros(2) if view.shares is None else view.shares
    for name, (_, shadow) in view.shadows.items():
        _path(axes, shadow.at.T, LOOKS.get(name, OTHER), _labelled(name, rates))
    for _, shadow in list(view.shadows.values())[:1]:  # all runs start there
        axes.plot(*shadow.at[0], "o", color="white", markeredgecolor="black", markersize=9, zorder=6, label="start")
    if view.marks is not None:
        axes.plot(*view.marks.T, "*", color="white", markeredgecolor="black", markersize=15, zorder=6, label="saved model")
    for set_label, share, which in ((axes.set_xlabel, shares[0], "first"), (axes.set_ylabel, shares[1], "second")):
        set_label(f"distance along the {which} principal axis ({share:.0%} of variance)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=3, frameon=False, fontsize=10)  # inside it would hide a path
    _bar(figure, axes, scale)
    titled(axes, title, f"loss on the plane nearest to the paths, which holds {shares.sum():.0%} of their variance")
    _gaps(beside, below, view)
    return figure


def _gaps(above: Axes, below: Axes, view: View) -> None:
    """Beside a plane: the loss at the real parameters and at their projection; their difference."""
    for name, (epochs, shadow) in view.shadows.items():
        look = LOOKS.get(name, OTHER)
        style: dict[str, Any] = dict(color=look.color, marker=look.marker, markersize=4)
        above.plot(epochs, shadow.loss, look.line, **style)
        above.plot(epochs, shadow.on_plane, linestyle="", markerfacecolor="white", **style | {"markersize": 6})
        below.plot(epochs, shadow.gap, look.line, **style)
    above.plot([], [], "-", color="0.35", label="real parameters")
    above.plot([], [], "o", color="0.35", markerfacecolor="white", label="projection on the plane")
    above.legend(frameon=False, fontsize=9)
    above.set(yscale="log", ylabel="training loss")
    above.tick_params(labelbottom=False)
    below.axhline(0, color="0.6", linewidth=1, zorder=0)
    below.set(xlabel="epoch", ylabel="gap: real − plane")
    widest = max((float(np.abs(shadow.gap).max()) for _, shadow in view.shadows.values()), default=0)
    if np.isfinite(widest) and widest > 0:
        below.set_yscale("symlog", linthresh=widest / 30)
        below.yaxis.set_major_formatter(FuncFormatter(lambda gap, _: f"{gap:g}".replace("-", "−")))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        dress(axes)
    titled(above, "What the plane leaves out", "the same runs, off the plane and on it", 12)


def around(views: Sequence[View], rates: Mapping[str, float], title: str) -> Figure:
    """Random planes around solutions side by side, in one scale of colour."""
    figure = Figure(figsize=(1.4 + 3.9 * len(views), 4.9), layout="constrained")
    panels = figure.subplots(1, len(views), sharey=True, squeeze=False)[0]
    scale = scale_of([view.surface.loss for view in views])
    for axes, view in zip(panels, views, strict=True):
        _contours(axes, view.surface, scale)
        axes.plot(0, 0, "*", color="white", markeredgecolor="black", markersize=13)
        axes.set_title(_labelled(view.title, rates), fontsize=12)
        axes.set(xlabel="first direction (norms of the neurons)", aspect="equal")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    panels[0].set_ylabel("second direction")
    _bar(figure, list(panels), scale)
    figure.suptitle(title, fontsize=14, fontweight="bold")
    return figure


def surface(view: View, rates: Mapping[str, float], title: str) -> Figure:
    """The same plane as a surface in three dimensions, with the paths upon it."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    shown, scale = view.surface, scale_of([view.surface.loss])
    heights = np.log10(scale.clipped(shown.loss))
    X, Y = np.meshgrid(shown.xs, shown.ys)
    light = LightSource(azdeg=315, altdeg=50)
    shades = light.shade(heights, cmap=MAP, vert_exag=0.4 * np.ptp(shown.xs) / len(shown.xs), blend_mode="soft")
    mesh: dict[str, Any] = dict(rcount=len(shown.ys), ccount=len(shown.xs), linewidth=0, antialiased=False)
    axes.plot_surface(X, Y, heights, facecolors=shades, zorder=1, **mesh)
    lift = 0.012 * np.ptp(heights)  # else the surface would swallow half of the line
    for name, (_, shadow) in view.shadows.items():
        _path(axes, (*shadow.at.T, np.log10(scale.clipped(shadow.on_plane)) + lift), LOOKS.get(name, OTHER), _labelled(name, rates))
    decades = 10.0 ** np.arange(np.floor(heights.min()), np.ceil(heights.max()) + 1)
    ticks = np.ravel(np.outer(decades, (1, 2, 5) if np.ptp(heights) < 2 else (1,)))
    ticks = ticks[(ticks >= 10 ** heights.min()) & (ticks <= 10 ** heights.max())]
    axes.set_zticks(np.log10(ticks), [f"{t:g}" for t in ticks])
    axes.set(xlabel="first principal axis", ylabel="second principal axis", zlabel="training loss")
    axes.view_init(elev=42, azim=-58)
    axes.set_box_aspect((1.15, 1, 0.62), zoom=0.95)
    axes.xaxis.labelpad = axes.yaxis.labelpad = 8
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("0.8")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if view.shadows:
        axes.legend(loc="upper right", frameon=False)
    figure.suptitle(title, fontsize=14, fontweight="bold")
    return figure


def _path(axes: Any, at: Any, look: Look, label: str) -> None:
    """A run's path, with a white edge that sets it off from what is below."""
    axes.plot(*at, color="white", linewidth=4.5, zorder=4)
    edge: dict[str, Any] = dict(markersize=8 if look.marker in "PX*" else 6, markeredgecolor="white", markeredgewidth=0.7)
    axes.plot(*at, color=look.color, linestyle=look.line, linewidth=2, marker=look.marker, zorder=5, label=label, **edge)


def _contours(axes: Axes, shown: Surface, scale: Scale) -> None:
    levels, loss = np.geomspace(scale.low, scale.high, LEVELS), scale.clipped(shown.loss)
    axes.contourf(shown.xs, shown.ys, loss, levels=levels, norm=LogNorm(scale.low, scale.high), cmap=MAP)
    axes.contour(shown.xs, shown.ys, loss, levels=levels, colors="black", linewidths=0.35, alpha=0.5)
    axes.spines[:].set_color("0.6")


def _bar(figure: Figure, axes: Any, scale: Scale) -> None:
    norm = LogNorm(scale.low, scale.high)
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=axes, pad=0.02, extend="max" if scale.cut else "neither")
    bar.set_label("training loss")
    bar.locator = LogLocator(subs=(1, 2, 5) if scale.high < 300 * scale.low else (1,))
    bar.formatter = FuncFormatter(lambda loss, _: f"{loss:g}")
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.update_ticks()
    bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _labelled(name: str, rates: Mapping[str, float]) -> str:
    return f"{name}, rate {rates[name]:g}" if name in rates else name
