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
from .errors import InputError, check_name
from .lane import COLUMNS, HISTORY_ROWS, Data, HParams, LaneSpec, LaneState
from .model import MLP, Params
from .optimizers import as_pytree

init_lane = jax.jit(lane.init, static_argnums=0)
advance_lane = jax.jit(lane.advance, static_argnums=0, donate_argnums=1)
evaluate = jax.jit(lane.evaluate, static_argnums=0)

REPORT_EVERY_S = 0.5  # how often on_epochs is called, about

DTYPES = ("float32", "float64", "bfloat16", "float16")


@dataclass(frozen=True)
class Run:
    """What `fit` returns.

    best: parameters of the epoch whose monitored value was best; last: of the last epoch.
    history: for each epoch done, arrays `epoch`, `train_loss`, `train_accuracy` (or `train_r2`) and,
    with validation data, `val_loss`, `val_accuracy` (or `val_r2`). train_* are means over the
    epoch's batches as they were trained on (the objective, penalty included); val_* after the epoch.
    best_epoch: from 1; 0 if no epoch was finite. stopped: "finished", "patience", "diverged" or "interrupted".
    diverged_at: the step, from 1, whose objective was not finite; None if none.
    state: the lane's state; `fit(..., state=run.state, history=run.history)` goes on from it.
    """

    model: MLP
    best: Params
    last: Params
    history: dict[str, np.ndarray]
    best_epoch: int
    stopped: str
    diverged_at: int | None
    state: LaneState


def fit(
    model: MLP,
    optimizer: Any,
    X: Any,
    y: Any,
    *,
    epochs: int = 20,
    batch_size: int | None = 32,
    seed: int = 0,
    data_seed: int | None = None,
    validation: tuple[Any, Any] | None = None,
    sample_weight: Any = None,
    l2: Any = 0.0,
    dropout: Any = 0.0,
    label_smoothing: Any = 0.0,
    init_scale: Any = 1.0,
    patience: int | None = None,
    monitor: str = "loss",
    dtype: str = "float32",
    on_epochs: Callable[[dict[str, np.ndarray], LaneState], bool | None] | None = None,
    state: LaneState | None = None,
    history: dict[str, np.ndarray] | None = None,
) -> Run:
    """Train `model` with `optimizer`, one jitted lane.

    X (n, n_in) and y as `losses.targets` describes; validation the same. batch_size None (or n) is
    gradient descent, 1 is SGD. Each epoch visits every sample once, in an order that fold_in(data_seed,
    epoch) gives (data_seed defaults to seed). `optimizer` is one of ours or any optax
    transformation; numbers may change from call to call without a recompilation, but a plain optax
    transformation is compiled anew each time it is made. A number that is 0 (l2, dropout,
    label_smoothing) leaves its term out of the program.

    patience: stop after so many epochs without a new best value of `monitor` ("loss" or "score") on the
    validation data, or on the training data where there is none. dtype of the parameters: float64
    needs jax_enable_x64. on_epochs is called on the host about twice a second with the history and state so
    far; returning True stops the run ("interrupted"). state and history: of an earlier Run, to continue.

    Raises InputError where shapes, labels or numbers do not fit. A run that diverges does not raise: see Run.
    """
    spec, hparams, data = prepare(
        model, optimizer, X, y,
        batch_size=batch_size, seed=seed, data_seed=data_seed, validation=validation, sample_weight=sample_weight,
        l2=l2, dropout=dropout, label_smoothing=label_smoothing, init_scale=init_scale, patience=patience,
        monitor=monitor, dtype=dtype,
    )  # fmt: skip
    if not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise InputError(f"epochs must be a whole number >= 1, got {epochs!r}")
    if state is None:
        state = init_lane(spec, hparams)
    else:  # the lane is donated its state, so keep the caller's
        state = jax.tree.map(jnp.copy, state)
    rows = [] if history is None else [_rows(model, history)]
    stopped, chunk = "", 1
    while not stopped:
        first, started = int(state.epoch), time.perf_counter()
        state, new = advance_lane(spec, state, hparams, data, first, min(first + chunk, epochs))
        rows.append(np.asarray(new, np.float64)[: int(state.epoch) - first])
        stopped = _stopped(state, hparams, epochs)
        if on_epochs and on_epochs(_history(model, rows, data), state) and not stopped:
            stopped = "interrupted"
        if time.perf_counter() - started < REPORT_EVERY_S / 2:  # a stopped lane runs on to the end of its call
            chunk = min(2 * chunk, HISTORY_ROWS)
    return Run(
        model, state.best, state.params, _history(model, rows, data), int(state.best_epoch), stopped,
        int(state.diverged_at) or None, state,
    )  # fmt: skip


