"""Initial weights. Each makes W of shape (n_out, n_in) from as many independent numbers; biases start at 0.

he: He et al. 2015, variance 2/n_in. glorot: Glorot & Bengio 2010, 2/(n_in + n_out). lecun: LeCun
et al. 1998, 1/n_in. orthogonal: Saxe et al. 2014. `normal` has standard deviation 1: its size is
the `scale` that `mlp_opt.init` multiplies by. Normal draws are not truncated (as in torch, unlike keras).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Weights = Float[Array, "n_out n_in"]


class Initializer(NamedTuple):
    """noise: (key, shape, dtype) -> independent numbers; weights: of these, (n_out, n_in), W.

    In two parts, so that a network draws once for all its layers: random bits are most of what `init` compiles.
    """

    noise: Callable[[Array, tuple[int, ...], Any], Array]
    weights: Callable[[Weights], Weights]


def _uniform_noise(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    return jax.random.uniform(key, shape, dtype, -1, 1)


def _no_noise(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    return jnp.zeros(shape, dtype)


def _normal(variance: Callable[[int, int], float]) -> Initializer:
    return Initializer(jax.random.normal, lambda noise: math.sqrt(variance(*noise.shape)) * noise)


def _uniform(variance: Callable[[int, int], float]) -> Initializer:
    return Initializer(_uniform_noise, lambda noise: math.sqrt(3 * variance(*noise.shape)) * noise)  # U(-c, c) has variance c^2 / 3


def _he(n_out, n_in):
    return 2 / n_in


def _glorot(n_out, n_in):
    return 2 / (n_in + n_out)


def _lecun(n_out, n_in):
    return 1 / n_in


def _orthogonal(noise: Weights) -> Weights:
    n_out, n_in = noise.shape
    q, r = jnp.linalg.qr(noise if n_out >= n_in else noise.T)
    q = q * jnp.where(jnp.diagonal(r) < 0, -1, 1).astype(noise.dtype)  # makes the draw uniform (Haar)
    return q if n_out >= n_in else q.T


INITIALIZERS: dict[str, Initializer] = {
    "he_normal": _normal(_he),
    "he_uniform": _uniform(_he),
    "glorot_normal": _normal(_glorot),
    "glorot_uniform": _uniform(_glorot),
    "lecun_normal": _normal(_lecun),
    "lecun_uniform": _uniform(_lecun),
    "orthogonal": Initializer(jax.random.normal, _orthogonal),
    "normal": _normal(lambda n_out, n_in: 1.0),
    "zeros": Initializer(_no_noise, lambda noise: noise),
}
