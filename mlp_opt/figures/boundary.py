"""Decision boundaries as they form, as an animation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from ..diagnose import batches
from ..diagnose.boundary import Frame, forming, sets
from ..model import MLP
from .animation import gif, pixels
from .entries import Entry

SHOWN = ("xor", "circle", "moons", "spiral")
RATES = {"sgd": 0.1, "momentum": 0.1, "rmsprop": 0.01, "adam": 0.01}
EPOCHS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 17, 20, 24, 28, 33, 39, 46, 54, 64, 75, 88, 100, 115, 130, 150, 175, 200)
MODEL = MLP((2, 16, 16, 1), "tanh", "bce", init="glorot_normal")
EXTENT = 2.3  # the sets are standardized


def boundaries(
    frames: Iterable[Frame], X: np.ndarray, y: np.ndarray, names: Sequence[str], rows: Sequence[str], title: str, n: int
) -> Iterator[np.ndarray]:
    """Each frame's pixels: a panel for each set (rows) and optimizer (columns), the probability of label 1 as colour, 1/2 as a line.

    X (set, points, 2) and y (set, points) are drawn; a frame's probabilities are on an n x n grid of [-EXTENT, EXTENT]^2.
    """
    figure = Figure(figsize=(8.4, 2.05 * len(rows) + 0.8), layout="constrained")
    heading = figure.suptitle(" ", fontsize=14)
    panels: Any = figure.subplots(len(rows), len(names), squeeze=False)
    shades = colormaps["PuOr_r"].resampled(13)  # a few flat colours: easier to read, and a smaller file
    span = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    pictures: dict[Any, Any] = {}
    lines: dict[Any, Any] = {}
    for s, o in np.ndindex(panels.shape):
        axes = panels[s, o]
        pictures[s, o] = axes.imshow(
            np.zeros((n, n)), extent=span, origin="lower", cmap=shades, vmin=-0.3, vmax=1.3, interpolation="bilinear"
        )
        for label, color, marker in ((0, "#2d004b", "s"), (1, "#7f3b08", "o")):
            axes.plot(*X[s][y[s] == label].T, marker, color=color, markersize=2.4, markeredgecolor="white", markeredgewidth=0.25)
        axes.set(xticks=[], yticks=[], xlim=span[:2], ylim=span[2:])
        if s == 0:
            axes.set_title(names[o], fontsize=12, fontweight="bold")
        if o == 0:
            axes.set_ylabel(rows[s], fontsize=13)
        axes.set_xlabel(" ", fontsize=10)
    side = np.linspace(-EXTENT, EXTENT, n)
    for frame in frames:
        heading.set_text(f"{title}: epoch {frame.epoch}")
        for (s, o), picture in pictures.items():
            values = frame.probability[o, s].reshape(n, n)
            picture.set_data(values)
            if (s, o) in lines:
                lines[s, o].remove()
            lines[s, o] = panels[s, o].contour(side, side, values, levels=[0.5], colors="black", linewidths=1.3)
            panels[s, o].set_xlabel(f"accuracy {frame.accuracy[o, s]:.0%}", fontsize=10)
        yield pixels(figure)
        figure.set_layout_engine("none")  # laid out once; it would take longer than the drawing


def _boundaries(n: int = 60) -> bytes:
    data = sets(SHOWN)
    _, _, points = batches.grid((-EXTENT, -EXTENT), (EXTENT, EXTENT), n)
    frames = forming(MODEL, RATES, data, points, EPOCHS)
    names = [f"{name}, rate {rate:g}" for name, rate in RATES.items()]
    title = "2-16-16-1 tanh network, 300 points, batch 32"
    return gif(boundaries(frames, np.asarray(data.X), np.asarray(data.y), names, SHOWN, title, n), fps=6.0)


GALLERY = (
    Entry(
        "decision_boundary",
        "Decision boundaries (black, where the network gives both classes 1/2) as training goes, from the same weights and in the same "
        "order of samples for each optimizer.",
        "composing nodes with a series of non-linear activation functions helps MLPs learn complicated decision boundaries; in fact, they "
        "can learn any continuous function.",
        _boundaries,
    ),
)
