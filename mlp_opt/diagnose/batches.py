"""Gradient descent, SGD and minibatch SGD on a loss with two parameters, so that the contours are the loss itself.

Source: the notes, "Gradient Descent" to "Minibatch SGD". The three are one rule, w <- w - alpha g, and
differ in the samples that g averages: all, one, b drawn at random (here with replacement). The
network is the smallest one, sizes (1, 1) with BCE: logistic regression of one column, w = (weight, bias).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..backprop import value_and_grad
from ..compiled import jit
from ..data import sources
from ..model import MLP, Layer, Params, loss
from ..optimizers import apply_updates, sgd

MODEL = MLP((1, 1), loss="bce")


def column(dataset: str, feature: str) -> tuple[Float[Array, "n 1"], Float[Array, " n"]]:
    """One column of a binary data set, standardized, and its labels 0 and 1; float32."""
    data = sources.load(dataset)
    x = data.X[:, data.features.index(feature)]
    return jnp.asarray((x - x.mean()) / x.std(), jnp.float32)[:, None], jnp.asarray(data.y, jnp.float32)


def network(w: Float[Array, 2]) -> Params:
    """The point (weight, bias) as the parameters of MODEL."""
    return (Layer(w[:1, None], w[1:]),)


def full_loss(w: Float[Array, 2], X: Float[Array, "n 1"], y: Float[Array, " n"]) -> Float[Array, ""]:
    """The loss of all samples at w."""
    return loss(MODEL, network(w), X, y)


@jit
def losses_at(points: Float[Array, "m 2"], X: Float[Array, "n 1"], y: Float[Array, " n"]) -> Float[Array, " m"]:
    """The loss of all samples at each of many points: contours, or the loss along a path."""
    return jax.lax.map(lambda w: full_loss(w, X, y), points, batch_size=256)


@jit
def minimum(X: Float[Array, "n 1"], y: Float[Array, " n"]) -> Float[Array, 2]:
    """The minimum, by 30 steps of Newton's method from 0; there is one where the classes overlap (the loss is convex)."""

    def step(_: Any, w: Array) -> Array:
        return w - jnp.linalg.solve(jax.hessian(full_loss)(w, X, y), jax.grad(full_loss)(w, X, y))

    return jax.lax.fori_loop(0, 30, step, jnp.zeros(2, X.dtype))


@partial(jit, static_argnames=("batch", "steps", "seeds"))
def paths(
    start: Float[Array, 2],
    X: Float[Array, "n 1"],
    y: Float[Array, " n"],
    learning_rate: Any,
    *,
    batch: int | None,
    steps: int,
    seeds: int = 1,
) -> Float[Array, "seeds steps_and_1 2"]:
    """The points that sgd(learning_rate) visits from `start`, for each of the seeds 0, 1, ...

    batch: samples a step, drawn with replacement; None: all of them, gradient descent.
    """
    optimizer = sgd(learning_rate)

    def step(carry: Any, key: Array) -> Any:
        params, state = carry
        rows = slice(None) if batch is None else jax.random.randint(key, (batch,), 0, X.shape[0])
        _, grads = value_and_grad(MODEL, params, X[rows], y[rows])
        updates, state = optimizer.update(grads, state, params)
        params = apply_updates(params, updates)
        return (params, state), jnp.concatenate([params[0].W[0], params[0].b])

    def one(seed: Array) -> Array:
        params = network(start)
        keys = jax.random.split(jax.random.key(seed), steps)
        _, visited = jax.lax.scan(step, (params, optimizer.init(params)), keys)
        return jnp.concatenate([start[None], visited])

    return jax.vmap(one)(jnp.arange(seeds))


def grid(low: tuple[float, float], high: tuple[float, float], n: int) -> tuple[np.ndarray, np.ndarray, Float[Array, "m 2"]]:
    """Two axes of n numbers, and all their n^2 points in the order of `axis_2[:, None], axis_1[None, :]`."""
    first, second = (np.linspace(a, b, n, dtype=np.float32) for a, b in zip(low, high, strict=True))
    points = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    return first, second, jnp.asarray(points)
