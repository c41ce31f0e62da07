"""Lion: steps of equal size in every weight, in the direction of the sign.

Source: Chen et al. 2023, algorithm 2. Equals optax.lion.

    w <- w - alpha (sign(beta_1 m + (1 - beta_1) g) + weight_decay w)
    m <- beta_2 m + (1 - beta_2) g
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, decay_mask, increment, leafwise, rate, zero_count


class LionState(NamedTuple):
    """t, the number of updates; m, the momentum."""

    t: Int[Array, ""]
    m: PyTree


def lion(
    learning_rate: Rate,
    b1: Number = 0.9,
    b2: Number = 0.99,
    mu_dtype: Any = None,
    weight_decay: Rate = 1e-3,
    mask: Any = None,
) -> Optimizer:
    """Lion, equal to optax.lion. mask as in adamw; update raises ValueError without params."""
    numbers = {"learning_rate": learning_rate, "b1": b1, "b2": b2, "weight_decay": weight_decay}
    return Optimizer(Bound(_init, mu_dtype=mu_dtype), Bound(_update, **numbers, mask=mask))


def _init(params, *, mu_dtype):
    return LionState(zero_count(), accumulator(params, dtype=mu_dtype))


def _update(grads, state, params=None, *, learning_rate, b1, b2, weight_decay, mask, **extra_args):
    def rule(g, m, w, decays, *, alpha, b1, b2, decay):
        step = jnp.sign(b1 * m + (1 - b1) * g) + decay * decays * w
        return -alpha * step, b2 * m + (1 - b2) * g

    numbers = {"alpha": rate(learning_rate, state.t), "decay": rate(weight_decay, state.t), "b1": b1, "b2": b2}
    updates, m = leafwise(rule, grads, state.m, reads=(params, decay_mask(mask, params)), **numbers)
    return updates, LionState(increment(state.t), m)
