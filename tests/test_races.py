"""Races: paths against optax's and against a plain loop, basins and heat maps against brute force, the rules of a fair race."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlp_opt import schedules
from mlp_opt.bound import Bound
from mlp_opt.diagnose.optax_races import difference, optax_optimizer, optax_race
from mlp_opt.errors import InputError
from mlp_opt.figures.looks import LOOKS
from mlp_opt.races import fair as fairness
from mlp_opt.races import maps
from mlp_opt.races.paths import RULES, SEVEN, default_rate, distance_to_minima, make, paths, race, velocity
from mlp_opt.surfaces import SURFACES, gradient, value

pytestmark = [pytest.mark.usefixtures("x64"), pytest.mark.implicit_promotion]  # optax promotes

STEPS = 100
TWINNED = [name for name in RULES if optax_optimizer(name, 0.1) is not None]


def rates(surface):
    return {name: default_rate(surface, name) for name in RULES}


@pytest.fixture(scope="module")
def raced():
    """Every rule's path and that of its optax twin, in a narrow valley."""
    with jax.enable_x64(True):
        surface = SURFACES["rosenbrock"]
        ours = race(surface, {name: make(name, rate) for name, rate in rates(surface).items()}, steps=STEPS)
        theirs = optax_race(surface, {name: optax_optimizer(name, rates(surface)[name]) for name in TWINNED}, steps=STEPS)
    return surface, ours, theirs


def test_every_rule_has_a_look_and_all_but_the_quasi_hyperbolic_have_a_twin():
    assert set(RULES) == set(LOOKS)
    assert set(RULES) - set(TWINNED) == {"qhm", "qhadam"}


@pytest.mark.parametrize("name", TWINNED)
def test_paths_are_optax_s(raced, name):
    surface, ours, theirs = raced
    assert difference(ours[name].w, theirs[name].w) <= 1e-12 * surface.width
    assert difference(ours[name].w, ours[name].w[0] + 0 * ours[name].w) > 1e-3, "it moves"


def test_a_difference_is_seen():
    w = np.zeros((3, 2))
    assert difference(w, w + np.array([[0, 0], [0, -0.5], [0.25, 0]])) == 0.5
    assert difference(w, np.where(np.eye(3, 2), np.nan, w)) == np.inf
    assert difference(w + np.nan, w + np.inf) == 0.0
    assert difference(w + 8.0, w - 2.0) == 1.25
    assert 0 < difference(w + 1e100, np.nextafter(w + 1e100, np.inf)) < 1e-15


