"""Adamax: Adam with the infinity norm in place of the second moment.

Source: Kingma & Ba 2015, algorithm 2. Equals optax.adamax.

    m <- beta_1 m + (1 - beta_1) g,    u <- max(beta_2 u, |g| + epsilon)
    w <- w - alpha / (1 - beta_1^(t+1)) m / u
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, increment, leafwise, rate, zero_count


class AdamaxState(NamedTuple):
    """t, the number of updates; m, the first moment; u, the decayed largest |g|."""

    t: Int[Array, ""]
    m: PyTree
    u: PyTree


def adamax(learning_rate: Rate, b1: Number = 0.9, b2: Number = 0.999, eps: Number = 1e-8) -> Optimizer:
    """Adamax, equal to optax.adamax."""
    return Optimizer(Bound(_init), Bound(_update, learning_rate=learning_rate, b1=b1, b2=b2, eps=eps))


def _init(params):
    return AdamaxState(zero_count(), accumulator(params), accumulator(params))


def _update(grads, state, params=None, *, learning_rate, b1, b2, eps, **extra_args):
    t = increment(state.t)

    def rule(g, m, u, *, alpha, b1, b2, eps, t):
        m = b1 * m + (1 - b1) * g
        u = jnp.maximum(b2 * u, jnp.abs(g) + eps)
        return -alpha * m / (1 - b1**t) / u, m, u

    numbers = {"alpha": rate(learning_rate, state.t), "b1": b1, "b2": b2, "eps": eps, "t": t}
    updates, m, u = leafwise(rule, grads, state.m, state.u, **numbers)
    return updates, AdamaxState(t, m, u)
