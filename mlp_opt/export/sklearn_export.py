"""A trained network as a fitted estimator of scikit-learn's own, which needs neither JAX nor this package."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..errors import InputError
from ..model import MLP

_NAMES = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}


def to_sklearn(model: MLP, params: Any, classes: Any = None) -> Any:
    """A fitted sklearn.neural_network.MLPClassifier or MLPRegressor with these weights.

    It takes what the network takes: columns as they were encoded and scaled for it. For mse it is a
    regressor. For the other losses it is a classifier of `classes` (one an output, for bce with one output
    two; default 0, 1, ...), and for bce with several outputs of several labels at once (classes then
    means nothing). Its probabilities are ours to the rounding of the parameters' dtype; two softmax outputs
    become one logistic one, with the difference of their weights. partial_fit goes on from the weights,
    with scikit-learn's optimizer anew.

    Raises InputError for what scikit-learn's network does not have: activations but identity, sigmoid,
    tanh and relu, different ones in different layers, another output activation, residual connections.
    """
    hidden = sorted(set(model.activations[:-1]))
    if len(hidden) > 1 or not set(hidden) <= set(_NAMES):
        raise InputError(f"scikit-learn's MLP has one hidden activation of {', '.join(_NAMES)}; this network has {', '.join(hidden)}")
    if any(model.skips):
        raise InputError("scikit-learn's MLP has no residual connections; this network has")
    if model.loss == "mse" and model.activations[-1] != "identity":
        raise InputError(f"scikit-learn's MLPRegressor has the output activation identity; this network has {model.activations[-1]}")
    coefs = [np.array(np.asarray(W).T, order="C") for W, _ in params]
    intercepts = [np.array(b) for _, b in params]
    if model.loss == "softmax_cross_entropy" and model.sizes[-1] == 2:  # softmax(a)_2 = sigmoid(a_2 - a_1)
        coefs[-1], intercepts[-1] = coefs[-1] @ [[-1], [1]], intercepts[-1] @ [[-1], [1]]
        coefs[-1], intercepts[-1] = (w.astype(coefs[0].dtype) for w in (coefs[-1], intercepts[-1]))
    given = {"hidden_layer_sizes": model.sizes[1:-1], "activation": _NAMES[hidden[0]] if hidden else "identity"}
    estimator = _begun(model, given, coefs[0].dtype, classes)
    estimator.coefs_, estimator.intercepts_ = coefs, intercepts
    return estimator


def _begun(model: MLP, given: dict[str, Any], dtype: Any, classes: Any) -> Any:
    """An estimator of these shapes, by scikit-learn's own first step on rows of zeros; then the step is forgotten."""
    k = model.sizes[-1]
    if model.loss == "mse":
        estimator: Any = MLPRegressor(**given)
        estimator.partial_fit(np.zeros((2, model.sizes[0]), dtype), np.zeros((2, k), dtype) if k > 1 else np.zeros(2, dtype))
    else:
        estimator = MLPClassifier(**given)
        if model.loss == "bce" and k > 1:
            estimator.partial_fit(np.zeros((k, model.sizes[0]), dtype), np.eye(k, dtype=int), classes=np.arange(k))
        else:
            names = _classes(max(k, 2) if model.loss == "bce" else k, classes)
            estimator.partial_fit(np.zeros((len(names), model.sizes[0]), dtype), names, classes=names)
    estimator.loss_curve_, estimator.loss_, estimator.best_loss_ = [], math.nan, math.inf
    estimator.n_iter_, estimator.t_ = 0, 0
    del estimator._optimizer  # which partial_fit makes anew
    return estimator


def _classes(k: int, classes: Any) -> np.ndarray:
    names = np.arange(k) if classes is None else np.asarray(classes)
    if k < 2 or names.shape != (k,) or not np.array_equal(np.unique(names), names):
        raise InputError(f"classes must be {max(k, 2)} different names in ascending order, as scikit-learn has them; got {classes!r}")
    return names
