"""How the gradient's size changes from layer to layer of a deep network: vanishing, exploding, cured.

Source: the notes' draft, "Limitations": a product of many factors is tiny or huge unless they are near 1; a residual connection
adds 1 to each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..backprop import value_and_grad
from ..compiled import jit
from ..initializers import INITIALIZERS
from ..model import MLP, Layer, Params


def gradient_norms(
    model: MLP, X: Float[Array, "n n_in"], y: Array, initializers: Sequence[str] = tuple(INITIALIZERS), seeds: int = 8
) -> np.ndarray:
    """|dL/dW[l]| (Frobenius) of the untrained network, (initializer, seed, layer), with layers l = 1..L.

    `model.init` is ignored: each of `initializers` draws the weights of `mlp_opt.init` with the keys 0, 1, ..., seeds - 1. Initializers
    and seeds are lanes of one program.
    """
    drawn = draws(tuple(model.sizes), tuple(initializers), seeds)
    return np.asarray(_norms(model, drawn, X, y)).reshape(len(initializers), seeds, model.n_layers)


@partial(jit, static_argnums=(0, 1, 2))
def draws(sizes: tuple[int, ...], initializers: tuple[str, ...], seeds: int) -> Params:
    """The weights that `mlp_opt.init` draws, for each initializer and seed, stacked: W (initializers * seeds, n_out, n_in).

    Layers of one shape are drawn together: a hundred layers drawn one by one would take a minute to compile.
    """
    layers = range(1, len(sizes))
    keys = jax.vmap(lambda seed: jax.vmap(lambda l: jax.random.fold_in(jax.random.key(seed), l))(jnp.arange(1, len(sizes))))
    every = keys(jnp.arange(seeds))  # (seeds, layers)

    def of_shape(name: str, n_out: int, n_in: int, which: list[int]) -> Array:
        draw = jax.vmap(jax.vmap(lambda key: INITIALIZERS[name](key, n_out, n_in, jnp.float32)))
        return draw(every[:, np.asarray(which) - 1])  # (seeds, len(which), n_out, n_in)

    W: dict[int, Array] = {}
    for shape in {(sizes[l], sizes[l - 1]) for l in layers}:
        which = [l for l in layers if (sizes[l], sizes[l - 1]) == shape]
        found = jnp.concatenate([of_shape(name, *shape, which) for name in initializers])
        W |= {l: found[:, i] for i, l in enumerate(which)}
    return tuple(Layer(W[l], jnp.zeros((len(initializers) * seeds, sizes[l]))) for l in layers)


@partial(jit, static_argnums=0)
def _norms(model: MLP, lanes: Params, X: Array, y: Array) -> Float[Array, "lanes layers"]:
    def norms(params: Params) -> Array:
        _, grads = value_and_grad(model, params, X, y)
        return jnp.stack([jnp.sqrt(jnp.sum(g.W**2)) for g in grads])

    return jax.vmap(norms)(lanes)
