"""Run one lane: checked data, compiled chunks of epochs, history, best and last parameters."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import lane, metrics
from .bound import is_whole, within
from .compiled import jit
from .errors import InputError, check_name
from .lane import COLUMNS, HISTORY_ROWS, Data, HParams, LaneSpec, LaneState
from .model import MLP, Params, predict
from .optimizers import as_pytree

init_lane = jit(lane.init, static_argnums=0)
advance_lane = jit(lane.advance, static_argnums=0, donate_argnums=1)
evaluate = jit(lane.evaluate, static_argnums=0)
outputs = jit(lane.outputs, static_argnums=0)
measure = jit(lane.measure, static_argnums=0)
_predict = jit(predict, static_argnums=0)

BLOCK = 256  # rows that are predicted at a time

REPORT_EVERY_S = 0.5  # how often on_epochs is called, about

DTYPES = ("float32", "float64", "bfloat16", "float16")


@dataclass(frozen=True)
class Run:
    """What `fit` returns.

    best: parameters after the epoch whose monitored value was best (without validation data that value is the
    mean over the epoch's batches, measured as they were trained on); last: after the last epoch. A run that
    diverged keeps a finite best, the initial parameters if need be; its last may not be finite.
    history: for each epoch done, arrays `epoch`, `train_loss`, `train_accuracy` (or `train_r2`) and,
    with validation data, `val_loss`, `val_accuracy` (or `val_r2`). train_* are means over the
    epoch's batches as they were trained on (the objective, penalty included); val_* after the epoch.
    best_epoch: from 1; 0 if no epoch was finite. stopped: "finished", "patience", "diverged" or "interrupted".
    diverged_at: the step, from 1, whose objective was not finite; None if none.
    state: the lane's state; `fit(..., state=run.state, history=run.history)` goes on from it. None for a lane of a sweep.
    """

    model: MLP
    best: Params
    last: Params
    history: dict[str, np.ndarray]
    best_epoch: int
    stopped: str
    diverged_at: int | None
    state: LaneState | None


def fit(
    model: MLP,
    optimizer: Any,
    X: Any,
    y: Any,
    *,
    epochs: Any = 20,
    batch_size: Any = 32,
    seed: Any = 0,
    data_seed: Any = None,
    validation: Any = None,
    sample_weight: Any = None,
    l1: Any = 0.0,
    l2: Any = 0.0,
    dropout: Any = 0.0,
    label_smoothing: Any = 0.0,
    init_scale: Any = 1.0,
    patience: Any = None,
    monitor: str = "loss",
    dtype: str = "float32",
    on_epochs: Callable[[dict[str, np.ndarray], LaneState], bool | None] | None = None,
    state: LaneState | None = None,
    history: dict[str, np.ndarray] | None = None,
) -> Run:
    """Train `model` with `optimizer`, one jitted lane. Arguments are checked here: InputError says what is accepted.

    X (n, n_in) and y as `losses.targets` describes; validation the same. batch_size None (or n) is
    gradient descent, 1 is SGD. Each epoch visits every sample once, in an order that fold_in(data_seed,
    epoch) gives (data_seed defaults to seed). `optimizer` is one of ours or any optax
    transformation; numbers may change from call to call without a recompilation, but a plain optax
    transformation is compiled anew each time it is made. A number that is 0 (l1, l2, dropout,
    label_smoothing) leaves its term out of the program.

    patience: stop after so many epochs without a new best value of `monitor` ("loss" or "score") on the
    validation data, or on the training data where there is none. dtype of the parameters: float64
    needs jax_enable_x64. on_epochs is called on the host after each compiled call (1, 2, 4, ... at most
    64 epochs, and about half a second) with the history and the state so far, the state valid only during
    the call (the lane overwrites it); returning True stops the run ("interrupted"). state and history: of
    an earlier Run, to continue.

    Raises InputError where shapes, labels or numbers do not fit. A run that diverges does not raise: see Run.
    """
    spec, hparams, data = prepare(
        model, optimizer, X, y,
        batch_size=batch_size, seed=seed, data_seed=data_seed, validation=validation, sample_weight=sample_weight,
        l1=l1, l2=l2, dropout=dropout, label_smoothing=label_smoothing, init_scale=init_scale, patience=patience,
        monitor=monitor, dtype=dtype,
    )  # fmt: skip
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or not 1 <= epochs < 2**31:
        raise InputError(f"epochs must be a whole number >= 1, got {epochs!r}")
    if state is None:
        state = init_lane(spec, hparams)
    else:  # the lane is donated its state, so keep the caller's
        state = jax.tree.map(jnp.copy, state)
    rows = [] if history is None else [_rows(model, history)]
    stopped, chunk, epochs = "", 1, int(epochs)
    while not stopped:
        first, started = int(state.epoch), time.perf_counter()
        state, new = advance_lane(spec, state, hparams, data, first, min(first + chunk, epochs))
        rows.append(np.asarray(new, np.float64)[: int(state.epoch) - first])
        stopped = _stopped(state, hparams, epochs)
        if on_epochs and on_epochs(_history(model, rows, data, state), state) and not stopped:
            stopped = "interrupted"
        if time.perf_counter() - started < REPORT_EVERY_S / 2:  # a stopped lane runs on to the end of its call
            chunk = min(2 * chunk, HISTORY_ROWS)
    return Run(
        model, state.best, state.params, _history(model, rows, data, state), int(state.best_epoch), stopped,
        int(state.diverged_at) or None, state,
    )  # fmt: skip


def predict_rows(model: MLP, params: Params, X: np.ndarray) -> np.ndarray:
    """y_hat (n, n_out) float64 of rows X (n, n_in), in blocks of one size: one program, and the same bits for a row in any table."""
    found = np.empty((len(X), model.sizes[-1]))
    block = np.zeros((BLOCK, X.shape[1]), X.dtype)
    for first in range(0, len(X), BLOCK):
        rows = X[first : first + BLOCK]
        block[: len(rows)] = rows
        found[first : first + BLOCK] = np.asarray(_predict(model, params, jnp.asarray(block, params[0].W.dtype)), np.float64)[: len(rows)]
    return found


def prepare(
    model: MLP, optimizer: Any, X: Any, y: Any, *, validation: Any, sample_weight: Any, dtype: str, **options: Any
) -> tuple[LaneSpec, HParams, Data]:
    """Check what `fit` was given and turn it into a lane: (spec, hparams, data). options: of `prepare_lane`."""
    data = prepare_data(model, X, y, validation, sample_weight, dtype)
    return *prepare_lane(model, optimizer, data.X.shape[0], dtype=dtype, **options), data


def prepare_data(model: MLP, X: Any, y: Any, validation: Any, sample_weight: Any, dtype: str) -> Data:
    """Training and validation samples as arrays that fit the model; InputError names what does not."""
    check_dtype(dtype)
    X, y = check_data(model, X, y, dtype)
    n = X.shape[0]
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight)
        good = sample_weight.shape == (n,) and sample_weight.dtype.kind in "biuf"
        if not good or not (np.isfinite(sample_weight) & (sample_weight >= 0)).all() or not sample_weight.any():
            raise InputError(f"sample_weight must be {n} finite numbers >= 0, one a training sample, not all 0")
        sample_weight = jnp.asarray(sample_weight, jnp.float64 if dtype == "float64" else jnp.float32)
    X_val = y_val = None
    if validation is not None:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise InputError("validation must be a pair (X, y)")
        X_val, y_val = check_data(model, validation[0], validation[1], dtype, "validation ")
    return Data(X, y, sample_weight, X_val, y_val)


def prepare_lane(
    model: MLP,
    optimizer: Any,
    n: int,
    *,
    batch_size: Any,
    seed: Any,
    data_seed: Any,
    l1: Any,
    l2: Any,
    dropout: Any,
    label_smoothing: Any,
    init_scale: Any,
    patience: Any,
    monitor: str,
    dtype: str,
    traced: frozenset[str] = frozenset(),
    columns: bool = False,
) -> tuple[LaneSpec, HParams]:
    """A lane for n training samples, checked. Neutral numbers (l2 0, say) leave the program, unless named in `traced`.

    columns: a number may be a column, those of as many lanes; then its leaf of the hparams is.
    """
    check_dtype(dtype)
    check_name("monitor", monitor, ("loss", "score"))
    batch = n if batch_size is None else batch_size
    if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)) or not 1 <= batch <= n:
        raise InputError(f"batch_size must be a whole number from 1 to the {n} training samples, got {batch_size!r}")
    data_seed = seed if data_seed is None else data_seed
    numbers = {"init_scale": init_scale, "l1": l1, "l2": l2, "dropout": dropout, "label_smoothing": label_smoothing}
    _check_numbers(columns, seed=seed, data_seed=data_seed, patience=patience, **numbers)
    # Numbers reach the program as one kind each, so that 1, 1.0 and np.float32(1) are the same program.
    plain = jax.tree.map(lambda x: float(x) if isinstance(x, (int, np.number)) else x, as_pytree(optimizer))
    hparams = HParams(
        plain,
        seed=np.uint32(seed),
        data_seed=np.uint32(data_seed),
        patience=None if patience is None else int(patience),
        **{name: _unless(value, None if name in traced else 1.0 if name == "init_scale" else 0.0) for name, value in numbers.items()},
    )
    return LaneSpec(model, int(batch), dtype, monitor), hparams


def check_dtype(dtype: str) -> None:
    check_name("dtype", dtype, DTYPES)
    if dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise InputError('dtype float64 needs jax.config.update("jax_enable_x64", True) before JAX is used')


def check_data(model: MLP, X: Any, y: Any, dtype: str, which: str = "") -> tuple[Any, Any]:
    """X (n, n_in) in `dtype` and y ready for the model's loss; InputError names what does not fit."""
    try:
        X, y = np.asarray(X), np.asarray(y)
    except ValueError as error:
        raise InputError(f"{which}X and {which}y must be arrays: {error}") from error
    n_in, n_out = model.sizes[0], model.sizes[-1]
    if X.ndim != 2 or X.shape[1] != n_in or X.shape[0] < 1:
        raise InputError(f"{which}X of shape {X.shape} does not fit sizes {model.sizes}: give (samples, {n_in})")
    if y.ndim == 0:
        raise InputError(f"{which}y must have {len(X)} rows, got {y}")
    if len(y) != len(X):
        raise InputError(f"{which}X has {len(X)} rows but {which}y has {len(y)}")
    _check_finite(f"{which}X", X)
    _check_finite(f"{which}y", y)
    labels = model.loss == "softmax_cross_entropy" and y.ndim == 1
    if labels and not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{which}y holds {y.dtype} labels; give whole numbers from 0 to {n_out - 1}, or rows of {n_out}")
    if labels and (y.min() < 0 or y.max() >= n_out):
        wrong = y[(y < 0) | (y >= n_out)][0]
        raise InputError(f"{which}y holds the label {wrong}; {n_out} outputs take labels 0 to {n_out - 1}")
    if not labels and y.shape not in {(len(X), n_out)} | ({(len(X),)} if n_out == 1 else set()):
        raise InputError(f"{which}y of shape {y.shape} does not fit {n_out} outputs: give ({len(X)}, {n_out})")
    if model.loss == "softmax_cross_entropy" and y.min() < 0:
        raise InputError(f"{which}y holds {y.min()}; soft labels are numbers >= 0")
    if model.loss == "bce" and (y.min() < 0 or y.max() > 1):
        wrong = y[(y < 0) | (y > 1)].flat[0]
        raise InputError(f"{which}y holds {wrong}; bce takes targets from 0 to 1")
    wide = jnp.float64 if dtype == "float64" else jnp.float32
    return jnp.asarray(X, jnp.dtype(dtype)), jnp.asarray(y, jnp.int32 if labels else wide)


def _check_finite(name: str, values: np.ndarray) -> None:
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {values.dtype}, not numbers")
    if not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values))
        where = f"row {bad[0][0]}" + (f", column {bad[0][1]}" if values.ndim == 2 else "")
        raise InputError(f"{name} holds {values[tuple(bad[0])]} at {where} ({len(bad)} such values); remove or impute them")


