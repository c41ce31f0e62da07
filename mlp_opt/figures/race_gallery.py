"""The races of the gallery: what the notes say about optimizers, each sentence with the picture that shows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from matplotlib.figure import Figure

from ..races.fair import fair
from ..races.maps import basins, heat, second_number
from ..races.paths import SEVEN, default_rate, make, race
from ..surfaces import SURFACES, Surface
from .entries import Entry
from .race import race_picture
from .race_gif import race_gif
from .race_maps import basin_map, fair_picture, heat_map


def _in_float64(make: Callable[[], Figure | bytes]) -> Callable[[], Figure | bytes]:
    def wide() -> Figure | bytes:
        with jax.enable_x64(True):
            return make()

    return wide


def _raced(surface: Surface, steps: int, rate: float | None = None) -> tuple[Any, dict[str, float]]:
    rates = {name: rate or default_rate(surface, name) for name in SEVEN}
    return race(surface, {name: make(name, rate) for name, rate in rates.items()}, steps=steps), rates


def _saddle() -> bytes:
    return race_gif(SURFACES["saddle"], *_raced(SURFACES["saddle"], 90), title="Escape from a saddle point")


def _valley() -> bytes:
    return race_gif(SURFACES["quadratic"], *_raced(SURFACES["quadratic"], 160), title="A valley a hundred times steeper than its floor")


def _one_rate() -> Figure:
    return race_picture(SURFACES["sine_saddle"], *_raced(SURFACES["sine_saddle"], 350, 0.02), title="One learning rate for all")


def _cliff() -> Figure:
    return race_picture(SURFACES["cliff"], *_raced(SURFACES["cliff"], 200), title="A plateau that ends in a cliff")


def _fair() -> Figure:
    return fair_picture(SURFACES["rosenbrock"], fair(SURFACES["rosenbrock"], {name: partial(make, name) for name in SEVEN}, steps=500))


def _basins() -> Figure:
    surface = SURFACES["local_minimum"]
    rates = {name: default_rate(surface, name) for name in ("sgd", "momentum", "adam")}
    return basin_map(surface, {name: basins(surface, make(name, rate)) for name, rate in rates.items()}, rates)


def _heat() -> Figure:
    surface = SURFACES["rosenbrock"]
    return heat_map(surface, {name: heat(surface, partial(make, name), second_number(name), steps=500) for name in ("momentum", "adam")})


GALLERY: tuple[Entry, ...] = (
    Entry(
        "race_saddle",
        "Seven optimizers start beside the ridge of x^2 - y^2: plain gradient descent waits at the saddle, the others have left by then.",
        "Additionally, we can see that momentum explores a wider region of loss surface initially before taking the direct path to the "
        "minimum. This capacity allows it to escape early traps like saddle points.",
        _in_float64(_saddle),
    ),
    Entry(
        "race_valley",
        "In a narrow valley momentum swings across and plain gradient descent crawls along the floor, while the adaptive rules take steps "
        "of like size in both directions.",
        "We want to take smaller steps (lower learning rates) in directions where the gradient has been consistently large, and larger "
        "steps in directions where the gradients are small.",
        _in_float64(_valley),
    ),
    Entry(
        "race_one_rate",
        "With one learning rate for all, Adam and RMSProp arrive together, before gradient descent; AdaGrad's steps shrink until it "
        "hardly moves (momentum, whose steps add up, is faster still here).",
        "In this first GIF, we clearly observe that Adam and RMSProp converge at a similar and notably faster rate than the others, "
        "quickly navigating toward the minimum. In contrast, AdaGrad seems to struggle with convergence, reflecting its tendency to decay "
        "learning rates too aggressively over time.",
        _in_float64(_one_rate),
    ),
    Entry(
        "race_cliff",
        "On the plateau gradient descent hardly moves; momentum gathers speed, and the adaptive rules walk on at their own pace.",
        "Flat regions, or plateaus, have very small gradients across a wide area, resulting in negligible parameter updates.",
        _in_float64(_cliff),
    ),
    Entry(
        "race_fair",
        "Each optimizer at the best of the same 36 learning rates on Rosenbrock's valley, tuned and reported on different random starts.",
        "This means that, with appropriate tuning of the learning rate, SGD can still converge effectively in practice.",
        _in_float64(_fair),
    ),
    Entry(
        "race_basins",
        "Which of two minima each of 65,536 starts leads to, and in how many steps: momentum carries more starts past the local one.",
        "Non-convex loss functions naturally contain local minima. Traditional gradient descent can easily get stuck in such points.",
        _in_float64(_basins),
    ),
    Entry(
        "race_heat",
        "The loss after 500 steps for each pair of learning rate and momentum: the more momentum, the smaller the rate that still arrives.",
        "The momentum term helps the optimizer build speed in consistent descent directions and dampen oscillations in noisy regions.",
        _in_float64(_heat),
    ),
)
