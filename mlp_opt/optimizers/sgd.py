"""Gradient descent, SGD, minibatch SGD, and SGD with momentum.

Source: the notes, "Non-Adaptive Optimizers". GD, SGD and minibatch SGD are one rule,

    w <- w - alpha g                         mlp_opt.sgd(alpha) = optax.sgd(alpha)

and differ only in the samples that g averages (all, one, b). Momentum has two forms. The notes' and
keras' holds the learning rate inside the velocity, optax's and torch's outside:

    m <- mu m - alpha g,  w <- w + m         momentum(alpha, mu) = chain(scale_by_learning_rate(alpha), trace(mu))
    m <- mu m + g,        w <- w - alpha m   sgd(alpha, mu)      = optax.sgd(alpha, mu)

They agree while alpha is constant and differ under a schedule. Erratum: the earlier draft of the
notes adds the old velocity, w <- w + m[t]; on a quadratic of curvature lambda that is stable only for
alpha lambda < 1 - mu, where the rule above is stable up to 2 (1 + mu).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, increment, leafwise, rate, zero_count


class SGDState(NamedTuple):
    """t, the number of updates; m, the velocity (None without momentum)."""

    t: Int[Array, ""]
    m: PyTree


def sgd(
    learning_rate: Rate,
    momentum: Number | None = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
) -> Optimizer:
    """w <- w - alpha g; with momentum mu: m <- mu m + g, w <- w - alpha m. Equals optax.sgd.

    nesterov steps along g + mu m instead of m. accumulator_dtype: of m; default at least float32.
    """
    init = Bound(_init, with_momentum=momentum is not None, dtype=accumulator_dtype)
    return Optimizer(init, Bound(_sgd, learning_rate=learning_rate, momentum=momentum, nesterov=nesterov))


def momentum(
    learning_rate: Rate,
    momentum: Number = 0.9,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
) -> Optimizer:
    """The notes' velocity form: m <- mu m - alpha g, w <- w + m, with the new m.

    Equals optax.chain(optax.scale_by_learning_rate(alpha), optax.trace(mu, nesterov)) and keras' SGD.
    nesterov: w <- w + mu m - alpha g with the new m. accumulator_dtype: of m; default at least float32.
    """
    init = Bound(_init, with_momentum=True, dtype=accumulator_dtype)
    return Optimizer(init, Bound(_velocity, learning_rate=learning_rate, momentum=momentum, nesterov=nesterov))


def _init(params, *, with_momentum, dtype):
    return SGDState(zero_count(), accumulator(params, dtype=dtype) if with_momentum else None)


def _sgd(grads, state, params=None, *, learning_rate, momentum, nesterov, **extra_args):
    alpha = rate(learning_rate, state.t)
    if momentum is None:
        (updates,) = leafwise(lambda g, *, alpha: (-alpha * g,), grads, alpha=alpha)
        return updates, SGDState(increment(state.t), None)

    def rule(g, m, *, alpha, mu):
        m = mu * m + g
        return -alpha * (g + mu * m if nesterov else m), m

    updates, m = leafwise(rule, grads, state.m, alpha=alpha, mu=momentum)
    return updates, SGDState(increment(state.t), m)


def _velocity(grads, state, params=None, *, learning_rate, momentum, nesterov, **extra_args):
    def rule(g, m, *, alpha, mu):
        m = mu * m - alpha * g
        return (mu * m - alpha * g if nesterov else m), m

    updates, m = leafwise(rule, grads, state.m, alpha=rate(learning_rate, state.t), mu=momentum)
    return updates, SGDState(increment(state.t), m)
