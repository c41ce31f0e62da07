"""The computational graph of one layer and of backpropagation, every number computed by the package."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from ..diagnose.flow import Flow, flow
from ..model import MLP, Layer, Params
from .entries import Entry

FORWARD, BACKWARD = "#0072B2", "#D55E00"
RADIUS, BIG = 0.78, 0.95  # of the nodes of one layer, and of the network, which hold more
Real = Any  # a float, an int or a NumPy number
Point = tuple[Real, Real]
INDEX = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def number(value: Real) -> str:
    """Three decimals, with a real minus sign."""
    return f"{value:.3f}".replace("-", "−")


def layer(found: Flow, l: int, activation: str) -> Figure:
    """The forward pass through layer l: the input, the weights on their edges, a weighted sum and an output in each node."""
    figure, axes = _canvas((13, 7.6), (-1.2, 11.4), (-3.5, 4.2))
    below, here = _rows(len(found.z[l - 1])), _rows(len(found.z[l]))
    for i, y in enumerate(below):
        _node(axes, 0, y, [(f"z{_sub(i)} = {number(found.z[l - 1][i])}", FORWARD)])
    for j, y in enumerate(here):
        for i, start in enumerate(below):
            _edge(axes, (0, start), (5, y), 0.24 if abs(y - start) > 3 else 0.5, [(f"W{_sub(j, i)} = {number(found.W[l][j, i])}", FORWARD)])
        terms = [f"({number(w)})({number(z)})" for w, z in zip(found.W[l][j], found.z[l - 1], strict=True)]
        text = f"a{_sub(j)} = {' + '.join(terms)}\n+ ({number(found.b[l][j])}) = {number(found.a[l][j])}"
        _node(axes, 5, y, [(f"a{_sub(j)} = {number(found.a[l][j])}", FORWARD), (f"b{_sub(j)} = {number(found.b[l][j])}", "0.35")])
        side = 1 if y > 0 else -1  # outside, where no edge passes
        axes.text(5, y + side * (RADIUS + 0.15), text, ha="center", va="bottom" if side > 0 else "top", fontsize=12, color="0.25")
        _edge(axes, (5, y), (9.2, y), 0.5, [(activation, FORWARD)])
        _node(axes, 9.2, y, [(f"z{_sub(j)} = {number(found.z[l][j])}", FORWARD)])
    for x, text in ((0, f"input z[{l - 1}]"), (5, f"a[{l}] = W[{l}] z[{l - 1}] + b[{l}]"), (9.2, f"output z[{l}] = σ(a[{l}])")):
        axes.text(x, 3.75, text, ha="center", fontsize=15, fontweight="bold")
    return figure


def backprop(found: Flow, target: Real, activations: tuple[str, ...], loss: str) -> Figure:
    """The whole network: forward numbers in blue, what comes back in orange; weights on edges with their gradients."""
    L = len(found.z) - 1
    gap = 4.4
    figure, axes = _canvas((16, 8.8), (-1.2, gap * L + 4.2), (-4.6, 4.1))
    rows = [_rows(len(z), 4.2) for z in found.z]
    for l in range(1, L + 1):
        for j, y in enumerate(rows[l]):
            for i, start in enumerate(rows[l - 1]):
                lines = [
                    (f"W{_sub(j, i)} = {number(found.W[l][j, i])}", FORWARD),
                    (f"dW{_sub(j, i)} = {number(found.dW[l][j, i])}", BACKWARD),
                ]
                _edge(axes, (gap * (l - 1), start), (gap * l, y), 0.3 if abs(y - start) > 3 else 0.47, lines, BIG)
    for l, ys in enumerate(rows):
        for j, y in enumerate(ys):
            _node(axes, gap * l, y, _lines(found, l, j), BIG)
            if l:
                text = f"b{_sub(j)} = {number(found.b[l][j])}"
                axes.text(gap * l, y - 1.1, text, ha="center", va="top", fontsize=13, color=FORWARD)
                axes.text(gap * l, y - 1.48, f"db{_sub(j)} = {number(found.db[l][j])}", ha="center", va="top", fontsize=13, color=BACKWARD)
        name = "input" if l == 0 else f"layer {l}: {activations[l - 1]}"
        axes.text(gap * l, 3.75, name, ha="center", fontsize=15, fontweight="bold")
    end = gap * L + 2.9
    _edge(axes, (gap * L, rows[L][0]), (end, 0), 0.5, [], BIG)
    axes.add_patch(FancyBboxPatch((end - 0.8, -0.55), 1.75, 1.1, boxstyle="round,pad=0.1", facecolor="white", edgecolor="0.3", zorder=3))
    axes.text(end + 0.08, 0, f"{loss}\ny = {target:g}\nL = {number(found.loss)}", ha="center", va="center", fontsize=13.5, zorder=4)
    axes.text(0, -4.4, "forward: z, a, W, b", color=FORWARD, fontsize=13, ha="left", fontweight="bold")
    axes.text(
        4.2,
        -4.4,
        "backward: dz = ∂L/∂z,  δ = ∂L/∂a = dz σ′(a),  dW = δ zᵀ,  db = δ",
        color=BACKWARD,
        fontsize=13,
        ha="left",
        fontweight="bold",
    )
    return figure


def _lines(found: Flow, l: int, j: int) -> list[tuple[str, str]]:
    forward = [(f"z{_sub(j)} = {number(found.z[l][j])}", FORWARD)]
    if l == 0:
        return forward
    back = [(f"dz{_sub(j)} = {number(found.dz[l][j])}", BACKWARD), (f"δ{_sub(j)} = {number(found.delta[l][j])}", BACKWARD)]
    return [(f"a{_sub(j)} = {number(found.a[l][j])}", FORWARD), *forward, *back]


def _canvas(size: Point, x: Point, y: Point) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=x, ylim=y, aspect="equal")
    axes.axis("off")
    return figure, axes


def _rows(n: int, span: float = 4.0) -> np.ndarray:
    """Heights of n nodes under each other."""
    return np.linspace(span / 2, -span / 2, n) if n > 1 else np.zeros(1)


def _sub(*index: int) -> str:
    """Indices from 1, as the notes count: row, column."""
    return "".join(str(i + 1) for i in index).translate(INDEX)


def _node(axes: Axes, x: Real, y: Real, lines: list[tuple[str, str]], radius: Real = RADIUS) -> None:
    axes.add_patch(Circle((x, y), radius, facecolor="white", edgecolor="0.3", linewidth=1.6, zorder=3))
    _text(axes, x, y, lines, {})


def _edge(
    axes: Axes,
    start: Point,
    end: Point,
    at: Real,
    lines: list[tuple[str, str]],
    radius: Real = RADIUS,
) -> None:
    """An arrow from node to node, shortened by their radii, with text on it at the share `at` of the way."""
    (x0, y0), (x1, y1) = start, end
    short = radius / np.hypot(x1 - x0, y1 - y0)
    ends = [(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in (short, 1 - short)]
    axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=18, color="0.55", linewidth=1.4, shrinkA=0, shrinkB=0))
    _text(axes, x0 + at * (x1 - x0), y0 + at * (y1 - y0), lines, {"facecolor": "white", "edgecolor": "none", "pad": 1.2})


def _text(axes: Axes, x: Real, y: Real, lines: list[tuple[str, str]], box: dict[str, Any]) -> None:
    step = 0.36
    for i, (text, color) in enumerate(lines):
        height = y + step * ((len(lines) - 1) / 2 - i)
        axes.text(x, height, text, ha="center", va="center", fontsize=13, color=color, zorder=4, bbox=box or None)


def _layer() -> Figure:
    model = MLP((3, 2), ("tanh",), "mse")
    params = (Layer(jnp.asarray([[0.5, -1.0, 0.8], [1.2, 0.4, -0.6]]), jnp.asarray([0.1, -0.3])),)
    return layer(flow(model, params, np.asarray([1.0, 0.5, -1.5], np.float32), np.zeros(2, np.float32)), 1, "tanh")


def example() -> tuple[MLP, Params, np.ndarray, np.ndarray]:
    """The network and the sample (x, y) of the picture."""
    params = (
        Layer(jnp.asarray([[0.6, -0.4], [0.3, 0.9]]), jnp.asarray([0.1, -0.2])),
        Layer(jnp.asarray([[1.2, -0.7]]), jnp.asarray([0.2])),
    )
    return MLP((2, 2, 1), "tanh", "bce"), params, np.asarray([1.0, 2.0], np.float32), np.asarray([1.0], np.float32)


def _backprop() -> Figure:
    model, params, x, y = example()
    return backprop(flow(model, params, x, y), float(y[0]), model.activations, "BCE loss")


GALLERY = (
    Entry(
        "layer",
        "The forward pass through one layer of three inputs and two nodes with its actual numbers: weighted sums, biases, activations.",
        "Once we add the bias and apply the activation function, we call the final result the node's activation",
        _layer,
    ),
    Entry(
        "backprop",
        "One forward pass (blue) and one backward pass (orange) of a 2-2-1 network for one sample, every a, z, δ, dW and db as the package "
        "computes them.",
        "Backpropagation systematically applies the chain rule to propagate gradients from the loss backwards through the network.",
        _backprop,
    ),
)
