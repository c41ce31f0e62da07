"""Universal approximation: what one hidden layer can learn, against its width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ..diagnose import approximation
from ..diagnose.approximation import Fits
from .entries import Entry
from .lanes import COLORS, dress, titled

WIDTHS = (1, 2, 4, 8, 16, 32, 64)


def fits(widths: Sequence[int], found: Fits, shown: Sequence[int], small: str) -> Figure:
    """Left: the function and the best fit at the `shown` widths. Right: error against width, a point a seed, a line through the best."""
    figure = Figure(figsize=(13, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    left.plot(found.x, found.target, color="black", linewidth=5, alpha=0.25, label="the function")
    for i, width in enumerate(shown):
        row = list(widths).index(width)
        best = found.curves[row, np.argmin(found.error[row])]
        units = "unit" if width == 1 else "units"
        left.plot(found.x, best, ("--", "-.", ":", "-")[i % 4], color=COLORS[i], linewidth=2, label=f"{width} {units}")
    left.set(xlabel="x", ylabel="y", ylim=(found.target.min() - 0.35, found.target.max() + 0.75))
    left.legend(frameon=False, ncols=2, loc="upper right", handlelength=3)
    right.plot(np.repeat(widths, found.error.shape[1]), found.error.ravel(), "o", color=COLORS[0], alpha=0.5, label="a seed")
    right.plot(widths, found.error.min(axis=1), "-", color=COLORS[0], linewidth=2, label="the best seed")
    right.set_xscale("log", base=2)
    right.set(yscale="log", xlabel="hidden units", ylabel="root mean square error on [−1, 1]", xticks=widths)
    right.set_xticklabels([str(w) for w in widths])
    right.legend(frameon=False)
    titled(left, "One hidden layer of more and more units", small)
    first, last = found.error.min(axis=1)[[0, -1]]
    titled(
        right,
        "The error falls with the width",
        f"best of {found.error.shape[1]} seeds: {first:.2g} with {widths[0]}, {last:.2g} with {widths[-1]}",
    )
    dress(left)
    dress(right)
    return figure


def _fits(steps: int = 3000) -> Figure:
    small = f"1-n-1 tanh networks, 128 points, Adam with a cosine schedule, {steps:,} steps"
    return fits(WIDTHS, approximation.fits(WIDTHS, steps=steps), (1, 4, 8, 64), small)


GALLERY = (
    Entry(
        "universal_approximation",
        "Networks with one hidden layer fitted to a function with waves and a kink: the error against the number of hidden units, all "
        "widths and seeds trained in one program.",
        "With a sufficient number of nodes, MLPs can approximate any continuous function",
        _fits,
    ),
)
