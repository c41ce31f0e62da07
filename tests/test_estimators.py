"""The scikit-learn estimators: scikit-learn's own checks, its MLP as the yardstick, and what it does not have."""

import math
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

import mlp_opt as mo
from mlp_opt import train
from mlp_opt.estimators import parameters

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# One shape for most tests, so that they share programs: 60 samples, 13 features, one hidden layer.
wine = load_wine()
X = StandardScaler().fit_transform(wine.data)[::3]
LABELS = wine.target[::3]
WEIGHT = np.random.default_rng(0).uniform(0.2, 3, len(X))
TARGETS = {
    "binary": (LABELS == 1).astype(int),
    "multiclass": LABELS,
    "multilabel": np.stack([LABELS == 0, X[:, 0] > 0], axis=1).astype(int),
    "one output": X[:, 0] * X[:, 1] + X[:, 2],
    "two outputs": np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1),
}
SMALL = {"hidden_layer_sizes": (7,), "random_state": 3}


def pair(task, **params):
    """(ours, scikit-learn's) estimator for one of TARGETS."""
    kinds = (mo.MLPRegressor, SklearnRegressor) if "output" in task else (mo.MLPClassifier, SklearnClassifier)
    return [kind(**SMALL | params) for kind in kinds]


def assert_same_weights(ours, theirs, rtol):
    """Every weight, to `rtol` of the largest of its layer."""
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=0, atol=rtol * np.abs(other).max())


@parametrize_with_checks([mo.MLPClassifier(), mo.MLPRegressor()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("task", "dtype"), [*((task, np.float64) for task in TARGETS), ("multiclass", np.float32), ("one output", np.float32)]
)
def test_one_step_of_gradient_descent_is_scikit_learns(task, dtype):
    """From the same weights, with a penalty that matters and sample weights: gradient, alpha and learning rate mean the same."""
    given = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1, "alpha": 5.0, "batch_size": len(X), "max_iter": 1}
    ours, theirs = (e.fit(X.astype(dtype), TARGETS[task], WEIGHT.astype(dtype)) for e in pair(task, **given))
    assert_same_weights(ours, theirs, 20 * np.finfo(dtype).eps)
    assert ours.out_activation_ == theirs.out_activation_
    if task != "two outputs":  # where scikit-learn's loss_ is not the function that its gradient belongs to
        assert ours.loss_ == pytest.approx(theirs.loss_, rel=float(20 * np.finfo(dtype).eps))


SOLVERS = {
    "adam": {"solver": "adam", "epsilon": 1e-3},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "momentum, inverse scaling": {"solver": "sgd", "learning_rate_init": 0.3, "nesterovs_momentum": False, "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate_init": 0.5, "learning_rate": "adaptive", "tol": 1e-2},
    "stopping early": {"solver": "adam", "early_stopping": True, "validation_fraction": 0.3, "learning_rate_init": 0.01},
}


@pytest.mark.parametrize("given", SOLVERS.values(), ids=SOLVERS)
def test_a_whole_fit_is_scikit_learns(given):
    """In float64 and with one batch an epoch all but the rounding is determined: weights, curves, counts, where it stops."""
    y = TARGETS["binary"]
    ours, theirs = (e.fit(X, y, WEIGHT) for e in pair("binary", alpha=0.1, max_iter=150, **given))
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert_same_weights(ours, theirs, 1e-9)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-7, atol=1e-12)  # theirs is 1 - p
    if "early_stopping" not in given:
        assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-9)
        return
    assert ours.n_iter_ < 150
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-12)
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, rel=1e-12)
    assert len(ours.validation_loss_curve_) == ours.n_iter_


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_lbfgs_follows_scikit_learns(activation):
    given = {"solver": "lbfgs", "activation": activation, "alpha": 0.1, "max_iter": 8}
    ours, theirs = (e.fit(X, LABELS, WEIGHT) for e in pair("multiclass", **given))
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
    assert_same_weights(ours, theirs, 1e-7)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_batches_in_order_are_scikit_learns(weight):
    """25, 25 and 10 samples: the penalty of a batch is alpha over its own samples or weights."""
    given = {"solver": "sgd", "alpha": 2.0, "batch_size": 25, "shuffle": False, "max_iter": 3}
    ours, theirs = (e.fit(X, LABELS, weight) for e in pair("multiclass", **given))
    assert_same_weights(ours, theirs, 1e-13)


