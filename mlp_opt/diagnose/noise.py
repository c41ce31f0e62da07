"""The noise of minibatch gradients: unbiased, how large, and the ball in which SGD ends.

Source: the notes, "Stochastic Gradient Descent" (unbiased estimates, the noise ball). With G the full
gradient and Sigma the covariance of the samples' gradients, a batch of b samples drawn with
replacement has the mean G and the covariance Sigma / b. The simple noise scale, tr(Sigma) / |G|^2
(McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", eq. 2.9), is therefore the
batch size at which noise and signal are equal: the error |g - G|^2 / |G|^2 of a batch is scale / b on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..backprop import value_and_grad
from ..compiled import jit
from ..model import MLP, Params
from ..optimizers import sgd

CHUNK = 64  # samples whose gradients are held at a time


class NoiseScale(NamedTuple):
    """trace: tr(Sigma), the sum of the variances; square: |G|^2; scale: their ratio, in samples."""

    trace: Float[Array, ""]
    square: Float[Array, ""]
    scale: Float[Array, ""]


def flat(grads: Params) -> Float[Array, " p"]:
    """Gradients as one vector: W and b of layer 1, then of layer 2, ..."""
    return jnp.concatenate([g.ravel() for g in jax.tree.leaves(grads)])


@partial(jit, static_argnums=0)
def full_gradient(model: MLP, params: Params, X: Float[Array, "n n_in"], y: Array) -> Float[Array, " p"]:
    """G, the gradient of the mean loss of all samples."""
    return flat(value_and_grad(model, params, X, y)[1])


@partial(jit, static_argnums=0)
def sample_gradients(model: MLP, params: Params, X: Float[Array, "n n_in"], y: Array) -> Float[Array, "n p"]:
    """The gradient of each sample's own loss. Their mean is `full_gradient`: a sample drawn at random is an unbiased estimate."""
    return jax.lax.map(lambda row: _one(model, params, *row), (X, y), batch_size=CHUNK)


@partial(jit, static_argnums=0)
def noise_scale(model: MLP, params: Params, X: Float[Array, "n n_in"], y: Array) -> NoiseScale:
    """The simple noise scale of these samples, Sigma their population covariance (divided by n).

    tr(Sigma) is the mean of |g_i|^2 minus |G|^2, so that only CHUNK gradients are held at a time.
    """
    squares = jax.lax.map(lambda row: jnp.sum(_one(model, params, *row) ** 2), (X, y), batch_size=CHUNK)
    square = jnp.sum(flat(value_and_grad(model, params, X, y)[1]) ** 2)
    trace = jnp.mean(squares) - square
    return NoiseScale(trace, square, trace / square)


def minibatch_means(gradients: np.ndarray, batch: int, draws: int, seed: int = 0) -> np.ndarray:
    """`draws` minibatch gradients (draws, p): means of `batch` rows of `gradients` (n, p) drawn with replacement."""
    n = len(gradients)
    times = np.random.default_rng([seed, batch]).multinomial(batch, np.full(n, 1 / n), size=draws)  # how often each row was drawn
    return (times / batch).astype(gradients.dtype) @ gradients


def relative_errors(gradients: np.ndarray, batches: Sequence[int], draws: int = 100, seed: int = 0) -> np.ndarray:
    """The mean of |g - G|^2 / |G|^2 over `draws` minibatches of each size; noise scale / batch is expected."""
    G = gradients.mean(axis=0)
    found = [np.mean(np.sum((minibatch_means(gradients, b, draws, seed) - G) ** 2, axis=1)) for b in batches]
    return np.asarray(found) / np.sum(G**2)


def ball_radius(learning_rate: Any, batch: Any, curvature: Any, noise: Any) -> Any:
    """The radius that theory gives SGD's noise ball on lambda w^2 / 2: the root mean square of w, once it is stationary.

    From w <- (1 - alpha lambda) w - alpha xi with Var xi = s^2 / b follows Var w = alpha s^2 / (b lambda (2 - alpha lambda)).
    `noise` is s, the standard deviation of one sample's gradient. Stable for 0 < alpha lambda < 2 only.
    """
    return np.sqrt(learning_rate * noise**2 / (batch * curvature * (2 - learning_rate * curvature)))


@partial(jit, static_argnames=("batches", "seeds", "warmup", "steps"))
def ball(
    centres: Float[Array, " n"],
    learning_rates: Float[Array, " rates"],
    curvature: Any,
    key: Array,
    *,
    batches: tuple[int, ...],
    seeds: int = 256,
    warmup: int = 400,
    steps: int = 600,
) -> Float[Array, "batches rates"]:
    """The radius measured: minibatch SGD on the samples' losses lambda (w - c_i)^2 / 2, from their common minimum, the mean of c.

    Each sample's gradient lambda (w - c_i) has the standard deviation lambda std(c). The root mean square distance from the
    minimum over `seeds` runs and the `steps` steps after `warmup`. All batch sizes and rates see the same draws.
    """
    centred = centres - jnp.mean(centres)
    optimizer = sgd(learning_rates)

    def step(carry: Any, key: Array) -> Any:
        w, state = carry
        drawn = centred[jax.random.randint(key, (max(batches),), 0, centres.shape[0])]
        means = jnp.stack([jnp.mean(drawn[:b]) for b in batches])[:, None]
        updates, state = optimizer.update(curvature * (w - means), state, w)
        w = w + updates
        return (w, state), w**2

    def one(key: Array) -> Array:
        w = jnp.zeros((len(batches), learning_rates.shape[0]), centres.dtype)
        _, squares = jax.lax.scan(step, (w, optimizer.init(w)), jax.random.split(key, warmup + steps))
        return jnp.mean(squares[warmup:], axis=0)

    return jnp.sqrt(jnp.mean(jax.lax.map(one, jax.random.split(key, seeds), batch_size=64), axis=0))


def _one(model: MLP, params: Params, x: Array, y: Array) -> Float[Array, " p"]:
    return flat(value_and_grad(model, params, x[None], y[None])[1])
