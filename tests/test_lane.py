import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mlp_opt as mo
from mlp_opt import lane, schedules
from mlp_opt.lane import Data, HParams, LaneSpec
from mlp_opt.train import advance_lane, init_lane

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 37)
XV, YV = RNG.normal(size=(11, 4)).astype(np.float32), RNG.integers(0, 3, 11)
MODEL = mo.MLP((4, 5, 3), "tanh")


value_and_grad = jax.jit(mo.value_and_grad, static_argnums=0)


def by_hand(epochs, batch, rate=0.1, seed=0, weight=None):
    """The lane once more as a Python loop over unpadded batches: params and mean objective of each epoch."""
    params = mo.init(MODEL, jax.random.fold_in(jax.random.key(seed), 0))
    losses = []
    for epoch in range(epochs):
        order = jnp.argsort(jax.random.bits(jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), epoch), (37,), jnp.uint32))
        assert sorted(order.tolist()) == list(range(37))
        total, size = 0.0, 0.0
        for start in range(0, 37, batch):
            rows = np.asarray(order[start : start + batch])
            w = None if weight is None else jnp.asarray(weight[rows], jnp.float32)
            value, grads = value_and_grad(MODEL, params, jnp.asarray(X[rows]), jnp.asarray(Y[rows]), sample_weight=w)
            params = jax.tree.map(lambda p, g: p - rate * g, params, grads)
            share = len(rows) if weight is None else weight[rows].sum()
            total, size = total + share * float(value), size + share
        losses.append(total / size)
    return params, losses


def close(a, b, rtol=1e-4):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 8, 37], ids=["SGD", "minibatch", "GD"])
def test_an_epoch_visits_every_sample_once_padding_included(batch):
    run = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=2, batch_size=batch)
    params, losses = by_hand(2, batch)
    close(run.last, params)
    np.testing.assert_allclose(run.history["train_loss"], losses, rtol=1e-4)
    assert int(run.state.step) == 2 * -(-37 // batch)


def test_a_mask_that_looks_at_shapes_sees_those_of_the_weights():
    masks = [lambda w: jax.tree.map(lambda x: x.ndim > 1, w), tuple(mo.Layer(True, False) for _ in range(2)), None]
    by_shape, by_leaf, everywhere = (
        mo.fit(MODEL, mo.adamw(0.1, weight_decay=0.5, mask=mask), X, Y, epochs=2, batch_size=8).last for mask in masks
    )
    jax.tree.map(np.testing.assert_array_equal, by_shape, by_leaf)
    assert float(jnp.abs(by_shape[0].b - everywhere[0].b).max()) > 1e-3


@pytest.mark.parametrize("left", [0, 5])
def test_lanes_are_evaluated_by_blocks_of_rows(left):
    """Nothing is left for the last block, or a few rows."""
    lanes = jax.vmap(lambda key: mo.init(MODEL, key))(jax.random.split(jax.random.key(0), 3))
    rows = jax.random.normal(jax.random.key(1), (2 * lane.BLOCK + left, 4))
    found = jax.jit(jax.vmap(lambda params: lane.outputs(MODEL, params, rows)))(lanes)
    close(found, jax.vmap(lambda params: mo.forward(MODEL, params, rows).a[-1])(lanes))


@pytest.mark.parametrize("values", [5, 2**32], ids=["ties", "all bits"])
@pytest.mark.parametrize("wide", [False, True])
def test_the_shuffle_is_a_stable_argsort(values, wide):
    bits = RNG.integers(0, values, (3, 101), dtype=np.uint32)
    bits[:, -4:] = 2**32 - 1  # as those of rows that only fill up
    with jax.enable_x64(wide):
        order = jax.jit(jax.vmap(lane._shuffled))(bits)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(order, np.argsort(bits, axis=1, kind="stable"))


def test_sample_weights_are_normalized_in_each_batch():
    weight = RNG.uniform(0, 2, 37)
    run = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=2, batch_size=8, sample_weight=weight)
    params, losses = by_hand(2, 8, weight=weight)
    close(run.last, params)
    np.testing.assert_allclose(run.history["train_loss"], losses, rtol=1e-4)


