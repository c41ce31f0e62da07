"""What the classifier and the regressor share: parameters, initial weights, fitting, the forward pass."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

from ..errors import InputError
from ..model import MLP
from . import lbfgs, parameters, training

OUTPUTS = {"softmax_cross_entropy": "softmax", "bce": "logistic", "mse": "identity"}  # scikit-learn's names


@dataclass(eq=False, repr=False)
class BaseMLP(BaseEstimator):
    """Parameters with scikit-learn's names, meanings and defaults; below the line ours. See MLPClassifier."""

    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    solver: Any = "adam"
    alpha: Any = 0.0001
    batch_size: Any = "auto"
    learning_rate: Any = "constant"
    learning_rate_init: Any = 0.001
    power_t: Any = 0.5
    max_iter: Any = 200
    shuffle: Any = True
    random_state: Any = None
    tol: Any = 1e-4
    verbose: Any = False
    warm_start: Any = False
    momentum: Any = 0.9
    nesterovs_momentum: Any = True
    early_stopping: Any = False
    validation_fraction: Any = 0.1
    beta_1: Any = 0.9
    beta_2: Any = 0.999
    epsilon: Any = 1e-8
    n_iter_no_change: Any = 10
    max_fun: Any = 15000
    # ---
    dropout: Any = 0.0
    solver_params: Any = None
    learning_rate_params: Any = None
    dtype: Any = "auto"

    if TYPE_CHECKING:  # set by fit
        _model: MLP
        coefs_: list[np.ndarray]
        intercepts_: list[np.ndarray]

    def _first(self, incremental: bool) -> bool:
        """Whether this fit starts from new weights."""
        return not hasattr(self, "coefs_") or not (self.warm_start or incremental)

    def _validated(self, X: Any, y: Any, sample_weight: Any, first: bool, **options: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """(X dense float, y, weight or None), checked by scikit-learn."""
        kinds = (np.float64, np.float32) if self.dtype == "auto" else np.dtype(self.dtype)
        X, y = validate_data(self, X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=kinds, reset=first, **options)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
            if not sample_weight.any():
                raise InputError("every sample_weight is zero; at least one sample must have a weight")
        return _dense(X), y, sample_weight

    def _learn(self, X: np.ndarray, y: np.ndarray, weight: Any, loss: str, n_out: int, first: bool, incremental: bool) -> Any:
        """Train on targets as `losses.targets` has them. Samples of weight 0 are left out: they are as good as removed."""
        if incremental and self.early_stopping:
            raise InputError("partial_fit cannot stop early: set early_stopping=False")
        units, activations = parameters.hidden(self)
        model = MLP((X.shape[1], *units, n_out), activations, loss)
        rng = check_random_state(self.random_state)
        if first:
            self._initialize(model, X.dtype, rng)
        elif model.sizes != self._model.sizes or loss != self._model.loss:
            raise InputError(f"sizes {model.sizes} ({loss}) do not go on from a fit of sizes {self._model.sizes} ({self._model.loss})")
        self._model = model
        self.coefs_ = [W.astype(X.dtype, copy=False) for W in self.coefs_]
        self.intercepts_ = [b.astype(X.dtype, copy=False) for b in self.intercepts_]
        if weight is not None:
            X, y, weight = (a[weight > 0] for a in (X, y, weight))
        y = y.astype(np.int32 if loss == "softmax_cross_entropy" else X.dtype)
        if self.solver == "lbfgs":
            lbfgs.minimize(self, X, y, weight)
        else:
            if not hasattr(self, "loss_curve_") or (self.validation_scores_ is not None) != bool(self.early_stopping):
                self._begin_curves()
            training.train(self, X, y, weight, rng, incremental)
        return self

    def _initialize(self, model: MLP, dtype: Any, rng: np.random.RandomState) -> None:
        """New weights, drawn as scikit-learn draws them: with one random_state, its MLP starts from the same."""
        self.n_iter_, self.t_ = 0, 0
        self.n_layers_, self.n_outputs_, self.out_activation_ = len(model.sizes), model.sizes[-1], OUTPUTS[model.loss]
        self.coefs_, self.intercepts_ = [], []
        for l in range(1, len(model.sizes)):
            n_in, n_out = model.sizes[l - 1], model.sizes[l]
            name = model.activations[min(l, len(model.sizes) - 2) - 1] if len(model.sizes) > 2 else self.activation
            bound = math.sqrt((2 if name in ("sigmoid", "logistic") else 6) / (n_in + n_out))  # Glorot & Bengio 2010
            self.coefs_.append(rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype))
            self.intercepts_.append(rng.uniform(-bound, bound, n_out).astype(dtype))
        self._seed, self._optimizer = None, ("", None)
        for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_", "best_validation_score_", "best_loss_", "loss_"):
            self.__dict__.pop(name, None)

    def _begin_curves(self) -> None:
        early = self.early_stopping
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_ = None if early else math.inf
        self.best_validation_score_ = -math.inf if early else None
        self.validation_scores_: list[float] | None = [] if early else None
        self.validation_loss_curve_: list[float] | None = [] if early else None

    def _outputs(self, X: Any) -> np.ndarray:
        """Output pre-activations a[L] (n, n_outputs_) of the rows of X."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=self.coefs_[0].dtype, reset=False)
        return training.outputs(self._model, training.params_of(self), _dense(X))

    def _can_fit_partially(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit goes step by step; solver 'lbfgs' does not")
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _dense(X: Any) -> np.ndarray:
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X)
