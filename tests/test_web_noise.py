"""The Noise tab's server: its paths, clouds and spreads are JAX's and theory's, and what does not fit is refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlp_opt.diagnose import batches, noise, spread
from mlp_opt.errors import InputError
from mlp_opt.web import limits
from mlp_opt.web import noise as tab

START, RATE, STEPS = (1.0, 2.0), 2.0, 40


@pytest.fixture(scope="module")
def land():
    with tab.computing():
        return tab.read_land({})


def column(reply, name, column):
    return reply.arrays["paths"][reply.header["methods"].index(name), :, reply.header["columns"].index(column)]


def ask(handle, **body):
    with tab.computing():
        return handle(body)


def gradients(w, X, y):
    """Of each sample, by the formula (n, 2): (p - y) (x, 1)."""
    x, y = np.asarray(X)[:, 0], np.asarray(y)
    return (1 / (1 + np.exp(-(w[0] * x + w[1]))) - y)[:, None] * np.stack([x, np.ones_like(x)], axis=1)


def test_the_three_paths_are_followed_by_hand(land):
    reply = ask(tab.paths, start=list(START), steps=STEPS, batch=5, rate=RATE, seed=3)
    with tab.computing():
        drawn = np.asarray(spread._draws(jax.random.split(jax.random.key(3), 1)[0], len(land.X), 32, 128))
        losses = np.asarray(batches.losses_at(jnp.asarray(reply.arrays["paths"][2, :, :2]), land.X, land.y))
    for name, rows in (("gd", lambda t: slice(None)), ("sgd", lambda t: drawn[t, :1]), ("minibatch", lambda t: drawn[t, :5])):
        w = np.asarray(START)
        for t in range(STEPS + 1):
            np.testing.assert_allclose([column(reply, name, "x")[t], column(reply, name, "y")[t]], w, rtol=1e-9, err_msg=f"{name} {t}")
            w = w - RATE * gradients(w, land.X, land.y)[rows(t)].mean(axis=0)
    np.testing.assert_allclose(column(reply, "minibatch", "loss"), losses, rtol=1e-12)
    np.testing.assert_allclose(column(reply, "gd", "above"), column(reply, "gd", "loss") - land.lowest, atol=1e-15)
    assert [column(reply, name, "samples")[-1] for name in ("gd", "sgd", "minibatch")] == [569 * STEPS, STEPS, 5 * STEPS]


def test_all_batch_sizes_and_lengths_see_the_same_draws():
    few, many = (np.asarray(spread._draws(jax.random.key(1), 569, most, steps)) for most, steps in ((4, 8), (64, 20)))
    np.testing.assert_array_equal(few, many[:8, :4])
    assert len(np.unique(many)) > 400


def test_reshuffled_samples_come_once_an_epoch(land):
    order = np.asarray(spread._orders(jax.random.key(0), 50, 32, 20))
    assert len(order) >= 20 * 32 + 32
    for epoch in order[: len(order) // 50 * 50].reshape(-1, 50):
        assert sorted(epoch) == list(range(50))
    assert not np.array_equal(order[:50], order[50:100])


def test_a_batch_of_all_samples_once_each_is_gradient_descent(land):
    with tab.computing():
        X, y = land.X[:32], land.y[:32]
        start = jnp.asarray(START)
        keys = jax.random.split(jax.random.key(0), 1)
        found = spread.runs(start, X, y, RATE, jnp.asarray([32]), keys, most=32, steps=20, reshuffle=True)[0, 0]
        np.testing.assert_allclose(found, batches.paths(start, X, y, RATE, batch=None, steps=20)[0], rtol=1e-10)


def test_the_cloud_is_unbiased_and_its_error_as_expected(land):
    at = [-1.0, 1.0]
    reply = ask(tab.cloud, at=at, batch=16)
    each, head = reply.arrays["each"], reply.header
    np.testing.assert_allclose(each, gradients(at, land.X, land.y), atol=1e-12)
    with tab.computing():
        full = jax.grad(batches.full_loss)(jnp.asarray(at), land.X, land.y)
        theirs = noise.noise_scale(batches.MODEL, batches.network(jnp.asarray(at)), land.X, land.y)
    np.testing.assert_allclose(reply.arrays["full"], full, atol=1e-12)
    assert head["gap"] < 1e-15
    np.testing.assert_allclose([head["trace"], head["square"], head["scale"]], [float(v) for v in theirs], rtol=1e-9)
    assert head["expected"] == pytest.approx(head["scale"] / 16)
    assert head["measured"] == pytest.approx(head["expected"], rel=0.25)  # of 300 draws
    F = reply.arrays["axes"]
    np.testing.assert_allclose(F @ F.T, np.cov(each.T, bias=True) / 16, atol=1e-12)
    inside = np.linalg.norm((reply.arrays["means"] - reply.arrays["full"]) @ np.linalg.inv(F).T, axis=1) < 2
    assert 0.78 < inside.mean() < 0.95  # 86 % of a Gaussian


def test_without_replacement_a_batch_errs_less():
    found = ask(tab.cloud, at=[-1.0, 1.0], batch=300, draw="reshuffle").header
    assert found["expected"] == pytest.approx(found["scale"] / 300 * (569 - 300) / 568)
    assert found["measured"] == pytest.approx(found["expected"], rel=0.3)


def test_the_runs_spread_as_theory_says(land):
    least = [float(v) for v in land.least]
    reply = ask(tab.bundle, start=least, rate=0.5, batch=16, steps=128)
    found, said = reply.arrays["radius"]
    assert reply.arrays["runs"].shape == (limits.NOISE_SEEDS, 129, 2)
    assert found[-60:].mean() == pytest.approx(said[-60:].mean(), rel=0.15)
    assert found[0] == said[0] == 0
    F = reply.arrays["measured"][100]
    np.testing.assert_allclose(F @ F.T, np.cov(reply.arrays["runs"][:, 100].T), atol=1e-12)
    first = ask(tab.paths, start=least, rate=0.5, batch=16, steps=128)
    np.testing.assert_allclose(reply.arrays["runs"][0], first.arrays["paths"][2, :, :2], rtol=1e-9)


def test_the_ball_is_where_the_spread_rests(land):
    with tab.computing():
        H = np.asarray(jax.hessian(batches.full_loss)(land.least, land.X, land.y))
        noise_there = np.cov(gradients(np.asarray(land.least), land.X, land.y).T, bias=True)
        C = np.asarray(spread.ball(land.least, land.X, land.y, 2.0, 8))
        A = np.eye(2) - 2.0 * H
        np.testing.assert_allclose(C, A @ C @ A.T + 4.0 * noise_there / 8, rtol=1e-8)
        rest = spread.predicted(jnp.tile(land.least, (1025, 1)), land.X, land.y, jnp.full(1024, 2.0), 8)[-1]
        np.testing.assert_allclose(rest, C, rtol=1e-6)
        assert np.isnan(spread.ball(land.least, land.X, land.y, 2.01 / land.curvature[1], 8)).all()
        # on one axis it is noise.ball_radius
        values, basis = np.linalg.eigh(H)
        along = basis[:, 1] @ C @ basis[:, 1]
        deviation = np.sqrt(basis[:, 1] @ noise_there @ basis[:, 1])
        assert np.sqrt(along) == pytest.approx(noise.ball_radius(2.0, 8, values[1], deviation), rel=1e-8)


def test_turning_the_numbers_compiles_nothing():
    def turn(k):
        ask(tab.paths, start=[k / 10, 1.0], rate=1.0 + k, batch=1 + k, steps=60 + k, seed=k)
        ask(tab.cloud, at=[k / 10, 1.0], batch=1 + k, seed=k)

    turn(0)
    before = [f._cache_size() for f in (spread.runs, batches.paths, spread.cloud, spread.means)]
    for k in range(1, 5):
        turn(k)
    assert [f._cache_size() for f in (spread.runs, batches.paths, spread.cloud, spread.means)] == before


def test_the_page_is_told_what_there_is(land):
    told = tab.about({}).header
    assert [known["name"] for known in told["sets"]] == list(tab.SETS)
    assert all(len(known["classes"]) == 2 for known in told["sets"])
    reply = ask(tab.surface)
    assert reply.arrays["heights"].shape == (limits.GRID, limits.GRID)
    w, b = reply.arrays["minima"][0]
    np.testing.assert_allclose(gradients((w, b), land.X, land.y).mean(axis=0), 0, atol=1e-9)
    for (low, high), inside, started in zip((reply.header["x"], reply.header["y"]), (w, b), reply.header["start"], strict=True):
        assert low < inside < high
        assert low < started < high


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dataset": "digits"}, "unknown dataset"),
        ({"dataset": "breast_canser"}, "did you mean 'breast_cancer'"),
        ({"dataset": "/etc/passwd"}, "unknown dataset"),
        ({"dataset": 7}, "dataset must be a text"),
        ({"feature": "mean radios"}, "did you mean 'mean radius'"),
        ({"steps": limits.NOISE_STEPS[-1] + 1}, "steps must be a whole number"),
        ({"steps": True}, "steps must be"),
        ({"batch": 0}, "batch must be a whole number from 1"),
        ({"batch": 513}, "batch must be a whole number from 1 to 512"),
        ({"batch": 2.5}, "batch must be"),
        ({"rate": 0}, "rate must be a number"),
        ({"rate": "2"}, "rate must be a number"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**31}, "seed must be"),
        ({"schedule": "none"}, "unknown schedule"),
        ({"draw": "all"}, "unknown draw"),
        ({"start": [1]}, "two numbers"),
        ({"start": [0, 1e9]}, "start must be a number"),
        ({"start": [None, 0]}, "start must be a number"),
        ({"at": [0, 0]}, "unknown key 'at'"),
        ({"seeds": 10**9}, "unknown key 'seeds'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(body, said):
    for handle in (tab.paths, tab.bundle):
        with pytest.raises(InputError, match=re.escape(said)) as refused:
            ask(handle, **body)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("body", [{}, {"at": [0, 1e6]}, {"at": "0,0"}, {"at": [0, 0], "batch": 10**6}, {"at": [0, 0], "steps": 3}])
def test_a_cloud_needs_a_place_near_by(body):
    with pytest.raises(InputError):
        ask(tab.cloud, **body)


leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=8)


@settings(max_examples=150, deadline=None)
@example({"batch": "\n"})
@example({"rate": "1\n"})
@example({"start": "\r\n"})
@given(st.dictionaries(st.sampled_from([*tab.RUN, "at", "else"]), values, max_size=4))
def test_random_requests_are_read_or_refused_with_one_line(body):
    with tab.computing():
        try:
            run = tab.read(body)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most are refused, some are read
            return
    assert 1 <= run.steps <= limits.NOISE_STEPS[-1]
    assert 1 <= run.batch <= limits.NOISE_BATCHES[-1]
