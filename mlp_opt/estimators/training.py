"""Training of an estimator: a lane, advanced until scikit-learn's stopping rule says so.

Programs are compiled for shapes, and cross-validation and small data make many. So the features are
filled up with zeros to a multiple of 16 (exact: a weight that starts at 0 and whose gradient is 0 stays
0 in every rule), and the last batch with samples that do not count; where one batch holds all samples
it is filled up to one of few sizes. Predictions are made in blocks of few sizes.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from .. import lane
from ..compiled import jit
from ..errors import InputError
from ..lane import Data, HParams, LaneSpec, LaneState
from ..model import MLP, Layer, Params, forward
from ..train import prepare_lane
from . import parameters
from .together import Call, advance, precision

SMALL = 256  # samples that one batch is filled up for
LARGE = 2**16  # samples from which a copy of them costs more than a program
TOLD_EVERY = 16  # epochs after which a verbose fit tells
BLOCK = 4096  # rows predicted at once
SMALLEST_RATE = 1e-6  # scikit-learn's: the "adaptive" rate is divided no further
_begin = jit(lane.begin)


@partial(jit, static_argnums=0)
def _outputs(model: MLP, params: Params, X: Any) -> Any:
    return forward(model, params, X).a[-1].T


def loss_factor(model: MLP) -> float:
    """scikit-learn's loss over ours: half the squared errors and cross-entropies are sums over the outputs, ours means."""
    return {"mse": model.sizes[-1] / 2, "bce": float(model.sizes[-1]), "softmax_cross_entropy": 1.0}[model.loss]


def params_of(estimator: Any) -> Any:
    """coefs_ and intercepts_ as our layers; W is (n_out, n_in)."""
    return tuple(Layer(W.T, b) for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True))


def set_params(estimator: Any, params: Params) -> None:
    """Our layers as coefs_ (n_in, n_out) and intercepts_ (n_out,), NumPy arrays; columns of features that were filled in are cut off."""
    layers = [(np.asarray(W)[:, :n].T, b) for (W, b), n in zip(params, estimator._model.sizes[:-1], strict=True)]
    estimator.coefs_ = [np.array(W, order="C") for W, _ in layers]
    estimator.intercepts_ = [np.array(b) for _, b in layers]


def outputs(model: MLP, params: Any, X: np.ndarray) -> np.ndarray:
    """The output pre-activations a[L] (n, n_out) of the rows of X, in blocks of few sizes."""
    model, params, X = _widened(model, params, X)
    with precision(X.dtype):
        params = jax.device_put(params) if len(X) > BLOCK else params  # a single call takes them along faster
        blocks = [X[i : i + BLOCK] for i in range(0, len(X), BLOCK)]
        return np.concatenate([np.asarray(_outputs(model, params, filled(b, size(len(b)))))[: len(b)] for b in blocks])


def size(n: int) -> int:
    """The first of 64, 256, 1024, 4096 ... that holds n."""
    most = 64
    while most < n:
        most *= 4
    return most


def filled(array: np.ndarray, n: int, axis: int = 0) -> Any:
    """`array` followed by zeros along an axis, n in all."""
    if array.shape[axis] == n:
        return array
    whole = np.zeros((*array.shape[:axis], n, *array.shape[axis + 1 :]), array.dtype)  # np.pad takes four times as long
    whole[(slice(None),) * axis + (slice(array.shape[axis]),)] = array
    return whole


