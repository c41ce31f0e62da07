"""The gradient's size through a deep network: vanishing, exploding, cured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..data import sources
from ..diagnose.depth import gradient_norms
from ..initializers import INITIALIZERS
from ..model import MLP
from .entries import Entry
from .lanes import dress, titled

FAMILIES = {"he": "#0072B2", "glorot": "#E69F00", "lecun": "#009E73", "orthogonal": "#CC79A7", "normal": "#D55E00", "zeros": "#000000"}
MARKER = {"he": "o", "glorot": "^", "lecun": "v", "orthogonal": "D", "normal": "s", "zeros": "x"}
ACTIVATIONS = ("sigmoid", "tanh", "relu")
FLOOR, CEILING = 1e-14, 1e14


def norms(found: Mapping[tuple[bool, str], np.ndarray], initializers: Sequence[str], small: str) -> Figure:
    """A panel for each (residual, activation): the median over seeds of |dL/dW[l]| (initializer, seed, layer) against the layer l."""
    figure = Figure(figsize=(14, 8), layout="constrained")
    figure.suptitle(f"Size of the gradient, layer by layer, before training: {small}", fontsize=14)
    panels = figure.subplots(2, len(found) // 2, sharex=True, sharey=True)
    for axes, ((residual, activation), values) in zip(panels.flat, found.items(), strict=True):
        middle = np.median(values, axis=1)
        layers = np.arange(1, middle.shape[1] + 1)
        for name, row in zip(initializers, middle, strict=True):
            family, _, kind = name.partition("_")
            line = dict(color=FAMILIES[family], linestyle="--" if kind == "uniform" else "-", marker=MARKER[family])
            height = np.where(row > 0, row, FLOOR)
            label = f"{name} (0 is drawn at the bottom)" if row[0] == 0 else name
            axes.plot(layers, height, markersize=4, linewidth=1.6, label=label, **line)
        axes.set(yscale="log", ylim=(FLOOR / 5, CEILING))
        ratio = middle[list(initializers).index("glorot_normal")]
        titled(
            axes,
            activation + (", residual" if residual else ""),
            f"first over last hidden layer, glorot_normal: {ratio[0] / ratio[-2]:.1g}",
            14,
        )
        axes.xaxis.set_major_locator(MultipleLocator(5))
        dress(axes)
    for axes in panels[-1]:
        axes.set_xlabel("layer l (1: next to the input)", fontsize=12)
    for axes in panels[:, 0]:
        axes.set_ylabel("|∂L/∂W[l]| (Frobenius)", fontsize=12)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, handlelength=3)
    return figure


def _norms(hidden: int = 20, width: int = 32, batch: int = 64, seeds: int = 4) -> Figure:
    digits = sources.load("digits")
    X = jnp.asarray(digits.X[:batch] / 16 - 0.5, jnp.float32)
    y = jnp.asarray(digits.y[:batch], jnp.int32)
    found = {
        (residual, activation): gradient_norms(MLP((64, *[width] * hidden, 10), activation, residual=residual), X, y, seeds=seeds)
        for residual in (False, True)
        for activation in ACTIVATIONS
    }
    return norms(found, tuple(INITIALIZERS), f"{hidden} hidden layers of {width} units, {batch} digits, median of {seeds} seeds")


GALLERY = (
    Entry(
        "depth",
        "Through 20 layers gradients vanish with the sigmoid, keep their size with tanh and relu and a fitting initializer, and explode "
        "with weights of variance 1; residual connections (lower row) cure the vanishing, but not weights that are too large.",
        "If the gradients are all extremely large or extremely small, multiplying them together like this exacerbates this problem and can "
        "lead to ridiculously small or insanely large gradients, which slows (or stops) learning.",
        _norms,
    ),
)