def test_integer_weights_are_repeated_samples_and_weight_zero_is_no_sample():
    counts = np.arange(len(X)) % 3
    again = np.repeat(np.arange(len(X)), counts)
    weighted, repeated = (mo.MLPClassifier(**SMALL, alpha=0.1, max_iter=20, epsilon=1e-3) for _ in range(2))
    weighted.fit(X, LABELS, counts)
    repeated.fit(X[again], LABELS[again])
    assert_same_weights(weighted, repeated, 1e-12)
    batches = {"batch_size": 16, "max_iter": 3, "alpha": 0.1}  # in batches too, where the order of the samples counts
    zeros, removed = (mo.MLPClassifier(**SMALL, **batches) for _ in range(2))
    zeros.fit(X, LABELS, (counts > 0).astype(float))
    removed.fit(X[counts > 0], LABELS[counts > 0], np.ones((counts > 0).sum()))
    assert_same_weights(zeros, removed, 0)


def test_a_class_weight_is_a_sample_weight():
    wanted = {0: 1.0, 1: 2.0, 2: 5.0}
    classes = mo.MLPClassifier(**SMALL, class_weight=wanted, max_iter=20).fit(X, LABELS, WEIGHT)
    samples = mo.MLPClassifier(**SMALL, max_iter=20).fit(X, LABELS, WEIGHT * np.array([wanted[k] for k in LABELS]))
    assert_same_weights(classes, samples, 0)
    counts = np.bincount(LABELS)
    balanced = mo.MLPClassifier(**SMALL, class_weight="balanced", max_iter=20).fit(X, LABELS)
    by_hand = mo.MLPClassifier(**SMALL, class_weight=dict(enumerate(len(LABELS) / 3 / counts)), max_iter=20).fit(X, LABELS)
    assert_same_weights(balanced, by_hand, 1e-12)


def test_partial_fits_are_the_epochs_of_a_fit():
    """The weights, the optimizer's state, the order of the samples, the masks and the rate all go on."""
    params = {"batch_size": 16, "max_iter": 4, "dropout": 0.3, "solver": "sgd", "learning_rate": "invscaling"}
    whole = mo.MLPClassifier(**SMALL, **params).fit(X, LABELS)
    parts = mo.MLPClassifier(**SMALL, **params)
    for _ in range(4):
        parts.partial_fit(X, LABELS, classes=[0, 1, 2])
    assert_same_weights(parts, whole, 0)
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.t_, whole.t_) == (4 * len(X), 4 * len(X))
    assert len(set(whole.loss_curve_)) == 4


def test_a_warm_start_goes_on_from_the_weights():
    given = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1}
    warm = mo.MLPClassifier(**SMALL, **given, max_iter=10, warm_start=True).fit(X, LABELS)
    first = warm.coefs_[0].copy()
    warm.fit(X, LABELS)
    once = mo.MLPClassifier(**SMALL, **given, max_iter=20).fit(X, LABELS)
    assert np.abs(first - warm.coefs_[0]).max() > 1e-3
    assert_same_weights(warm, once, 1e-12)
    assert len(warm.loss_curve_) == 20
    with pytest.raises(mo.InputError, match="do not go on from"):
        warm.set_params(hidden_layer_sizes=(8,)).fit(X, LABELS)
    early = warm.set_params(hidden_layer_sizes=(7,), early_stopping=True, validation_fraction=0.3).fit(X, LABELS)
    assert len(early.loss_curve_) == len(early.validation_scores_) == 10
    early.set_params(early_stopping=False, solver="lbfgs").fit(X, LABELS)
    early.set_params(solver="adam").partial_fit(X, LABELS)
    cold = warm.set_params(warm_start=False, hidden_layer_sizes=(7,)).fit(X, LABELS)
    assert len(cold.loss_curve_) == 10


def test_what_scikit_learn_does_not_have():
    ours = mo.MLPClassifier(
        (7, 7), ("gelu", "tanh"), solver="adamw", solver_params={"weight_decay": 0.1}, learning_rate="one_cycle",
        learning_rate_params={"pct_start": 0.2}, learning_rate_init=0.02, dropout=0.2, max_iter=60, early_stopping=True,
        n_iter_no_change=60, dtype="float32", random_state=0,
    ).fit(X, LABELS)  # fmt: skip
    assert ours.score(X, LABELS) > 0.9
    assert ours.coefs_[0].dtype == np.float32
    assert ours._model.activations == ("gelu", "tanh", "softmax")
    assert len(ours.validation_loss_curve_) == 60
    again = clone(ours).fit(X, LABELS)
    assert_same_weights(ours, again, 0)


