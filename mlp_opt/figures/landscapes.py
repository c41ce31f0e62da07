"""The gallery's pictures of loss landscapes: real networks trained, planes and eigenvalues computed, all in seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure

from ..config import TrainConfig
from ..diagnose import landscape as computed
from ..diagnose import plane
from . import landscape, sharpness
from .entries import Entry

OPTIMIZERS = ("sgd", "momentum", "adam")
GRID = 41
CONFIG = TrainConfig("digits", hidden=(32, 32), epochs=12, validation=0.0)
EDGE_RATES = {0.05: "#0072B2", 0.1: "#E69F00", 0.2: "#D55E00"}  # learning rates of gradient descent; their colours
EDGE_EPOCHS, EDGE_EVERY = 2000, 25


@lru_cache(maxsize=1)
def _runs() -> computed.Runs:
    return computed.recorded(computed.prepared(CONFIG, computed.rates_of(OPTIMIZERS, {})))


@lru_cache(maxsize=2)
def _views(kind: str) -> list[computed.View]:
    return computed.views(_runs(), kind, GRID)


def loss_plane() -> Figure:
    return landscape.plane(_views("pca")[0], _runs().rates, "Three optimizers on the digits' loss")


def loss_surface() -> Figure:
    return landscape.surface(_views("pca")[0], _runs().rates, "The loss surface of a network, and three optimizers on it")


def random_planes() -> Figure:
    return landscape.around(_views("random"), _runs().rates, "The loss around three solutions, on random planes")


def interpolation() -> Figure:
    runs = _runs()
    grown, between = computed.lines(runs)
    other = computed.recorded(computed.prepared(replace(CONFIG, seed=1), {"adam": runs.rates["adam"]})).paths["adam"].last
    t = next(iter(between.values())).t
    between["adam", "adam from other weights"] = plane.line(runs.model, runs.paths["adam"].last, other, runs.X, runs.y, t)
    return sharpness.interpolation(grown, between, runs.metric, "Straight lines between networks that classify digits")


def edge_of_stability() -> Figure:
    """Gradient descent on the diabetes data with three learning rates: sharpness against 2/learning rate."""
    shown = []
    for rate, color in EDGE_RATES.items():
        config = TrainConfig("diabetes", hidden=(32, 32), activation=("tanh",), batch_size=0, epochs=EDGE_EPOCHS, validation=0.0)
        runs = computed.recorded(computed.prepared(config, {"sgd": rate}), every=EDGE_EVERY)
        epochs, found = computed.sharpness(runs, rows=len(runs.X), points=EDGE_EPOCHS // EDGE_EVERY + 1)["sgd"]
        history = runs.paths["sgd"].run.history
        limit = computed.stable_below("sgd", rate, {})
        shown.append(sharpness.Sharpness(f"learning rate {rate:g}", color, "-", epochs, np.ravel(found.top), limit, history))
    return sharpness.sharpness(
        shown, "Gradient descent at the edge of stability", "largest curvature of the loss, and 2/learning rate (dashed)"
    )


GALLERY: tuple[Entry, ...] = (
    Entry(
        "loss_plane",
        "Three optimizers train the same network from the same weights; the plane nearest to their paths shows the loss, and the panels"
        " beside it how far that loss is from the one that the networks really had.",
        "Let us now visualize how different optimization strategies traverse the loss surface.",
        loss_plane,
    ),
    Entry(
        "loss_surface",
        "The loss of a real network (64-32-32-10 on handwritten digits) above the plane nearest to three training"
        " runs that start from the same weights.",
        "The loss is therefore a function of all internal model parameters, $ \\mathcal{L}: \\mathbb{R}^p \\rightarrow \\mathbb{R} $.",
        loss_surface,
    ),
    Entry(
        "random_planes",
        "The loss around each optimizer's solution along two random directions, in which every neuron moves by its own norm.",
        "In reality, though, the loss functions of MLPs depend on many parameters and define highly non-convex loss surfaces with local"
        " minima and saddle points, as illustrated below:",
        random_planes,
    ),
    Entry(
        "interpolation",
        "On the straight line from the initial weights the loss falls to each solution, and between two solutions it may rise: hardly any"
        " barrier stands between optimizers that started from the same weights, and a high one between runs from different weights.",
        "Non-convex loss functions naturally contain local minima.",
        interpolation,
    ),
    Entry(
        "edge_of_stability",
        "Gradient descent with three learning rates on the diabetes data: the largest eigenvalue of the Hessian rises or falls to"
        " 2/learning rate, above which a quadratic diverges, and stays there.",
        "where $ \\alpha $ is our learning rate and the gradient of the loss function $ \\nabla\\mathcal{L}(\\mathbf{w_t}) $ is the"
        " gradient over all training points:",
        edge_of_stability,
    ),
)
