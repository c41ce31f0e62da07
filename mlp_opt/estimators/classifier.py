"""MLPClassifier: two classes, several, or several labels at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..errors import InputError
from . import parameters
from .shared import BaseMLP


@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Classification by a multilayer perceptron: a scikit-learn estimator trained by a jitted lane.

    A drop-in for sklearn.neural_network.MLPClassifier: its parameters have its names, meanings and defaults
    (https://scikit-learn.org, sklearn.neural_network), and with the same random_state it starts from the
    same weights. More is accepted:

    activation: any of ours but "step" ("logistic" is "sigmoid"), or one name a hidden layer.
    solver: "lbfgs", or any optimizer of ours. "sgd" has `momentum` and `nesterovs_momentum`; the Adam family
        has `beta_1`, `beta_2`, `epsilon`; solver_params: a dictionary of other arguments, as {"weight_decay": 0.01}.
    learning_rate: "constant", "invscaling", "adaptive", or a schedule of ours over max_iter epochs from
        learning_rate_init ("step", "exponential", "cosine", "warmup_cosine", "one_cycle"; learning_rate_params:
        a dictionary of its other arguments). Holds for every solver but lbfgs, not for "sgd" alone.
    dropout: share of the hidden units dropped at each step (from 0 up to but not 1).
    class_weight: None, {class: weight}, "balanced"; multiplies sample_weight. For several labels, a list of them.
    dtype: "float32", "float64", or "auto": that of X, float32 or else float64, as in scikit-learn. float32 is faster.

    alpha is scikit-learn's: a batch's objective is its (weighted) mean loss + alpha / (2 s) times the sum of all
    W^2, s the sum of the batch's weights, or its number of samples without any: our l2 = alpha / s. The loss
    of several labels is summed over them. A sample of weight 0 is as good as removed.

    Training stops after n_iter_no_change epochs, and one more, without an improvement of more than tol: of the loss,
    or with early_stopping of the score of validation_fraction of the samples, and then the best weights are kept.
    That score is accuracy; for several labels the share of them that is right.

    Attributes: coefs_ (list of (n_in, n_out)), intercepts_, classes_, n_iter_, n_layers_, n_outputs_,
    out_activation_, t_ (samples seen), n_features_in_, feature_names_in_, loss_, and but for lbfgs loss_curve_,
    best_loss_ and, with early_stopping, validation_scores_, validation_loss_curve_ (without the penalty) and
    best_validation_score_. Arrays are NumPy's; nothing of a fitted estimator is bound to a device.

    Raises InputError (a ValueError) for parameters that are not accepted, one class, and a run that diverges.
    """

    class_weight: Any = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPClassifier:
        """Train on X (n, n_features), dense or sparse, y and weights (n,) >= 0 or None.

        y: labels (n,) of any sort, or for several labels at once an indicator matrix (n, n_labels) of 0 and 1.
        """
        return self._fit(X, y, sample_weight, None, incremental=False)

    @available_if(BaseMLP._can_fit_partially)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:
        """One epoch more, from the weights and the optimizer's state as they are.

        classes: all classes that will ever come, (n_classes,); needed at the first call, unless y is an indicator matrix.
        """
        return self._fit(X, y, sample_weight, classes, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row (n,); for several labels 0 and 1 (n, n_labels)."""
        a = self._outputs(X)
        if self._several_labels:
            return (a > 0).astype(int)
        return self.classes_[(a[:, 0] > 0).astype(int) if self.n_outputs_ == 1 else np.argmax(a, axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, n_classes) in the order of classes_; for several labels, of each (n, n_labels)."""
        a = self._outputs(X)
        if self._several_labels:
            return expit(a)
        return np.hstack([expit(-a), expit(a)]) if self.n_outputs_ == 1 else softmax(a, axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Their logarithms, from the outputs and so finite where a probability rounds to 0."""
        a = self._outputs(X)
        if self._several_labels:
            return log_expit(a)
        return np.hstack([log_expit(-a), log_expit(a)]) if self.n_outputs_ == 1 else log_softmax(a, axis=1)

    def _fit(self, X: Any, y: Any, sample_weight: Any, classes: Any, incremental: bool) -> MLPClassifier:
        parameters.check(self)
        if incremental and isinstance(self.class_weight, str):
            raise InputError(f"partial_fit does not see all samples, which class_weight={self.class_weight!r} needs; give a dictionary")
        first = self._first(incremental)
        X, y, weight = self._validated(X, y, sample_weight, first)
        several = self._classes(y, classes, first, incremental)
        if self.class_weight is not None:
            class_weight = compute_sample_weight(self.class_weight, y).astype(X.dtype)
            weight = class_weight if weight is None else weight * class_weight
        if several:
            return self._learn(X, y, weight, "bce", y.shape[1], first, incremental)
        labels = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:
            return self._learn(X, labels[:, None], weight, "bce", 1, first, incremental)
        return self._learn(X, labels, weight, "softmax_cross_entropy", len(self.classes_), first, incremental)

    def _classes(self, y: np.ndarray, classes: Any, first: bool, incremental: bool) -> bool:
        """Set or check classes_; whether y holds several labels at once."""
        check_classification_targets(y)
        several = y.ndim == 2 and type_of_target(y) == "multilabel-indicator"
        if y.ndim == 2 and not several:
            raise InputError(f"y of shape {y.shape} must hold one label a row, or be an indicator matrix of 0 and 1")
        seen = np.arange(y.shape[1]) if several else np.unique(y)
        if first and incremental and not several:
            if classes is None:
                raise InputError("classes must be given at the first call of partial_fit")
            self.classes_ = np.unique(classes)
        elif first:
            self.classes_ = seen
        elif incremental and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise InputError(f"classes={classes!r} are not those of the first call of partial_fit: {self.classes_}")
        if first:
            self._several_labels = several
        unknown = np.setdiff1d(seen, self.classes_)
        if len(unknown) or several != self._several_labels:
            raise InputError(f"y holds classes {unknown if len(unknown) else seen} that are not among classes_ {self.classes_}")
        if len(self.classes_) < 2 and not several:
            raise InputError(f"y holds one class, {self.classes_[0]!r}; a classifier needs at least two classes")
        return several

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