@pytest.mark.parametrize("name", RULES)
def test_a_path_is_what_a_plain_loop_makes(raced, name):
    """The optimizer's own update, called a step at a time on the gradient at the point, from the surface's start."""
    surface, ours, _ = raced
    path, optimizer = ours[name], make(name, rates(surface)[name])
    np.testing.assert_array_equal(path.w[0], surface.start)
    np.testing.assert_allclose(path.loss, value(surface.f, jnp.asarray(path.w)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(path.gradient, gradient(surface.f, jnp.asarray(path.w)), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(path.w[1:], path.w[:-1] + path.update[:-1])
    w, state = jnp.asarray(surface.start), None
    state = optimizer.init(w)
    for t in range(3):
        u, state = optimizer.update(gradient(surface.f, w), state, w)
        np.testing.assert_allclose(path.update[t], u, rtol=1e-9, atol=1e-14)
        for kept, own in ((path.m, getattr(state, "m", None)), (path.v, getattr(state, "v", None))):
            assert (kept is None) == (own is None)
            if own is not None:
                np.testing.assert_allclose(kept[t], own, rtol=1e-9, atol=1e-14)
        w = w + u


def test_velocity_points_downhill(raced):
    _, ours, _ = raced
    for name in ("momentum", "nesterov", "adam"):
        assert float(np.sum(velocity(name, ours[name])[0] * ours[name].gradient[0])) < 0
    assert velocity("sgd", ours["sgd"]) is None


def test_no_number_recompiles():
    surface = SURFACES["quadratic"]
    traces = []

    def counted(x, y, *, condition):
        traces.append(1)
        return surface.f.function(x, y, condition=condition)

    for i in range(3):
        f = Bound(counted, condition=10.0 + i)
        optimizers = tuple(make(name, schedules.cosine(0.01 + i, 50.0 + i)) for name in ("sgd", "adam"))
        jax.block_until_ready(paths(f, optimizers, jnp.asarray([1.0 + i, 2.0]), STEPS))
        if i == 0:
            first = len(traces)
    assert len(traces) == first


def test_a_schedule_is_followed():
    halved = race(SURFACES["saddle"], {"sgd": make("sgd", schedules.step(0.1, 5, 0.5))}, steps=STEPS)["sgd"]
    np.testing.assert_allclose(halved.update[7], -0.05 * halved.gradient[7], rtol=1e-12)


def test_the_condition_number_makes_gradient_descent_slow():
    """On a quadratic, gradient descent at rate r shrinks the coordinate of curvature c by |1 - r c| a step."""
    surface = SURFACES["quadratic"]
    path = race(surface, {"sgd": make("sgd", 0.015)}, start=(1.0, 1.0), steps=STEPS)["sgd"]
    t = np.arange(STEPS + 1)[:, None]
    np.testing.assert_allclose(path.w, (1 - 0.015 * np.array([1.0, 100.0])) ** t, rtol=1e-9)


def test_a_diverging_path_says_so_and_leaves_the_others_alone():
    surface = SURFACES["rosenbrock"]
    optimizers = {"sgd": make("sgd", 1.0), "adam": make("adam", 0.01)}
    both = race(surface, optimizers, steps=STEPS)
    assert not np.isfinite(both["sgd"].loss[-1])
    alone = race(surface, {"adam": optimizers["adam"]}, steps=STEPS)["adam"]
    np.testing.assert_allclose(both["adam"].w, alone.w, rtol=1e-9)


def brute_basin(surface, optimizer, start, steps, near):
    """Label and steps of one start, from its whole path."""
    w = race(surface, {"it": optimizer}, start, steps)["it"].w
    gaps = np.hypot(*np.moveaxis(w[:, None] - np.array(surface.minima), -1, 0))
    label = int(gaps[-1].argmin())
    if not gaps[-1, label] <= near:
        centre = np.mean([surface.x, surface.y], axis=1)
        return (maps.NONE if np.hypot(*(w[-1] - centre)) <= maps.FAR * surface.width else maps.DIVERGED), -1
    outside = np.flatnonzero(gaps[:, label] > near)
    return label, int(outside[-1]) + 1 if outside.size else 0


@pytest.mark.parametrize(("name", "rule", "rate"), [("himmelblau", "momentum", 0.02), ("rastrigin", "adam", 0.3)])
def test_basins_are_those_of_brute_force(name, rule, rate):
    surface, optimizer = SURFACES[name], make(rule, rate)
    found = maps.basins(surface, optimizer, STEPS, size=9)
    labels = set()
    for j, y in enumerate(found.y):
        for i, x in enumerate(found.x):
            expected = brute_basin(surface, optimizer, (x, y), STEPS, found.distance)
            assert (found.label[j, i], found.steps[j, i]) == expected, (x, y)
            labels.add(expected[0])
    assert len(labels) >= 5
    assert {maps.NONE, maps.DIVERGED} <= labels or name == "rastrigin"


def test_basins_need_a_minimum():
    with pytest.raises(InputError, match="surface saddle has no known minimum"):
        maps.basins(SURFACES["saddle"], make("sgd", 0.1))


@pytest.mark.parametrize("target", [None, 1.0])
def test_a_cell_of_the_heat_map_is_the_run_with_its_numbers(target):
    surface = SURFACES["beale"]
    numbers, betas = np.geomspace(1e-4, 1, 4), np.array([0.0, 0.5, 0.95])
    found = maps.heat(surface, partial(make, "adam"), "b1", steps=STEPS, rates=numbers, second=betas, target=target)
    assert found.loss.shape == (3, 4)
    for j, b1 in enumerate(betas):
        for i, rate in enumerate(numbers):
            loss = race(surface, {"adam": make("adam", float(rate), b1=float(b1))}, steps=STEPS)["adam"].loss
            assert found.loss[j, i] == pytest.approx(loss[-1], rel=1e-9)
            if target is not None:
                above = np.flatnonzero(loss > target)
                assert found.steps[j, i] == (above[-1] + 1 if above.size else 0)
    assert (found.steps is None) == (target is None)


def test_the_second_number_of_each_rule():
    expected = {"momentum": "momentum", "nesterov": "momentum", "adam": "b1", "rmsprop": "decay", "adadelta": "rho"}
    assert {name: maps.second_number(name) for name in expected} == expected
    assert all(maps.second_number(name) for name in RULES)


FAIR = ("sgd", "momentum", "adam")
FEW = dict(steps=40, rates=np.geomspace(1e-4, 1, 5), tuning=6, reporting=7)


@pytest.fixture(scope="module")
def compared():
    with jax.enable_x64(True):
        return fairness.fair(SURFACES["himmelblau"], {name: partial(make, name) for name in FAIR}, **FEW)


def test_a_fair_race_tunes_and_reports_on_different_starts_of_the_domain():
    surface = SURFACES["branin"]
    tuning, reporting = (np.asarray(fairness.random_starts(surface, 200, 0, part)) for part in (0, 1))
    for starts in (tuning, reporting):
        assert (starts.min(0) >= [-5, 0]).all()
        assert (starts.max(0) <= [10, 15]).all()
        np.testing.assert_allclose(starts.mean(0), [2.5, 7.5], atol=4 * 15 / np.sqrt(12 * 200))
    assert not np.isin(tuning, reporting).any()
    assert not np.array_equal(tuning, fairness.random_starts(surface, 200, 1, 0))


def test_a_fair_race_chooses_the_best_median_and_reports_runs_at_that_rate(compared):
    surface = SURFACES["himmelblau"]
    starts = [np.asarray(fairness.random_starts(surface, n, 0, part)) for part, n in enumerate((6, 7))]

    def last(name, rate, start):
        loss = race(surface, {name: make(name, rate)}, start, FEW["steps"])[name].loss[-1]
        return loss if np.isfinite(loss) else np.inf

    for name in FAIR:
        result = compared[name]
        medians = [sorted(last(name, float(rate), start) for start in starts[0])[2] for rate in FEW["rates"]]  # the lower of two middles
        assert result.rate == FEW["rates"][int(np.argmin(medians))]
        np.testing.assert_allclose(result.tuning[:, 1], medians, rtol=1e-6, atol=1e-12)
        scores = [last(name, result.rate, start) for start in starts[1]]
        np.testing.assert_allclose(result.scores, scores, rtol=1e-6, atol=1e-12)
        assert result.quartiles[1] == pytest.approx(sorted(scores)[3], rel=1e-6, abs=1e-12)


def test_every_rule_of_a_fair_race_uses_the_same_number_of_gradients(monkeypatch):
    """Counted, not claimed: the surface itself counts how often it is evaluated, in a run without compilation."""
    counts = {}
    surface = SURFACES["booth"]
    for name in SEVEN:
        calls = []

        def counted(x, y, calls=calls):
            calls.append(1)
            return surface.f(x, y)

        with jax.disable_jit():
            paths(Bound(counted), (make(name, 0.01),), jnp.asarray([1.0, 2.0]), 5)
        counts[name] = len(calls)
    assert set(counts.values()) == {6}, counts


def test_a_miss_is_infinite_and_ranks_last():
    surface = SURFACES["quadratic"]
    results = fairness.fair(surface, {"sgd": partial(make, "sgd")}, target=1e-30, **FEW)
    assert np.isinf(results["sgd"].scores).all()
    assert results["sgd"].missed == 1.0
    assert np.isinf(results["sgd"].quartiles).all()
    diverging = fairness.fair(surface, {"sgd": partial(make, "sgd")}, **FEW | {"rates": np.array([1e6, 0.01]), "steps": 400})
    assert diverging["sgd"].rate == 0.01


def test_a_target_counts_the_steps_after_which_the_loss_stays_under_it():
    """Gradient descent on x^2 + y^2 at rate r: the loss is |w|^2 (1 - 2r)^(2t)."""
    surface, rate, target = SURFACES["global_minimum"], 0.1, 1e-3
    results = fairness.fair(surface, {"sgd": partial(make, "sgd")}, target=target, **FEW | {"rates": np.array([rate])})
    start = np.asarray(fairness.random_starts(surface, 7, 0, 1))
    exact = np.ceil(np.log(target / (start**2).sum(1)) / np.log(0.8**2))
    np.testing.assert_array_equal(results["sgd"].scores, np.maximum(exact, 0))


def test_best_prefers_fewer_misses_and_ignores_digits_that_no_one_asked_for():
    inf = np.inf
    assert fairness._best(np.array([[1.0, 1.0, inf], [1.0, 1.0, 9.0]])) == 1
    assert fairness._best(np.array([[3.0] * 3, [1e-20] * 3, [1e-25] * 3, [0.0] * 3, [5.0] * 3])) == 2
    assert fairness._best(np.array([[inf] * 3, [inf] * 3])) == 1


def test_an_unbounded_surface_needs_a_target():
    with pytest.raises(InputError, match="give a target"):
        fairness.fair(SURFACES["saddle"], {})


def test_names_and_distances():
    with pytest.raises(InputError, match="did you mean 'nesterov'"):
        make("nestrov", 0.1)
    himmelblau = SURFACES["himmelblau"]
    np.testing.assert_allclose(distance_to_minima(himmelblau, [[3.0, 2.5], [3.0, 2.0]]), [0.5, 0])
    assert np.isnan(distance_to_minima(SURFACES["saddle"], [0.0, 0.0]))