def test_other_numbers_and_nearby_shapes_are_the_same_program():
    """Folds of a cross-validation, and data of a few columns more, compile nothing: n to 64 or 256, features to 16."""
    given = {"hidden_layer_sizes": (7,), "max_iter": 3}
    mo.MLPClassifier(**given).fit(X, LABELS)
    compiled = train.advance_lane._cache_size()
    others = {"alpha": 3.0, "learning_rate_init": 0.1, "beta_1": 0.5, "epsilon": 1e-3, "tol": 0.1, "random_state": 9, "max_iter": 5}
    moved = mo.MLPClassifier(**given | others).fit(X[:51, :10], LABELS[:51], WEIGHT[:51])
    assert moved.coefs_[0].shape == (10, 7)
    assert train.advance_lane._cache_size() == compiled
    mo.MLPClassifier(**given | {"hidden_layer_sizes": (8,)}).fit(X, LABELS)
    assert train.advance_lane._cache_size() > compiled  # the count does count


@pytest.mark.parametrize("rate", parameters.RATES)
@pytest.mark.parametrize("solver", [s for s in parameters.SOLVERS if s != "lbfgs"])
def test_every_solver_takes_every_rate_and_leaves_features_that_are_filled_in_alone(solver, rate):
    """The lane is fed features of zeros: a weight of 0 with a gradient of 0 must stay 0, and others move."""
    estimator = mo.MLPClassifier(solver=solver, learning_rate=rate, learning_rate_init=0.1)
    estimator.t_ = 0
    optimizer = parameters.optimizer(estimator, 0.1, steps=3, n=60, updates=0, factor=0.5)
    w, grad = jnp.array([0.0, 1.0], jnp.float32), jnp.array([0.0, 2.0], jnp.float32)
    state = optimizer.init(w)
    for _ in range(6):
        updates, state = optimizer.update(grad, state, w)
        w = w + updates
    assert w[0] == 0
    assert w[1] != 1


def test_labels_of_several_sorts_sparse_data_and_extreme_outputs():
    words = np.array(["red", "green", "blue"])[LABELS]
    ours = mo.MLPClassifier(**SMALL, max_iter=50, learning_rate_init=0.02).fit(scipy.sparse.csr_array(X), words)
    assert list(ours.classes_) == ["blue", "green", "red"]
    assert ours.score(scipy.sparse.csc_array(X), words) > 0.9
    dense = clone(ours).fit(X, words)
    assert_same_weights(ours, dense, 0)
    np.testing.assert_array_equal(ours.predict_proba(X), dense.predict_proba(scipy.sparse.csr_matrix(X)))
    many = np.repeat(X, 150, axis=0)  # 9,000 rows: three blocks
    np.testing.assert_allclose(ours.predict_proba(many), np.repeat(ours.predict_proba(X), 150, axis=0), rtol=1e-12)
    extreme = 1e4 * X
    assert (ours.predict_proba(extreme) == 0).any()
    assert np.isfinite(ours.predict_log_proba(extreme)).all()
    np.testing.assert_allclose(ours.predict_log_proba(X), np.log(ours.predict_proba(X)), rtol=1e-9, atol=1e-12)


def test_several_labels_at_once():
    y = TARGETS["multilabel"]
    ours = mo.MLPClassifier(**SMALL, learning_rate_init=0.05).fit(X, y)
    assert ours.predict(X).shape == ours.predict_proba(X).shape == y.shape
    assert ours.score(X, y) > 0.9  # all labels of a row right
    assert ours.n_outputs_ == 2


def test_it_works_in_pipelines_searches_and_other_processes():
    steps = make_pipeline(StandardScaler().set_output(transform="pandas"), mo.MLPClassifier(**SMALL, max_iter=30, learning_rate_init=0.02))
    frame = load_wine(as_frame=True).data[::3]
    search = GridSearchCV(steps, {"mlpclassifier__alpha": [1e-4, 1e3]}, cv=3, error_score="raise").fit(frame, LABELS)
    assert search.best_params_ == {"mlpclassifier__alpha": 1e-4}
    assert list(search.best_estimator_[-1].feature_names_in_) == list(frame.columns)
    scores = cross_val_score(search.best_estimator_, frame, LABELS, cv=3, n_jobs=2, error_score="raise")
    np.testing.assert_allclose(scores, cross_val_score(search.best_estimator_, frame, LABELS, cv=3), rtol=1e-12)
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copy.predict_proba(frame), search.best_estimator_.predict_proba(frame))
    assert copy.set_params(mlpclassifier__max_iter=5).fit(frame, LABELS)[-1].n_iter_ == 5


