"""Pictures of curvature and of straight lines: the loss between solutions, the Hessian's largest eigenvalue along a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..diagnose.plane import Line
from .curves import LABELS
from .lanes import dress, titled
from .looks import LOOKS, OTHER

PAIRS = ("#56B4E9", "#CC79A7", "#009E73", "#E69F00", "#0072B2", "#D55E00", "#000000")  # lines between two optimizers' solutions
MANY = len(PAIRS) * 3


class Sharpness(NamedTuple):
    """One run: the largest eigenvalue at some epochs, the curvature above which its steps diverge (None: unknown), its history."""

    label: str
    color: str
    dashes: str
    epochs: np.ndarray
    top: np.ndarray
    limit: float | None
    history: Mapping[str, np.ndarray]


def interpolation(grown: Mapping[str, Line], between: Mapping[tuple[str, str], Line], metric: str, title: str) -> Figure:
    """Loss and score along straight lines: from the initial weights to each solution, and between solutions, with the
    height of the barrier between each two."""
    columns = 2 if between else 1
    figure = Figure(figsize=(5.9 * columns, 6.2), layout="constrained")
    panels = figure.subplots(2, columns, sharex=True, sharey="row", squeeze=False)
    for name, line in grown.items():
        look = LOOKS.get(name, OTHER)
        _line(panels[:, 0], line, look.color, look.line, f"to {name}")
    for i, ((a, b), line) in enumerate(list(between.items())[:MANY]):
        dashes = ("-", "--", ":")[i // len(PAIRS)]
        _line(panels[:, 1], line, PAIRS[i % len(PAIRS)], dashes, f"{a} to {b}: barrier {line.barrier:.1g}")
    ways = [("initial weights (0) to solution (1)", "From start to end"), ("one solution (0) to another (1)", "Between solutions")]
    for column, (ends, heading) in enumerate(ways[:columns]):
        above, below = panels[:, column]
        above.set_yscale("log")
        handles, labels = above.get_legend_handles_labels()  # below both panels, where it hides no line
        below.legend(handles, labels, frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        below.set_xlabel(f"share of the way: {ends}")
        titled(above, heading, "straight lines through parameter space", 12)
        for axes in (above, below):
            dress(axes)
            for end in (0, 1):
                axes.axvline(end, color="0.6", linewidth=1, zorder=0)
    panels[0, 0].set_ylabel("training loss")
    panels[1, 0].set_ylabel(f"training {LABELS[metric]}")
    if metric == "r2":
        panels[1, 0].set_ylim(bottom=max(-0.5, panels[1, 0].get_ylim()[0]))
    figure.suptitle(title, fontsize=14, fontweight="bold")
    return figure


def _line(panels: np.ndarray, line: Line, color: str, dashes: str, label: str) -> None:
    panels[0].plot(line.t, line.loss, dashes, color=color, linewidth=2, label=label)
    panels[1].plot(line.t, line.score, dashes, color=color, linewidth=2)


def sharpness(runs: Sequence[Sharpness], title: str, small: str) -> Figure:
    """The largest eigenvalue of the Hessian over training, beside the curvature above which each run's steps diverge (2/learning
    rate for gradient descent, dashed); below it the training loss."""
    figure = Figure(figsize=(8.6, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    low, high = np.inf, 0.0
    for run in runs:
        style: dict[str, Any] = dict(color=run.color, linewidth=1.8)
        above.plot(run.epochs, run.top, run.dashes, marker="o", markersize=3.5, label=run.label, **style)
        below.plot(run.history["epoch"], run.history["train_loss"], run.dashes, **style)
        positive = run.top[run.top > 0]
        low, high = min([low, *positive]), max([high, *positive])
        if run.limit is not None:
            above.axhline(run.limit, color=run.color, linewidth=1.4, linestyle=(0, (5, 3)))
    if any(run.limit is not None for run in runs):
        above.plot([], [], color="0.35", linewidth=1.4, linestyle=(0, (5, 3)), label="steps diverge above")
    if high > 0:
        limits = [run.limit for run in runs if run.limit is not None and run.limit < 30 * high]  # a limit far off is left out of sight
        above.set(yscale="log", ylim=(low / 1.3, 1.3 * max([high, *limits])))
        above.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        above.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" and high < 30 * low else "")
    above.set_ylabel("largest Hessian eigenvalue")
    below.set(yscale="log", xlabel="epoch", ylabel="training loss")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside right upper", frameon=False, fontsize=10)  # inside it would hide a limit
    for axes in (above, below):
        dress(axes)
    titled(above, title, small)
    return figure
