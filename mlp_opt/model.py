"""The multilayer perceptron: its static shape, its parameters, the forward pass.

Source: the notes, "Forward Pass". For layer l = 1..L

    a[l] = W[l] z[l-1] + b[l],    z[l] = sigma(a[l]),    z[0] = x,    y_hat = z[L].

A sample is a column, as in the notes, and a batch has one beside the other, so that the products are the notes':

    notes                                code
    z[l] in R^n            column        z[l]  (n, batch)
    W[l] in R^(n x m)                    W     (n, m) = (n_out, n_in), the same
    W[l] z[l-1] + b[l]                   W @ z + b[:, None]
    W[l]^T delta[l]                      W.T @ delta
    delta[l] z[l-1]^T      one sample    delta @ z.T   summed over the batch

Only what comes from data or goes back to people has a row a sample: X, y and `predict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import losses
from .activations import ACTIVATIONS
from .bound import widen
from .errors import InputError, check_name
from .initializers import INITIALIZERS


class Layer(NamedTuple):
    """Parameters of one layer: W (n_out, n_in) and b (n_out,)."""

    W: Float[Array, "n_out n_in"]
    b: Float[Array, " n_out"]


Params = tuple[Layer, ...]

MAX_WEIGHTS = 2**31 - 1  # of one layer; XLA indexes with 32 bits


@dataclass(frozen=True)
class MLP:
    """The static, hashable shape of a network.

    sizes and activation are kept as tuples.
    sizes: units of each layer, input first: (n_0, ..., n_L), L >= 1. (64, 10) has no hidden layer.
    activation: one name for all hidden layers; or one a hidden layer (L-1 names), in which case the
        output activation follows from the loss (identity, sigmoid, softmax); or one a layer
        (L names, the last the output's: with mse any activation, e.g. "step" for the perceptron).
    loss: "mse", "bce" or "softmax_cross_entropy".
    residual: add z[l-1] to the output of every hidden layer l that is as wide as the one below it.
    init: a name of INITIALIZERS.
    Raises InputError for names or sizes that are not accepted.
    """

    sizes: Sequence[Any]
    activation: str | Sequence[str] = "relu"
    loss: str = "softmax_cross_entropy"
    residual: bool = False
    init: str = "he_normal"

    def __post_init__(self):
        whole = [isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1 for n in self.sizes]
        if len(whole) < 2 or not all(whole):
            raise InputError(f"sizes must be at least two whole numbers >= 1, input first; got {tuple(self.sizes)}")
        sizes = tuple(int(n) for n in self.sizes)
        largest = max(n * m for n, m in pairwise(sizes))
        if largest > MAX_WEIGHTS:
            raise InputError(f"sizes {sizes} make a layer of {largest:,} weights; a layer may have {MAX_WEIGHTS:,}")
        object.__setattr__(self, "sizes", sizes)
        check_name("loss", self.loss, losses.LOSSES)
        check_name("initializer", self.init, INITIALIZERS)
        if not isinstance(self.activation, str):
            object.__setattr__(self, "activation", tuple(self.activation))
        for name in self.activations[:-1]:
            check_name("activation", name, ACTIVATIONS)
        check_name(f"output activation for {self.loss}", self.activations[-1], losses.LOSSES[self.loss].outputs)

    @property
    def n_layers(self) -> int:
        """L, the number of layers with weights."""
        return len(self.sizes) - 1

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each layer l = 1..L, the output's last."""
        L = self.n_layers
        names = (self.activation,) * (L - 1) if isinstance(self.activation, str) else tuple(self.activation)
        if len(names) == L - 1:
            return (*names, losses.LOSSES[self.loss].outputs[0])
        if len(names) == L:
            return names
        raise InputError(f"{len(names)} activations do not fit {L} layers: give one name, {L - 1} or {L}")

    @property
    def skips(self) -> tuple[bool, ...]:
        """For each layer l = 1..L, whether z[l-1] is added to its output."""
        same = [n == m for n, m in zip(self.sizes[1:-1], self.sizes[:-2], strict=True)]
        return (*(self.residual and s for s in same), False)


class Trace(NamedTuple):
    """Everything that a forward pass computed, indexed by layer as in the notes.

    z[l], a[l] and mask[l] are (n_l, batch), a column a sample. z[0] is the input and z[L] the prediction;
    a[0] and dropout masks that were not drawn are None.
    """

    z: tuple[Float[Array, "_ batch"], ...]
    a: tuple[Any, ...]
    mask: tuple[Any, ...]


def init(model: MLP, key: Array, scale: Any = 1.0, dtype: Any = jnp.float32) -> Params:
    """Initial parameters: W of layer l from `model.init` with the key fold_in(key, l), times `scale`; b = 0."""
    wide = widen(dtype)
    draw = INITIALIZERS[model.init]

    keys = jax.vmap(lambda l: jax.random.fold_in(key, l))(jnp.arange(1, model.n_layers + 1))  # at once: less to compile

    def layer(l: int, n_out: int, n_in: int) -> Layer:
        W = jnp.asarray(scale, wide) * draw(keys[l - 1], n_out, n_in, wide)
        return Layer(W.astype(dtype), jnp.zeros((n_out,), dtype))

    return tuple(layer(l, model.sizes[l], model.sizes[l - 1]) for l in range(1, model.n_layers + 1))


def forward(model: MLP, params: Params, X: Float[Array, "batch n_in"], *, dropout: Any = 0.0, key: Any = None) -> Trace:
    """The forward pass, every a[l] and z[l], from rows X. X is cast to the parameters' dtype.

    With a `key`, each hidden unit is dropped with probability `dropout` (a number in [0, 1), may be
    traced) and the rest scaled by 1/(1 - dropout) (inverted dropout, Srivastava et al. 2014). The
    mask of layer l comes from fold_in(key, l); a residual connection passes by it.
    """
    if key is None and not (isinstance(dropout, (int, float)) and dropout == 0):
        raise InputError("dropout needs a key: forward(..., dropout=0.1, key=jax.random.key(0))")
    if len(params) != model.n_layers:
        raise InputError(f"{len(params)} layers of parameters do not fit the {model.n_layers} layers of sizes {model.sizes}")
    z = [X.astype(params[0].W.dtype).T]
    a: list[Any] = [None]
    mask: list[Any] = [None]
    L = model.n_layers
    for l, (W, b) in enumerate(params, start=1):
        a.append(W @ z[l - 1] + b[:, None])
        if l == L:
            z.append(losses.sigma(model.activations[-1], a[l]))
            mask.append(None)
            break
        out = ACTIVATIONS[model.activations[l - 1]].sigma(a[l])
        mask.append(None if key is None else _dropout_mask(jax.random.fold_in(key, l), dropout, out))
        out = out if mask[l] is None else out * mask[l]
        z.append(out + z[l - 1] if model.skips[l - 1] else out)
    return Trace(tuple(z), tuple(a), tuple(mask))


def predict(model: MLP, params: Params, X: Float[Array, "batch n_in"]) -> Float[Array, "batch n_out"]:
    """y_hat = z[L]: probabilities (bce, softmax_cross_entropy) or values (mse)."""
    return forward(model, params, X).z[-1].T


def loss(
    model: MLP,
    params: Params,
    X: Float[Array, "batch n_in"],
    y: Array,
    *,
    l1: Any = 0.0,
    l2: Any = 0.0,
    sample_weight: Array | None = None,
    dropout: Any = 0.0,
    key: Any = None,
    label_smoothing: Any = 0.0,
) -> Float[Array, ""]:
    """The objective: the weighted mean of the samples' losses plus l2/2 times the sum of all W^2 and l1 times that of all |W|.

    Shapes of y and the meaning of label_smoothing: `losses.targets`; of dropout and key: `forward`.
    Biases are not penalized. This plain function is what jax.grad differentiates in the checks.
    """
    a_L = forward(model, params, X, dropout=dropout, key=key).a[-1]
    data = losses.value(model.loss, a_L, y, sample_weight, label_smoothing, model.activations[-1])
    return data + penalty(params, l1, l2, data.dtype)


def penalty(params: Params, l1: Any, l2: Any, dtype: Any) -> Float[Array, ""]:
    """l1 times the sum of the sizes of all weights W plus l2/2 times that of their squares, in `dtype`."""
    total = jnp.zeros((), dtype)
    if not is_zero(l1):  # XLA may not drop 0 times a sum
        total = total + jnp.asarray(l1, dtype) * sum(jnp.sum(jnp.abs(W.astype(dtype))) for W, _ in params)
    if not is_zero(l2):
        total = total + 0.5 * jnp.asarray(l2, dtype) * sum(jnp.sum(jnp.square(W.astype(dtype))) for W, _ in params)
    return total


def is_zero(number: Any) -> bool:
    """Whether it is a plain 0, known before tracing, whose term is left out of the program."""
    return isinstance(number, (int, float)) and number == 0


def _dropout_mask(key: Array, dropout: Any, like: Array) -> Array:
    keep = 1 - jnp.asarray(dropout, widen(like.dtype))
    kept = jax.random.bernoulli(key, keep, like.shape)
    return jnp.where(kept, 1 / keep, 0).astype(like.dtype)
