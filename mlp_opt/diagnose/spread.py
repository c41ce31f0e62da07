"""How far runs of SGD that differ only in the samples they drew lie apart: many runs, and what theory says of them.

Source: the notes, "Stochastic Gradient Descent" (the noise ball), on the losses of batches.py: two parameters, w = (weight, bias).
Along the path m of gradient descent, to first order in the noise,

    C[t+1] = (I - alpha H) C[t] (I - alpha H)^T + alpha^2 Sigma / b,        C[0] = 0

with H the Hessian of the loss and Sigma the covariance of the samples' gradients, both at m[t], and samples drawn with replacement. Where
m rests in the minimum C tends to the noise ball (Mandt et al. 2017, "Stochastic Gradient Descent as Approximate Bayesian Inference",
take its limit for small alpha); in one dimension its root is `noise.ball_radius`.

A batch size may be traced here: of `most` samples drawn at each step the first b count, so that all batch sizes see the same draws.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..backprop import value_and_grad
from ..compiled import jit
from ..optimizers import apply_updates, sgd
from .batches import MODEL, full_loss, network
from .noise import flat, sample_gradients

Points = Float[Array, "... 2"]


@partial(jit, static_argnames=("most", "steps", "reshuffle"))
def runs(
    start: Float[Array, 2],
    X: Float[Array, "n 1"],
    y: Float[Array, " n"],
    learning_rate: Any,
    batches: Int[Array, " k"],
    keys: Any,
    *,
    most: int,
    steps: int,
    reshuffle: bool = False,
) -> Float[Array, "seeds k steps_and_1 2"]:
    """The points that sgd(learning_rate) visits from `start` with each batch size (at most `most`), for each key.

    reshuffle: False draws with replacement; True visits every sample once before any again, in a new order each time.
    """
    optimizer = sgd(learning_rate)

    def one(drawn: Any, b: Array) -> Array:
        weight = (jnp.arange(most) < b).astype(X.dtype)

        def step(carry: Any, t: Array) -> Any:
            params, state = carry
            rows = drawn[t * b + jnp.arange(most)] if reshuffle else drawn[t]
            _, grads = value_and_grad(MODEL, params, X[rows], y[rows], sample_weight=weight)
            updates, state = optimizer.update(grads, state, params)
            params = apply_updates(params, updates)
            return (params, state), flat(params)

        params = network(start)
        _, visited = jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(steps))
        return jnp.concatenate([start[None], visited])

    def of(key: Array) -> Array:
        drawn = _orders(key, X.shape[0], most, steps) if reshuffle else _draws(key, X.shape[0], most, steps)
        return jax.vmap(partial(one, drawn))(batches)

    return jax.lax.map(of, keys, batch_size=16)


def _draws(key: Array, n: int, most: int, steps: int) -> Int[Array, "steps most"]:
    return jax.vmap(lambda k: jax.random.randint(k, (most,), 0, n))(jax.random.split(key, steps))


def _orders(key: Array, n: int, most: int, steps: int) -> Int[Array, " samples"]:
    """Orders of all samples, one after the other, as many as the steps can use up."""
    epochs = -(-(steps * most) // n) + -(-most // n)
    return jax.vmap(lambda k: jax.random.permutation(k, n))(jax.random.split(key, epochs)).ravel()


class Cloud(NamedTuple):
    """each (n, 2): the samples' gradients at a point; full (2,): their mean, the gradient; covariance (2, 2): Sigma, divided by n."""

    each: Float[Array, "n 2"]
    full: Float[Array, 2]
    covariance: Float[Array, "2 2"]


@jit
def cloud(w: Float[Array, 2], X: Float[Array, "n 1"], y: Float[Array, " n"]) -> Cloud:
    """The samples' gradients at w."""
    each = sample_gradients(MODEL, network(w), X, y)
    return Cloud(each, flat(value_and_grad(MODEL, network(w), X, y)[1]), _covariance(each))


@partial(jit, static_argnames=("most", "count", "reshuffle"))
def means(each: Float[Array, "n 2"], batch: Any, key: Any, *, most: int, count: int, reshuffle: bool = False) -> Points:
    """The means of `count` batches of rows of `each`, drawn with replacement or, with reshuffle, without."""

    def one(key: Array) -> Array:
        n = each.shape[0]
        rows = jax.random.permutation(key, n)[jnp.arange(most) % n] if reshuffle else jax.random.randint(key, (most,), 0, n)
        return jnp.sum(jnp.where((jnp.arange(most) < batch)[:, None], each[rows], 0), axis=0) / batch

    return jax.lax.map(one, jax.random.split(key, count), batch_size=32)


def _covariance(points: Points) -> Float[Array, "2 2"]:
    off = points - jnp.mean(points, axis=0)
    return off.T @ off / points.shape[0]


@jit
def predicted(
    path: Float[Array, "steps_and_1 2"], X: Float[Array, "n 1"], y: Float[Array, " n"], rates: Float[Array, " steps"], batch: Any
) -> Float[Array, "steps_and_1 2 2"]:
    """C at every step, as above: `path` is gradient descent's with these learning rates."""

    def local(w: Array) -> Any:
        return jax.hessian(full_loss)(w, X, y), cloud(w, X, y).covariance

    def step(C: Array, at: Any) -> Any:
        alpha, H, noise = at
        A = jnp.eye(2, dtype=X.dtype) - alpha * H
        C = A @ C @ A.T + alpha**2 * noise / batch
        return C, C

    H, noise = jax.lax.map(local, path[:-1], batch_size=32)
    zero = jnp.zeros((2, 2), X.dtype)
    return jnp.concatenate([zero[None], jax.lax.scan(step, zero, (rates, H, noise))[1]])


@jit
def ball(least: Float[Array, 2], X: Float[Array, "n 1"], y: Float[Array, " n"], alpha: Any, batch: Any) -> Float[Array, "2 2"]:
    """The C at which the recursion rests in the minimum `least` for a constant rate; NaN where that is too high, alpha lambda >= 2."""
    H, noise = jax.hessian(full_loss)(least, X, y), cloud(least, X, y).covariance
    values, basis = jnp.linalg.eigh(H)
    kept = 1 - alpha * values
    C = alpha**2 * (basis.T @ noise @ basis) / batch / (1 - kept[:, None] * kept[None, :])
    return jnp.where(jnp.all(jnp.abs(kept) < 1), basis @ C @ basis.T, jnp.nan)


@jit
def spread(points: Float[Array, "seeds steps_and_1 2"]) -> tuple[Points, Float[Array, "steps_and_1 2 2"]]:
    """Mean and covariance (divided by the number of seeds less one) of the runs at every step."""
    off = points - points[0]  # so that equal points have no spread at all, whatever the rounding of their mean
    middle = jnp.mean(off, axis=0)
    off = off - middle
    return points[0] + middle, jnp.einsum("sti,stj->tij", off, off) / (points.shape[0] - 1)
