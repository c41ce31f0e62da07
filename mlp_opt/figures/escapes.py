"""Not convex: SGD hops out of a sharp minimum, optimizers wait at a saddle and on a plateau."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..diagnose import escapes
from ..diagnose.escapes import FLAT, RIDGE, SHARP, Waits
from .entries import Entry
from .lanes import dress, titled
from .looks import LOOKS

NOTES = ("sgd", "momentum", "adagrad", "rmsprop", "adam")  # drawn thick
FROM_SHARP, FROM_FLAT = "#D55E00", "#0072B2"


def hops(noises: np.ndarray, ends: np.ndarray, shown: int, small: str) -> Figure:
    """Left: the function and where the runs that began in the sharp minimum ended, for the first noise and number `shown`. Right: the
    fraction of runs that changed sides against the noise. ends (2, noises, seeds), the first start SHARP and the second FLAT."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    w = np.linspace(-1.5, 2.4, 600)
    left.plot(w, np.asarray(escapes.wells(jnp.asarray(w, jnp.float32))), color="0.35", linewidth=2)
    still = ends[0, 0]  # without noise all seeds are one run
    at_rest = np.asarray(escapes.wells(jnp.asarray(still, jnp.float32)))
    left.plot(still, at_rest, "o", color="black", markersize=11, label=f"noise {noises[0]:g} (GD): where it ends", gid="still")
    bins = np.linspace(-1.5, 2.4, 79)
    count, _ = np.histogram(ends[0, shown], bins)
    left.bar(
        bins[:-1], 3 * count / count.max(), width=np.diff(bins), align="edge", color=FROM_SHARP, alpha=0.55,
        label=f"SGD, noise {noises[shown]:.3g}: where {ends.shape[-1]:,} runs end",
    )  # fmt: skip
    left.set(xlabel="w", ylabel="loss (bars: runs, arbitrary height)", ylim=(-0.3, 8.2), xlim=(-1.5, 2.4))
    for at, height, name in ((SHARP, 6.2, "sharp\nλ = 100"), (FLAT, 3.9, "flat\nλ = 4")):
        left.annotate(name, (at, 0), (at, height), ha="center", fontsize=11, color="0.25")
    left.legend(frameon=False, loc="upper right")
    for start, color, line, side, name in (
        (0, FROM_SHARP, "-o", ends[0] > RIDGE, "began in the sharp minimum, ended in the flat one"),
        (1, FROM_FLAT, "--s", ends[1] < RIDGE, "began in the flat minimum, ended in the sharp one"),
    ):
        right.plot(noises, side.mean(axis=-1), line, color=color, linewidth=2, label=name, gid=f"start {start}")
    right.set(
        xlabel="standard deviation of the gradient's noise (0: gradient descent)", ylabel="runs that changed minima", ylim=(-0.03, 1.25)
    )
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.set_yticks(np.linspace(0, 1, 6))
    right.legend(frameon=False, loc="upper left")
    titled(left, "Two minima of equal height", small)
    titled(right, "Noise throws SGD out of the sharp one first", f"{ends.shape[-1]:,} seeds a point")
    dress(left)
    dress(right)
    return figure


def waits(rates: np.ndarray, found: Mapping[str, Waits], steps: int) -> Figure:
    """Steps spent near the saddle and on the plateau against the learning rate, a line an optimizer; a mark where the run came to rest."""
    figure = Figure(figsize=(14, 6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    texts = (
        ("Near a saddle", "25x² − y²/2 + y⁴/4 from (1, 10⁻⁶), near: |y| < 0.5"),
        ("On a plateau", "25x² + 1 − exp(−y²/2) from (1, 3.5), on it: |y| > 2.5"),
    )
    for surface, (axes, (title, small)) in enumerate(zip(panels, texts, strict=True)):
        for name, wait in found.items():
            look, known = LOOKS[name], name in NOTES
            line: dict[str, Any] = dict(color=look.color, linestyle=look.line, linewidth=2.4 if known else 1.0, zorder=3 if known else 2)
            y = np.maximum(wait.steps[surface], 0.7).astype(float)
            axes.plot(rates, y, **line, alpha=0.9)
            kept = wait.settled[surface]
            axes.plot(rates[kept], y[kept], look.marker, color=look.color, markersize=7 if known else 5, zorder=4)
            if surface == 0:
                axes.plot([], [], marker=look.marker, markersize=7 if known else 5, label=name, **line)
        axes.axhline(steps, color="0.5", linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel="learning rate")
        axes.set_ylim(0.6, 2 * steps)
        titled(axes, title, f"{small}\nmarks: the run then came to rest within 0.01 of the minimum's loss")
        dress(axes)
    panels[0].set_ylabel("steps until it leaves")
    panels[0].annotate(f"never within {steps:,} steps", (rates[0], steps), (0, 4), textcoords="offset points", color="0.35")
    panels[1].yaxis.set_tick_params(labelleft=True)
    figure.legend(loc="outside right center", frameon=False, handlelength=3.5, fontsize=11)
    return figure


def _hops(seeds: int = 1000, steps: int = 2000, rate: float = 0.01) -> Figure:
    noises = np.concatenate([[0.0], np.linspace(4, 16, 13)])
    ends = escapes.hops(jnp.asarray([SHARP, FLAT]), jnp.asarray(noises, jnp.float32), rate, jax.random.key(0), seeds=seeds, steps=steps)
    return hops(noises, np.asarray(ends), 9, f"λ: curvature at the minimum; learning rate {rate:g}, {steps:,} steps from the sharp one")


def _waits(steps: int = 2000) -> Figure:
    rates = np.geomspace(1e-3, 10**-0.5, 11)
    return waits(rates, escapes.waits(rates.tolist(), steps=steps), steps)


GALLERY = (
    Entry(
        "sharp_minimum",
        "Gradient descent stays in the sharp minimum in which it begins; with enough gradient noise most runs of SGD leave it for the flat "
        "one, and hardly any goes back.",
        "Traditional gradient descent can easily get stuck in such points. In contrast, SGD is less likely to get stuck in sharp "
        "local minima.",
        _hops,
    ),
    Entry(
        "saddle_and_plateau",
        "Steps that each optimizer spends near a saddle and on a plateau, for every learning rate: momentum leaves many times sooner than "
        "plain gradient descent, and the rules that divide by the gradient's size sooner still.",
        "SGD often slows down or becomes stuck around saddle points or flat regions in the loss surface.",
        _waits,
    ),
)
