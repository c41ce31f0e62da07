"""AdaGrad: each weight's rate shrinks with the sum of its squared gradients.

Source: the notes, "AdaGrad"; Duchi, Hazan & Singer 2011.

    v <- v + g^2,    w <- w - alpha / sqrt(v + epsilon) (.) g

The notes start v at 0: adagrad(alpha, initial_accumulator_value=0.0, eps=epsilon). optax and keras
start at 0.1. Equals optax.adagrad.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, increment, leafwise, rate, zero_count


class AdaGradState(NamedTuple):
    """t, the number of updates; v, the sums of squared gradients."""

    t: Int[Array, ""]
    v: PyTree


def adagrad(
    learning_rate: Rate,
    initial_accumulator_value: Number = 0.1,
    eps: Number = 1e-7,
    *,
    eps_in_sqrt: bool = True,
) -> Optimizer:
    """AdaGrad, equal to optax.adagrad. eps_in_sqrt=False is torch's form, alpha g / (sqrt(v) + epsilon).

    A weight whose gradients have all been 0 stays where it is.
    """
    init = Bound(_init, initial=initial_accumulator_value)
    return Optimizer(init, Bound(_update, learning_rate=learning_rate, eps=eps, eps_in_sqrt=eps_in_sqrt))


def _init(params, *, initial):
    return AdaGradState(zero_count(), accumulator(params, initial))


def _update(grads, state, params=None, *, learning_rate, eps, eps_in_sqrt, **extra_args):
    def rule(g, v, *, alpha, eps):
        v = v + g**2
        seen = jnp.where(v > 0, v, 1)
        root = jnp.sqrt(seen + eps) if eps_in_sqrt else jnp.sqrt(seen) + eps
        return jnp.where(v > 0, -alpha / root * g, 0), v

    updates, v = leafwise(rule, grads, state.v, alpha=rate(learning_rate, state.t), eps=eps)
    return updates, AdaGradState(increment(state.t), v)
