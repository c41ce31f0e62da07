"""Many runs of one rule in one compiled call: a start a pixel (basins), or a pair of its numbers a pixel (heat)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..bound import Bound
from ..compiled import jit
from ..errors import InputError
from ..optimizers import Optimizer
from ..surfaces import Surface, grid
from .paths import RULES, end, stacked

NONE, DIVERGED = -1, -2  # labels beside the minima's numbers
FAR = 10.0  # widths of the domain from its centre: farther off, a run has diverged


class Basins(NamedTuple):
    """Where runs from a grid of starts end: x (nx,), y (ny,); label (ny, nx) int32, the number of the minimum reached
    in surface.minima, NONE or DIVERGED; steps (ny, nx) int32, the first step from which on the run stays within
    `distance` of that minimum, -1 where none is reached; limit, the steps that each run had."""

    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    steps: np.ndarray
    distance: float
    limit: int


def basins(surface: Surface, optimizer: Optimizer, steps: int = 500, size: int = 256, distance: float | None = None) -> Basins:
    """The minimum that each of size x size starts, evenly spaced over the domain, is led to by `steps` gradients.

    distance: how near the last point must be to a known minimum; default 1 % of the domain's width. InputError if
    the surface has no known minimum.
    """
    if not surface.minima:
        raise InputError(f"surface {surface.name} has no known minimum: it has no basins to map")
    near = 0.01 * surface.width if distance is None else distance
    dtype = jnp.result_type(float)
    x, y = grid(surface, size)
    X, Y = (jnp.asarray(a.ravel(), dtype) for a in np.meshgrid(x, y))
    centre = jnp.asarray([sum(surface.x) / 2, sum(surface.y) / 2], dtype)
    minima = jnp.asarray(surface.minima, dtype)
    label, since = jax.device_get(_basins(surface.f, optimizer, X, Y, minima, near, centre, FAR * surface.width, steps))
    return Basins(x, y, label.reshape(size, size), since.reshape(size, size), near, steps)


@partial(jit, static_argnames="steps")
def _basins(f: Bound, optimizer: Optimizer, X: Any, Y: Any, minima: Any, near: Any, centre: Any, far: Any, steps: int) -> tuple[Any, Any]:
    """Two passes: where each run ends, then since when it has been near the minimum that it ends at. Both are the same
    arithmetic, so no path is kept, and no step looks at every minimum."""
    (x, y), _, _ = jax.vmap(lambda x, y: end(f, optimizer, (x, y), steps))(X, Y)

    def nearer(best: Any, one: Any) -> Any:
        least, label, i = best
        gap = jnp.hypot(x - one[0], y - one[1])
        return (jnp.where(gap < least, gap, least), jnp.where(gap < least, i, label), i + 1), None

    start = (jnp.full_like(x, jnp.inf), jnp.zeros_like(x, jnp.int32), jnp.zeros((), jnp.int32))
    (least, nearest, _), _ = jax.lax.scan(nearer, start, minima)
    off = jnp.hypot(x - centre[0], y - centre[1])
    label = jnp.where(off <= far, jnp.where(least <= near, nearest, NONE), DIVERGED)

    def since(x: Any, y: Any, goal: Any) -> Any:
        return end(f, optimizer, (x, y), steps, lambda w, loss: jnp.hypot(w[0] - goal[0], w[1] - goal[1]) <= near)[2]

    found = jax.vmap(since)(X, Y, minima[nearest])
    return label, jnp.where(label >= 0, jnp.minimum(found, steps), -1)


class Heat(NamedTuple):
    """Runs over two numbers of a rule: rates (nx,), the learning rates; second (ny,), values of the argument `name`;
    loss (ny, nx), the last; steps (ny, nx) int32: the first step from which on the loss stays at or under the target,
    limit + 1 if it does not, None without a target; limit, the steps that each run had."""

    rates: np.ndarray
    name: str
    second: np.ndarray
    loss: np.ndarray
    steps: np.ndarray | None
    limit: int


def second_number(rule: str) -> str:
    """The argument of a rule that a heat map varies beside the learning rate: its momentum, or the decay of its mean squares."""
    arguments = inspect.signature(RULES[rule]).parameters
    order: tuple[str, ...] = ("momentum", "b1", "decay", "rho", "initial_accumulator_value")
    if rule == "rmsprop":
        order = ("decay",)  # its momentum is an extra
    return next(name for name in order if name in arguments)


def heat(
    surface: Surface,
    build: Callable[..., Optimizer],
    name: str,
    start: Any = None,
    steps: int = 200,
    rates: np.ndarray | None = None,
    second: np.ndarray | None = None,
    target: float | None = None,
) -> Heat:
    """Every pair of learning rate and second number, one run each, in one compiled call.

    build: build(rate, **{name: value}) makes the optimizer. rates: default 48 from 1e-5 to 1e2, evenly in the
    logarithm; second: default 40 from 0 to 0.99, evenly. start: default the surface's.
    """
    rates = np.geomspace(1e-5, 1e2, 48) if rates is None else rates
    second = np.linspace(0, 0.99, 40) if second is None else second
    rule = stacked([build(float(rate), **{name: float(value)}) for value in second for rate in rates])
    shape = (len(second), len(rates))
    at = np.broadcast_to(np.asarray(surface.start if start is None else start, jnp.result_type(float)), (len(second) * len(rates), 2))
    loss, since = ends(surface.f, rule, at, steps, target)
    return Heat(rates, name, second, loss.reshape(shape), None if since is None else since.reshape(shape), steps)


def ends(f: Bound, optimizers: Optimizer, starts: Any, steps: int, target: float | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Last losses (n,) of n stacked optimizers, each from its own start (n, 2), and the steps to the target as in Heat."""
    return jax.device_get(_ends(f, optimizers, starts, target, steps))


@partial(jit, static_argnames="steps")
def _ends(f: Bound, optimizers: Optimizer, starts: Any, target: Any, steps: int) -> tuple[Any, Any]:
    watch = None if target is None else lambda w, loss: loss <= target
    return jax.vmap(lambda optimizer, x, y: end(f, optimizer, (x, y), steps, watch)[1:])(optimizers, starts[:, 0], starts[:, 1])
