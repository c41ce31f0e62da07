"""The same mathematics in forms that XLA makes faster programs of; the products have the plain one's derivatives, too."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_jvp
def linear(z: Float[Array, "batch n_in"], W: Float[Array, "n_out n_in"]) -> Float[Array, "batch n_out"]:
    """z @ W.T, as torch's `linear` without a bias.

    Lanes under vmap that share z are one wide product with their W stacked: on a CPU XLA would copy all W, transposed, before it.
    """
    return _shared(z, W)


def _linear_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (z, W), (dz, dW) = primals, tangents
    a = linear(z, W)
    if _is_zero(dz):
        return a, z @ dW.T
    if _is_zero(dW):
        return a, dz @ W.T
    return a, dz @ W.T + z @ dW.T


def _is_zero(tangent: Any) -> bool:
    """Whether nothing is differentiated there; JAX never asks where that holds for both."""
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)


linear.defjvp(_linear_jvp, symbolic_zeros=True)


@jax.custom_batching.custom_vmap
def _shared(z: Array, W: Array) -> Array:
    return z @ W.T


@_shared.def_vmap
def _shared_vmap(lanes: int, batched: list[bool], z: Array, W: Array) -> tuple[Array, bool]:
    if batched == [False, True]:
        _, n_out, n_in = W.shape
        wide = z @ W.reshape(lanes * n_out, n_in).T
        return jnp.swapaxes(wide.reshape(len(z), lanes, n_out), 0, 1), True
    axes = [0 if is_batched else None for is_batched in batched]
    return jax.vmap(lambda z, W: z @ W.T, in_axes=axes)(z, W), True


def written_out(x: Array) -> Array:
    """x; on a CPU in an array of its own: XLA's product with a transposed view is up to twice as slow as with a copy."""
    return jax.lax.platform_dependent(x, cpu=jax.lax.optimization_barrier, default=lambda x: x)