def _widened(model: MLP, params: Any, X: np.ndarray) -> tuple[MLP, Any, Any]:
    """The same network on features filled up to a multiple of 16."""
    n_in = -(-model.sizes[0] // 16) * 16
    first = Layer(filled(params[0].W, n_in, axis=1), params[0].b)
    return replace(model, sizes=(n_in, *model.sizes[1:])), (first, *params[1:]), filled(X, n_in, axis=1)


class Batches(NamedTuple):
    """How the samples are gone through: n real ones in `steps` batches of `size`, in a new order each epoch or as they come."""

    n: int
    size: int
    steps: int
    shuffled: bool


def train(estimator: Any, X: Any, y: Any, weight: Any, rng: Any, incremental: bool) -> None:
    """Train coefs_ and intercepts_ further, on (X, y) as `losses.targets` has them; one epoch if incremental."""
    model, params, X = _widened(estimator._model, params_of(estimator), X)
    held_out = None, None, None
    if estimator.early_stopping:
        X, y, weight, held_out = _hold_out(estimator, X, y, weight, rng)
    if estimator._seed is None:  # of the order of the samples and of dropout, drawn last: all before is as scikit-learn draws it
        estimator._seed = int(rng.randint(2**31 - 1))
    X, y, weight, rows, batches = _batches(estimator, X, y, weight)
    if not incremental or estimator._optimizer[0] != estimator.solver:
        estimator._optimizer, estimator._updates = (estimator.solver, None), 0
        estimator._rate = float(estimator.learning_rate_init)
    epochs, done, finished = 1 if incremental else int(estimator.max_iter), 0, False
    data = Data(X, y, weight, *held_out, rows=rows)
    with precision(X.dtype):
        spec, hparams = _lane(estimator, model, batches, X)
        state = _start(estimator, params, hparams, batches.steps)
    while done < epochs and not finished:
        call, first = min(epochs - done, TOLD_EVERY) if estimator.verbose else epochs - done, len(estimator.loss_curve_)
        state, history = advance(Call(spec, hparams, data, state, first, first + call, estimator._rate))
        if int(state.diverged_at):
            raise InputError(
                f"training diverged in epoch {int(state.epoch)}: the objective was not finite; "
                f"scale X and y, or lower learning_rate_init (now {estimator.learning_rate_init:g})"
            )
        for row in history:
            done += 1
            _record(estimator, row, loss_factor(model), done, batches.n)
        estimator._updates += len(history) * batches.steps
        estimator._no_improvement_count = int(state.waited)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            finished = _stops(estimator)
            state = state._replace(waited=np.int32(0))
            with precision(X.dtype):
                spec, hparams = _lane(estimator, model, batches, X)
    if not finished and not incremental:
        warnings.warn(
            f"all of max_iter={done} epochs were done before the training converged (see tol and n_iter_no_change)",
            ConvergenceWarning,
            stacklevel=5,
        )
    estimator._optimizer = (estimator.solver, state.opt_state)
    set_params(estimator, state.best if estimator.early_stopping else state.params)
    estimator.n_iter_ = done


def _batches(estimator: Any, X: Any, y: Any, weight: Any) -> tuple[Any, Any, Any, Any, Batches]:
    """(X, y, weight, `Data.rows`), filled up to whole batches, and the batches."""
    n = len(X)
    batch = min(200, n) if estimator.batch_size == "auto" else int(estimator.batch_size)
    if batch > n:
        warnings.warn(f"batch_size {batch} is larger than the {n} training samples and is clipped", stacklevel=6)
    if batch < n:
        batches = Batches(n, batch, -(-n // batch), bool(estimator.shuffle))
        if n > LARGE:
            return X, y, weight, None, batches
        whole = batches.steps * batch
        return filled(X, whole), filled(y, whole), None if weight is None else filled(weight, whole), np.int32(n), batches
    batch = size(n) if n <= SMALL else n
    weight = filled(np.ones(n, X.dtype) if weight is None else weight, batch)
    batches = Batches(n, batch, 1, False)  # the order in a sum is of no consequence
    return filled(X, batch), filled(y, batch), weight, None, batches


def _lane(estimator: Any, model: MLP, batches: Batches, X: Any) -> tuple[LaneSpec, HParams]:
    """The lane of the estimator's parameters, at the present learning rate."""
    factor = loss_factor(model)
    rule = parameters.optimizer(estimator, estimator._rate, batches.steps, batches.n, estimator._updates, factor)
    spec, hparams = prepare_lane(
        model, rule, len(X), batch_size=batches.size, seed=estimator._seed, data_seed=None, l1=0.0, l2=0.0,
        dropout=estimator.dropout, label_smoothing=0.0, init_scale=1.0, patience=None,
        monitor="score" if estimator.early_stopping else "loss", dtype=X.dtype.name,
    )  # fmt: skip
    return spec, hparams._replace(
        alpha=float(estimator.alpha) / factor,  # what the factor multiplies again
        patience=np.int32(min(estimator.n_iter_no_change, 2**31 - 2)),
        tol=float(estimator.tol) / (1 if estimator.early_stopping else factor),
        data_seed=hparams.data_seed if batches.shuffled else None,
    )


def _start(estimator: Any, params: Params, hparams: Any, steps: int) -> LaneState:
    """The lane's state: the estimator's weights, the optimizer's state if it goes on, the counts, the best so far."""
    state = _begin(hparams, params)
    kept, epoch = estimator._optimizer[1], len(estimator.loss_curve_)
    best = -estimator.best_validation_score_ if estimator.early_stopping else estimator.best_loss_ / loss_factor(estimator._model)
    state = state._replace(
        opt_state=state.opt_state if kept is None else kept,
        best_value=np.asarray(best, state.best_value.dtype),
        epoch=np.int32(epoch),
        step=np.int32(epoch * steps),
        waited=np.int32(min(estimator._no_improvement_count, hparams.patience)),  # an epoch is always done
    )
    return jax.tree.map(np.asarray, state)  # so that the lane, which is donated its state, owns what it is given


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
    """One epoch into the curves, and the best of them."""
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
        estimator.best_validation_score_ = max(estimator.best_validation_score_, val_score)
    else:
        estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)


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
