"""Basins, heat maps and fair comparisons of optimizers on a surface, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from ..races.fair import Result
from ..races.maps import DIVERGED, NONE, Basins, Heat
from ..surfaces import Surface
from .lanes import dress, titled
from .looks import BASINS, LOOKS
from .race import heading, line

LEFT = {NONE: ("no minimum reached", "#d9d9d9"), DIVERGED: ("diverged", "#000000")}
PANEL, WIDE = 4.2, 4  # a panel in inches, and how many stand side by side


def basin_map(surface: Surface, maps: Mapping[str, Basins], rates: Mapping[str, Any] | None = None) -> Figure:
    """For each optimizer: above, the starts coloured by the minimum that they are led to; below, by the steps needed."""
    figure, panels = _panels(len(maps), 2)
    reached = np.concatenate([found.steps[found.steps >= 0] for found in maps.values()])
    quick, slow = (max(float(np.quantile(reached, q)), 1) for q in (0.02, 1.0)) if reached.size else (1.0, 2.0)
    steps_norm = LogNorm(quick, max(slow, 2 * quick))
    named = len(surface.minima) <= len(BASINS)
    shown: Any = None
    for (name, found), top, below in zip(maps.items(), *panels, strict=True):
        where: dict[str, Any] = dict(extent=(*_edges(found.x), *_edges(found.y)), origin="lower", interpolation="nearest", aspect="auto")
        labels = _labels(top, surface, found, named, where)
        needed = np.ma.masked_less(found.steps, 0)
        below.set_facecolor(LEFT[NONE][1])
        shown = below.imshow(np.maximum(needed, 1), cmap="cividis", norm=steps_norm, **where)
        rate = (rates or {}).get(name)
        share = np.mean(found.label >= 0)
        titled(top, name if rate is None else f"{name}, rate {rate:.2g}", f"{100 * share:.0f} % of the starts reach a minimum", 13)
        for axes in (top, below):
            if named:
                axes.plot(*np.array(surface.minima).T, "*", ms=13, mec="black", mfc="white")
            axes.set(xlim=_edges(found.x), ylim=_edges(found.y))
            axes.set_box_aspect(1)
        below.set_xlabel("x of the start")
    for axes in figure.axes:
        if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            axes.set_ylabel("y of the start")
    first = next(iter(maps.values()))
    beside: dict[str, Any] = dict(ax=figure.axes, shrink=0.55, fraction=0.05)
    figure.colorbar(shown, label=f"below: steps until within {first.distance:.2g} of it (grey: never)", **beside)
    if named:
        present = {int(k) for found in maps.values() for k in np.unique(found.label)}
        handles = [Patch(facecolor=color, edgecolor="0.4", label=text) for k, (text, color) in _key(surface).items() if k in present]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False, title="ends at")
    else:
        figure.colorbar(labels, label="above: f at the minimum reached (grey: none)", **beside)
    figure.suptitle(f"{heading(surface)}: where each start leads, {first.limit} steps", fontsize=14, fontweight="bold")
    return figure


def _panels(n: int, kinds: int) -> tuple[Figure, list[list[Axes]]]:
    """A figure and, for each kind of panel, n axes in rows of at most WIDE; the kinds of one optimizer above each other."""
    columns, blocks = min(n, WIDE), -(-n // WIDE)
    size = (max(PANEL * columns + 1.3, 7.5), PANEL * blocks * kinds + 1.3)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.1))
    grid = figure.subplots(blocks * kinds, columns, squeeze=False)
    kept = [[grid[kinds * (i // columns) + kind, i % columns] for i in range(n)] for kind in range(kinds)]
    for axes in grid.ravel():
        if not any(axes is one for row in kept for one in row):
            axes.remove()
    return figure, kept


def _edges(values: np.ndarray) -> tuple[float, float]:
    half = (values[1] - values[0]) / 2 if len(values) > 1 else 0.5
    return float(values[0] - half), float(values[-1] + half)


def _key(surface: Surface) -> dict[int, tuple[str, str]]:
    """Label -> (what the legend says, colour)."""
    minima = {i: (f"({x:.3g}, {y:.3g}), f = {_value(surface, (x, y)):.3g}", BASINS[i]) for i, (x, y) in enumerate(surface.minima)}
    return minima | LEFT


def _value(surface: Surface, point: tuple[float, float]) -> float:
    f = float(np.asarray(surface.f(*(np.asarray(p) for p in point))))
    return 0.0 if abs(f) < 1e-9 else f


def _labels(axes: Axes, surface: Surface, found: Basins, named: bool, where: dict[str, Any]) -> Any:
    """A colour a minimum where there are few; where there are many, the height of the minimum reached."""
    if named:
        key = _key(surface)
        order = [DIVERGED, NONE, *range(len(surface.minima))]
        colors = ListedColormap([key[k][1] for k in order])
        return axes.imshow(found.label - DIVERGED, cmap=colors, norm=Normalize(-0.5, len(order) - 0.5), **where)
    depth = np.array([_value(surface, point) for point in surface.minima])
    axes.set_facecolor(LEFT[NONE][1])
    height = np.ma.masked_where(found.label < 0, depth[np.maximum(found.label, 0)])
    return axes.imshow(height, cmap="cividis", norm=Normalize(depth.min(), depth.max()), **where)


def heat_map(surface: Surface, maps: Mapping[str, Heat], best: bool = True) -> Figure:
    """For each optimizer, a run a cell over learning rate and momentum (or another decay): the last loss, or the steps to
    the target; a white ring marks the best cell."""
    figure, (panels,) = _panels(len(maps), 1)
    values = {name: _cells(surface, found) for name, found in maps.items()}
    finite = np.concatenate([v[np.isfinite(v)] for v in values.values()])
    low, high = (float(np.quantile(finite, 0.01)), float(np.quantile(finite, 0.95))) if finite.size else (0.1, 1.0)
    norm: Any = LogNorm(max(low, 1e-12), max(high, 2 * max(low, 1e-12))) if low >= 0 else Normalize(low, max(high, low + 1e-12))
    shown: Any = None
    for axes, (name, found) in zip(panels, maps.items(), strict=True):
        cells = np.ma.masked_invalid(values[name])
        axes.set_facecolor("#ffffff")
        axes.patch.set(hatch="////", edgecolor="0.75")
        shown = axes.pcolormesh(found.rates, found.second, np.ma.maximum(cells, norm.vmin), cmap="cividis_r", norm=norm, shading="nearest")
        shown.set_rasterized(True)
        if best and cells.count():
            j, i = np.unravel_index(np.ma.argmin(cells), cells.shape)
            axes.plot(found.rates[i], found.second[j], "o", ms=11, mfc="none", mec="white", mew=3)
            axes.plot(found.rates[i], found.second[j], "o", ms=11, mfc="none", mec="black", mew=1.2)
        axes.set(xscale="log", xlabel="learning rate", ylabel=found.name.replace("_", " "))
        axes.set_box_aspect(1)
        titled(axes, name, f"best: rate {found.rates[i]:.2g}, {found.name} {found.second[j]:.2g}" if best and cells.count() else "", 13)
    first = next(iter(maps.values()))
    figure.colorbar(shown, ax=figure.axes, label=_unit(surface, first.steps is not None) + " (hatched: diverged or never)", shrink=0.85)
    figure.suptitle(f"{heading(surface)}: a run a cell, {first.limit} steps", fontsize=14, fontweight="bold")
    return figure


def _unit(surface: Surface, steps: bool) -> str:
    return "steps to the target" if steps else "last f above the lowest minimum" if surface.minima else "last f"


def _cells(surface: Surface, found: Heat) -> np.ndarray:
    if found.steps is not None:
        return np.where(found.steps <= found.limit, np.maximum(found.steps, 1), np.nan).astype(float)
    lowest = min((_value(surface, point) for point in surface.minima), default=None)
    loss = np.where(np.isfinite(found.loss), found.loss, np.nan).astype(float)
    return loss if lowest is None else np.maximum(loss - lowest, 0)


def fair_picture(surface: Surface, results: Mapping[str, Result], target: float | None = None) -> Figure:
    """Left, sensitivity: the median score from the tuning starts against the learning rate, its quartiles shaded, the best
    rate marked. Right, what is reported: each rule at that rate from other starts, median and quartiles, best first."""
    figure = Figure(figsize=(14, 5.8), layout=ConstrainedLayoutEngine(h_pad=0.1))
    curves, board = figure.subplots(1, 2, width_ratios=[1.35, 1])
    lowest = min((_value(surface, point) for point in surface.minima), default=None)
    shift = 0.0 if target is not None or lowest is None else lowest
    unit = "steps to the target" if target is not None else _unit(surface, False)
    tops = [r.tuning[np.isfinite(r.tuning)] - shift for r in results.values()]
    positive = target is not None or lowest is not None
    floor = 1e-12 if target is None else 0.8
    rates = next(iter(results.values())).rates
    for name, result in results.items():
        q = np.maximum(np.where(np.isfinite(result.tuning), result.tuning - shift, np.nan), floor if positive else -np.inf)
        upper = np.where(np.isfinite(q[:, 2]), q[:, 2], np.nanmax(np.concatenate(tops), initial=1.0) * 10)
        curves.fill_between(result.rates, q[:, 0], upper, where=np.isfinite(q[:, 1]), color=LOOKS[name].color, alpha=0.09, linewidth=0)
        curves.plot(result.rates, q[:, 1], **line(LOOKS[name]))
        at = int(np.flatnonzero(result.rates == result.rate)[0])
        curves.plot(result.rate, q[at, 1], LOOKS[name].marker, color=LOOKS[name].color, mec="black", ms=9, zorder=5)
    curves.set(xscale="log", xlabel="learning rate", ylabel=unit, xlim=(rates[0], rates[-1]))
    finite = np.concatenate(tops)
    if positive:
        curves.set_yscale("log")
        typical = np.concatenate([r.tuning[0] - shift for r in results.values()])
        ceiling = 3 * np.nanmax(typical[np.isfinite(typical)], initial=float(np.quantile(finite, 0.5)) if finite.size else 1.0)
        curves.set_ylim(max(float(finite.min()) * 0.5, floor) if finite.size else floor, ceiling)
    titled(
        curves,
        f"{heading(surface)}: sensitivity to the learning rate",
        "median and quartiles of the tuning starts; the chosen rate marked",
        13,
    )
    dress(curves)
    _board(board, results, shift, floor if positive else None, unit)
    return figure


def _board(axes: Axes, results: Mapping[str, Result], shift: float, floor: float | None, unit: str) -> None:
    ranked = sorted(results.items(), key=lambda item: (item[1].quartiles[1], item[1].missed, item[1].quartiles[2]))
    known = [q - shift for _, r in ranked for q in r.quartiles if np.isfinite(q)]
    for row, (name, result) in enumerate(ranked):
        low, middle, high = (q - shift if floor is None else max(q - shift, floor) for q in result.quartiles)
        color, edge = LOOKS[name].color, max(known, default=1.0) * (3 if floor is not None else 1.05)
        axes.plot(
            [low if np.isfinite(low) else edge, high if np.isfinite(high) else edge], [row, row], color=color, linewidth=5, alpha=0.35
        )
        if not np.isfinite(high):
            axes.annotate("∞", (edge, row), xytext=(8, 0), textcoords="offset points", va="center", fontsize=14, color=color)
        axes.plot(middle if np.isfinite(middle) else edge, row, LOOKS[name].marker, color=color, mec="white", ms=11)
        missed = f", {100 * result.missed:.0f} % missed" if result.missed else ""
        text = (
            f"median {middle:.3g} at rate {result.rate:.2g}{missed}"
            if np.isfinite(middle)
            else f"median: missed ({100 * result.missed:.0f} %)"
        )
        axes.annotate(
            text, (0.01, row), xytext=(0, 9), textcoords="offset points", xycoords=("axes fraction", "data"), fontsize=9, color="0.3"
        )
    axes.set_yticks(range(len(ranked)), [name for name, _ in ranked], fontsize=11)
    axes.set_ylim(len(ranked) - 0.5, -0.75)
    if floor is not None:
        axes.set_xscale("log")
    axes.set_xlabel(unit)
    first = ranked[0][1]
    small = f"median and quartiles of {len(first.scores)} other starts, {first.evaluations} gradients a run"
    titled(axes, "each at its own best rate", small, 13)
    dress(axes, "x")
