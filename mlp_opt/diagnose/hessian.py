"""Eigenvalues of the Hessian of the loss: products with it, and Lanczos' method.

A product with the Hessian is the derivative of the hand-written gradient along a direction (forward over reverse, Pearlmutter 1994):

    H v = d/dt grad(w + t v) at t = 0          jax.jvp of backprop.value_and_grad

Lanczos' method builds an orthonormal basis of v, H v, H H v, ... in which H is tridiagonal. The outermost eigenvalues of that
small matrix are those of H long before the basis is complete (Golub & Van Loan, section 10.1). Every new vector is made
orthogonal to all earlier ones twice; without that, rounding brings eigenvalues back as false copies.

The largest eigenvalue is called the sharpness. Gradient descent with learning rate a diverges along an eigenvector whose
eigenvalue is above 2/a, and on networks the sharpness rises to 2/a and stays there ("edge of stability", Cohen et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import eigh_tridiagonal

from ..backprop import value_and_grad
from ..bound import widen
from ..compiled import jit
from ..errors import InputError
from ..model import MLP, Params


class Eigenvalues(NamedTuple):
    """Of the Hessian at each of some points."""

    top: np.ndarray  # (points, k), the largest, descending
    lowest: np.ndarray  # (points,), the most negative
    residual: np.ndarray  # (points, k + 1), |H v - value v| of each for its unit vector v, the lowest's last: bounds its error


def product(model: MLP, params: Params, X: Float[Array, "n n_in"], y: Array, v: Params, l2: Any = 0.0) -> Params:
    """H v, with the structure of `params`; H is the Hessian of `mlp_opt.loss` at `params`."""
    return jax.jvp(lambda p: value_and_grad(model, p, X, y, l2=l2)[1], (params,), (v,))[1]


def eigenvalues(
    model: MLP, snapshots: Params, X: Float[Array, "n n_in"], y: Array, *, k: int = 1, steps: int = 40, l2: Any = 0.0, seed: int = 0
) -> Eigenvalues:
    """The k largest and the lowest eigenvalue at each snapshot (leading axis: points), in one compiled call.

    steps: products with the Hessian at each point, at most the number of parameters, where the result is exact; `residual`
    says whether they were enough. An eigenvalue that occurs several times is found once. In float32 or float64.
    InputError unless 1 <= k <= steps, and for the activation "step".
    """
    weights = sum(int(np.prod(leaf.shape[1:])) for leaf in jax.tree.leaves(snapshots))
    steps = min(steps, weights)
    if not 1 <= k <= steps:
        raise InputError(f"k must be from 1 to the {steps} steps of Lanczos' method, got {k}")
    wide = jax.tree.map(lambda x: jnp.asarray(x, widen(x.dtype)), snapshots)
    found = []
    for alpha, beta in zip(*(np.asarray(v, np.float64) for v in _tridiagonal(model, steps, wide, X, y, l2, np.uint32(seed))), strict=True):
        values, vectors = eigh_tridiagonal(alpha, beta[:-1])
        shown = [*range(steps - 1, steps - 1 - k, -1), 0]
        found.append((values[shown[:-1]], values[0], np.abs(beta[-1] * vectors[-1, shown])))
    return Eigenvalues(*(np.array(column) for column in zip(*found, strict=True)))


def lanczos(times: Callable[[Array], Array], start: Float[Array, " n"], steps: int, key: Array) -> tuple[Array, Array]:
    """The tridiagonal matrix of a symmetric map after `steps` <= n products: (alpha (steps,), beta (steps,)).

    alpha is its diagonal and beta[:-1] what stands beside it; beta[-1] is the length of what the basis leaves over. Where
    the basis is already complete under the map (beta = 0), it goes on with a new direction drawn from `key`.
    """
    n, dtype = start.shape[0], start.dtype

    def orthogonal(w: Array, basis: Array) -> Array:
        return w - basis.T @ (basis @ w)

    def step(j: Any, carry: Any) -> Any:
        basis, alpha, beta, size = carry
        w = times(basis[j])
        alpha = alpha.at[j].set(jnp.vdot(basis[j], w))
        size = jnp.maximum(size, jnp.linalg.norm(w))
        w = orthogonal(w, basis)
        complete = jnp.linalg.norm(w) <= 50 * jnp.finfo(dtype).eps * size
        w = jnp.where(complete, jax.random.normal(jax.random.fold_in(key, j), (n,), dtype), w)
        w = orthogonal(orthogonal(w, basis), basis)  # once leaves rounding errors the size of what it removed
        length = jnp.linalg.norm(w)
        beta = beta.at[j].set(jnp.where(complete, 0, length))
        return basis.at[j + 1].set(w / jnp.where(length == 0, 1, length), mode="drop"), alpha, beta, size

    basis = jnp.zeros((steps, n), dtype).at[0].set(start / jnp.linalg.norm(start))
    zero = jnp.zeros((steps,), dtype)
    _, alpha, beta, _ = jax.lax.fori_loop(0, steps, step, (basis, zero, zero, jnp.zeros((), dtype)))
    return alpha, beta


@partial(jit, static_argnums=(0, 1))
def _tridiagonal(model: MLP, steps: int, snapshots: Params, X: Any, y: Any, l2: Any, seed: Any) -> tuple[Array, Array]:
    """(alpha, beta) of each snapshot, (points, steps). One after the other: vmapped they were no faster, and their bases are large."""

    def at(params: Params) -> tuple[Array, Array]:
        leaves, structure = jax.tree.flatten(params)
        cuts = np.cumsum([leaf.size for leaf in leaves]).tolist()

        def times(v: Array) -> Array:
            parts = [part.reshape(leaf.shape) for part, leaf in zip(jnp.split(v, cuts[:-1]), leaves, strict=True)]
            return _ravel(product(model, params, X, y, jax.tree.unflatten(structure, parts), l2))

        first, others = jax.random.split(jax.random.key(seed))
        return lanczos(times, jax.random.normal(first, (cuts[-1],), leaves[0].dtype), steps, others)

    return jax.lax.map(at, snapshots)


def _ravel(params: Params) -> Array:
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(params)])
