"""Scores for people: accuracy for classification, R^2 for regression, as means over samples.

Every score is the (weighted) mean of a score per sample, so that it can be summed over batches:
accuracy of 0 or 1 (for several labels the share that is right), and for R^2
1 - mean_j (y_j - y_hat_j)^2 / var_j, whose mean over the data is scikit-learn's r2_score with
uniform averaging, when `var` is the variance of the targets of the same data.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import losses

METRICS = {"mse": "r2", "bce": "accuracy", "softmax_cross_entropy": "accuracy"}


def score(loss: str, a: Float[Array, "n_out batch"], y: Array, var: Float[Array, " n_out"], output: str) -> Float[Array, " batch"]:
    """The score of each sample from its output pre-activation, a column; higher is better, 1 is best."""
    if loss == "softmax_cross_entropy":
        labels = y if y.ndim == 1 else jnp.argmax(y, axis=-1)
        return (jnp.argmax(a, axis=0).astype(labels.dtype) == labels).astype(a.dtype)
    y, var = losses.targets(loss, y, len(a), a.dtype), var[:, None]
    if loss == "bce":
        return jnp.mean(((a > 0) == (y > 0.5)).astype(a.dtype), axis=0)
    errors = (y - losses.sigma(output, a)) ** 2
    constant = jnp.where(errors == 0, jnp.ones_like(errors), 0)  # as scikit-learn: 1 if perfect, else 0
    return jnp.mean(jnp.where(var > 0, 1 - errors / jnp.where(var > 0, var, 1), constant), axis=0)


def variance(loss: str, y: Array, n_out: int, dtype: Any, weight: Array | None = None) -> Float[Array, " n_out"]:
    """The (weighted) variance of each target column, which R^2 divides by; ones where the loss is no mse."""
    if loss != "mse":
        return jnp.ones((n_out,), dtype)
    y = losses.targets(loss, y, n_out, dtype)
    w = losses.shares(y.shape[1], weight, dtype)
    var = jnp.sum(w * (y - jnp.sum(w * y, axis=1, keepdims=True)) ** 2, axis=1)
    return jnp.where(var > (jnp.finfo(dtype).eps * jnp.max(jnp.abs(y), axis=1)) ** 2, var, 0)  # a constant's rounding is none
