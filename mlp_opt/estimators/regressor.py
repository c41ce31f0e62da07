"""MLPRegressor: squared errors of one or several outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from ..errors import check_name
from . import parameters
from .shared import BaseMLP


@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, BaseMLP):
    """Regression by a multilayer perceptron: a scikit-learn estimator trained by a jitted lane.

    Parameters, attributes and stopping are MLPClassifier's, but for its class_weight.
    loss: "squared_error" (scikit-learn's "poisson" is not there): half the squared error summed over the
    outputs, averaged over the samples. scikit-learn's loss_ of several outputs averages over them while its
    gradient is that of the sum; ours is the sum in both, so the steps are equal and loss_ is not.
    y is (n,) or (n, n_outputs). score is R^2, with early_stopping that of the held-out samples.
    """

    loss: Any = "squared_error"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train on X (n, n_features), dense or sparse, y (n,) or (n, n_outputs) and weights (n,) >= 0 or None."""
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(BaseMLP._can_fit_partially)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """One epoch more, from the weights and the optimizer's state as they are."""
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Values (n,), or (n, n_outputs) for several outputs."""
        values = self._outputs(X)
        return values[:, 0] if values.shape[1] == 1 else values

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> MLPRegressor:
        parameters.check(self)
        check_name("loss", self.loss, ("squared_error",))
        first = self._first(incremental)
        X, y, weight = self._validated(X, y, sample_weight, first, y_numeric=True)
        y = y.reshape(len(y), -1)
        return self._learn(X, y, weight, "mse", y.shape[1], first, incremental)
