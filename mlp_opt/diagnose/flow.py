"""Every number of one forward and one backward pass through a small network, for one sample.

Source: the notes, "Forward Pass" and "Backpropagation", in the notes' letters; columns are written as flat arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from .. import losses
from ..backprop import backward
from ..compiled import jit
from ..model import MLP, Params

_backward = jit(backward, static_argnums=0)


class Flow(NamedTuple):
    """Indexed by layer as in the notes, 0 the input; a[0], W[0], b[0] and what belongs to them are empty.

    z, a, b, delta, db, dz: (n_l,); W, dW: (n_l, n_{l-1}). dz[l] is dL/dz[l]: line 1 for l = L, line 6 below, dz[0] included.
    """

    loss: float
    z: list[np.ndarray]
    a: list[np.ndarray]
    W: list[np.ndarray]
    b: list[np.ndarray]
    delta: list[np.ndarray]
    dW: list[np.ndarray]  # noqa: N815 (the notes' letters)
    db: list[np.ndarray]
    dz: list[np.ndarray]


def flow(model: MLP, params: Params, x: np.ndarray, y: np.ndarray) -> Flow:
    """The numbers for the sample x (n_in,) with target y (n_out,), by the package's `backward`.

    For one sample delta[l] is dL/db[l] (line 5). Networks without residual connections.
    """
    value, grads, trace = _backward(model, params, jnp.asarray(x)[None], jnp.asarray(y)[None])
    none = np.zeros(0)
    W, b, dW, db = ([none, *(np.asarray(leaf) for leaf in leaves)] for leaves in (*zip(*params, strict=True), *zip(*grads, strict=True)))
    dz = [W[l + 1].T @ db[l + 1] for l in range(model.n_layers)]  # line 6
    last = losses.LOSSES[model.loss].dz(trace.z[-1], jnp.asarray(y)[:, None])  # line 1
    z, a = ([np.asarray(column)[:, 0] for column in columns] for columns in (trace.z, trace.a[1:]))
    return Flow(float(value), z, [none, *a], W, b, delta=db, dW=dW, db=db, dz=[*dz, np.asarray(last)[:, 0]])
