"""One training run as a pure function of its hyperparameters: a lane.

    state            = init(spec, hparams)
    state, history   = advance(spec, state, hparams, data, first, until)
    loss, score      = evaluate(model, params, X, y)

LaneSpec is static: it changes the program. HParams is a pytree of numbers, traced and vmappable;
a field that is None is absent from the program. `train.fit` runs one lane, a sweep vmaps the same
functions over many. Batch size 1 is the notes' SGD, N their gradient descent: the code is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from . import losses, metrics
from .backprop import backward
from .bound import widen
from .model import MLP, Params, forward
from .model import init as init_params
from .optimizers import Optimizer, apply_updates

COLUMNS = ("train_loss", "train_score", "val_loss", "val_score")
HISTORY_ROWS = 64  # epochs in one compiled call; a longer run makes several calls of the same program

# What a lane's randomness is for, folded into its seed. Never renumber.
_INIT, _ORDER, _DROPOUT = 0, 1, 2


BLOCK = 4_096  # rows that are evaluated at a time


@dataclass(frozen=True)
class LaneSpec:
    """What makes the program: the model, the samples a step, the parameters' dtype, what "best" means.

    monitor: "loss" (lower is better) or "score" (accuracy or R^2, higher is better), of the
    validation data where there is some, else of the training data.
    """

    model: MLP
    batch_size: int
    dtype: str = "float32"
    monitor: str = "loss"


class HParams(NamedTuple):
    """The numbers of a lane. None leaves a thing out of the program: no penalty, no dropout, no patience."""

    optimizer: Optimizer
    seed: Any = 0  # of the initial weights and the dropout masks
    data_seed: Any = 0  # of the order of the samples, None: as they come; lanes that share it run faster
    init_scale: Any = None
    l1: Any = None
    l2: Any = None
    dropout: Any = None
    label_smoothing: Any = None
    patience: Any = None  # stop after this many epochs without a new best
    tol: Any = None  # with it, scikit-learn's rule: stop after patience + 1 epochs in a row that better the best by tol or less
    alpha: Any = None  # scikit-learn's penalty: l2 = alpha over the sum of the batch's weights (its samples)


class Data(NamedTuple):
    """Training samples, and validation samples or None. Shapes as `losses.targets` has them.

    rows: how many of the training samples are real, the first ones; the others only fill the arrays up, so that
    more sizes share a program. They must not make a batch of their own. None: all are.
    """

    X: Float[Array, "n n_in"]
    y: Array
    weight: Float[Array, " n"] | None = None
    X_val: Float[Array, "n_val n_in"] | None = None
    y_val: Array | None = None
    weight_val: Float[Array, " n_val"] | None = None
    rows: Any = None


class LaneState(NamedTuple):
    """Everything that a lane is; a pytree of arrays. Once it has stopped, opt_state means nothing, unless there is HParams.tol."""

    params: Params
    opt_state: PyTree
    best: Params
    best_value: Float[Array, ""]  # the monitored quantity, lower is better
    best_epoch: Int[Array, ""]  # epochs count from 1; 0: none yet
    epoch: Int[Array, ""]  # epochs done
    step: Int[Array, ""]  # steps done
    diverged_at: Int[Array, ""]  # the step whose objective was not finite, from 1; 0: none
    waited: Any = None  # with HParams.tol: epochs in a row that bettered the best by tol or less


def init(spec: LaneSpec, hparams: HParams) -> LaneState:
    """The state before the first epoch: `begin` with the weights that `draw` gives."""
    return begin(hparams, draw(spec.model, spec.dtype, hparams.seed, hparams.init_scale))


def draw(model: MLP, dtype: str, seed: Any, init_scale: Any = None) -> Params:
    """The initial weights. Apart from `begin`: lanes of all optimizers share this program."""
    return init_params(model, _key(seed, _INIT), 1.0 if init_scale is None else init_scale, jnp.dtype(dtype))


def begin(hparams: HParams, params: Params) -> LaneState:
    """The state before the first epoch, from these weights."""
    zero = jnp.zeros((), jnp.int32)
    worst = jnp.asarray(jnp.inf, widen(params[0].W.dtype))
    waited = None if hparams.tol is None else zero
    return LaneState(params, hparams.optimizer.init(params), params, worst, zero, zero, zero, zero, waited)


def running(state: LaneState, hparams: HParams) -> Bool[Array, ""]:
    """Whether the lane goes on: it has not diverged, nor waited longer than its patience."""
    alive = state.diverged_at == 0
    if hparams.patience is None:
        return alive
    if hparams.tol is not None:
        return alive & (state.waited <= hparams.patience)
    return alive & (state.epoch - state.best_epoch < hparams.patience)


def advance(
    spec: LaneSpec, state: LaneState, hparams: HParams, data: Data, first: Any, until: Any
) -> tuple[LaneState, Float[Array, "rows columns"]]:
    """Go on from epoch `first` until `until` epochs are done, or HISTORY_ROWS more.

    A lane that has stopped (see `running`) is carried along: its weights, counts and best stay as they are.
    No branch round an epoch and no early end here: under vmap either would give every array in the loop a lane axis.
    Returns (state, history). history: a row an epoch (COLUMNS), NaN where the lane had stopped. train_loss
    is the objective, penalty and label smoothing included, averaged over the epoch's batches as they were
    when each was trained on; train_score likewise. val_loss is the plain loss after the epoch.

    `first` is state.epoch of a running lane, apart from the state so that lanes under vmap share it, and
    with a common data_seed also the order of the samples and the gathered batches.
    """
    wide = widen(jnp.dtype(spec.dtype))
    var = metrics.variance(spec.model.loss, data.y, spec.model.sizes[-1], wide, _weights(data, wide))
    first = jnp.asarray(first, jnp.int32)
    # Two plain folds: a scan over both is fewer kernels, but with it XLA's CPU runtime (jaxlib 0.10.2) ran the loop of a sweep's
    # tile on the thread that calls it, not on one of its own, and the sweep took about a tenth longer.
    order_key = None if hparams.data_seed is None else _key(hparams.data_seed, _ORDER)

    def going(carry: Any) -> Bool[Array, ""]:
        done, _, _ = carry
        return (done < HISTORY_ROWS) & (first + done < until)

    def epoch(carry: Any) -> Any:
        done, state, history = carry
        batches = _batches(spec, data.X.shape[0], data.rows, order_key, first + done)
        state, measured = _epoch(spec, state, hparams, data, var, batches)
        return done + 1, state, jax.lax.dynamic_update_index_in_dim(history, measured, done, 0)

    history = jnp.full((HISTORY_ROWS, len(COLUMNS)), jnp.nan, var.dtype)
    _, state, history = jax.lax.while_loop(going, epoch, (jnp.zeros((), jnp.int32), state, history))
    return state, history


def evaluate(
    model: MLP, params: Params, X: Float[Array, "n n_in"], y: Array, weight: Array | None = None
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """(loss, score) of the parameters on data: the plain mean loss, and accuracy or R^2."""
    return measure(model, outputs(model, params, X), y, weight)


def outputs(model: MLP, params: Params, X: Float[Array, "n n_in"]) -> Float[Array, "n_out n"]:
    """a[L] of every row, a column each. More than BLOCK rows go through the network a block at a time."""
    whole = len(X) // BLOCK * BLOCK if len(X) > BLOCK else 0
    a = forward(model, params, X[whole:]).a[-1]
    if not whole:
        return a
    starts = jnp.arange(0, whole, BLOCK)
    blocks = jax.lax.map(lambda i: forward(model, params, jax.lax.dynamic_slice_in_dim(X, i, BLOCK)).a[-1], starts)
    return jnp.concatenate([jnp.moveaxis(blocks, 0, 1).reshape(-1, whole), a], axis=1)


def measure(model: MLP, a: Float[Array, "n_out n"], y: Array, weight: Array | None = None) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """(loss, score) of the outputs a[L]: see `evaluate`."""
    wide, output = widen(a.dtype), model.activations[-1]
    a = a.astype(wide)
    var = metrics.variance(model.loss, y, model.sizes[-1], wide, weight)
    scores = metrics.score(model.loss, a, y, var, output)
    return losses.value(model.loss, a, y, weight, output=output), jnp.sum(losses.shares(a.shape[1], weight, wide) * scores)


def _weights(data: Data, dtype: Any) -> Array | None:
    """The training samples' weights, 0 for those that only fill up; None where all count the same."""
    if data.rows is None:
        return data.weight
    real = (jnp.arange(len(data.X), dtype=jnp.int32) < data.rows).astype(dtype)
    return real if data.weight is None else real * data.weight.astype(dtype)


