"""Adam and its near relatives AdamW, NAdam and AMSGrad.

Source: the notes, "Adam"; Kingma & Ba 2015; Loshchilov & Hutter 2019 (AdamW); Dozat 2016 (NAdam);
Reddi, Kale & Kumar 2018 (AMSGrad).

    m <- beta_1 m + (1 - beta_1) g,      m_hat = m / (1 - beta_1^(t+1))
    v <- beta_2 v + (1 - beta_2) g^2,    v_hat = v / (1 - beta_2^(t+1))
    w <- w - alpha / sqrt(v_hat + epsilon) (.) m_hat

The notes put epsilon in the root: adam(alpha, eps=0.0, eps_root=epsilon). The paper, optax and torch
add it to the root: adam(alpha, eps=epsilon). Keras adds it before the bias correction (the paper's
"epsilon hat"): eps_hat=True. Each equals the optax function of its name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number
from .base import Optimizer, Rate, accumulator, decay_mask, increment, leafwise, rate, zero_count


class AdamState(NamedTuple):
    """t, the number of updates; m and v, the first and second moments; v_max (AMSGrad only)."""

    t: Int[Array, ""]
    m: PyTree
    v: PyTree
    v_max: PyTree = None


def adam(
    learning_rate: Rate,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    eps_hat: bool = False,
) -> Optimizer:
    """Adam, equal to optax.adam. mu_dtype: of m, default at least float32. eps_hat: eps before the bias correction."""
    return _adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, eps_hat=eps_hat)


def adamw(
    learning_rate: Rate,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    mu_dtype: Any = None,
    weight_decay: Rate = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
    eps_hat: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay, w <- w - alpha (step + weight_decay w); equal to optax.adamw.

    mask: where the decay applies; a tree of bools or a function from params to one. None: everywhere.
    update raises ValueError without params.
    """
    decay = {"weight_decay": weight_decay, "mask": mask}
    return _adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, eps_hat=eps_hat, **decay)


def nadam(
    learning_rate: Rate,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
) -> Optimizer:
    """Adam with Nesterov's look-ahead in m_hat; equal to optax.nadam (torch and keras schedule beta_1 too)."""
    return _adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, eps_hat=False)


def amsgrad(
    learning_rate: Rate,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> Optimizer:
    """Adam with the largest v_hat so far under the root, so rates never grow; equal to optax.amsgrad."""
    numbers = {"learning_rate": learning_rate, "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    flags = {"correct_m": bias_correction_mu, "correct_v": bias_correction_nu}
    return Optimizer(Bound(_init, mu_dtype=mu_dtype, with_max=True), Bound(_amsgrad_update, **numbers, **flags))


def _adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, **rest):
    numbers = {"learning_rate": learning_rate, "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root}
    return Optimizer(Bound(_init, mu_dtype=mu_dtype), Bound(_adam_update, **numbers, **rest))


def _init(params, *, mu_dtype, with_max=False):
    v_max = accumulator(params) if with_max else None
    return AdamState(zero_count(), accumulator(params, dtype=mu_dtype), accumulator(params), v_max)


def _adam_update(
    grads, state, params=None, *, learning_rate, b1, b2, eps, eps_root, nesterov, eps_hat, weight_decay=None, mask=None, **extra_args
):
    t = increment(state.t)

    def rule(g, m, v, w=None, decays=None, *, alpha, b1, b2, eps, eps_root, decay, t):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        if nesterov:  # the momentum that the next step would use: one step further, with the newest g
            m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        if eps_hat:
            eps = eps / jnp.sqrt(1 - b2**t)
        step = m_hat / (jnp.sqrt(v_hat + eps_root) + eps)
        if w is not None:
            step = step + decay * decays * w
        return -alpha * step, m, v

    reads = () if weight_decay is None else (params, decay_mask(mask, params))
    numbers = {"alpha": rate(learning_rate, state.t), "decay": rate(weight_decay, state.t) if reads else 0.0}
    numbers |= {"b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root, "t": t}
    updates, m, v = leafwise(rule, grads, state.m, state.v, reads=reads, **numbers)
    return updates, AdamState(t, m, v)


def _amsgrad_update(grads, state, params=None, *, learning_rate, b1, b2, eps, eps_root, correct_m, correct_v, **extra_args):
    t = increment(state.t)

    def rule(g, m, v, v_max, *, alpha, b1, b2, eps, eps_root, t):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t) if correct_m else m
        v_hat = v / (1 - b2**t) if correct_v else v
        v_max = jnp.maximum(v_max, v_hat)
        return -alpha * m_hat / (jnp.sqrt(v_max + eps_root) + eps), m, v, v_max

    numbers = {"alpha": rate(learning_rate, state.t), "b1": b1, "b2": b2, "eps": eps, "eps_root": eps_root, "t": t}
    updates, m, v, v_max = leafwise(rule, grads, state.m, state.v, state.v_max, **numbers)
    return updates, AdamState(t, m, v, v_max)
