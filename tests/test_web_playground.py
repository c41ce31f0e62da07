"""The Playground's server side: its numbers are those of the library called directly, and what does not fit is refused in one line."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Page, serving

import mlp_opt as mo
from mlp_opt.data import synthetic
from mlp_opt.errors import InputError
from mlp_opt.web import limits, messages
from mlp_opt.web import playground as tab
from mlp_opt.web import playground_data as points
from mlp_opt.web import playground_lane as programs

RUN = "0123456789abcdef"
SMALL = {"hidden": [3], "batch": 50, "methods": [{"name": "adam", "rate": 0.05}]}
MODEL = mo.MLP((2, 3, 1), "tanh", "bce", init="glorot_normal")


@pytest.fixture(autouse=True)
def computing():
    with tab.computing():
        yield


def numbers(body):
    return {key: body[key] for key in tab.NUMBERS if key in body}


def begin(**more):
    return tab.begin({"run": RUN, **SMALL, **more})


def train(start, epochs, **more):
    return tab.train({"run": RUN, "from": start, "epochs": epochs, **numbers(SMALL), **more})


def layers(flat, sizes=(2, 3, 1)):
    """The flat parameters of an answer as Layers."""
    found, at = [], 0
    for n_in, n_out in pairwise(sizes):
        W = flat[at : at + n_out * n_in].reshape(n_out, n_in)
        b = flat[at + n_out * n_in : at + n_out * (n_in + 1)]
        at += n_out * (n_in + 1)
        found.append(mo.Layer(jnp.asarray(W), jnp.asarray(b)))
    assert at == len(flat)
    return tuple(found)


def test_a_training_is_that_of_the_library():
    opened = begin(noise=0.1, seed=7)
    xyt, n = opened.arrays["points"], opened.header["train"]
    X, y = synthetic.circle(limits.POINTS, 0.05, 0)
    order = np.random.default_rng(0).permutation(limits.POINTS)
    np.testing.assert_array_equal(xyt, np.column_stack([5 * X, y])[order].astype(np.float32))
    assert n == 250
    answer = train(0, 5)
    run = mo.fit(MODEL, mo.adam(0.05), xyt[:n, :2], xyt[:n, 2], epochs=5, batch_size=50, seed=7)
    parts = {"train": (jnp.asarray(xyt[:n, :2]), jnp.asarray(xyt[:n, 2])), "test": (jnp.asarray(xyt[n:, :2]), jnp.asarray(xyt[n:, 2]))}
    params = layers(answer.arrays["params"])
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(run.last), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    found = {name: jax.jit(jax.value_and_grad(lambda p, X, y: mo.loss(MODEL, p, X, y)))(params, *part) for name, part in parts.items()}
    losses = [float(loss) for loss, _ in found.values()]
    assert answer.arrays["curve"].shape == (1, 5, 4)
    np.testing.assert_allclose(answer.arrays["curve"][0, -1, [0, 2]], losses, rtol=1e-5)
    np.testing.assert_array_equal(answer.arrays["curve"][0, -1], answer.arrays["now"][0])
    right = [np.mean((mo.predict(MODEL, params, X)[:, 0] > 0.5) == (y == 1)) for X, y in parts.values()]
    np.testing.assert_allclose(answer.arrays["now"][0, [1, 3]], right, rtol=1e-5)
    norms = [np.sqrt(np.sum(g.W**2) + np.sum(g.b**2)) for g in found["train"][1]]
    np.testing.assert_allclose(answer.arrays["norms"][0], norms, rtol=1e-4)


def test_maps_are_the_units_over_the_plane():
    begin()
    answer = train(0, 1, unit=1)
    params, xy = layers(answer.arrays["params"]), points.grid()
    z = mo.forward(MODEL, params, jnp.asarray(xy)).z
    large = np.asarray(z[1])[1].reshape(limits.MAP, limits.MAP)
    np.testing.assert_allclose(answer.arrays["large"], large, atol=1e-5)
    small = np.asarray(jnp.concatenate(z[1:])).reshape(4, limits.MAP, limits.MAP)[:, :: programs.THIN, :: programs.THIN]
    np.testing.assert_allclose(answer.arrays["maps"], small, atol=1e-5)
    assert xy[0].tolist() == [-6, -6]  # rows from low y
    assert xy[1][0] > xy[0][0]


def test_features_are_what_their_names_say():
    xy = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    x, y = xy.T
    expected = np.stack([x, y, x * x / 5, y * y / 5, x * y / 5, np.sin(x), np.sin(y)], axis=1)
    np.testing.assert_allclose(points.features(tuple(points.FEATURES), jnp.asarray(xy)), expected, rtol=1e-6)


def test_numbers_change_while_it_trains_and_never_recompile():
    begin()
    train(0, 2)
    before = programs.train._cache_size()
    other = train(2, 3, methods=[{"name": "adam", "rate": 0.3, "options": {"b1": 0.5}}], l1=0.01, l2=0.02)
    assert other.header["epoch"] == 5
    begin(noise=0.3, seed=3, data_seed=4, data="xor", l2=0.1)
    train(0, 1)
    assert programs.train._cache_size() == before
    begin()
    train(0, 2)
    assert np.abs(train(2, 3).arrays["params"] - other.arrays["params"]).max() > 1e-3


def test_optimizers_side_by_side_begin_alike_and_go_apart():
    methods = [{"name": "adam", "rate": 0.05}, {"name": "adam", "rate": 0.001}]
    first = begin(methods=methods)
    assert first.arrays["now"].shape == (2, 4)
    np.testing.assert_array_equal(first.arrays["now"][0], first.arrays["now"][1])
    second = begin(methods=methods, shown=1)
    np.testing.assert_array_equal(first.arrays["params"], second.arrays["params"])
    both = train(0, 4, methods=methods, shown=1)
    assert both.arrays["now"][0, 0] < both.arrays["now"][1, 0]
    begin()
    alone = train(0, 4)
    np.testing.assert_allclose(both.arrays["curve"][0], alone.arrays["curve"][0], rtol=1e-5)


def test_a_schedule_spans_its_epochs():
    """At the end of a cosine the rate is 0: nothing moves any more."""
    cosine = {"schedule": "cosine", "horizon": 4}
    begin(**cosine)
    end = train(0, 4).arrays["params"]
    np.testing.assert_array_equal(train(4, 2).arrays["params"], end)


def test_an_edited_weight_is_the_only_one_that_changes():
    before = begin().arrays["params"]
    answer = tab.edit({"run": RUN, "layer": 0, "to": 1, "input": 0, "value": 2.5, **numbers(SMALL)})
    expected = before.copy()
    expected[2] = 2.5
    np.testing.assert_array_equal(answer.arrays["params"], expected)
    answer = tab.edit({"run": RUN, "layer": 1, "to": 0, "input": None, "value": -1, **numbers(SMALL)})
    expected[-1] = -1
    np.testing.assert_array_equal(answer.arrays["params"], expected)
    made = points.made("circle", 0.0, 0.5, 0)
    loss = mo.loss(MODEL, layers(expected), jnp.asarray(made.xy[:250]), jnp.asarray(made.y[:250]))
    assert answer.arrays["now"][0, 0] == pytest.approx(float(loss), rel=1e-5)


def test_a_training_that_diverges_is_told_and_stays_where_it_is():
    wild = {"methods": [{"name": "sgd", "rate": 1e4}], "data": "plane"}
    begin(**wild, activation="relu")
    answer = train(0, 8, methods=wild["methods"])
    assert answer.header["diverged"][0] > 0
    assert np.isnan(answer.arrays["curve"][0, -1]).all()
    again = train(8, 2, methods=wild["methods"])
    assert again.header["diverged"] == answer.header["diverged"]
    np.testing.assert_array_equal(again.arrays["params"], answer.arrays["params"])
    assert messages.unpack(messages.frame(1, "playground/train", again))[0]["epoch"] == 10


def test_a_request_that_comes_twice_trains_once_and_a_lost_training_is_told(monkeypatch):
    begin()
    assert train(0, 3).header["epoch"] == 3
    again = train(0, 3)
    assert (again.header["epoch"], again.header["epochs"]) == (3, 0)
    assert tab.train({"run": "f" * 8, "from": 0, "epochs": 1, **numbers(SMALL)}).header == {"lost": True}
    assert tab.edit({"run": "f" * 8, "value": 1.0, **numbers(SMALL)}).header == {"lost": True}
    monkeypatch.setattr(limits, "RUNS", 2)
    for name in ("a" * 8, "b" * 8, "c" * 8):
        tab.begin({"run": name, **SMALL})
    assert set(tab._runs) == {"b" * 8, "c" * 8}


def test_a_request_trains_so_many_updates_at_most(monkeypatch):
    begin()
    monkeypatch.setattr(limits, "EPOCH_STEPS", 15)  # 5 updates an epoch
    assert train(0, 64).header["epochs"] == 3
    monkeypatch.setattr(limits, "MOST_EPOCHS", 4)
    assert train(3, 4).header["epoch"] == 4


def test_own_data_is_moved_onto_the_plane():
    rows = [(10, 100, "no"), (20, 300, "yes"), (15, 200, "yes"), (12, 150, "no"), (18, 250, "no")]
    text = "height;weight;ok\n" + "\n".join(f"{a};{b};{c}" for a, b, c in rows) + "\n\n"
    found = points.own(text, 0.6, 0)
    assert (found.task, found.names, found.classes, found.train) == ("classification", ("height", "weight", "ok"), ("no", "yes"), 3)
    order = np.random.default_rng(0).permutation(5)
    expected = np.array([[10 * (a - 15) / 10, 10 * (b - 200) / 200, c == "yes"] for a, b, c in rows])[order]
    np.testing.assert_allclose(np.column_stack([found.xy, found.y]), expected, atol=1e-5)
    np.testing.assert_allclose(found.ranges[0], (9, 21))  # of -6 and 6
    values = points.own("1,2,3.5\n2,3,4.5\n3,1,5.5\n4,0,6.5", 0.5, 0)
    assert (values.task, values.ranges[2]) == ("regression", (3.5, 6.5))
    assert sorted(values.y.tolist()) == pytest.approx([-1, -1 / 3, 1 / 3, 1], abs=1e-6)


BAD_DATA = {
    "nothing": ("", "0 rows of numbers"),
    "too few": ("1,2,a\n2,3,b", "2 rows of numbers"),
    "two columns": ("1,2,a\n3,4", "line 2 of the data has 2 values"),
    "an empty cell": ("1,2,a\n3,,b", "line 2 of the data has 2 values"),
    "not a number": ("1,2,a\n3,4,b\n\n3,x,b\n5,6,a", "line 4 of the data: 'x' is not a number"),
    "infinite": ("1,2,a\n3,inf,b\n3,4,b\n5,6,a", "line 2 of the data: 'inf'"),
    "not a number by name": ("1,2,a\n3,nan,b\n3,4,b\n5,6,a", "line 2 of the data: 'nan'"),
    "too large": ("1,2,a\n3,1e300,b\n3,4,b\n5,6,a", "line 2 of the data: '1e300'"),
    "three labels": ("1,2,a\n3,4,b\n3,4,c\n5,6,a", "line 1 of the data: 'a' is not a number"),
    "no text": (5, "own data must be a text"),
    "missing": (None, "own data must be a text"),
    "too long": ("1,2,3\n" * 7000, "own data must be a text of at most"),
    "too many rows": ("1,2,3\n" * 1001, "line 1001 of the data: at most 1000 rows"),
    "code": ("__import__('os')," * 2 + "a\n1,2,a\n2,3,b", "2 rows of numbers"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_refused_with_its_line(name):
    text, message = BAD_DATA[name]
    with pytest.raises(InputError) as error:
        begin(data="own", own=text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


BAD = [
    {"run": "x"}, {"run": None}, {"run": "0" * 40}, {"data": "sprial"}, {"data": 3}, {"noise": 0.6}, {"noise": "0"},
    {"noise": float("nan")}, {"share": 0}, {"share": 1}, {"features": []}, {"features": ["x", "x"]}, {"features": ["z"]},
    {"features": "x"}, {"features": [[]]}, {"hidden": [9]}, {"hidden": [0]}, {"hidden": [1] * 7}, {"hidden": 3}, {"hidden": [True]},
    {"hidden": [1.5]}, {"activation": "step"}, {"activation": None}, {"init": "ones"}, {"residual": 1}, {"batch": -1}, {"batch": 1001},
    {"batch": 2.5}, {"seed": -1}, {"seed": 2**32}, {"data_seed": "a"}, {"schedule": "linear"}, {"horizon": 0}, {"horizon": 20001},
    {"methods": []}, {"methods": [{"name": "sgd"}] * 7}, {"methods": [{"name": "sgdd"}]}, {"methods": [{"name": "sgd", "rate": 0}]},
    {"methods": [{"name": "sgd", "rate": 1e9}]}, {"methods": [{"name": "adam", "options": {"b3": 1}}]}, {"methods": [3]},
    {"methods": [{"name": "adam", "options": {"b1": 1.0}}]}, {"l1": -1}, {"l2": 11}, {"dropout": 1.0}, {"dropout": None}, {"shown": 1},
    {"unit": 4}, {"unit": -1}, {"else": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD, ids=str)
def test_bad_requests_are_refused_in_one_line(change):
    with pytest.raises(InputError) as error:
        begin(**change)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


keys = st.sampled_from([*tab.NETWORK, *tab.NUMBERS, "name", "rate", "options"])
leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.sampled_from(["sgd", "own", "xor", "x", "relu"])
values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=4), max_leaves=10)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(keys, values, max_size=5))
def test_random_requests_are_read_or_refused_in_one_line(body):
    run = object.__new__(tab.Run)
    run.schedule, run.horizon, run.steps = "constant", 1, 1
    for read in (tab._network, run.rules):
        try:
            read(body)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some are requests


@pytest.mark.parametrize(
    "change",
    [
        {"from": -1},
        {"epochs": 65},
        {"epochs": 1.0},
        {"methods": [{"name": "sgd"}]},
        {"methods": SMALL["methods"] * 2},
        {"hidden": [3]},
        {"run": "?"},
    ],
    ids=str,
)
def test_bad_requests_to_go_on_are_refused(change):
    begin()
    with pytest.raises(InputError):
        tab.train({"run": RUN, "from": 0, "epochs": 1, **numbers(SMALL), **change})
    assert tab._runs[RUN].epoch == 0


@pytest.mark.parametrize(
    "change", [{"layer": 2}, {"to": 3}, {"input": 2}, {"value": None}, {"value": 1e7}, {"layer": None}, {"to": -1}], ids=str
)
def test_bad_edits_are_refused_and_change_nothing(change):
    before = begin().arrays["params"]
    with pytest.raises(InputError):
        tab.edit({"run": RUN, "layer": 0, "to": 0, "input": 0, "value": 1.0, **numbers(SMALL), **change})
    np.testing.assert_array_equal(train(0, 0).arrays["params"], before)


def test_everything_there_is_to_choose_from_is_told_and_can_be_chosen():
    answer = tab.about({})
    assert answer.arrays["samples"].shape == (len(points.SETS), tab.SAMPLES, 3)
    for k, (name, task) in enumerate(answer.header["data"].items()):
        made = points.made(name, 0.5, 0.9, 3)
        assert (made.task, made.train, len(made.y)) == (task, 450, 500)
        assert np.isfinite(made.xy).all()
        assert np.abs(answer.arrays["samples"][k, :, :2]).max() < points.SPAN
        assert set(np.unique(made.y)) == {0, 1} if task == "classification" else np.abs(points.made(name, 0.0, 0.5, 0).y).max() <= 1
    run = tab.Run({"run": RUN, **SMALL})
    for name, about in answer.header["methods"].items():
        options = {knob["name"]: knob["default"] for knob in about["knobs"]}
        for schedule in answer.header["schedules"]:
            run.schedule = schedule
            ((found, optimizer),) = run.rules({"methods": [{"name": name, "rate": about["rate"], "options": options}]})
            assert found == name
            assert callable(optimizer.update)


def test_over_the_socket():
    with serving() as url, Page(url) as page:
        header, arrays = page.ask("playground/begin", run=RUN, **SMALL)
        assert header["sizes"] == [2, 3, 1]
        assert arrays["large"].shape == (limits.MAP, limits.MAP)
        header, _ = page.ask("playground/train", run=RUN, epochs=2, **numbers(SMALL), **{"from": 0})
        assert header["epoch"] == 2
        assert page.ask("playground/begin", run=RUN, hidden=[99])[0]["error"].startswith("units of a hidden layer must be")
