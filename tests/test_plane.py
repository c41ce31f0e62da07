"""Planes and lines through parameter space: their values against direct evaluation, projections, PCA, recorded paths."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

import mlp_opt as mo
from mlp_opt import train
from mlp_opt.diagnose import plane as planes
from mlp_opt.diagnose.trajectory import record
from mlp_opt.errors import InputError

MODELS = {
    "softmax": mo.MLP((3, 5, 4), "relu"),
    "residual first layer": mo.MLP((4, 4, 4, 1), ("tanh", "gelu"), "bce", residual=True),
    "no hidden layer": mo.MLP((3, 2), loss="mse"),
}


def data(model, n=40, dtype=np.float64):
    rng = np.random.default_rng(0)
    X, n_out = rng.normal(size=(n, model.sizes[0])), model.sizes[-1]
    if model.loss == "softmax_cross_entropy":
        return jnp.asarray(X, dtype), jnp.asarray(rng.integers(0, n_out, n))
    y = rng.integers(0, 2, (n, n_out)) if model.loss == "bce" else rng.normal(size=(n, n_out))
    return jnp.asarray(X, dtype), jnp.asarray(y, dtype)


def drawn(model, seed, dtype=jnp.float64):
    """Parameters with biases that are not 0."""
    rng = np.random.default_rng(seed)
    shapes = [(n, m) for m, n in pairwise(model.sizes)]
    return tuple(mo.Layer(*(jnp.asarray(rng.normal(size=s) / np.sqrt(shape[1]), dtype) for s in (shape, shape[:1]))) for shape in shapes)


def stacked(trees):
    return jax.tree.map(lambda *x: np.stack(x), *trees)


@pytest.fixture(scope="module", params=MODELS)
def drawn_plane(request):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        model = MODELS[request.param]
        yield model, planes.Plane(*(drawn(model, seed) for seed in (1, 2, 3)))


def test_every_value_of_a_plane_is_the_loss_there(drawn_plane):
    model, plane = drawn_plane
    X, y = data(model)
    xs, ys = np.linspace(-1, 1, 5), np.linspace(-2, 0.5, 3)
    found = planes.surface(model, plane, X, y, xs, ys)
    assert found.loss.shape == found.score.shape == (3, 5)
    loss = jax.jit(lambda a, b: mo.loss(model, plane.at(a, b), X, y))
    np.testing.assert_allclose(found.loss, [[float(loss(a, b)) for a in xs] for b in ys], rtol=1e-12)
    scores = [[float(mo.evaluate(model, plane.at(a, b), X, y)[1]) for a in xs] for b in ys]
    np.testing.assert_allclose(found.score, scores, rtol=1e-9)


def test_chunks_change_no_value(x64, monkeypatch):
    model = MODELS["softmax"]
    X, y = data(model)
    plane = planes.Plane(*(drawn(model, seed) for seed in (1, 2, 3)))
    grid = (np.linspace(-1, 1, 5), np.linspace(-2, 0.5, 3))
    whole = planes.surface(model, plane, X, y, *grid)
    monkeypatch.setattr(planes, "CHUNK_NUMBERS", 7 * 40 * 5)  # 15 points are two chunks of 7, and one of which 6 are filling
    parts = planes.surface(model, plane, X, y, *grid)
    np.testing.assert_allclose(parts.loss, whole.loss, rtol=1e-12)
    np.testing.assert_allclose(parts.score, whole.score, rtol=1e-12)  # on a GPU the sums are in another order


def test_a_plane_of_a_larger_network_in_float32():
    model = mo.MLP((784, 32, 10), "relu")
    X, y = data(model, 100, np.float32)
    plane = planes.random_plane(drawn(model, 0, jnp.float32), jax.random.key(1))
    loss = jax.jit(lambda a, b: mo.loss(model, plane.at(a, b), X, y))
    found = planes.surface(model, plane, X, y, [-0.5, 0.0, 0.5], [0.0, 1.0])
    direct = [[float(loss(a, b)) for a in (-0.5, 0.0, 0.5)] for b in (0.0, 1.0)]
    np.testing.assert_allclose(found.loss, direct, rtol=1e-5)  # sums of 784 products in another order


@pytest.mark.parametrize("biases", [False, True])
def test_random_directions_have_the_norms_of_the_neurons(biases):
    model = mo.MLP((6, 5, 4, 3), "relu")
    params = drawn(model, 0, jnp.float32)
    plane = planes.random_plane(params, jax.random.key(3), biases)
    for direction in (plane.first, plane.second):
        for (W, b), (D, d) in zip(params, direction, strict=True):
            np.testing.assert_allclose(np.linalg.norm(D, axis=1), np.linalg.norm(W, axis=1), rtol=1e-5)
            np.testing.assert_array_equal(np.abs(d), np.abs(b) if biases else 0)
    assert np.abs(planes.flat(plane.first, stacked=False) - planes.flat(plane.second, stacked=False)).max() > 0.1
    again = planes.random_plane(params, jax.random.key(3), biases)
    assert all(np.array_equal(x, z) for x, z in zip(jax.tree.leaves(again), jax.tree.leaves(plane), strict=True))


def test_rescaled_neurons_make_the_same_random_plane(x64):
    model = mo.MLP((3, 5, 4), "relu")
    params = drawn(model, 1)
    c = jnp.asarray([0.1, 3.0, 10.0, 0.5, 2.0])  # ReLU: c times a neuron, 1/c times what the next layer makes of it
    first, second = params
    scaled = (mo.Layer(first.W * c[:, None], first.b * c), mo.Layer(second.W / c, second.b))
    X, y = data(model)
    one, other = (planes.random_plane(p, jax.random.key(0)).first[0].W for p in (params, scaled))
    np.testing.assert_allclose(other, one * c[:, None], rtol=1e-12)
    np.testing.assert_allclose(float(mo.loss(model, scaled, X, y)), float(mo.loss(model, params, X, y)), rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-0.99, 0.99))
def test_the_projection_of_a_point_of_the_plane_is_the_point(a, b, lean):
    with jax.enable_x64(True):
        model = MODELS["softmax"]
        origin, first, other = (drawn(model, seed) for seed in (1, 2, 3))
        second = jax.tree.map(lambda u, v: lean * u + (1 - abs(lean)) * v, first, other)  # far from orthogonal
        plane = planes.Plane(origin, first, second)
        points = stacked([plane.at(a, b), plane.at(b, 0)])
        np.testing.assert_allclose(planes.coordinates(plane, points), [[a, b], [b, 0]], atol=1e-9)


def test_a_projection_is_the_nearest_point(x64):
    model = MODELS["softmax"]
    plane = planes.Plane(*(drawn(model, seed) for seed in (1, 2, 3)))
    away = stacked([drawn(model, 4)])
    (a, b) = planes.coordinates(plane, away)[0]

    def distance(a, b):
        return np.linalg.norm(planes.flat(away)[0] - planes.flat(plane.at(a, b), stacked=False))

    assert distance(a, b) < min(distance(a + da, b + db) for da, db in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)))


def test_parallel_axes_are_refused(x64):
    first = drawn(MODELS["softmax"], 2)
    plane = planes.Plane(drawn(MODELS["softmax"], 1), first, jax.tree.map(lambda x: 2 * x, first))
    with pytest.raises(InputError, match="parallel"):
        planes.coordinates(plane, stacked([first]))


def test_the_principal_plane_is_scikit_learns_pca(x64):
    model = MODELS["softmax"]
    snapshots = stacked([drawn(model, seed) for seed in range(8)])
    plane, rows = planes.principal_plane(snapshots), planes.flat(snapshots)
    pca = PCA(n_components=2).fit(rows)
    np.testing.assert_allclose(planes.explained(plane, snapshots), pca.explained_variance_ratio_, rtol=1e-10)
    at = planes.coordinates(plane, snapshots)
    np.testing.assert_allclose(np.abs(at), np.abs(pca.transform(rows)), atol=1e-10)
    assert (at[-1] >= 0).all()  # the signs: towards the end
    axes = np.stack([planes.flat(axis, stacked=False) for axis in plane[1:]])
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)


def test_the_share_that_a_slanted_plane_explains_is_that_of_its_span(x64):
    model = MODELS["softmax"]
    snapshots = stacked([drawn(model, seed) for seed in range(6)])
    plane = planes.principal_plane(snapshots)
    slanted = planes.Plane(plane.origin, plane.second, jax.tree.map(lambda u, v: 3 * u - v, *plane[1:]))
    assert planes.explained(slanted, snapshots).sum() == pytest.approx(planes.explained(plane, snapshots).sum(), rel=1e-10)


def test_points_on_a_line_span_no_principal_plane(x64):
    start, end = drawn(MODELS["softmax"], 1), drawn(MODELS["softmax"], 2)
    on_a_line = stacked([jax.tree.map(lambda a, b, t=t: (1 - t) * a + t * b, start, end) for t in (0, 0.3, 1)])
    with pytest.raises(InputError, match="not on a line"):
        planes.principal_plane(on_a_line)
    with pytest.raises(InputError, match="span no plane"):
        planes.plane_through(start, end, jax.tree.map(lambda a, b: 2 * b - a, start, end))


def test_three_solutions_lie_in_the_plane_through_them(x64):
    solutions = [drawn(MODELS["softmax"], seed) for seed in (1, 2, 3)]
    plane = planes.plane_through(*solutions)
    at = planes.coordinates(plane, stacked(solutions))
    np.testing.assert_allclose(at[0], [0, 0], atol=1e-12)
    assert at[1, 1] == pytest.approx(0, abs=1e-12)
    for (a, b), solution in zip(at, solutions, strict=True):
        np.testing.assert_allclose(planes.flat(plane.at(a, b), stacked=False), planes.flat(solution, stacked=False), atol=1e-12)


def test_the_gap_is_the_true_loss_minus_the_one_drawn(drawn_plane):
    model, plane = drawn_plane
    X, y = data(model)
    points = stacked([plane.at(0.5, -0.5), drawn(model, 7)])
    found = planes.shadow(model, plane, X, y, points)
    assert found.gap[0] == pytest.approx(0, abs=1e-12)  # it is in the plane
    true = float(mo.loss(model, drawn(model, 7), X, y))
    assert found.gap[1] == pytest.approx(true - float(mo.loss(model, plane.at(*found.at[1]), X, y)), rel=1e-9)


def test_a_line_ends_in_its_two_solutions(drawn_plane):
    model, _ = drawn_plane
    X, y = data(model)
    start, end = drawn(model, 5), drawn(model, 6)
    found = planes.line(model, start, end, X, y, np.linspace(-0.2, 1.2, 15))
    for i, params in ((2, start), (12, end)):
        loss, score = mo.evaluate(model, params, X, y)
        assert (found.t[i], found.loss[i], found.score[i]) == pytest.approx((i / 10 - 0.2, float(loss), float(score)), rel=1e-9, abs=1e-12)


def test_the_barrier_is_the_rise_above_the_chord_between_the_ends():
    t = np.linspace(-1, 1, 21)
    hill = planes.Line(t, 1 + t + 3 * t * (1 - t), np.ones_like(t))
    assert hill.barrier == pytest.approx(0.75)
    assert planes.Line(t, np.where(t > 0.4, np.inf, t), np.ones_like(t)).barrier == np.inf
    assert planes.Line(t, (t - 0.3) ** 2, np.ones_like(t)).barrier == pytest.approx(0, abs=1e-15)  # convex: outside of 0..1 does not count


OPTIONS = {"batch_size": 16, "seed": 3, "l2": 0.01, "init_scale": 0.5}


@pytest.fixture(scope="module")
def recorded():
    model = MODELS["softmax"]
    X, y = data(model, dtype=np.float32)
    with jax.numpy_dtype_promotion("strict"):
        return model, X, y, record(model, mo.adam(1e-2), X, y, epochs=7, every=3, **OPTIONS)


def test_a_recorded_run_is_fits_to_the_bit(recorded):
    model, X, y, path = recorded
    run = mo.fit(model, mo.adam(1e-2), X, y, epochs=7, **OPTIONS)
    assert path.epochs.tolist() == [0, 3, 6, 7]
    np.testing.assert_array_equal(path.run.history["train_loss"], run.history["train_loss"])
    after_3 = mo.fit(model, mo.adam(1e-2), X, y, epochs=3, **OPTIONS)
    for at, expected in ((1, after_3.last), (3, run.last)):
        for one, other in zip(jax.tree.leaves(path.snapshots), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(one[at], other)


def test_the_first_snapshot_is_where_the_run_started(recorded):
    model, X, _, path = recorded
    lane_options = dict.fromkeys(("data_seed", "patience")) | {
        "l1": 0.0,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "monitor": "loss",
        "dtype": "float32",
    }
    state = train.init_lane(*train.prepare_lane(model, mo.sgd(0.1), len(X), **OPTIONS, **lane_options))
    start = jax.tree.map(lambda x: x[0], path.snapshots)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(start), jax.tree.leaves(state.params), strict=True))
    assert path.thinned(2).epochs.tolist() == [0, 7]


def test_a_run_that_diverges_leaves_finite_points(recorded):
    model, X, y, _ = recorded
    path = record(model, mo.adam(1e30), X, y, epochs=9, **OPTIONS)
    assert path.run.stopped == "diverged"
    assert path.epochs.tolist()[0] == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(path.snapshots))
    with pytest.raises(InputError, match="every must be"):
        record(model, mo.adam(0.1), X, y, every=0)
