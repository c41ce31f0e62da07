"""Initial weights. Each draws W of shape (n_out, n_in); biases start at 0.

he: He et al. 2015, variance 2/n_in. glorot: Glorot & Bengio 2010, 2/(n_in + n_out). lecun: LeCun
et al. 1998, 1/n_in. orthogonal: Saxe et al. 2014. `normal` has standard deviation 1: its size is
the `scale` that `mlp_opt.init` multiplies by. Normal draws are not truncated (as in torch, unlike keras).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Initializer = Callable[..., Float[Array, "n_out n_in"]]


def _normal(variance: Callable[[int, int], float]) -> Initializer:
    def draw(key: Array, n_out: int, n_in: int, dtype: Any) -> Float[Array, "n_out n_in"]:
        return math.sqrt(variance(n_out, n_in)) * jax.random.normal(key, (n_out, n_in), dtype)

    return draw


def _uniform(variance: Callable[[int, int], float]) -> Initializer:
    def draw(key: Array, n_out: int, n_in: int, dtype: Any) -> Float[Array, "n_out n_in"]:
        limit = math.sqrt(3 * variance(n_out, n_in))  # U(-c, c) has variance c^2 / 3
        return jax.random.uniform(key, (n_out, n_in), dtype, -limit, limit)

    return draw


def _he(n_out, n_in):
    return 2 / n_in


def _glorot(n_out, n_in):
    return 2 / (n_in + n_out)


def _lecun(n_out, n_in):
    return 1 / n_in


def _orthogonal(key: Array, n_out: int, n_in: int, dtype: Any) -> Float[Array, "n_out n_in"]:
    tall = jax.random.normal(key, (max(n_out, n_in), min(n_out, n_in)), dtype)
    q, r = jnp.linalg.qr(tall)
    q = q * jnp.where(jnp.diagonal(r) < 0, -1, 1).astype(dtype)  # makes the draw uniform (Haar)
    return q if n_out >= n_in else q.T


def _zeros(key: Array, n_out: int, n_in: int, dtype: Any) -> Float[Array, "n_out n_in"]:
    return jnp.zeros((n_out, n_in), dtype)


INITIALIZERS: dict[str, Initializer] = {
    "he_normal": _normal(_he),
    "he_uniform": _uniform(_he),
    "glorot_normal": _normal(_glorot),
    "glorot_uniform": _uniform(_glorot),
    "lecun_normal": _normal(_lecun),
    "lecun_uniform": _uniform(_lecun),
    "orthogonal": _orthogonal,
    "normal": _normal(lambda n_out, n_in: 1.0),
    "zeros": _zeros,
}
