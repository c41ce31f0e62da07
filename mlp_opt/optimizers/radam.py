"""RAdam: Adam that trusts its second moment only once enough gradients have been seen.

Source: Liu et al. 2020, algorithm 2. Equals optax.radam.

    rho_inf = 2 / (1 - beta_2) - 1,    rho = rho_inf - 2 t beta_2^t / (1 - beta_2^t)
    rho >= threshold:  w <- w - alpha r m_hat / (sqrt(v_hat) + epsilon)
                       r = sqrt((rho - 4)(rho - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho))
    otherwise:         w <- w - alpha m_hat
"""

from __future__ import annotations

import jax.numpy as jnp

from ..bound import Bound, Number
from .adam import AdamState
from .base import Optimizer, Rate, accumulator, increment, leafwise, rate, zero_count


def radam(
    learning_rate: Rate,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    threshold: Number = 5.0,
    *,
    nesterov: bool = False,
    eps_hat: bool = False,
) -> Optimizer:
    """RAdam, equal to optax.radam. eps_hat: eps before the bias correction, as torch has it."""
    numbers = {"learning_rate": learning_rate, "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    return Optimizer(Bound(_init), Bound(_update, **numbers, threshold=threshold, nesterov=nesterov, eps_hat=eps_hat))


def _init(params):
    return AdamState(zero_count(), accumulator(params), accumulator(params))


def _update(grads, state, params=None, *, learning_rate, b1, b2, eps, eps_root, threshold, nesterov, eps_hat, **extra_args):
    t = increment(state.t)

    def rule(g, m, v, *, alpha, b1, b2, eps, eps_root, threshold, t):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        if nesterov:
            m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        if eps_hat:
            eps = eps / jnp.sqrt(1 - b2**t)
        rho_inf = 2 / (1 - b2) - 1
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        trusted = rho >= threshold
        rho = jnp.where(trusted, rho, threshold)  # keeps the root real where it is not used
        r = jnp.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        step = jnp.where(trusted, r * m_hat / (jnp.sqrt(v_hat + eps_root) + eps), m_hat)
        return -alpha * step, m, v

    numbers = {"alpha": rate(learning_rate, state.t), "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    updates, m, v = leafwise(rule, grads, state.m, state.v, threshold=threshold, t=t, **numbers)
    return updates, AdamState(t, m, v)
