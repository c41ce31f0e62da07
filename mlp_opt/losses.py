"""Loss functions, from the output pre-activation a[L], with dL/dz[L] and the fused delta[L].

Source: the notes, "Loss Functions" (BCE, MSE) and lines 1 and 2 of backpropagation. Softmax
cross-entropy is their multi-class form. A loss of a batch is the weighted mean of its samples'

    L = sum_i w_i l_i / sum_i w_i        (w_i = 1 without sample weights: the notes' 1/n)

and every division by n, by the weights' sum and by the number of outputs is in this file: what
comes out of `delta` is dL/da[L] of the mean, and backprop.py never divides.

Two ways to delta[L], equal wherever both are finite (a test proves it):
  two-step  dL/dz[L], then times sigma'(a[L])          lines 1 and 2 as the notes have them
  fused     simplified by hand, e.g. sigmoid(a) - y    finite at any logit; what training uses
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .activations import ACTIVATIONS, softmax, softmax_pullback
from .bound import widen
from .errors import InputError

Columns = Float[Array, "n_out batch"]


class Loss(NamedTuple):
    """A loss. `y` is targets as float columns, `output` the name of the output activation."""

    outputs: tuple[str, ...]  # output activations that fit; the first is the default
    ell: Callable[[Columns, Columns, str], Float[Array, " batch"]]  # (a, y, output) -> l_i of each sample
    dz: Callable[[Columns, Columns], Columns]  # (z, y) -> dl_i/dz, line 1
    delta: Callable[[Columns, Columns, str], Columns]  # (a, y, output) -> dl_i/da, lines 1 and 2 fused


def mse_ell(a, y, output):  # mean over the outputs of (y - y_hat)^2
    return jnp.mean((sigma(output, a) - y) ** 2, axis=0)


def mse_dz(z, y):
    return 2 * (z - y) / len(z)


def mse_delta(a, y, output):
    return mse_dz(sigma(output, a), y) * ACTIVATIONS[output].derivative(a)


def bce_ell(a, y, output):  # -y log(y_hat) - (1-y) log(1-y_hat) = softplus(a) - y a; mean over the outputs
    return jnp.mean(jax.nn.softplus(a) - y * a, axis=0)


def bce_dz(z, y):
    return (z - y) / (z * (1 - z)) / len(z)


def bce_delta(a, y, output):
    return (jax.nn.sigmoid(a) - y) / len(a)


def cross_entropy_ell(a, y, output):  # -sum_k y_k log(y_hat_k)
    # `where` is more than 0 log 0 = 0: without it XLA's CPU compiler (jaxlib 0.10.2) makes a product with shared targets and
    # what follows its sum into one kernel that is wrong from sample 32,768 of all lanes on, and slower
    return -jnp.sum(jnp.where(y == 0, jnp.zeros_like(a), y * jax.nn.log_softmax(a, axis=0)), axis=0)


def cross_entropy_dz(z, y):
    return -y / z


def cross_entropy_delta(a, y, output):  # y_hat - y, when the soft labels y sum to 1
    return jax.nn.softmax(a, axis=0) * jnp.sum(y, axis=0) - y


LOSSES: dict[str, Loss] = {
    "mse": Loss(("identity", *(n for n in ACTIVATIONS if n != "identity")), mse_ell, mse_dz, mse_delta),
    "bce": Loss(("sigmoid",), bce_ell, bce_dz, bce_delta),
    "softmax_cross_entropy": Loss(("softmax",), cross_entropy_ell, cross_entropy_dz, cross_entropy_delta),
}


def sigma(output: str, a: Columns) -> Columns:
    """The output layer's activation, z[L] = sigma(a[L])."""
    return softmax(a) if output == "softmax" else ACTIVATIONS[output].sigma(a)


