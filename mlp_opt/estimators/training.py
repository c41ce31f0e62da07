"""Training of an estimator: a lane, advanced until scikit-learn's stopping rule says so.

Programs are compiled for shapes, and cross-validation and small data make many. So where one batch
holds all samples it is filled up with samples of weight 0 to one of few sizes (exact: they have no
share in any mean), and predictions are made in blocks of few sizes.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from .. import lane
from ..errors import InputError
from ..lane import HISTORY_ROWS, Data, LaneState
from ..model import MLP, Layer, Params, forward
from ..train import advance_lane, prepare_lane
from . import parameters

SMALLEST_RATE = 1e-6  # scikit-learn's: the "adaptive" rate is divided no further
_begin = jax.jit(lane.begin)


@partial(jax.jit, static_argnums=0)
def _outputs(model: MLP, params: Params, X: Any) -> Any:
    return forward(model, params, X).a[-1]


def precision(dtype: Any) -> Any:
    """A context in which arrays of `dtype` keep it: JAX makes float64 float32 unless told otherwise."""
    return jax.enable_x64(True) if dtype == np.float64 else contextlib.nullcontext()


def loss_factor(model: MLP) -> float:
    """scikit-learn's loss over ours: half the squared errors and cross-entropies are sums over the outputs, ours means."""
    return {"mse": model.sizes[-1] / 2, "bce": float(model.sizes[-1]), "softmax_cross_entropy": 1.0}[model.loss]


def params_of(estimator: Any) -> Params:
    """coefs_ and intercepts_ as our layers; W is (n_out, n_in)."""
    return tuple(Layer(W.T, b) for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True))


def set_params(estimator: Any, params: Params) -> None:
    """Our layers as coefs_ (n_in, n_out) and intercepts_ (n_out,), NumPy arrays."""
    estimator.coefs_ = [np.ascontiguousarray(np.asarray(W).T) for W, _ in params]
    estimator.intercepts_ = [np.array(b) for _, b in params]


def outputs(model: MLP, params: Params, X: np.ndarray) -> np.ndarray:
    """The output pre-activations a[L] (n, n_out) of the rows of X, in blocks of few sizes."""
    largest = 4096
    with precision(X.dtype):
        params = jax.tree.map(jnp.asarray, params)
        blocks = [X[i : i + largest] for i in range(0, len(X), largest)]
        return np.concatenate([np.asarray(_outputs(model, params, filled(b, size(len(b), 4))))[: len(b)] for b in blocks])


def size(n: int, step: int = 2) -> int:
    """The first of 16, 16 step, 16 step^2 ... that holds n."""
    most = 16
    while most < n:
        most *= step
    return most


def filled(rows: np.ndarray, n: int) -> np.ndarray:
    """`rows` followed by zeros, n in all."""
    return np.concatenate([rows, np.zeros((n - len(rows), *rows.shape[1:]), rows.dtype)])