def prepare(
    model: MLP,
    optimizer: Any,
    X: Any,
    y: Any,
    *,
    batch_size: int | None,
    seed: int,
    data_seed: int | None,
    validation: tuple[Any, Any] | None,
    sample_weight: Any,
    l2: Any,
    dropout: Any,
    label_smoothing: Any,
    init_scale: Any,
    patience: int | None,
    monitor: str,
    dtype: str,
) -> tuple[LaneSpec, HParams, Data]:
    """Check what `fit` was given and turn it into a lane: (spec, hparams, data)."""
    check_name("dtype", dtype, DTYPES)
    if dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise InputError('dtype float64 needs jax.config.update("jax_enable_x64", True) before JAX is used')
    check_name("monitor", monitor, ("loss", "score"))
    X, y = check_data(model, X, y, dtype)
    n = X.shape[0]
    batch = n if batch_size is None else batch_size
    if not isinstance(batch, (int, np.integer)) or not 1 <= batch <= n:
        raise InputError(f"batch_size must be a whole number from 1 to the {n} training samples, got {batch_size!r}")
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, np.float64)
        if sample_weight.shape != (n,) or not (np.isfinite(sample_weight) & (sample_weight >= 0)).all():
            raise InputError(f"sample_weight must be {n} finite numbers >= 0, one a training sample")
        sample_weight = jnp.asarray(sample_weight, jnp.float64 if dtype == "float64" else jnp.float32)
    X_val, y_val = (None, None) if validation is None else check_data(model, *validation, dtype, "validation ")
    _check_numbers(seed=seed, l2=l2, dropout=dropout, label_smoothing=label_smoothing, patience=patience)
    hparams = HParams(
        as_pytree(optimizer),
        seed=seed,
        data_seed=seed if data_seed is None else data_seed,
        init_scale=_unless(init_scale, 1.0),
        l2=_unless(l2, 0.0),
        dropout=_unless(dropout, 0.0),
        label_smoothing=_unless(label_smoothing, 0.0),
        patience=patience,
    )
    return LaneSpec(model, int(batch), dtype, monitor), hparams, Data(X, y, sample_weight, X_val, y_val)


def check_data(model: MLP, X: Any, y: Any, dtype: str, which: str = "") -> tuple[Any, Any]:
    """X (n, n_in) in `dtype` and y ready for the model's loss; InputError names what does not fit."""
    X, y = np.asarray(X), np.asarray(y)
    n_in, n_out = model.sizes[0], model.sizes[-1]
    if X.ndim != 2 or X.shape[1] != n_in or X.shape[0] < 1:
        raise InputError(f"{which}X of shape {X.shape} does not fit sizes {model.sizes}: give (samples, {n_in})")
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
    if model.loss == "bce" and (y.min() < 0 or y.max() > 1):
        wrong = y[(y < 0) | (y > 1)].flat[0]
        raise InputError(f"{which}y holds {wrong}; bce takes targets from 0 to 1")
    wide = jnp.float64 if dtype == "float64" else jnp.float32
    return jnp.asarray(X, jnp.dtype(dtype)), jnp.asarray(y, jnp.int32 if labels else wide)


def _check_finite(name: str, values: np.ndarray) -> None:
    if not (np.issubdtype(values.dtype, np.number) or values.dtype == bool):
        raise InputError(f"{name} holds {values.dtype}, not numbers")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = f"row {bad[0][0]}" + (f", column {bad[0][1]}" if values.ndim == 2 else "")
        raise InputError(f"{name} holds {values[tuple(bad[0])]} at {where} ({len(bad)} such values); remove or impute them")


def _check_numbers(*, seed: Any, l2: Any, dropout: Any, label_smoothing: Any, patience: Any) -> None:
    def check(name: str, value: Any, good: Callable[[Any], bool], accepted: str) -> None:
        if isinstance(value, (bool, str)) or not good(value):
            raise InputError(f"{name} must be {accepted}, got {value!r}")

    check("seed", seed, lambda v: v == int(v) and 0 <= v < 2**32, "a whole number from 0 to 2^32 - 1")
    check("l2", l2, lambda v: v >= 0 and math.isfinite(v), "a number >= 0")
    check("dropout", dropout, lambda v: 0 <= v < 1, "a number from 0 up to but not 1")
    check("label_smoothing", label_smoothing, lambda v: 0 <= v <= 1, "a number from 0 to 1")
    check("patience", patience, lambda v: v is None or v >= 1, "None or a whole number >= 1")


def _unless(value: Any, neutral: float) -> Any:
    return None if isinstance(value, (int, float)) and value == neutral else value


def _stopped(state: LaneState, hparams: HParams, epochs: int) -> str:
    if int(state.diverged_at):
        return "diverged"
    if int(state.epoch) >= epochs:
        return "finished"
    return "" if bool(lane.running(state, hparams)) else "patience"


def _names(model: MLP) -> list[str]:
    return [c.replace("score", metrics.METRICS[model.loss]) for c in COLUMNS]


def _history(model: MLP, rows: list[np.ndarray], data: Data) -> dict[str, np.ndarray]:
    table = np.concatenate(rows)
    kept = _names(model) if data.X_val is not None else _names(model)[:2]
    return {"epoch": np.arange(1, len(table) + 1)} | {name: table[:, i] for i, name in enumerate(kept)}


def _rows(model: MLP, history: dict[str, np.ndarray]) -> np.ndarray:
    missing = np.full(len(history["epoch"]), np.nan)
    return np.stack([history.get(name, missing) for name in _names(model)], axis=1)
