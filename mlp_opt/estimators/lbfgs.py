"""The solver "lbfgs": SciPy's L-BFGS-B on the hand-written gradient of all samples.

Source: Byrd, Lu, Nocedal & Zhu 1995; scipy.optimize.minimize(method="L-BFGS-B").
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from ..backprop import value_and_grad
from ..compiled import jit
from ..errors import InputError
from ..model import MLP, Layer, Params
from .together import precision
from .training import SMALL, filled, loss_factor, params_of, set_params, size


@partial(jit, static_argnums=0)
def _objective(model: MLP, w: Any, X: Any, y: Any, weight: Any, l2: Any, factor: Any) -> tuple[Any, Any]:
    """`factor` times the objective, and its gradient as one vector, at the parameters in one vector w."""
    value, grads = value_and_grad(model, unpacked(model, w), X, y, sample_weight=weight, l2=l2)
    return factor * value, factor * jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(grads)])


def unpacked(model: MLP, w: Any) -> Params:
    """The layers of a vector that holds W[1], b[1], W[2], b[2] ... one after the other."""
    layers, at = [], 0
    for n_in, n_out in zip(model.sizes[:-1], model.sizes[1:], strict=True):
        W, b = w[at : at + n_out * n_in].reshape(n_out, n_in), w[at + n_out * n_in : at + n_out * n_in + n_out]
        layers.append(Layer(W, b))
        at += n_out * n_in + n_out
    return tuple(layers)


def minimize(estimator: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> None:
    """Set coefs_ and intercepts_ to a minimum from where they are; n_iter_, loss_ and t_ as scikit-learn has them."""
    model, n, factor, dtype = estimator._model, len(X), loss_factor(estimator._model), X.dtype
    weight = np.ones(n, dtype) if weight is None else weight
    l2 = float(estimator.alpha) / float(weight.sum()) / factor
    if n <= SMALL:
        X, y, weight = (filled(a, size(n)) for a in (X, y, weight))
    with precision(dtype):
        arrays = [jnp.asarray(a) for a in (X, y, weight)]

        def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = _objective(model, jnp.asarray(w, dtype), *arrays, l2, factor)
            return float(value), np.asarray(gradient, np.float64)

        start = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params_of(estimator))]).astype(np.float64)
        options = {"maxiter": int(estimator.max_iter), "maxfun": int(estimator.max_fun), "gtol": float(estimator.tol)}
        found = scipy.optimize.minimize(objective, start, method="L-BFGS-B", jac=True, options=options)
    if not (np.isfinite(found.fun) and np.isfinite(found.x).all()):
        raise InputError("lbfgs met an objective that is not finite; scale X and y")
    if estimator.verbose:
        print(f"Iteration {found.nit}, loss = {found.fun:.8f}")
    if found.status != 0:
        warnings.warn(f"lbfgs stopped after {found.nit} iterations: {found.message}", ConvergenceWarning, stacklevel=5)
    estimator.n_iter_, estimator.loss_ = min(int(found.nit), int(estimator.max_iter)), float(found.fun)
    set_params(estimator, unpacked(model, found.x.astype(dtype)))
