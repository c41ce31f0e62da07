"""Where the surface is not convex: SGD leaves a sharp minimum, and optimizers wait at a saddle and on a plateau.

Source: the notes, "Behavior in Non-Convex Loss Surfaces". Small functions whose shape is known exactly,
differentiated by JAX; the optimizers are the registry's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..compiled import jit
from ..optimizers import OPTIMIZERS, sgd

SHARP, FLAT = -1.0, 1.0  # the two minima of `wells`
CURVATURES = {SHARP: 100.0, FLAT: 4.0}
RIDGE = (SHARP * 5 + FLAT) / 6  # the maximum between them, where the two parabolas meet: (w - SHARP) sqrt(100) = (FLAT - w) sqrt(4)

STIFF = 50.0  # curvature across the saddle and the plateau; it bounds the learning rate of gradient descent by 2 / 50
STARTS = ((1.0, 1e-6), (1.0, 3.5))  # on the saddle's ridge all but exactly; far out on the plateau
BEST_LOSS = (-0.25, 0.0)  # at the minima (0, +-1) and (0, 0)


def wells(w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Two parabolas with minima of height 0 at SHARP and FLAT and CURVATURES 100 and 4, joined by a soft minimum of temperature 0.1."""
    parabolas = [k * (w - at) ** 2 / 2 for at, k in CURVATURES.items()]
    return -0.1 * jnp.logaddexp(-parabolas[0] / 0.1, -parabolas[1] / 0.1)


@partial(jit, static_argnames=("seeds", "steps"))
def hops(
    starts: Float[Array, " starts"], noises: Float[Array, " noises"], learning_rate: Any, key: Array, *, seeds: int, steps: int
) -> Float[Array, "starts noises seeds"]:
    """Where SGD on `wells` ends after `steps` steps.

    Gradients carry normal noise of standard deviation `noises` (0: gradient descent); all starts and noises see the same draws.
    """
    optimizer = sgd(learning_rate)
    slope = jax.vmap(jax.vmap(jax.grad(wells)))

    def one(key: Array) -> Array:
        def step(carry: Any, key: Array) -> Any:
            w, state = carry
            updates, state = optimizer.update(slope(w) + noises * jax.random.normal(key, (), w.dtype), state, w)
            return (w + updates, state), None

        w = jnp.broadcast_to(starts[:, None], (starts.shape[0], noises.shape[0]))
        return jax.lax.scan(step, (w, optimizer.init(w)), jax.random.split(key, steps))[0][0]

    return jnp.moveaxis(jax.lax.map(one, jax.random.split(key, seeds), batch_size=256), 0, -1)


def saddle(w: Float[Array, 2]) -> Float[Array, ""]:
    """25 x^2 - y^2 / 2 + y^4 / 4: a saddle at (0, 0), minima at (0, 1) and (0, -1)."""
    return STIFF / 2 * w[0] ** 2 - w[1] ** 2 / 2 + w[1] ** 4 / 4


def plateau(w: Float[Array, 2]) -> Float[Array, ""]:
    """25 x^2 + 1 - exp(-y^2 / 2): a minimum at (0, 0), flat where |y| is large."""
    return STIFF / 2 * w[0] ** 2 + 1 - jnp.exp(-(w[1] ** 2) / 2)


class Waits(NamedTuple):
    """steps: updates made before the trap was left, the number of all if it was not; settled: whether the run ended at a minimum.

    Both (surface, rate): the surfaces are the saddle and the plateau.
    """

    steps: np.ndarray
    settled: np.ndarray


def trapped(w: Float[Array, 2], surface: Array) -> Array:
    """Near the saddle: |y| < 0.5. On the plateau: |y| > 2.5, where the slope along y is below 0.11."""
    return jnp.where(surface == 0, jnp.abs(w[1]) < 0.5, jnp.abs(w[1]) > 2.5)


def waits(rates: Sequence[float], names: Sequence[str] = tuple(OPTIMIZERS), steps: int = 2000) -> dict[str, Waits]:
    """How long each optimizer stays in the trap, for each learning rate, its other options at their defaults; gradients are exact.

    Settled: the last loss is within 0.01 of the minimum's. A rate at which the run leaves the trap and never comes to rest has not settled.
    """
    found = _waits(jnp.asarray(rates, jnp.float32), tuple(names), steps)
    return {name: Waits(np.asarray(inside), np.asarray(settled)) for name, (inside, settled) in zip(names, found, strict=True)}


@partial(jit, static_argnums=(1, 2))
def _waits(rates: Float[Array, " rates"], names: tuple[str, ...], steps: int) -> Any:
    """For each optimizer (steps in the trap, settled), both (2, rates). One loop carries all optimizers: one program."""

    def height(w: Array, surface: Array) -> Array:
        return jnp.where(surface == 0, saddle(w) - BEST_LOSS[0], plateau(w) - BEST_LOSS[1])

    def one(surface: Array, rate: Array) -> Any:
        optimizers = [OPTIMIZERS[name](rate) for name in names]
        start = jnp.asarray(STARTS, rates.dtype)[surface]

        def move(optimizer: Any, w: Array, state: Any, inside: Array, count: Array) -> Any:
            updates, state = optimizer.update(jax.grad(height)(w, surface), state, w)
            w = w + updates
            inside = inside & trapped(w, surface)
            return w, state, inside, count + inside.astype(count.dtype)

        def step(carry: Any, _: Any) -> Any:
            return [move(optimizer, *c) for optimizer, c in zip(optimizers, carry, strict=True)], None

        carry = [(start, optimizer.init(start), jnp.asarray(True), jnp.zeros((), jnp.int32)) for optimizer in optimizers]
        carry, _ = jax.lax.scan(step, carry, length=steps)
        return [(count, height(w, surface) < 0.01) for w, _, _, count in carry]

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(jnp.arange(2), rates)