BAD = {
    "solver": ({"solver": "adm"}, "unknown solver 'adm' (did you mean 'adam'?)"),
    "activation": ({"activation": "step"}, "unknown activation 'step'"),
    "activations": ({"activation": ("relu", "tanh")}, "2 names for 1 hidden layers"),
    "rate": ({"learning_rate": "linear"}, "unknown learning_rate 'linear'"),
    "alpha": ({"alpha": -1}, "alpha must be a number >= 0, got -1"),
    "batch": ({"batch_size": 0}, "batch_size must be 'auto' or a whole number >= 1, got 0"),
    "epochs": ({"max_iter": 2.5}, "max_iter must be a whole number >= 1, got 2.5"),
    "flag": ({"shuffle": "yes"}, "shuffle must be True or False, got 'yes'"),
    "units": ({"hidden_layer_sizes": (0,)}, "sizes must be at least two whole numbers >= 1"),
    "tolerance": ({"tol": math.nan}, "tol must be a number >= 0, got nan"),
    "dropout": ({"dropout": 1.0}, "dropout must be a number from 0 up to but not 1, got 1.0"),
    "lbfgs": ({"solver": "lbfgs", "dropout": 0.1}, "dropout must be 0, got 0.1"),
    "option": ({"solver_params": {"beta": 1}}, "unknown option of optimizer adam 'beta'"),
    "schedule": ({"learning_rate": "cosine", "learning_rate_params": {"warmup": 1}}, "unknown option of schedule cosine 'warmup'"),
    "held out": ({"early_stopping": True, "validation_fraction": 0.01}, "leaves 1 to validate on; 2 are needed"),
}


@pytest.mark.parametrize(("params", "told"), BAD.values(), ids=BAD)
def test_a_bad_parameter_is_named_in_one_line(params, told):
    with pytest.raises(mo.InputError) as raised:
        mo.MLPClassifier(**SMALL | params).fit(X, LABELS)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bad_targets_and_runs_that_diverge():
    with pytest.raises(mo.InputError, match="at least two classes"):
        mo.MLPClassifier().fit(X, np.zeros(len(X), int))
    with pytest.raises(mo.InputError, match="classes must be given"):
        mo.MLPClassifier().partial_fit(X, LABELS)
    fitted = mo.MLPClassifier(**SMALL, max_iter=4).fit(X, LABELS)
    with pytest.raises(mo.InputError, match="not among classes_"):
        fitted.partial_fit(X, LABELS + 1)
    with pytest.raises(mo.InputError, match="needs; give a dictionary"):
        mo.MLPClassifier(class_weight="balanced").partial_fit(X, LABELS, classes=[0, 1, 2])
    with pytest.raises(mo.InputError, match="set early_stopping=False"):
        mo.MLPClassifier(early_stopping=True).partial_fit(X, LABELS, classes=[0, 1, 2])
    with pytest.raises(mo.InputError, match="unknown loss 'poisson'"):
        mo.MLPRegressor(loss="poisson").fit(X, X[:, 0])
    with pytest.raises(mo.InputError, match=r"diverged in epoch \d+: .* lower learning_rate_init \(now 1e\+06\)"):
        mo.MLPRegressor(**SMALL, solver="sgd", learning_rate_init=1e6).fit(X, TARGETS["one output"])
    assert not hasattr(mo.MLPClassifier(solver="lbfgs"), "partial_fit")


def test_it_says_what_it_does(capsys):
    with pytest.warns(ConvergenceWarning, match="max_iter=3 epochs"):
        ours = mo.MLPClassifier(**SMALL, max_iter=3, verbose=True).fit(X, LABELS)
    assert capsys.readouterr().out.splitlines()[2] == f"Iteration 3, loss = {ours.loss_:.8f}"
    with pytest.warns(UserWarning, match="larger than the 60 training samples"):
        ours.set_params(batch_size=100).fit(X, LABELS)
    ours.set_params(tol=10.0, max_iter=100, batch_size="auto").fit(X, LABELS)
    assert "did not improve more than tol=10.000000 for 10 consecutive epochs. Stopping." in capsys.readouterr().out
    assert ours.n_iter_ == 12  # the first is better than none, then ten without improvement, and one more


SETS = {"breast_cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits, "diabetes": load_diabetes}


@pytest.mark.parametrize("name", SETS)
def test_the_defaults_learn_as_well_as_scikit_learns(name):
    """Defaults after scaling, three splits: the mean score is not below scikit-learn's by more than its standard error."""
    data, target = SETS[name](return_X_y=True)
    if name == "digits":
        data, target = data[::3], target[::3]
    kinds = pair("one output" if name == "diabetes" else "multiclass")
    scores = []
    for seed in range(3):
        parts = train_test_split(data, target, random_state=seed, test_size=0.25)
        scaler = StandardScaler().fit(parts[0])
        with threadpool_limits(1):  # NumPy's threads fight over so small products
            fitted = [type(k)(random_state=seed).fit(scaler.transform(parts[0]), parts[2]) for k in kinds]
        scores.append([e.score(scaler.transform(parts[1]), parts[3]) for e in fitted])
    ours, theirs = np.array(scores).T
    assert ours.mean() >= theirs.mean() - theirs.std(ddof=1) / math.sqrt(3), (ours, theirs)
