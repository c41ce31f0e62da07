"""The numbers under the pictures of learning: noise, paths, escapes, depth, flow, boundaries, widths."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt import lane
from mlp_opt.activations import ACTIVATIONS
from mlp_opt.diagnose import approximation, batches, boundary, depth, escapes, noise
from mlp_opt.diagnose.flow import flow


def data(n=150, n_in=5, n_out=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(n, n_in)), dtype), jnp.asarray(rng.integers(0, n_out, n), jnp.int32)


@pytest.mark.parametrize("curvature", [1.0, 3.0])
def test_noise_ball_is_as_large_as_theory_says(curvature):
    c = np.random.default_rng(1).exponential(2.0, 500)
    rates = np.asarray([0.05, 0.3, 1.0, 1.8]) / curvature
    sizes = (1, 4, 16)
    found = noise.ball(jnp.asarray(c, jnp.float32), jnp.asarray(rates, jnp.float32), curvature, jax.random.key(0), batches=sizes, seeds=128)
    expected = noise.ball_radius(rates, np.asarray(sizes)[:, None], curvature, curvature * c.std())
    np.testing.assert_allclose(found, expected, rtol=0.1)
    assert found[0, 3] / found[0, 0] > 5, "it grows with the learning rate"


@pytest.fixture(scope="module")
def cloud():
    """A network, its data and the gradient of each sample, float64; 150 samples are no multiple of the chunk."""
    with jax.enable_x64(True):
        model = mo.MLP((5, 7, 3), "tanh")
        X, y = data()
        params = mo.init(model, jax.random.key(0), dtype=jnp.float64)
        each = np.asarray(noise.sample_gradients(model, params, X, y))
        full = np.asarray(noise.full_gradient(model, params, X, y))
        scale = noise.noise_scale(model, params, X, y)
    return each, full, scale


def test_per_sample_gradients_are_unbiased(cloud):
    each, full, _ = cloud
    assert each.shape == (150, 7 * 6 + 3 * 8)
    assert each.dtype == np.float64
    assert np.abs(each.mean(axis=0) - full).max() <= 1e-12
    assert each.std(axis=0).max() > 0.1


def test_noise_scale_equals_the_dense_covariance(cloud):
    each, full, scale = cloud
    trace = np.trace(np.cov(each.T, bias=True))
    np.testing.assert_allclose(scale.trace, trace, rtol=1e-12)
    np.testing.assert_allclose(scale.scale, trace / (full @ full), rtol=1e-12)


def test_minibatch_errors_are_the_noise_scale_over_the_batch(cloud):
    each, _, scale = cloud
    sizes = [1, 8, 64]
    np.testing.assert_allclose(noise.relative_errors(each, sizes, draws=4000) * sizes, float(scale.scale), rtol=0.05)
    drawn = noise.minibatch_means(each, 1, 20)
    assert all((np.abs(each - g).max(axis=1) < 1e-15).any() for g in drawn), "a batch of 1 is a sample"


@pytest.fixture(scope="module")
def cells():
    return batches.column("breast_cancer", "mean radius")


def test_two_parameter_loss_is_the_loss_and_its_minimum_is_flat(cells):
    X, y = cells
    first, second, points = batches.grid((-1.0, 0.0), (2.0, 3.0), 4)
    heights = np.asarray(batches.losses_at(points, X, y)).reshape(4, 4)
    w, b = first[2], second[1]
    expected = np.mean(np.logaddexp(0, w * np.asarray(X)[:, 0] + b) - np.asarray(y) * (w * np.asarray(X)[:, 0] + b))
    np.testing.assert_allclose(heights[1, 2], expected, rtol=1e-6)
    least = batches.minimum(X, y)
    assert np.abs(jax.grad(batches.full_loss)(least, X, y)).max() < 1e-6
    assert float(batches.full_loss(least, X, y)) < heights.min()


def test_gradient_descent_walks_down_the_full_gradient(cells):
    X, y = cells
    found = np.asarray(batches.paths(jnp.asarray([1.0, 2.0]), X, y, 2.0, batch=None, steps=5))[0]
    w, slope = jnp.asarray([1.0, 2.0]), jax.jit(jax.grad(batches.full_loss))
    for t in range(5):
        np.testing.assert_allclose(found[t], w, atol=1e-5)
        w = w - 2.0 * slope(w, X, y)


def test_sgd_walks_down_the_gradient_of_one_sample(cells):
    X, y = cells
    start = jnp.asarray([1.0, 2.0])
    found = np.asarray(batches.paths(start, X, y, 2.0, batch=1, steps=5, seeds=3))
    each = np.asarray(noise.sample_gradients(batches.MODEL, batches.network(start), X, y))
    steps = (found[:, 0] - found[:, 1]) / 2.0
    assert all(np.abs(each - step).max(axis=1).min() < 1e-6 for step in steps)
    assert len(np.unique(found[:, -1], axis=0)) == 3, "each seed takes its own path"


def test_wells_have_the_minima_that_they_claim():
    slope, bend = jax.grad(escapes.wells), jax.grad(jax.grad(escapes.wells))
    for at, curvature in escapes.CURVATURES.items():
        assert abs(float(escapes.wells(jnp.asarray(at)))) < 1e-6
        assert abs(float(slope(at))) < 1e-5
        np.testing.assert_allclose(bend(at), curvature, rtol=1e-4)
    assert abs(float(slope(escapes.RIDGE - 0.01))) > 1
    assert float(slope(escapes.RIDGE - 0.05)) > 0 > float(slope(escapes.RIDGE + 0.05))


def test_noise_leaves_the_sharp_minimum_and_gradient_descent_stays():
    starts, noises = jnp.asarray([escapes.SHARP, escapes.FLAT]), jnp.asarray([0.0, 13.0])
    ends = np.asarray(escapes.hops(starts, noises, 0.01, jax.random.key(0), seeds=64, steps=2000))
    np.testing.assert_allclose(ends[:, 0], np.broadcast_to([[escapes.SHARP], [escapes.FLAT]], (2, 64)), atol=1e-3)
    assert (ends[0, 1] > escapes.RIDGE).mean() > 0.9
    assert (ends[1, 1] < escapes.RIDGE).mean() < 0.1


@pytest.fixture(scope="module")
def waited():
    return escapes.waits((0.01, 0.03, 0.1), ("sgd", "momentum", "adam"), steps=1600)


@pytest.mark.parametrize("surface", [0, 1])
def test_waits_are_those_of_a_plain_loop(waited, surface):
    slope = [lambda y: -y + y**3, lambda y: y * np.exp(-(y**2) / 2)][surface]
    x, y = np.asarray(escapes.STARTS, np.float64)[surface]
    steps, left = 0, False
    for _ in range(1600):
        x, y = x - 0.03 * escapes.STIFF * x, y - 0.03 * slope(y)
        left = left or not (abs(y) < 0.5 if surface == 0 else abs(y) > 2.5)
        steps += not left
    assert abs(int(waited["sgd"].steps[surface, 1]) - steps) <= 1
    above = escapes.STIFF / 2 * x**2 + (-(y**2) / 2 + y**4 / 4 + 0.25 if surface == 0 else 1 - np.exp(-(y**2) / 2))
    assert waited["sgd"].settled[surface, 1] == (above < 0.01)
    assert not waited["sgd"].settled[surface, 2], "alpha times curvature is 5, over 2: gradient descent diverges"


def test_momentum_and_adam_wait_less(waited):
    for surface in (0, 1):
        sgd, momentum, adam = (waited[name].steps[surface, 1] for name in ("sgd", "momentum", "adam"))
        assert sgd > 3 * momentum > 9 * adam


def test_drawn_weights_are_those_of_init():
    names, sizes = ("glorot_uniform", "orthogonal"), (6, 8, 8, 3)
    drawn = depth.draws(sizes, names, 2)
    init = jax.jit(mo.init, static_argnums=0)
    for i, name in enumerate(names):
        for seed in range(2):
            expected = init(mo.MLP(sizes, init=name), jax.random.key(seed))
            for l, layer in enumerate(expected):
                np.testing.assert_allclose(drawn[l].W[2 * i + seed], layer.W, atol=2e-6)


@pytest.mark.parametrize("residual", [False, True])
def test_gradient_norms_equal_automatic_differentiation(residual):
    model = mo.MLP((6, 8, 8, 8, 3), "sigmoid", residual=residual, init="glorot_normal")
    X, y = data(20, 6, dtype=np.float32)
    found = depth.gradient_norms(model, X, y, ("zeros", "glorot_normal"), seeds=2)
    assert found.shape == (2, 2, 4)
    grads = jax.jit(jax.grad(lambda p: mo.loss(model, p, X, y)))(mo.init(model, jax.random.key(1)))
    np.testing.assert_allclose(found[1, 1], [np.linalg.norm(g.W) for g in grads], rtol=1e-5)
    assert not found[0, :, 0].any(), "weights of 0 send nothing down"


def test_sigmoid_vanishes_and_residual_connections_cure_it():
    X, y = data(20, 6, dtype=np.float32)
    sizes = (6, *[8] * 7, 3)
    plain, cured = (
        np.median(depth.gradient_norms(mo.MLP(sizes, "sigmoid", residual=residual), X, y, ("lecun_normal",), seeds=3)[0], axis=0)
        for residual in (False, True)
    )
    assert plain[0] < 1e-3 * plain[-2]
    assert cured[0] > 0.1 * cured[-2]


@pytest.mark.parametrize(("loss", "target"), [("bce", [1.0]), ("mse", [0.3])])
def test_flow_holds_the_numbers_of_forward_and_backprop(loss, target):
    model = mo.MLP((2, 3, 2, 1), ("tanh", "silu"), loss)
    params = mo.init(model, jax.random.key(3))
    x, y = np.asarray([0.5, -1.5], np.float32), np.asarray(target, np.float32)
    found = flow(model, params, x, y)
    row, target = jnp.asarray(x)[None], jnp.asarray(y)[None]
    trace = jax.jit(mo.forward, static_argnums=0)(model, params, row)
    value, grads = jax.jit(mo.value_and_grad, static_argnums=0)(model, params, row, target)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-7)
    close(found.loss, value)
    for l in range(1, 4):
        close(found.a[l], trace.a[l][:, 0])
        close(found.z[l], trace.z[l][:, 0])
        np.testing.assert_array_equal(found.W[l], params[l - 1].W)
        np.testing.assert_array_equal(found.b[l], params[l - 1].b)
        close(found.dW[l], grads[l - 1].W)
        close(found.db[l], grads[l - 1].b)
        slope = ACTIVATIONS[model.activations[l - 1]].derivative(jnp.asarray(found.a[l]))
        np.testing.assert_allclose(found.delta[l], found.dz[l] * slope, rtol=1e-5, atol=1e-7)  # lines 2 and 7
        np.testing.assert_allclose(found.dW[l], np.outer(found.delta[l], found.z[l - 1]), rtol=1e-6)  # line 4
    dx = jax.jit(jax.grad(lambda row: mo.loss(model, params, row, target)))(row)
    np.testing.assert_allclose(found.dz[0], dx[0], rtol=1e-5)


def test_decision_boundaries_are_predictions_of_the_lane_that_fit_runs():
    model = mo.MLP((2, 6, 1), "tanh", "bce", init="glorot_normal")
    stacked = boundary.sets(("moons", "xor"), n=40)
    _, _, points = batches.grid((-2.0, -2.0), (2.0, 2.0), 5)
    frames = []
    for frame in boundary.forming(model, {"sgd": 0.1, "adam": 0.01}, stacked, points, (0, 1, 3), batch_size=16):
        assert frame.probability.shape == (2, 2, 25)
        for o, s in np.ndindex(2, 2):
            params = jax.tree.map(lambda leaf, s=s: leaf[s], frame.states[o].params)
            np.testing.assert_allclose(frame.probability[o, s], mo.predict(model, params, points)[:, 0], atol=1e-6)
            right = (np.asarray(mo.predict(model, params, stacked.X[s]))[:, 0] > 0.5) == np.asarray(stacked.y[s])
            np.testing.assert_allclose(frame.accuracy[o, s], right.mean(), atol=1e-6)
        frames.append(frame)
    assert [frame.epoch for frame in frames] == [0, 1, 3]
    run = mo.fit(model, mo.adam(0.01), stacked.X[1], stacked.y[1], epochs=3, batch_size=16)
    np.testing.assert_allclose(frames[-1].probability[1, 1], mo.predict(model, run.last, points)[:, 0], atol=1e-5)


def test_a_padded_network_is_the_narrow_network():
    found = approximation.fits((2, 5), seeds=1, steps=70)
    hidden, output = found.params
    assert hidden.W.shape == (2, 5, 1)
    assert not any(np.any(filled) for filled in (hidden.W[0, 2:], hidden.b[0, 2:], output.W[0, :, 2:]))
    model, optimizer = mo.MLP((1, 2, 1), "tanh", "mse"), mo.adam(mo.schedules.cosine(0.02, 70))
    state = lane.begin(lane.HParams(optimizer), approximation.padded(2, 2, jax.random.key(0)))
    X = np.linspace(-1, 1, 128)[:, None]
    run = mo.fit(model, optimizer, X, approximation.wiggle(X[:, 0]), epochs=70, batch_size=128, state=state)
    ours = np.asarray(mo.predict(model, run.last, jnp.asarray(found.x, jnp.float32)[:, None]))[:, 0]
    np.testing.assert_allclose(found.curves[0, 0], ours, atol=1e-4)
    np.testing.assert_allclose(found.error[0, 0], np.sqrt(np.mean((ours - found.target) ** 2)), atol=1e-4)