def _check_numbers(columns: bool, **given: Any) -> None:
    """columns: whether a number may be an array of them, those of many lanes."""
    seed = (0, 2**32, "a whole number from 0 to 2^32 - 1")
    rules: dict[str, tuple[float | int, float | int, str]] = {
        "seed": seed,
        "data_seed": seed,
        "patience": (1, 2**31, "None or a whole number from 1 to 2^31 - 1"),
        "init_scale": (math.ulp(0.0), math.inf, "a number > 0"),
        "l1": (0, math.inf, "a number >= 0"),
        "l2": (0, math.inf, "a number >= 0"),
        "dropout": (0, 1, "a number from 0 up to but not 1"),
        "label_smoothing": (0, math.nextafter(1.0, 2.0), "a number from 0 to 1"),
    }
    for name, value in given.items():
        low, high, accepted = rules[name]
        fine = within(value, low, high) and (columns or np.ndim(value) == 0) and (is_whole(value) or "whole" not in accepted)
        if not fine and not (name == "patience" and value is None):
            raise InputError(f"{name} must be {accepted}, got {value!r}")


def _unless(value: Any, neutral: float | None) -> Any:
    """None for the neutral number, which leaves the term out of the program; other single numbers as a float."""
    if not isinstance(value, (int, float, np.number)):
        return value
    return None if value == neutral else float(value)


def _stopped(state: LaneState, hparams: HParams, epochs: int) -> str:
    if int(state.diverged_at):
        return "diverged"
    if int(state.epoch) >= epochs:
        return "finished"
    return "" if bool(lane.running(state, hparams)) else "patience"


def _names(model: MLP) -> list[str]:
    return [c.replace("score", metrics.METRICS[model.loss]) for c in COLUMNS]


def _history(model: MLP, rows: list[np.ndarray], data: Data, state: LaneState) -> dict[str, np.ndarray]:
    table = np.concatenate(rows)
    kept = _names(model) if data.X_val is not None else _names(model)[:2]
    last = int(state.epoch)
    return {"epoch": np.arange(last - len(table) + 1, last + 1)} | {name: table[:, i] for i, name in enumerate(kept)}


def _rows(model: MLP, history: dict[str, np.ndarray]) -> np.ndarray:
    missing = np.full(len(history["epoch"]), np.nan)
    return np.stack([history.get(name, missing) for name in _names(model)], axis=1)
