"""Gradient descent, SGD and minibatch SGD: their paths on a loss of real data, and what a step costs them."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..diagnose import batches
from .entries import Entry
from .lanes import dress, titled
from .looks import Look

BATCH = 32
RULES: dict[str, tuple[int | None, Look]] = {  # one rule, sgd, and so one colour; n, 1 or b samples a step
    "gradient descent": (None, Look("#000000", "-", "o")),
    "SGD": (1, Look("#000000", ":", "^")),
    "minibatch SGD": (BATCH, Look("#000000", "--", "s")),
}
RATE, STEPS = 2.0, 100
START = (2.0, 4.5)  # (weight, bias)
LOW, HIGH = (-7.0, -2.5), (3.2, 5.2)
WHAT = "Logistic regression: benign or malignant, from the mean radius of the cell nuclei (breast cancer, 569 samples)"


class Landscape(NamedTuple):
    """axes: the weights (n,) and the biases (n,); height (n, n): the loss of all samples, a row a bias; minimum: (weight, bias, loss)."""

    axes: tuple[np.ndarray, np.ndarray]
    height: np.ndarray
    minimum: tuple[float, float, float]


def paths(landscape: Landscape, found: dict[str, np.ndarray], samples: dict[str, int], title: str) -> Figure:
    """The notes' three panels. found: rule -> the points (steps + 1, 2) that it visited; samples: rule -> samples a step."""
    figure = Figure(figsize=(14, 5.4), layout="constrained")
    figure.suptitle(title, fontsize=14)
    weight, bias, least = landscape.minimum
    levels = least + np.geomspace(0.002, landscape.height.max() - least, 14)
    for axes, (name, path) in zip(figure.subplots(1, len(found), sharex=True, sharey=True), found.items(), strict=True):
        axes.contourf(*landscape.axes, landscape.height, levels=[0, *levels], cmap="Blues", alpha=0.55)
        axes.contour(*landscape.axes, landscape.height, levels=levels, colors="#5b7fa3", linewidths=0.6)
        marker = RULES[name][1].marker
        axes.plot(*path.T, color="black", linewidth=1.1, marker=marker, markersize=2.6, alpha=0.85, gid="path")
        axes.plot(*path[0], marker="o", color="white", markeredgecolor="black", markersize=10, linestyle="", label="start")
        axes.plot(weight, bias, marker="*", color="#E69F00", markeredgecolor="black", markersize=17, linestyle="", label="minimum")
        per = samples[name]
        each = f"{per} sample" if per == 1 else f"{per:,} samples"
        titled(axes, name[0].upper() + name[1:], f"{each} a step, {per * (len(path) - 1):,} sample gradients in {len(path) - 1} steps", 15)
        axes.set(xlabel="weight w", xlim=landscape.axes[0][[0, -1]], ylim=landscape.axes[1][[0, -1]])
        axes.xaxis.label.set_size(13)
    figure.axes[0].set_ylabel("bias b", fontsize=13)
    figure.axes[0].legend(loc="lower right", framealpha=0.9)
    return figure


def cost(curves: dict[str, tuple[np.ndarray, np.ndarray]], title: str, small: str) -> Figure:
    """Distance to the minimum against the work. curves: rule -> (sample gradients computed (m,), loss above the minimum (seeds, m))."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for name, (work, above) in curves.items():
        look = RULES[name][1]
        low, middle, high = np.quantile(above, [0.1, 0.5, 0.9], axis=0)
        axes.plot(work, middle, look.line, color=look.color, linewidth=2, marker=look.marker, markevery=4, markersize=6, label=name)
        if len(above) > 1:
            axes.fill_between(work, low, high, color="0.6", alpha=0.3, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="sample gradients computed", ylabel="loss above the minimum")
    axes.yaxis.set_major_locator(LogLocator(10))
    dress(axes)
    titled(axes, title, small)
    axes.legend(frameon=False, handlelength=4, fontsize=12)
    return figure


def landscape(n: int = 121) -> Landscape:
    """The loss of WHAT on the window of the picture."""
    X, y = batches.column("breast_cancer", "mean radius")
    first, second, points = batches.grid(LOW, HIGH, n)
    least = batches.minimum(X, y)
    height = np.asarray(batches.losses_at(points, X, y)).reshape(n, n)
    return Landscape((first, second), height, (float(least[0]), float(least[1]), float(batches.full_loss(least, X, y))))


def _paths() -> Figure:
    X, y = batches.column("breast_cancer", "mean radius")
    found = {
        name: np.asarray(batches.paths(jnp.asarray(START), X, y, RATE, batch=batch, steps=STEPS))[0] for name, (batch, _) in RULES.items()
    }
    return paths(landscape(), found, {name: batch or len(X) for name, (batch, _) in RULES.items()}, f"{WHAT}; learning rate {RATE:g}")


def _cost(epochs: int = 40, seeds: int = 16) -> Figure:
    X, y = batches.column("breast_cancer", "mean radius")
    least = batches.full_loss(batches.minimum(X, y), X, y)
    curves = {}
    for name, (batch, _) in RULES.items():
        steps = epochs * len(X) // (batch or len(X))
        at = np.unique(np.geomspace(1, steps, 60).astype(int))
        runs = 1 if batch is None else seeds
        visited = batches.paths(jnp.asarray(START), X, y, RATE, batch=batch, steps=steps, seeds=runs)[:, at]
        above = np.asarray(batches.losses_at(visited.reshape(-1, 2), X, y) - least).reshape(runs, len(at))
        curves[name] = (at * (batch or len(X)), np.maximum(above, 1e-7))  # float32 knows the loss to about 1e-7
    small = f"{WHAT.partition(' (')[0]}\nlearning rate {RATE:g}; median of {seeds} seeds, shaded from the 10th to the 90th percentile"
    return cost(curves, "Cheap noisy steps arrive first, and stay in their noise ball", small)


GALLERY = (
    Entry(
        "descent_paths",
        f"Paths of gradient descent, SGD and minibatch SGD ({BATCH} samples) from one start with one learning rate, on the true loss of "
        "a logistic regression with two parameters: the contours are the loss of all samples.",
        "Minibatch SGD strikes a balance between the extremes of full gradient descent and pure SGD.",
        _paths,
    ),
    Entry(
        "descent_cost",
        "The same three rules by the work that they do: SGD is near the minimum after a few dozen sample gradients where gradient descent "
        "needs thousands, but it then stays in a ball of noise, which the minibatch shrinks and gradient descent does not have.",
        "In contrast, SGD and Minibatch SGD offer faster and more scalable updates, but at the cost of increased noise in the "
        "optimization path.",
        _cost,
    ),
)