def train(estimator: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, rng: Any, incremental: bool) -> None:
    """Train coefs_ and intercepts_ further, on (X, y) as `losses.targets` has them; one epoch if incremental."""
    model, dtype = estimator._model, X.dtype
    held_out = None
    if estimator.early_stopping:
        X, y, weight, held_out = _hold_out(estimator, X, y, weight, rng)
    n = len(X)
    batch = min(200, n) if estimator.batch_size == "auto" else int(estimator.batch_size)
    if batch > n:
        warnings.warn(f"batch_size {batch} is larger than the {n} training samples and is clipped", stacklevel=4)
    steps, shuffled = -(-n // batch), estimator.shuffle and batch < n
    if batch >= n:  # the order in a sum over all samples is of no consequence
        batch = size(n) if n <= 256 else n
        weight = filled(np.ones(n, dtype) if weight is None else weight, batch)
        X, y = filled(X, batch), filled(y, batch)
    if not incremental or getattr(estimator, "_optimizer", ("", None))[0] != estimator.solver:
        estimator._optimizer, estimator._updates = (estimator.solver, None), 0
        estimator._rate = float(estimator.learning_rate_init)

    def hparams() -> Any:
        factor = loss_factor(model)
        rule = parameters.optimizer(estimator, estimator._rate, steps, n, estimator._updates, factor)
        spec, numbers = prepare_lane(
            model, rule, len(X), batch_size=batch, seed=estimator._seed, data_seed=None, l2=0.0, dropout=estimator.dropout,
            label_smoothing=0.0, init_scale=1.0, patience=None, monitor="score", dtype=dtype.name,
        )  # fmt: skip
        alpha = float(estimator.alpha) / factor or None
        return spec, numbers._replace(alpha=alpha, data_seed=numbers.data_seed if shuffled else None)

    with precision(dtype):
        spec, numbers = hparams()
        data = Data(*(None if a is None else jnp.asarray(a) for a in (X, y, weight, *(held_out or (None, None, None)))))
        state = _start(estimator, numbers, steps)
        epochs, done, finished = 1 if incremental else int(estimator.max_iter), 0, False
        while done < epochs and not finished:
            # Until the rule could stop at the soonest, so that no epoch is ever one too many.
            soonest = max(estimator.n_iter_no_change + 1 - estimator._no_improvement_count, 1)
            call, first = int(min(soonest, epochs - done, HISTORY_ROWS)), len(estimator.loss_curve_)
            state, history = advance_lane(spec, state, numbers, data, first, first + call)
            if int(state.diverged_at):
                raise InputError(
                    f"training diverged in epoch {int(state.epoch)}: the objective was not finite; "
                    f"scale X and y, or lower learning_rate_init (now {estimator.learning_rate_init:g})"
                )
            for row in np.asarray(history, np.float64)[:call]:
                done += 1
                _record(estimator, row, loss_factor(model), done, n)
            estimator._updates += call * steps
            if estimator._no_improvement_count > estimator.n_iter_no_change:
                finished = _stops(estimator)
                spec, numbers = hparams()
        if not finished and not incremental:
            warnings.warn(f"the loss was still falling after max_iter={done} epochs", ConvergenceWarning, stacklevel=4)
        estimator._optimizer = (estimator.solver, jax.tree.map(np.asarray, state.opt_state))
        set_params(estimator, state.best if estimator.early_stopping else state.params)
    estimator.n_iter_ = done


def _start(estimator: Any, hparams: Any, steps: int) -> LaneState:
    """The lane's state: the estimator's weights, the optimizer's state if it goes on, the counts."""
    state = _begin(hparams, params_of(estimator))
    kept = estimator._optimizer[1]
    epoch = len(estimator.loss_curve_)
    best = estimator.best_validation_score_ if estimator.early_stopping else None
    state = state._replace(
        opt_state=state.opt_state if kept is None else kept,
        best_value=state.best_value if best is None else np.asarray(-best, state.best_value.dtype),
        epoch=np.int32(epoch),
        step=np.int32(epoch * steps),
    )
    return jax.tree.map(jnp.array, state)  # copies: the lane is donated its state


def _hold_out(estimator: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, rng: Any) -> tuple[Any, Any, Any, Any]:
    """(X, y, weight) to train on and (X, y, weight) to validate on, filled up; by classes where each can be in both parts."""
    n_val = math.ceil(estimator.validation_fraction * len(X))
    if n_val < 2 or len(X) - n_val < 1:
        raise InputError(
            f"validation_fraction {estimator.validation_fraction:g} of {len(X)} samples leaves {n_val} to validate on; 2 are needed"
        )
    labels = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    counts = np.unique(labels, return_counts=True)[1] if labels.ndim == 1 and estimator._model.loss != "mse" else np.zeros(1)
    by_class = labels if counts.min() >= 2 and min(n_val, len(X) - n_val) >= len(counts) else None
    weights = np.ones(len(X), X.dtype) if weight is None else weight
    parts = train_test_split(X, y, weights, random_state=rng, test_size=n_val, stratify=by_class)
    train_part, held = parts[::2], [filled(part, size(n_val)) for part in parts[1::2]]
    return train_part[0], train_part[1], None if weight is None else train_part[2], tuple(held)


def _record(estimator: Any, row: np.ndarray, factor: float, epoch: int, n: int) -> None:
    """One epoch into the curves, and scikit-learn's count of epochs without improvement."""
    train_loss, _, val_loss, val_score = row.tolist()
    estimator.loss_ = factor * train_loss
    estimator.loss_curve_.append(estimator.loss_)
    estimator.t_ += n
    if estimator.verbose:
        print(f"Iteration {epoch}, loss = {estimator.loss_:.8f}")
    if estimator.early_stopping:
        estimator.validation_scores_.append(val_score)
        estimator.validation_loss_curve_.append(factor * val_loss)
        if estimator.verbose:
            print(f"Validation score: {val_score:f}")
        waits = val_score < estimator.best_validation_score_ + estimator.tol
        estimator.best_validation_score_ = max(estimator.best_validation_score_, val_score)
    else:
        waits = estimator.loss_ > estimator.best_loss_ - estimator.tol
        estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)
    estimator._no_improvement_count = estimator._no_improvement_count + 1 if waits else 0


def _stops(estimator: Any) -> bool:
    """Whether to stop now that nothing improves; "adaptive" goes on at a fifth of the rate while that is large enough."""
    what = "Validation score" if estimator.early_stopping else "Training loss"
    told = f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} consecutive epochs."
    stop = estimator.learning_rate != "adaptive" or estimator._rate <= SMALLEST_RATE
    if not stop:
        estimator._rate /= 5
        estimator._no_improvement_count = 0
    if estimator.verbose:
        print(told, "Stopping." if stop else f"Setting learning rate to {estimator._rate:g}")
    return stop
