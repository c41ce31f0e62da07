"""Quasi-hyperbolic momentum: a weighted mean of the plain step and the momentum step.

Source: Ma & Yarats 2019. Not in optax: proven by identities (nu=0 is SGD; nu=1 is momentum with
rate alpha (1 - beta); nu=beta is Nesterov's; QHAdam with nu1=nu2=1 is Adam, with nu1=0 is RMSProp).

    QHM     m <- beta m + (1 - beta) g,    w <- w - alpha ((1 - nu) g + nu m)
    QHAdam  m_hat, v_hat as in Adam,       w <- w - alpha ((1 - nu1) g + nu1 m_hat)
                                                    / (sqrt((1 - nu2) g^2 + nu2 v_hat + eps_root) + eps)
"""

from __future__ import annotations

import jax.numpy as jnp

from ..bound import Bound, Number
from .adam import AdamState
from .base import Optimizer, Rate, accumulator, increment, leafwise, rate, zero_count
from .sgd import SGDState


def qhm(learning_rate: Rate, momentum: Number = 0.999, nu: Number = 0.7) -> Optimizer:
    """QHM; `momentum` is the paper's beta. The defaults are the paper's rule of thumb."""
    return Optimizer(Bound(_qhm_init), Bound(_qhm_update, learning_rate=learning_rate, momentum=momentum, nu=nu))


def qhadam(
    learning_rate: Rate,
    b1: Number = 0.995,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    nu1: Number = 0.7,
    nu2: Number = 1.0,
) -> Optimizer:
    """QHAdam. The defaults are the paper's rule of thumb."""
    numbers = {"learning_rate": learning_rate, "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    return Optimizer(Bound(_qhadam_init), Bound(_qhadam_update, **numbers, nu1=nu1, nu2=nu2))


def _qhm_init(params):
    return SGDState(zero_count(), accumulator(params))


def _qhm_update(grads, state, params=None, *, learning_rate, momentum, nu, **extra_args):
    def rule(g, m, *, alpha, beta, nu):
        m = beta * m + (1 - beta) * g
        return -alpha * ((1 - nu) * g + nu * m), m

    updates, m = leafwise(rule, grads, state.m, alpha=rate(learning_rate, state.t), beta=momentum, nu=nu)
    return updates, SGDState(increment(state.t), m)


def _qhadam_init(params):
    return AdamState(zero_count(), accumulator(params), accumulator(params))


def _qhadam_update(grads, state, params=None, *, learning_rate, b1, b2, eps, eps_root, nu1, nu2, **extra_args):
    t = increment(state.t)

    def rule(g, m, v, *, alpha, b1, b2, eps, eps_root, nu1, nu2, t):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        top = (1 - nu1) * g + nu1 * m_hat
        return -alpha * top / (jnp.sqrt((1 - nu2) * g**2 + nu2 * v_hat + eps_root) + eps), m, v

    numbers = {"alpha": rate(learning_rate, state.t), "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    updates, m, v = leafwise(rule, grads, state.m, state.v, nu1=nu1, nu2=nu2, t=t, **numbers)
    return updates, AdamState(t, m, v)
