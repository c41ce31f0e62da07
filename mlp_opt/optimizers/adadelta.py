"""Adadelta: steps in the units of the weights, from the ratio of two moving averages.

Source: Zeiler 2012, algorithm 1. Equals optax.adadelta.

    v <- rho v + (1 - rho) g^2
    s = sqrt(x + epsilon) / sqrt(v + epsilon) (.) g,    x <- rho x + (1 - rho) s^2
    w <- w - alpha s
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, decay_mask, increment, leafwise, rate, zero_count


class AdadeltaState(NamedTuple):
    """t, the number of updates; v, mean squared gradients; x, mean squared steps."""

    t: Int[Array, ""]
    v: PyTree
    x: PyTree


def adadelta(
    learning_rate: Rate | None = None,
    rho: Number = 0.9,
    eps: Number = 1e-6,
    weight_decay: Rate = 0.0,
    weight_decay_mask: Any = None,
) -> Optimizer:
    """Adadelta, equal to optax.adadelta. learning_rate None is 1, the paper's rule.

    weight_decay is added to the gradient, g + weight_decay w (not decoupled), where the mask says;
    when it is not 0, update raises ValueError without params.
    """
    alpha = 1.0 if learning_rate is None else learning_rate
    decay = None if isinstance(weight_decay, (int, float)) and weight_decay == 0 else weight_decay
    return Optimizer(Bound(_init), Bound(_update, learning_rate=alpha, rho=rho, eps=eps, weight_decay=decay, mask=weight_decay_mask))


def _init(params):
    return AdadeltaState(zero_count(), accumulator(params), accumulator(params))


def _update(grads, state, params=None, *, learning_rate, rho, eps, weight_decay, mask, **extra_args):
    def rule(g, v, x, w=None, decays=None, *, alpha, rho, eps, decay):
        if w is not None:
            g = g + decay * decays * w
        v = rho * v + (1 - rho) * g**2
        s = jnp.sqrt(x + eps) / jnp.sqrt(v + eps) * g
        x = rho * x + (1 - rho) * s**2
        return -alpha * s, v, x

    reads = () if weight_decay is None else (params, decay_mask(mask, params))
    numbers = {"alpha": rate(learning_rate, state.t), "decay": rate(weight_decay, state.t) if reads else 0.0}
    updates, v, x = leafwise(rule, grads, state.v, state.x, reads=reads, rho=rho, eps=eps, **numbers)
    return updates, AdadeltaState(increment(state.t), v, x)
