"""Backpropagation by hand: the seven lines of the notes, for a batch.

Source: the notes, "Backpropagation" (the derivation, line by line). With dL/dz[l] written dz,
dL/dW[l] written dW and dL/db[l] written db:

    1. start from dL/dz[L]                         losses.py
    2. delta[L] = dL/dz[L] (.) sigma'(a[L])        losses.py, two-step or fused
    3. for l = L..1:
    4.     dL/dW[l]   = delta[l] z[l-1]^T          delta @ z[l-1].T, summed over the batch
    5.     dL/db[l]   = delta[l]                   delta summed over the batch
    6.     dL/dz[l-1] = W[l]^T delta[l]            W.T @ delta
    7.     delta[l-1] = dL/dz[l-1] (.) sigma'(a[l-1])

The mean over the batch is already inside delta[L] (losses.py), so lines 4 and 5 only add up.
There is no automatic differentiation in this file.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import losses
from .activations import ACTIVATIONS
from .errors import InputError
from .model import MLP, Layer, Params, Trace, forward, is_zero, penalty

NARROW = 32  # with fewer samples a product with a column a sample is slower than one with a row a sample


def backprop(model: MLP, params: Params, trace: Trace, delta: Float[Array, "n_out batch"]) -> Params:
    """Lines 3 to 7: gradients of the loss with the structure of `params`, from delta[L]."""
    z, a, mask = trace
    grads: list[Any] = [None] * model.n_layers
    dz: Any = None  # dL/dz[l]; for l = L it is folded into delta
    for l in range(model.n_layers, 0, -1):  # line 3
        W = params[l - 1].W
        dW = delta @ z[l - 1].T  # line 4
        db = jnp.sum(delta, axis=1)  # line 5
        grads[l - 1] = Layer(dW, db)
        if l == 1:
            break  # dL/dx would be next, and nothing needs it
        dz_above, dz = dz, _back(W, delta)  # line 6
        if model.skips[l - 1]:  # z[l] = sigma(a[l]) + z[l-1] sends dL/dz[l] down unchanged as well
            dz = dz + dz_above
        sigma_prime = ACTIVATIONS[model.activations[l - 2]].derivative(a[l - 1])
        delta = dz * sigma_prime if mask[l - 1] is None else dz * mask[l - 1] * sigma_prime  # line 7
    return tuple(grads)


def backward(
    model: MLP,
    params: Params,
    X: Float[Array, "batch n_in"],
    y: Array,
    *,
    l1: Any = 0.0,
    l2: Any = 0.0,
    sample_weight: Array | None = None,
    dropout: Any = 0.0,
    key: Any = None,
    label_smoothing: Any = 0.0,
) -> tuple[Float[Array, ""], Params, Trace]:
    """One forward and one backward pass: (objective, gradients, trace). See `value_and_grad`."""
    if "step" in model.activations:
        raise InputError(
            "activation 'step' cannot be trained: its derivative is 0 everywhere, so every gradient "
            "through it is 0; use it for predict only, or train with 'sigmoid' or 'relu'"
        )
    trace = forward(model, params, X, dropout=dropout, key=key)
    what = (model.loss, trace.a[-1], y, sample_weight, label_smoothing, model.activations[-1])
    value = losses.value(*what)
    delta = losses.delta(*what)  # lines 1 and 2
    grads = backprop(model, params, trace, delta)
    value = value + penalty(params, l1, l2, value.dtype)
    return value, add_l2(add_l1(grads, params, l1), params, l2), trace


def value_and_grad(
    model: MLP,
    params: Params,
    X: Float[Array, "batch n_in"],
    y: Array,
    *,
    l1: Any = 0.0,
    l2: Any = 0.0,
    sample_weight: Array | None = None,
    dropout: Any = 0.0,
    key: Any = None,
    label_smoothing: Any = 0.0,
) -> tuple[Float[Array, ""], Params]:
    """The objective of `mlp_opt.loss` and its gradients, by hand; same arguments, equals jax.value_and_grad.

    Raises InputError for a model with the activation "step", whose gradient is zero.
    """
    options = {"l1": l1, "l2": l2, "sample_weight": sample_weight, "label_smoothing": label_smoothing}
    value, grads, _ = backward(model, params, X, y, dropout=dropout, key=key, **options)
    return value, grads


def add_l1(grads: Params, params: Params, l1: Any) -> Params:
    """The gradient of l1 times the sum of all |W| is l1 sign(W), 0 where W is 0; biases are left alone."""
    if is_zero(l1):
        return grads
    return tuple(Layer(g.W + jnp.asarray(l1, g.W.dtype) * jnp.sign(p.W), g.b) for g, p in zip(grads, params, strict=True))


def add_l2(grads: Params, params: Params, l2: Any) -> Params:
    """The gradient of l2/2 times the sum of all W^2 is l2 W; biases are left alone."""
    if is_zero(l2):
        return grads
    return tuple(Layer(g.W + jnp.asarray(l2, g.W.dtype) * p.W, g.b) for g, p in zip(grads, params, strict=True))


def _back(W: Float[Array, "n_out n_in"], delta: Float[Array, "n_out batch"]) -> Float[Array, "n_in batch"]:
    """W.T @ delta; on a CPU in a form that XLA multiplies fast: no operand is a transposed view, no result has few columns."""
    return jax.lax.platform_dependent(W, delta, cpu=_back_on_cpu, default=lambda W, delta: W.T @ delta)


def _back_on_cpu(W: Array, delta: Array) -> Array:
    own = jax.lax.optimization_barrier
    return own(W.T) @ delta if delta.shape[1] >= NARROW else own(own(delta.T) @ W).T
