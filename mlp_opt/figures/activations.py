"""Every activation function with its derivative."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from ..activations import ACTIVATIONS
from .entries import Entry
from .lanes import dress

SIGMA, SLOPE = "#0072B2", "#D55E00"


def activations(a: np.ndarray, values: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """A panel a function: sigma(a) and sigma'(a), name -> the two arrays, both like a (points,)."""
    columns = 4
    rows = -(-(len(values) + 1) // columns)
    figure = Figure(figsize=(14, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True)
    for axes, (name, (sigma, slope)) in zip(panels.flat, values.items(), strict=False):
        axes.axhline(0, color="0.7", linewidth=0.8)
        axes.axvline(0, color="0.7", linewidth=0.8)
        axes.plot(a, sigma, color=SIGMA, linewidth=2.6, label="σ(a), the output")
        axes.plot(a, slope, "--", color=SLOPE, linewidth=2.2, label="σ′(a), its derivative")
        axes.set_title(name, fontsize=15, fontweight="bold", loc="left")
        axes.set_ylim(-1.35, 2.6)
        axes.tick_params(labelbottom=True)
        dress(axes)
    empty = list(panels.flat)[len(values) :]
    for axes in empty:
        axes.axis("off")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    empty[0].legend(handles, labels, loc="center", frameon=False, fontsize=15)
    figure.supxlabel("pre-activation a")
    return figure


def _activations() -> Figure:
    a = np.linspace(-4, 4, 802)  # 0 is not among them: a step is drawn as a step
    points = jnp.asarray(a, jnp.float32)
    return activations(a, {name: (np.asarray(f.sigma(points)), np.asarray(f.derivative(points))) for name, f in ACTIVATIONS.items()})


GALLERY = (
    Entry(
        "activations",
        "The activation functions and their derivatives: the step's derivative is 0 everywhere, the sigmoid's never exceeds 1/4 and "
        "tanh's is 0 where it saturates, relu's is 0 or 1, and silu and gelu are smooth.",
        "Selecting an appropriate activation function has important ramifications for the behavior of our layer.",
        _activations,
    ),
)