def test_batch_size_none_is_all_of_them():
    close(mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=3, batch_size=None).last, mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=3, batch_size=37).last)


def test_history_and_scores_are_those_of_evaluate():
    run = mo.fit(MODEL, mo.adam(0.05), X, Y, epochs=6, batch_size=8, validation=(XV, YV))
    loss, score = mo.evaluate(MODEL, run.last, jnp.asarray(XV), jnp.asarray(YV))
    assert run.history["val_loss"][-1] == pytest.approx(float(loss), rel=1e-6)
    assert run.history["val_accuracy"][-1] == pytest.approx(float(score))
    assert list(run.history) == ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    assert run.history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("monitor", ["loss", "score"])
def test_best_is_the_epoch_of_the_best_monitored_value(monitor):
    run = mo.fit(MODEL, mo.adam(0.2), X, Y, epochs=30, batch_size=8, validation=(XV, YV), monitor=monitor)
    values = run.history["val_loss"] if monitor == "loss" else -run.history["val_accuracy"]
    assert run.best_epoch == int(np.argmin(values)) + 1
    assert run.best_epoch < 30
    short = mo.fit(MODEL, mo.adam(0.2), X, Y, epochs=run.best_epoch, batch_size=8, validation=(XV, YV), monitor=monitor)
    close(short.last, run.best, rtol=1e-6)


def test_patience_stops_after_so_many_epochs_without_a_new_best():
    free = mo.fit(MODEL, mo.adam(0.2), X, Y, epochs=40, batch_size=8, validation=(XV, YV))
    run = mo.fit(MODEL, mo.adam(0.2), X, Y, epochs=40, batch_size=8, validation=(XV, YV), patience=4)
    assert run.stopped == "patience"
    assert len(run.history["epoch"]) == run.best_epoch + 4
    np.testing.assert_array_equal(run.history["val_loss"], free.history["val_loss"][: len(run.history["epoch"])])


def test_without_validation_the_training_loss_is_monitored():
    run = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=5, batch_size=8)
    assert run.best_epoch == int(np.argmin(run.history["train_loss"])) + 1


