"""RMSProp: AdaGrad that forgets, with a moving average of squared gradients.

Source: the notes, "RMSProp"; Tieleman & Hinton 2012 (Coursera, lecture 6.5).

    v <- beta v + (1 - beta) g^2,    w <- w - alpha / sqrt(v + epsilon) (.) g

That is rmsprop(alpha, decay=beta, eps=epsilon), and optax.rmsprop's default. torch divides by
sqrt(v) + epsilon instead: eps_in_sqrt=False.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, increment, leafwise, rate, zero_count


class RMSPropState(NamedTuple):
    """t, the number of updates; v, mean squares; g_mean, mean gradients (centered); m, velocity (momentum)."""

    t: Int[Array, ""]
    v: PyTree
    g_mean: PyTree
    m: PyTree


def rmsprop(
    learning_rate: Rate,
    decay: Number = 0.9,
    eps: Number = 1e-8,
    initial_scale: Number = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Number | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Optimizer:
    """RMSProp, equal to optax.rmsprop.

    initial_scale: v at the start. centered: divide by the standard deviation (v minus the squared
    mean gradient; Graves 2013). momentum: the scaled step, learning rate included, feeds a velocity
    m <- mu m - step, w <- w + m. bias_correction: divide v (and the mean) by 1 - beta^t.
    """
    init = Bound(_init, initial=initial_scale, centered=centered, with_momentum=momentum is not None)
    flags = {"centered": centered, "eps_in_sqrt": eps_in_sqrt, "nesterov": nesterov, "correct": bias_correction}
    return Optimizer(init, Bound(_update, learning_rate=learning_rate, decay=decay, eps=eps, momentum=momentum, **flags))


def _init(params, *, initial, centered, with_momentum):
    g_mean = accumulator(params) if centered else None
    m = accumulator(params) if with_momentum else None
    return RMSPropState(zero_count(), accumulator(params, initial), g_mean, m)


def _update(grads, state, params=None, *, learning_rate, decay, eps, momentum, eps_in_sqrt, centered, nesterov, correct, **extra_args):
    t = increment(state.t)

    def scaled(g, v, g_mean=None, *, alpha, beta, eps, t):
        v = beta * v + (1 - beta) * g**2
        correction = 1 - beta**t if correct else 1
        spread = v / correction
        new: tuple[Any, ...] = (v,)
        if centered:
            g_mean = beta * g_mean + (1 - beta) * g
            spread = spread - (g_mean / correction) ** 2
            new = (v, g_mean)
        root = jnp.sqrt(spread + eps) if eps_in_sqrt else jnp.sqrt(spread) + eps
        return -alpha / root * g, *new

    trees = (state.v, state.g_mean) if centered else (state.v,)
    alpha = rate(learning_rate, state.t)
    updates, v, *rest = leafwise(scaled, grads, *trees, alpha=alpha, beta=decay, eps=eps, t=t)
    m = None
    if momentum is not None:
        updates, m = leafwise(_velocity(nesterov), updates, state.m, mu=momentum)
    return updates, RMSPropState(t, v, rest[0] if centered else None, m)


def _velocity(nesterov):
    def rule(step, m, *, mu):
        m = mu * m + step
        return (step + mu * m if nesterov else m), m

    return rule