def _batches(spec: LaneSpec, n: int, real: Any, key: Array | None, epoch: Any) -> tuple[Int[Array, "steps batch"], Any]:
    """An epoch's batches: rows of the data, each exactly once, and which are real (None if all are)."""
    batch = spec.batch_size
    steps = -(-n // batch)
    if key is None:
        order = jnp.arange(n)
    else:
        bits = jax.random.bits(jax.random.fold_in(key, epoch), (n,), jnp.uint32)
        if real is not None:  # bits do not depend on n: the real samples come in the order that they have alone
            bits = jnp.where(jnp.arange(n, dtype=jnp.int32) < real, bits, jnp.uint32(2**32 - 1))
        order = _shuffled(bits)
    rows = jnp.pad(order, (0, steps * batch - n)).reshape(steps, batch)
    padded = steps * batch > n or real is not None  # the last batch is filled up with samples of weight 0
    return rows, (jnp.arange(steps * batch, dtype=jnp.int32) < (n if real is None else real)).reshape(steps, batch) if padded else None


def _shuffled(bits: Array) -> Int[Array, " n"]:
    """argsort(bits), each row's number packed below its bits: XLA sorts plain numbers four times as fast as pairs.

    One sort of all rows; jax.random.permutation takes two or three.
    """
    with jax.enable_x64(True):  # 64 bits whatever the session's dtypes are
        packed = jax.lax.convert_element_type(bits, jnp.uint64) << jnp.uint64(32) | jax.lax.iota(jnp.uint64, len(bits))
        return jax.lax.convert_element_type(jax.lax.sort(packed, is_stable=False) & jnp.uint64(2**32 - 1), jnp.int32)


def _epoch(
    spec: LaneSpec, state: LaneState, hparams: HParams, data: Data, var: Array, batches: tuple[Array, Any]
) -> tuple[LaneState, Array]:
    """One pass over the batches, then the validation data and the best so far."""
    alive, steps = running(state, hparams), len(batches[0])

    def step(carry: Any, picked: Any) -> Any:
        return _step(spec, carry, hparams, data, var, state.step, *picked), None

    carry = (state.params, state.opt_state, alive.astype(jnp.int32) - 1, jnp.zeros(3, var.dtype))
    (params, opt_state, good, sums), _ = jax.lax.scan(step, carry, (jnp.arange(steps, dtype=jnp.int32), *batches))
    train = sums[1:] / jnp.where(sums[0] == 0, 1, sums[0])

    zero = jnp.sum(0 * jnp.concatenate([p.ravel() for p in jax.tree.leaves(params)]))  # or NaN: no objective has seen the last update
    blew_up = alive & ((good < steps) | ~jnp.isfinite(zero))
    count = state.step + jnp.where(alive, jnp.minimum(good + 1, steps), 0)
    if data.X_val is None or data.y_val is None:
        val = jnp.full((2,), jnp.nan, var.dtype)
    else:
        val = jnp.stack(evaluate(spec.model, params, data.X_val, data.y_val, data.weight_val)).astype(var.dtype)
        blew_up = blew_up | (alive & ~jnp.isfinite(val[0]))
    loss, score = train if data.X_val is None else val
    value = loss if spec.monitor == "loss" else -score
    better = alive & ~blew_up & (value < state.best_value)  # a NaN is never better
    waited = state.waited
    if hparams.tol is not None:
        waits = value > state.best_value - jnp.asarray(hparams.tol, value.dtype)
        waited = jnp.where(alive, jnp.where(waits, waited + 1, 0), waited)
    epoch = state.epoch + alive.astype(jnp.int32)
    state = LaneState(
        params,
        opt_state,
        best=jax.lax.cond(better, lambda new, old: new, lambda new, old: old, params, state.best),
        best_value=jnp.where(better, value, state.best_value),
        best_epoch=jnp.where(better, epoch, state.best_epoch),
        epoch=epoch,
        step=count,
        diverged_at=jnp.where(blew_up, count, state.diverged_at),
        waited=waited,
    )
    return state, jnp.where(alive, jnp.concatenate([train, val]), jnp.nan)


def _step(spec: LaneSpec, carry: Any, hparams: HParams, data: Data, var: Array, before: Array, i: Array, rows: Array, real: Any) -> Any:
    """Update number before + i. The carry: weights, optimizer, good steps, sums of (weight, objective, scores) over the batches.

    From a step whose objective is not finite on (good stays what it is) the weights are left as they are.
    """
    params, opt_state, good, sums = carry
    X, y = data.X[rows], data.y[rows]
    weight = None if data.weight is None else data.weight[rows].astype(var.dtype)
    if real is not None:
        weight = real.astype(var.dtype) if weight is None else jnp.where(real, weight, 0)
    options: dict[str, Any] = {}
    if hparams.dropout is not None:
        key = jax.random.fold_in(_key(hparams.seed, _DROPOUT), before + i)
        options = {"dropout": hparams.dropout, "key": key}
    if hparams.label_smoothing is not None:
        options["label_smoothing"] = hparams.label_smoothing
    total = jnp.asarray(len(rows), var.dtype) if weight is None else jnp.sum(weight)
    l1 = 0.0 if hparams.l1 is None else hparams.l1
    l2 = 0.0 if hparams.l2 is None else hparams.l2
    if hparams.alpha is not None:
        l2 = l2 + hparams.alpha / jnp.where(total == 0, 1, total)
    value, grads, trace = backward(spec.model, params, X, y, sample_weight=weight, l1=l1, l2=l2, **options)
    before_update = opt_state
    updates, opt_state = hparams.optimizer.update(grads, opt_state, params)
    ok = (good == i) & jnp.isfinite(value)
    if hparams.tol is not None:  # such a lane may go on, at another rate
        opt_state = jax.tree.map(lambda new, old: jnp.where(ok, new, old), opt_state, before_update)
    params = jax.tree.map(lambda new, old: jnp.where(ok, new, old), apply_updates(params, updates), params)
    a_L = trace.a[-1].astype(var.dtype)
    scores = metrics.score(spec.model.loss, a_L, y, var, spec.model.activations[-1])
    hits = jnp.sum(scores if weight is None else weight * scores)
    return params, opt_state, good + ok.astype(jnp.int32), sums + jnp.stack([total, total * value, hits])


def _key(seed: Any, purpose: int) -> Array:
    return jax.random.fold_in(jax.random.key(seed), purpose)