def test_divergence_is_marked_with_its_step_and_the_weights_stay_finite():
    run = mo.fit(mo.MLP((4, 5, 1), "identity", "mse"), mo.sgd(1e6), X, X[:, :1], epochs=50, batch_size=8, validation=(XV, XV[:, :1]))
    assert run.stopped == "diverged"
    steps, per_epoch = run.diverged_at, -(-37 // 8)
    assert len(run.history["epoch"]) == -(-steps // per_epoch)
    assert int(run.state.step) == steps
    weights = mo.fit(mo.MLP((4, 5, 1), "identity", "mse"), mo.sgd(1e6), X, X[:, :1], epochs=50, batch_size=8).last
    close(run.last, weights)
    assert all(np.isfinite(p).all() for p in jax.tree.leaves(run.best))


def test_a_last_update_that_blows_up_is_seen_though_no_objective_follows_it():
    y = X @ np.ones((4, 1), np.float32)
    run = mo.fit(mo.MLP((4, 5, 1), "tanh", "mse"), mo.sgd(1e38), 1e8 * X, 1e8 * y, epochs=1, batch_size=None)
    assert run.stopped == "diverged"
    assert run.diverged_at == 1
    assert run.best_epoch == 0
    assert all(np.isfinite(p).all() for p in jax.tree.leaves(run.best))


@pytest.mark.parametrize("batch", [None, 13])
def test_an_objective_that_is_not_finite_in_an_epochs_last_step_alone_is_seen(batch):
    """Row 36 alone is infinitely wrong, and it comes in the last of the 3 batches."""
    seed = next(seed for seed in range(40) if np.argsort(_bits(seed)).tolist().index(36) >= 26)
    y = X @ np.ones((4, 1), np.float32)
    y[36] = 1e30
    run = mo.fit(mo.MLP((4, 5, 1), "tanh", "mse"), mo.sgd(1e-3), X, y, epochs=2, batch_size=batch, seed=seed)
    assert (run.stopped, run.diverged_at, run.best_epoch) == ("diverged", 1 if batch is None else 3, 0)


def _bits(seed: int) -> np.ndarray:
    """What the rows are sorted by in the first epoch."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), 0)
    return np.asarray(jax.random.bits(key, (37,), jnp.uint32))


def test_history_numbers_the_epochs_of_a_continued_run():
    first = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=4, batch_size=8)
    rest = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=6, batch_size=8, state=first.state)
    assert rest.history["epoch"].tolist() == [5, 6]


def test_kinds_of_numbers_are_one_program():
    def go(**given):
        mo.fit(MODEL, given.pop("optimizer", mo.sgd(0.5)), X, Y, **(dict(batch_size=11, epochs=3, l2=0.5, seed=1) | given))

    go()
    before = advance_lane._cache_size(), init_lane._cache_size()
    for given in (dict(epochs=np.int64(2)), dict(l2=1), dict(l2=np.float32(0.1)), dict(seed=np.int64(7)), dict(optimizer=mo.sgd(1))):
        go(**given)
    assert (advance_lane._cache_size(), init_lane._cache_size()) == before


def _stack(lanes):
    return jax.tree.map(lambda *x: jnp.stack([jnp.asarray(v) for v in x]), *lanes)


def test_a_lane_alone_equals_the_lane_in_a_vmap_and_a_diverged_one_harms_nobody():
    """One code path for one and for many: different rates, seeds, penalties, dropout; one lane blows up."""
    spec = LaneSpec(MODEL, 8)
    data = Data(jnp.asarray(X), jnp.asarray(Y, jnp.int32), None, jnp.asarray(XV), jnp.asarray(YV, jnp.int32))
    rates = (1e-2, 1e30, 1e-1)
    lanes = [HParams(mo.sgd(r), seed=i, data_seed=0, l2=0.01 * i, dropout=0.1 * i, patience=50) for i, r in enumerate(rates)]

    def whole(hparams):
        return lane.advance(spec, lane.init(spec, hparams), hparams, data, 0, 5)

    go = jax.jit(jax.vmap(whole))
    together, histories = go(_stack(lanes))
    assert np.asarray(together.diverged_at > 0).tolist() == [False, True, False]
    for i in (0, 2):
        state, history = advance_lane(spec, init_lane(spec, lanes[i]), lanes[i], data, 0, 5)
        close(jax.tree.map(lambda x, i=i: x[i], together.params), state.params)
        np.testing.assert_allclose(histories[i][:5], history[:5], rtol=1e-4)
    healthy = [lanes[0], lanes[0]._replace(seed=9), lanes[2]]
    calm, _ = go(_stack(healthy))
    for i in (0, 2):  # same number of lanes: not a bit differs
        for a, b in zip(jax.tree.leaves(together.params), jax.tree.leaves(calm.params), strict=True):
            np.testing.assert_array_equal(a[i], b[i])


def test_a_stopped_lane_stays_as_it_is_while_others_go_on():
    spec = LaneSpec(MODEL, 8)
    data = Data(jnp.asarray(X), jnp.asarray(Y, jnp.int32), None, jnp.asarray(XV), jnp.asarray(YV, jnp.int32))
    lanes = [HParams(mo.adam(0.2), patience=2), HParams(mo.adam(0.2), patience=1000)]
    state, history = jax.jit(jax.vmap(lambda h: lane.advance(spec, lane.init(spec, h), h, data, 0, 30)))(_stack(lanes))
    assert state.epoch[0] < state.epoch[1] == 30
    alone = mo.fit(MODEL, mo.adam(0.2), X, Y, epochs=30, batch_size=8, validation=(XV, YV), patience=2)
    assert int(state.epoch[0]) == len(alone.history["epoch"])
    close(jax.tree.map(lambda x: x[0], state.params), alone.last)
    assert np.isnan(history[0, int(state.epoch[0]) :]).all()


def test_lanes_that_share_their_order_share_the_gathered_batches():
    """Under vmap the batch that is gathered has no lane axis: the first product becomes one wide one."""
    spec, data = LaneSpec(MODEL, 8), Data(jnp.asarray(X), jnp.asarray(Y, jnp.int32))
    lanes = _stack([HParams(mo.sgd(r), patience=3) for r in (0.1, 0.2, 0.3)])
    axes = jax.tree.map(lambda _: 0, lanes)._replace(data_seed=None)
    lanes = lanes._replace(data_seed=0)
    whole = jax.vmap(lambda h: lane.advance(spec, lane.init(spec, h), h, data, 0, 4), in_axes=(axes,))
    text = str(jax.make_jaxpr(whole)(lanes))
    assert "f32[8,4] = gather" in text
    assert "f32[3,8,4] = gather" not in text


def test_a_run_continued_is_the_run_uninterrupted_to_the_bit():
    options = dict(batch_size=8, validation=(XV, YV), dropout=0.2, l2=1e-3, seed=5)
    optimizer = mo.adam(schedules.cosine(0.05, 12 * 5))
    whole = mo.fit(MODEL, optimizer, X, Y, epochs=12, **options)
    half = mo.fit(MODEL, optimizer, X, Y, epochs=5, **options)
    rest = mo.fit(MODEL, optimizer, X, Y, epochs=12, state=half.state, history=half.history, **options)
    for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(rest.state), strict=True):
        np.testing.assert_array_equal(a, b)
    for name, column in whole.history.items():
        np.testing.assert_array_equal(column, rest.history[name])
    again = mo.fit(MODEL, optimizer, X, Y, epochs=12, state=half.state, history=half.history, **options)  # the state is not consumed
    np.testing.assert_array_equal(again.last[0].W, rest.last[0].W)


def test_long_runs_pass_the_length_of_one_compiled_call():
    run = mo.fit(MODEL, mo.sgd(0.01), X, Y, epochs=lane.HISTORY_ROWS + 7, batch_size=37)
    assert run.history["epoch"].tolist() == list(range(1, lane.HISTORY_ROWS + 8))
    assert np.isfinite(run.history["train_loss"]).all()


def test_no_recompilation_when_a_number_changes():
    def go(optimizer, epochs, seed, **numbers):
        mo.fit(MODEL, optimizer, X, Y, epochs=epochs, seed=seed, batch_size=9, validation=(XV, YV), **numbers)

    numbers = dict(l1=0.01, l2=0.1, dropout=0.1, label_smoothing=0.1, init_scale=0.9, patience=3)
    go(mo.adam(schedules.cosine(0.1, 10), b1=0.8), 2, 0, **numbers)
    before = advance_lane._cache_size(), init_lane._cache_size()
    others = dict(l1=0.02, l2=0.2, dropout=0.3, label_smoothing=0.2, init_scale=0.5, patience=9)
    go(mo.adam(schedules.cosine(0.2, 20), b1=0.7, eps=1e-5), 7, 3, **others)
    assert (advance_lane._cache_size(), init_lane._cache_size()) == before


def test_l1_drives_weights_that_do_not_matter_to_nothing():
    """Of two inputs only the first tells anything: with l1 the weight of the other ends within a step of 0."""
    rng = np.random.default_rng(0)
    X, model = rng.normal(size=(64, 2)), mo.MLP((2, 1), loss="mse")
    y, options = X[:, 0] + rng.normal(size=64), dict(epochs=60, batch_size=8)
    W = {l1: mo.fit(model, mo.sgd(0.02), X, y, l1=l1, **options).last[0].W[0] for l1 in (0.0, 0.3)}
    assert abs(W[0.0][1]) > 0.02
    assert abs(W[0.3][1]) <= 0.02
    assert W[0.3][0] > 0.5


def test_seeds_change_what_they_name():
    def last(**seeds):
        return mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=1, batch_size=8, **seeds).last[0].W

    assert (last(seed=1) == last(seed=1)).all()
    assert (last(seed=1) != last(seed=2)).any()
    assert (last(seed=1, data_seed=1) == last(seed=1)).all()
    assert (last(seed=1, data_seed=3) != last(seed=1)).any()
    assert (last(seed=2**32 - 1) != last(seed=1)).any()


def test_an_optax_optimizer_takes_the_place_of_ours():
    options = dict(epochs=4, batch_size=8, validation=(XV, YV))
    ours = mo.fit(MODEL, mo.adam(0.05), X, Y, **options)
    chains = [optax.chain(optax.clip_by_global_norm(1e9), adam) for adam in (optax.adam(0.05), mo.adam(0.05))]
    for theirs in (optax.adam(0.05), *chains):
        with jax.numpy_dtype_promotion("standard"):
            run = mo.fit(MODEL, theirs, X, Y, **options)
        close(run.last, ours.last, rtol=1e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes_train(dtype, x64):
    y = (X[:, 0] > 0).astype(int)
    model = mo.MLP((4, 16, 1), "relu", "bce")
    run = mo.fit(model, mo.adam(0.02), X, y, epochs=30, batch_size=8, dtype=dtype, dropout=0.05, l2=1e-4)
    assert {p.dtype for p in jax.tree.leaves(run.best)} == {jnp.dtype(dtype)}
    assert run.stopped == "finished"
    assert run.history["train_loss"][-1] < 0.3 < run.history["train_loss"][0]
    assert run.history["train_accuracy"][-1] > 0.9


@pytest.mark.parametrize("loss", ["mse", "bce", "softmax_cross_entropy"])
def test_no_hidden_layer_learns_a_linear_rule(loss):
    target = X @ np.array([1.0, -2.0, 0.5, 0.0], np.float32)
    y = target if loss == "mse" else (target > 0).astype(int)
    model = mo.MLP((4, 2 if loss == "softmax_cross_entropy" else 1), loss=loss)
    run = mo.fit(model, mo.adam(0.1), X, y, epochs=60, batch_size=8)
    assert run.history["train_r2" if loss == "mse" else "train_accuracy"][-1] > 0.97


def test_on_epochs_sees_every_epoch_and_can_stop():
    seen = []

    def stop(history, state):
        seen.append((len(history["epoch"]), int(state.epoch)))
        return len(history["epoch"]) >= 3

    run = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=50, batch_size=8, on_epochs=stop)
    assert run.stopped == "interrupted"
    assert seen[0] == (1, 1)
    assert all(before < 3 for before, _ in seen[:-1])
    assert seen[-1] == (len(run.history["epoch"]), int(run.state.epoch))


BAD = {
    "NaN in X": (dict(X=np.where(X == X[3, 2], np.nan, X)), r"X holds nan at row 3, column 2"),
    "infinite X": (dict(X=np.where(X == X[3, 2], np.inf, X)), r"X holds inf at row 3, column 2"),
    "text": (dict(X=X.astype(str)), r"X holds <U\d+, not numbers"),
    "too many columns": (dict(X=np.ones((37, 5))), r"X of shape \(37, 5\) does not fit sizes \(4, 5, 3\)"),
    "one dimension": (dict(X=np.ones(37)), r"give \(samples, 4\)"),
    "no rows": (dict(X=np.ones((0, 4)), y=np.ones(0, int)), r"give \(samples, 4\)"),
    "rows differ": (dict(y=Y[:30]), r"X has 37 rows but y has 30"),
    "label too large": (dict(y=np.where(np.arange(37) == 5, 3, Y)), r"label 3; 3 outputs take labels 0 to 2"),
    "negative label": (dict(y=np.where(np.arange(37) == 5, -1, Y)), r"label -1"),
    "float labels": (dict(y=Y.astype(float)), r"float64 labels"),
    "validation too": (dict(validation=(XV, np.full(11, 9))), r"validation y holds the label 9"),
    "batch too large": (dict(batch_size=38), r"from 1 to the 37 training samples, got 38"),
    "batch zero": (dict(batch_size=0), r"got 0"),
    "epochs": (dict(epochs=0), r"epochs must be a whole number >= 1, got 0"),
    "dropout": (dict(dropout=1.0), r"dropout must be .* got 1.0"),
    "l1": (dict(l1=-1.0), r"l1 must be a number >= 0, got -1.0"),
    "l2": (dict(l2=-1.0), r"l2 must be a number >= 0, got -1.0"),
    "smoothing": (dict(label_smoothing=2), r"label_smoothing must be"),
    "seed": (dict(seed=-1), r"seed must be"),
    "patience": (dict(patience=0), r"patience must be"),
    "weights": (dict(sample_weight=np.full(37, -1.0)), r"37 finite numbers >= 0"),
    "weights' shape": (dict(sample_weight=np.ones(3)), r"37 finite numbers >= 0"),
    "seed of another kind": (dict(seed=1.5), r"seed must be a whole number"),
    "seed too large": (dict(seed=2**32), r"seed must be a whole number"),
    "data seed": (dict(data_seed="a"), r"data_seed must be a whole number"),
    "l2 None": (dict(l2=None), r"l2 must be a number >= 0, got None"),
    "init scale": (dict(init_scale=float("nan")), r"init_scale must be a number > 0"),
    "init scale 0 in float32": (dict(init_scale=np.float32(0)), r"init_scale must be a number > 0"),
    "dropout a bool": (dict(dropout=False), r"dropout must be a number from 0"),
    "dropout a list": (dict(dropout=[0.1, 0.2]), r"dropout must be a number from 0 up to but not 1, got \[0.1, 0.2\]"),
    "dropout an array": (dict(dropout=np.array([0.1, 0.2])), r"dropout must be a number from 0"),
    "l2 empty": (dict(l2=np.array([])), r"l2 must be a number >= 0"),
    "l2 complex": (dict(l2=1j), r"l2 must be a number >= 0, got 1j"),
    "seeds": (dict(seed=np.array([1, 2])), r"seed must be a whole number"),
    "patience a list": (dict(patience=[1, 2]), r"patience must be None or a whole number"),
    "seed huge": (dict(seed=10**400), r"seed must be a whole number"),
    "epochs a bool": (dict(epochs=True), r"epochs must be a whole number"),
    "y a number": (dict(y=3), r"y must have 37 rows, got 3"),
    "ragged": (dict(X=[[1.0], [1.0, 2.0]]), r"X and y must be arrays"),
    "complex": (dict(X=X + 1j), r"complex\d+, not numbers"),
    "validation no pair": (dict(validation=X), r"validation must be a pair"),
    "negative soft labels": (dict(y=-np.ones((37, 3))), r"soft labels are numbers >= 0"),
    "no weight at all": (dict(sample_weight=np.zeros(37)), r"not all 0"),
    "text weights": (dict(sample_weight=["a"] * 37), r"37 finite numbers >= 0"),
    "monitor": (dict(monitor="lass"), r"did you mean 'loss'"),
    "dtype": (dict(dtype="float3"), r"did you mean 'float32'"),
    "float64 off": (dict(dtype="float64"), r"jax_enable_x64"),
}


@pytest.mark.parametrize("number", [10**30, np.float32(0.5), np.int8(1), np.asarray(0.5), jnp.float32(0.5), jnp.bfloat16(0.5)])
def test_numbers_of_any_kind_are_taken(number):
    run = mo.fit(MODEL, mo.sgd(0.1), X, Y, epochs=1, batch_size=8, init_scale=number, label_smoothing=np.float32(1))
    assert len(run.history["epoch"]) == 1


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_in_one_line(name):
    arguments, message = BAD[name]
    with pytest.raises(mo.InputError, match=message) as caught:
        mo.fit(MODEL, mo.sgd(0.1), **(dict(X=X, y=Y, epochs=1, batch_size=8) | arguments))
    assert "\n" not in str(caught.value)


def test_bce_targets_outside_0_and_1_are_refused():
    with pytest.raises(mo.InputError, match=r"y holds 2; bce takes targets from 0 to 1"):
        mo.fit(mo.MLP((4, 1), loss="bce"), mo.sgd(0.1), X, np.full(37, 2), epochs=1, batch_size=8)
