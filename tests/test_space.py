"""Spaces: every value where it should be, every wrong space one clear line."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_opt.config import TrainConfig
from mlp_opt.errors import InputError
from mlp_opt.sweeps.space import METHODS, Dimension, parse, resolve, trials

SPACE = {
    "learning_rate": {"log_uniform": [1e-4, 1.0], "points": 5},
    "dropout": {"uniform": [0.1, 0.5], "points": 3},
    "batch_size": {"integer": [16, 18]},
    "hidden": [[32], [64, 64], []],
    "optimizer": ["momentum", "adam"],
}
WHEN = [{"optimizer": "momentum", "space": {"optimizer_options": {"momentum": [0.5, 0.9]}}}]


@pytest.mark.parametrize("method", METHODS)
def test_values_lie_in_their_ranges_and_blocks_hold_only_where_they_should(method):
    found = trials(parse(SPACE, WHEN), TrainConfig(), method, 200, 3)
    for trial in found:
        assert 1e-4 <= trial["learning_rate"] <= 1 + 1e-12
        assert 0.1 <= trial["dropout"] <= 0.5
        assert trial["batch_size"] in (16, 17, 18)
        assert trial["hidden"] in ((32,), (64, 64), ())
        assert ("optimizer_options.momentum" in trial) == (trial["optimizer"] == "momentum")
    assert found == trials(parse(SPACE, WHEN), TrainConfig(), method, 200, 3)
    if method == "grid":
        assert len(found) == 5 * 3 * 3 * 3 * (2 + 1)
        assert sorted({t["learning_rate"] for t in found}) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    else:
        assert len(found) == 200
        assert found != trials(parse(SPACE, WHEN), TrainConfig(), method, 200, 4)
        assert {t["batch_size"] for t in found} == {16, 17, 18}


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_log_uniform_is_uniform_in_the_logarithm(method):
    found = trials(parse({"learning_rate": {"log_uniform": [1e-6, 1.0]}}), TrainConfig(), method, 4096, 0)
    decades = np.histogram(np.log10([t["learning_rate"] for t in found]), bins=6, range=(-6, 0))[0] / 4096
    assert np.abs(decades - 1 / 6).max() < (0.02 if method == "random" else 0.001)


def test_sobol_leaves_smaller_holes_than_random():
    def largest_hole(method):
        u = np.sort([t["dropout"] for t in trials(parse({"dropout": {"uniform": [0.0, 0.9]}}), TrainConfig(), method, 64, 0)])
        return np.diff(u).max()

    assert largest_hole("sobol") < 0.6 * largest_hole("random")


@given(st.floats(0, 1, exclude_max=True), st.floats(1e-9, 1e3), st.floats(1.0001, 1e6))
def test_a_draw_never_leaves_its_range(u, low, factor):
    high = low * factor
    for kind in ("uniform", "log_uniform"):
        assert low * (1 - 1e-12) <= Dimension("l2", kind, low, high).at(u) <= high * (1 + 1e-12)
    first, last = math.ceil(low), math.ceil(high)
    assert first <= Dimension("patience", "integer", float(first), float(last)).at(u) <= last


@pytest.mark.parametrize("method", METHODS)
def test_the_order_in_which_fields_are_written_changes_nothing(method):
    turned = dict(reversed(SPACE.items()))
    base = TrainConfig()
    assert trials(parse(SPACE, WHEN), base, method, 20, 3) == trials(parse(turned, WHEN), base, method, 20, 3)


def test_another_field_leaves_the_random_draws_of_the_rest_alone():
    base = TrainConfig()
    both = trials(parse({"learning_rate": {"log_uniform": [1e-4, 1.0]}, "l2": {"uniform": [0, 1]}}), base, "random", 20, 3)
    one = trials(parse({"learning_rate": {"log_uniform": [1e-4, 1.0]}}), base, "random", 20, 3)
    assert [t["learning_rate"] for t in both] == [t["learning_rate"] for t in one]


def test_two_blocks_give_one_field_different_ranges():
    when = [
        {"optimizer": "sgd", "space": {"learning_rate": {"log_uniform": [0.1, 1.0]}}},
        {"optimizer": ["adam", "rmsprop"], "space": {"learning_rate": {"log_uniform": [1e-4, 1e-2]}}},
    ]
    for trial in trials(parse({"optimizer": ["sgd", "adam", "rmsprop"]}, when), TrainConfig(), "random", 50, 0):
        low, high = (0.1, 1.0) if trial["optimizer"] == "sgd" else (1e-4, 1e-2)
        assert low <= trial["learning_rate"] <= high


def test_resolve_fills_fields_and_options():
    base = TrainConfig(optimizer_options={"nesterov": True})
    config = resolve(base, {"hidden": (8,), "optimizer_options.momentum": 0.5})
    assert config.hidden == (8,)
    assert config.optimizer_options == {"nesterov": True, "momentum": 0.5}
    assert base.optimizer_options == {"nesterov": True}


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "nothing varies"),
        ({"learning_rat": [1.0]}, "did you mean 'learning_rate'"),
        ({"epochs": [1, 2]}, "unknown field in space 'epochs'"),
        ({"learning_rate": {"log_uniform": [0, 1]}}, "a logarithm cannot pass through 0"),
        ({"learning_rate": {"log_uniform": [-1, 1]}}, "low > 0, got [-1, 1]"),
        ({"learning_rate": {"uniform": [1, 1]}}, "the range is empty"),
        ({"learning_rate": {"uniform": [2, 1]}}, "low < high, got [2, 1]"),
        ({"learning_rate": {"uniform": [0, math.nan]}}, "two numbers [low, high]"),
        ({"learning_rate": {"normal": [0, 1]}}, "accepted: log_uniform, uniform, integer, choice, points"),
        ({"learning_rate": {"uniform": [0, 1], "integer": [0, 1]}}, "exactly one of"),
        ({"learning_rate": 0.1}, "a list of values or a table"),
        ({"learning_rate": []}, "at least one value"),
        ({"learning_rate": ["fast"]}, "must be a number, got 'fast'"),
        ({"optimizer": {"uniform": [0, 1]}}, "give a list of values"),
        ({"batch_size": {"uniform": [1, 9]}}, "whole numbers: use integer or a list"),
        ({"batch_size": {"integer": [1.5, 9]}}, "integer takes whole numbers"),
        ({"optimizer_options": {"momentum": ["high"]}}, "must be a number, or true or false"),
        ({"l2": {"uniform": [0, 1], "points": 0}}, "points must be a whole number >= 1"),
        ([], "must be a table of fields"),
    ],
)
def test_a_wrong_space_says_what_is_accepted(space, said):
    with pytest.raises(InputError) as error:
        parse(space)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ([{"optimizer": "adam"}], "a condition and a space"),
        ([{"space": {"l2": [0.1]}}], "a condition and a space"),
        ([{"optimiser": "adam", "space": {"l2": [0.1]}}], "did you mean 'optimizer'"),
        ([{"optimizer": "adam", "space": {"learning_rate": [0.1]}}], "in the unconditional space already"),
        ([{"learning_rate": 0.3, "space": {"l2": [0.1]}}], "when[0]: learning_rate is never 0.3; it is 0.1, 0.2"),
        ([{"l1": 0.1, "space": {"l2": [0.1]}}, {"l2": 0.1, "space": {"l1": [0.1]}}], "the conditions of l1, l2 depend on each other"),
        (5, "when must list blocks"),
    ],
)
def test_a_wrong_block_says_what_is_accepted(when, said):
    with pytest.raises(InputError) as error:
        parse({"learning_rate": [0.1, 0.2]}, when)
    assert said in str(error.value)


def test_a_grid_wants_points_and_a_draw_wants_trials():
    with pytest.raises(InputError, match="a grid needs the number of points of learning_rate"):
        trials(parse({"learning_rate": {"uniform": [0, 1]}}), TrainConfig(), "grid", 1, 0)
    with pytest.raises(InputError, match="trials must be a whole number from 1 to 10,000,000, got 0"):
        trials(parse({"learning_rate": {"uniform": [0, 1]}}), TrainConfig(), "random", 0, 0)
    with pytest.raises(InputError, match="from 1 to 10,000,000, got 20000000"):
        trials(parse({"learning_rate": {"uniform": [0, 1]}}), TrainConfig(), "random", 20_000_000, 0)
    for space in ({"seed": {"integer": [0, 3_000_000_000]}}, {"l2": {"uniform": [0, 1], "points": 10**8}}):
        with pytest.raises(InputError, match="alone has more than the 10,000,000 trials"):
            trials(parse(space), TrainConfig(), "grid", 1, 0)
    large = {name: {"uniform": [0, 0.5], "points": 1000} for name in ("l1", "l2", "dropout")}
    with pytest.raises(InputError, match="the grid has more than the 10,000,000 trials"):
        trials(parse(large), TrainConfig(), "grid", 1, 0)


BLOCKS = [
    {"optimizer_options.momentum": 0.9, "space": {"l2": [0.1, 0.2]}},
    {"optimizer": "momentum", "space": {"optimizer_options.momentum": [0.5, 0.9]}},
    {"optimizer": ["momentum", "sgd"], "space": {"dropout": [0.0, 0.5]}},
]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_blocks_changes_nothing(method):
    """Nor that a condition looks at what a later block sets."""
    space = {"optimizer": ["momentum", "adam", "sgd"]}
    found = [trials(parse(space, order), TrainConfig(), method, 32, 0) for order in itertools.permutations(BLOCKS)]
    assert all(other == found[0] for other in found)
    assert any("l2" in trial for trial in found[0])


def test_seeds_of_either_kind_take_a_range():
    found = trials(parse({"data_seed": {"integer": [3, 5]}, "seed": {"integer": [1, 2]}}), TrainConfig(), "grid", 1, 0)
    assert [(t["data_seed"], t["seed"]) for t in found] == [(d, s) for d in (3, 4, 5) for s in (1, 2)]


def test_a_grid_has_each_trial_once():
    blocks = [{"optimizer": o, "space": {"l2": values}} for o, values in ((["momentum", "sgd"], [0.1, 0.2]), ("momentum", [0.3, 0.4, 0.5]))]
    found = trials(parse({"optimizer": ["momentum", "sgd"]}, blocks), TrainConfig(), "grid", 1, 0)
    assert len(found) == len({repr(t) for t in found})
    assert len([t for t in found if t["optimizer"] == "sgd"]) == 2
