"""Universal approximation: how well one hidden layer of each width learns a function, all widths and seeds in one program.

A hidden unit whose incoming and outgoing weights are all 0 has the gradient 0 where sigma(0) = 0 (tanh, relu): its output is 0, so
line 4 sends nothing to the weights behind it, and nothing comes back to it (lines 6 and 7). A network of width w, filled up with such
units, therefore *is* the network of width w through all of its training, and networks of all widths are lanes of one shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import lane
from ..compiled import jit
from ..lane import Data, HParams, LaneSpec, LaneState
from ..model import MLP, Layer, Params, init, predict
from ..optimizers import adam
from ..schedules import cosine


class Fits(NamedTuple):
    """error: root mean square distance from the function on `x`, (width, seed); curves: (width, seed, points); params: the lanes'."""

    x: np.ndarray
    target: np.ndarray
    curves: np.ndarray
    error: np.ndarray
    params: Params


def wiggle(x: np.ndarray) -> np.ndarray:
    """A function with waves of two lengths and a kink: sin(3 pi x) / 2 + |x - 0.3| - cos(7 x) / 5."""
    return np.sin(3 * np.pi * x) / 2 + np.abs(x - 0.3) - np.cos(7 * x) / 5


def padded(width: int, most: int, key: Array) -> Params:
    """A 1-width-1 tanh network, filled up with units of weights 0 to `most` of them.

    The biases b = -w c put each unit's zero at a c drawn from U(-1, 1), so that the units cover the interval from the start.
    """
    hidden, output = init(MLP((1, width, 1), "tanh", "mse", init="lecun_normal"), key)
    c = jax.random.uniform(jax.random.fold_in(key, 0), (width,), minval=-1, maxval=1)
    W, b = 4 * hidden.W, -4 * hidden.W[:, 0] * c  # slopes of a few units over an interval of length 2
    more = ((0, most - width),)
    return (Layer(jnp.pad(W, (*more, (0, 0))), jnp.pad(b, more)), Layer(jnp.pad(output.W, ((0, 0), *more)), output.b))


def fits(widths: Sequence[int], seeds: int = 4, steps: int = 3000, learning_rate: float = 0.02, function: Any = wiggle) -> Fits:
    """Train a network of every width on 128 points of `function` in [-1, 1], full batches, Adam with a cosine schedule.

    The error is measured on 512 other points of the interval.
    """
    most = max(widths)
    spec = LaneSpec(MLP((1, most, 1), "tanh", "mse"), 128)
    hparams = HParams(adam(cosine(learning_rate, steps)))
    params = [padded(width, most, jax.random.key(seed)) for width in widths for seed in range(seeds)]
    states = jax.vmap(partial(lane.begin, hparams))(jax.tree.map(lambda *leaves: jnp.stack(leaves), *params))
    X = np.linspace(-1, 1, 128)[:, None]
    data = Data(jnp.asarray(X, jnp.float32), jnp.asarray(function(X[:, 0]), jnp.float32))
    for done in range(0, steps, lane.HISTORY_ROWS):
        states = _advance(spec, states, hparams, data, done, steps)
    x = np.linspace(-1, 1, 512)
    curves = np.asarray(_curves(spec.model, states.params, jnp.asarray(x, jnp.float32)[:, None]), np.float64)
    curves = curves.reshape(len(widths), seeds, len(x))
    target = function(x)
    return Fits(x, target, curves, np.sqrt(np.mean((curves - target) ** 2, axis=-1)), states.params)


@partial(jit, static_argnums=0)
def _advance(spec: LaneSpec, states: LaneState, hparams: HParams, data: Data, first: Any, until: Any) -> LaneState:
    return jax.vmap(lambda state: lane.advance(spec, state, hparams, data, first, until)[0])(states)


@partial(jit, static_argnums=0)
def _curves(model: MLP, params: Params, x: Float[Array, "points 1"]) -> Float[Array, "lanes points"]:
    return jax.vmap(lambda p: predict(model, p, x)[:, 0])(params)