def targets(loss: str, y: Array, n_out: int, dtype: Any, label_smoothing: Any = 0.0) -> Columns:
    """Targets as columns (n_out, batch) of `dtype`, a sample each.

    softmax_cross_entropy takes integer labels (batch,), or one-hot or soft rows (batch, n_out);
    bce and mse take (batch, n_out), or (batch,) when there is one output. Smoothing by s mixes the
    targets with the uniform distribution: (1-s) y + s/K for K classes, (1-s) y + s/2 for bce; for
    mse it has no meaning and is refused.
    """
    if loss == "softmax_cross_entropy" and y.ndim == 1:
        if not jnp.issubdtype(y.dtype, jnp.integer):
            raise InputError(f"softmax_cross_entropy labels of shape {y.shape} must be integers, not {y.dtype}")
        y = jax.nn.one_hot(y, n_out, dtype=dtype)
    elif y.ndim == 1 and n_out == 1:
        y = y[:, None]
    if y.ndim != 2 or y.shape[1] != n_out:
        raise InputError(f"{loss} targets of shape {y.shape} do not fit {n_out} outputs: give (batch, {n_out})")
    y = y.T.astype(dtype)
    if isinstance(label_smoothing, (int, float)) and label_smoothing == 0:
        return y
    if loss == "mse":
        raise InputError("label_smoothing does not apply to mse; leave it at 0")
    s = jnp.asarray(label_smoothing, dtype)
    return (1 - s) * y + s / (n_out if loss == "softmax_cross_entropy" else 2)


def shares(n: int, sample_weight: Array | None, dtype: Any) -> Float[Array, " batch"]:
    """w_i / sum w, each sample's share of the mean; all 0 where the weights sum to 0."""
    if sample_weight is None:
        return jnp.full((n,), 1 / n, dtype)
    w = sample_weight.astype(dtype)
    total = jnp.sum(w)
    return w / jnp.where(total == 0, jnp.ones_like(total), total)


def value(
    loss: str, a: Columns, y: Array, sample_weight: Array | None = None, label_smoothing: Any = 0.0, output: str = ""
) -> Float[Array, ""]:
    """L, the weighted mean of the samples' losses; y as `targets` takes it. At least float32, whatever the dtype of `a`."""
    a, y, w = _prepare(loss, a, y, sample_weight, label_smoothing)
    ell = LOSSES[loss].ell(a, y, output or LOSSES[loss].outputs[0])
    return jnp.sum(jnp.where(w == 0, jnp.zeros_like(ell), w * ell))  # a sample of weight 0 may be infinite


def delta(loss: str, a: Columns, y: Array, sample_weight: Array | None = None, label_smoothing: Any = 0.0, output: str = "") -> Columns:
    """delta[L] = dL/da[L], fused; y as `targets` takes it. In the dtype of `a`."""
    wide, y, w = _prepare(loss, a, y, sample_weight, label_smoothing)
    d = LOSSES[loss].delta(wide, y, output or LOSSES[loss].outputs[0])
    return _weigh(w, d).astype(a.dtype)


def delta_two_step(
    loss: str, a: Columns, y: Array, sample_weight: Array | None = None, label_smoothing: Any = 0.0, output: str = ""
) -> Columns:
    """delta[L] by the notes' lines 1 and 2; not finite where z[L] rounds to 0 or 1."""
    output = output or LOSSES[loss].outputs[0]
    wide, y, w = _prepare(loss, a, y, sample_weight, label_smoothing)
    dz = _weigh(w, LOSSES[loss].dz(sigma(output, wide), y))  # line 1
    if output == "softmax":
        return softmax_pullback(wide, dz).astype(a.dtype)  # line 2 with a full Jacobian
    return (dz * ACTIVATIONS[output].derivative(wide)).astype(a.dtype)  # line 2


def _prepare(loss, a, y, sample_weight, label_smoothing):
    wide = a.astype(widen(a.dtype))
    y, n = targets(loss, y, len(a), wide.dtype, label_smoothing), a.shape[1]
    if y.shape[1] != n or (sample_weight is not None and sample_weight.shape != (n,)):
        given = "" if sample_weight is None else f" and weights of shape {sample_weight.shape}"
        raise InputError(f"predictions of {n} samples do not fit {y.shape[1]} targets{given}")
    return wide, y, shares(n, sample_weight, wide.dtype)


def _weigh(w, d):
    return jnp.where(w == 0, jnp.zeros_like(d), w * d)
