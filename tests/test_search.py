"""MLPSweepCV against scikit-learn's own searches over the same estimators: what they find, fold by fold."""

import threading
import time
import warnings

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_wine
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlp_opt as mo
from mlp_opt.estimators import meeting, search, training
from mlp_opt.sweeps.tiles import advance_tile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# One shape for most tests, so that they share programs; three batches, the last of them not full, in folds of two sizes.
wine = load_wine()
X = StandardScaler().fit_transform(wine.data)[:175:3]
LABELS = wine.target[:175:3]
CURVE = X[:, 0] * X[:, 1] + X[:, 2]
WEIGHT = np.random.default_rng(0).uniform(0.2, 3, len(X))
SMALL = {"hidden_layer_sizes": (7,), "random_state": 3, "batch_size": 16, "max_iter": 12}
GRID = {"alpha": [1e-4, 3.0], "learning_rate_init": [1e-3, 0.03, 0.1]}


def tell(estimator, X, y):
    """A scorer that tells how a fit went."""
    return {"score": estimator.score(X, y), "epochs": estimator.n_iter_, "loss": estimator.loss_}


def assert_same(ours, theirs):
    """The whole of cv_results_ but times; numbers to rounding, since a lane in a tile is computed in another order than alone."""
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    for name, values in theirs.cv_results_.items():
        mine = ours.cv_results_[name]
        if name.startswith("param_"):
            assert isinstance(mine, np.ma.MaskedArray)
            np.testing.assert_array_equal(mine, values)
        elif "score" in name.replace("score_time", "") or "test_" in name:
            np.testing.assert_allclose(mine.astype(float), values.astype(float), rtol=1e-8, atol=1e-10, err_msg=name)
    assert ours.n_splits_ == theirs.n_splits_
    assert ours.multimetric_ == theirs.multimetric_
    assert (ours.cv_results_["mean_fit_time"] > 0).all()


def test_a_grid_is_grid_search_cvs():
    options = {"cv": 4, "return_train_score": True, "error_score": "raise"}
    estimator = mo.MLPClassifier(**SMALL)
    ours = mo.MLPSweepCV(estimator, GRID, n_iter=None, **options).fit(X, LABELS)
    theirs = GridSearchCV(estimator, GRID, **options).fit(X, LABELS)
    assert_same(ours, theirs)
    assert len(set(ours.cv_results_["mean_test_score"])) > 2
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_index_ == theirs.best_index_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-12)
    np.testing.assert_array_equal(ours.best_estimator_.coefs_[0], theirs.best_estimator_.coefs_[0])
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours.score(X, LABELS) == theirs.score(X, LABELS)
    assert list(ours.classes_) == [0, 1, 2]
    assert ours.n_features_in_ == X.shape[1]
    assert ours.refit_time_ > 0
    assert not hasattr(estimator, "coefs_")


def test_a_random_search_is_randomized_search_cvs():
    """Regression, a distribution, several scores, one of them to refit by."""
    given = {"alpha": loguniform(1e-5, 1), "learning_rate_init": [0.01, 0.1]}
    options = {"n_iter": 5, "cv": 4, "random_state": 7, "scoring": ["r2", "neg_mean_absolute_error"], "refit": "r2"}
    estimator = mo.MLPRegressor(**SMALL)
    ours = mo.MLPSweepCV(estimator, given, **options).fit(X, CURVE)
    theirs = RandomizedSearchCV(estimator, given, **options).fit(X, CURVE)
    assert_same(ours, theirs)
    assert ours.best_params_ == theirs.best_params_
    assert ours.scorer_.keys() == theirs.scorer_.keys()
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


RULES = {
    "tolerance": ({"tol": [0.0, 0.03, 0.2], "learning_rate_init": [0.003, 0.1]}, {"max_iter": 60, "n_iter_no_change": 3}),
    "validation": ({"learning_rate_init": [0.003, 0.1]}, {"max_iter": 60, "n_iter_no_change": 3, "early_stopping": True}),
    "adaptive": (
        {"learning_rate_init": [0.03, 0.3]},
        {"max_iter": 60, "n_iter_no_change": 3, "solver": "sgd", "learning_rate": "adaptive", "tol": 0.03},
    ),
    "seeds": ({"random_state": [1, 2]}, {"dropout": 0.2}),
}


@pytest.mark.parametrize(("grid", "given"), RULES.values(), ids=RULES)
def test_every_fit_stops_where_it_would_alone(grid, given):
    """Epochs and losses of lanes that stop at different epochs, go on at another rate, or see another order of the samples."""
    estimator = mo.MLPClassifier(**SMALL | given)
    options = {"cv": 3, "scoring": tell, "refit": False}
    ours = mo.MLPSweepCV(estimator, grid, n_iter=None, **options).fit(X, LABELS)
    theirs = GridSearchCV(estimator, grid, **options).fit(X, LABELS)
    assert_same(ours, theirs)
    if "dropout" not in given:
        assert len({ours.cv_results_[f"split{k}_test_epochs"][i] for k in range(3) for i in range(len(ours.cv_results_["params"]))}) > 1
    assert not hasattr(ours, "best_estimator_")


def test_pipelines_weights_groups_and_other_solvers():
    """In a pipeline whose first step is searched over too; "lbfgs" among the candidates; metadata on its way."""
    steps = make_pipeline(StandardScaler(), mo.MLPClassifier(**SMALL))
    grid = [
        {"standardscaler__with_mean": [True, False], "mlpclassifier__alpha": [1e-4, 1.0]},
        {"mlpclassifier__solver": ["lbfgs"]},
    ]
    given = {"groups": np.arange(len(X)) % 6, "mlpclassifier__sample_weight": WEIGHT}
    options = {"cv": GroupKFold(3), "scoring": "neg_log_loss"}
    ours = mo.MLPSweepCV(steps, grid, n_iter=None, n_jobs=2, **options).fit(X + 1, LABELS, **given)
    theirs = GridSearchCV(steps, grid, **options).fit(X + 1, LABELS, **given)
    assert_same(ours, theirs)
    assert len(set(ours.cv_results_["mean_test_score"])) == 5
    np.testing.assert_array_equal(ours.best_estimator_.predict_proba(X), theirs.best_estimator_.predict_proba(X))


def test_inside_other_estimators():
    """Of scikit-learn's that fit ours; and a search can be cloned."""
    estimator = TransformedTargetRegressor(mo.MLPRegressor(**SMALL), transformer=StandardScaler())
    grid = {"regressor__alpha": [1e-4, 1e-3, 1e-2, 0.1, 1.0]}
    ours = mo.MLPSweepCV(estimator, grid, n_iter=None, cv=4).fit(X, CURVE)
    assert_same(ours, GridSearchCV(estimator, grid, cv=4).fit(X, CURVE))
    copy = clone(ours)
    assert copy.get_params()["n_iter"] is None
    assert set(copy.get_params(deep=False)) == set(RandomizedSearchCV(estimator, grid).get_params(deep=False)) - {"pre_dispatch"}


def test_a_fit_that_fails_gets_its_score():
    estimator = mo.MLPRegressor(**SMALL, solver="sgd")
    grid = {"learning_rate_init": [0.01, 1e6], "alpha": [1e-4, 1e-3]}
    ours = mo.MLPSweepCV(estimator, grid, n_iter=None, cv=4, refit=False, error_score=-7.0)
    with pytest.warns(FitFailedWarning, match="8 fits failed out of a total of 16") as told:
        ours.fit(X, CURVE)
    assert any("training diverged in epoch" in str(warning.message) for warning in told)
    np.testing.assert_array_equal(ours.cv_results_["mean_test_score"] == -7.0, [False, True, False, True])
    with pytest.raises(mo.InputError, match="training diverged"):
        ours.set_params(error_score="raise").fit(X, CURVE)


def test_a_search_that_is_left_leaves_no_thread():
    def interrupted(estimator, X, y):
        raise KeyboardInterrupt

    before, filters = threading.active_count(), list(warnings.filters)
    with pytest.raises(KeyboardInterrupt):
        mo.MLPSweepCV(mo.MLPClassifier(**SMALL), GRID, n_iter=None, cv=4, scoring=interrupted).fit(X, LABELS)
    assert list(warnings.filters) == filters
    until = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_more_fits_than_meet_at_once(monkeypatch):
    monkeypatch.setattr(search, "MOST", 6)
    estimator = mo.MLPClassifier(**SMALL)
    ours = mo.MLPSweepCV(estimator, GRID, n_iter=None, n_jobs=1, cv=3, refit=False).fit(X, LABELS)
    assert_same(ours, GridSearchCV(estimator, GRID, cv=3, refit=False).fit(X, LABELS))


def test_candidates_and_folds_compile_nothing():
    """Folds of all sizes that have as many batches, any number of candidates: one program."""
    estimator = mo.MLPClassifier(**SMALL | {"hidden_layer_sizes": (5,), "max_iter": 3})
    rates, alphas = [0.01, 0.02, 0.05, 0.1], np.geomspace(1e-4, 1, 6).tolist()
    before = advance_tile._cache_size()
    sizes = set()
    for cv, kept in ((4, 2), (5, 2), (4, 6)):
        grid = {"learning_rate_init": rates, "alpha": alphas[:kept]}
        found = mo.MLPSweepCV(estimator, grid, n_iter=None, cv=cv, refit=False, n_jobs=1).fit(X, LABELS)
        sizes |= {len(train) for train, _ in found._checked_cv_orig.split(X, LABELS)}
        assert advance_tile._cache_size() == before + 1
    assert len(sizes) > 3


def test_the_first_tile_of_a_program_holds_nobody_off_while_it_trains(monkeypatch):
    real, both = meeting.advance_tile, threading.Barrier(2, timeout=30)

    def advance(spec, shared, state, hparams, data, first, until):
        if until > first == 0:
            both.wait()
        return real(spec, shared, state, hparams, data, first, until)

    monkeypatch.setattr(meeting, "advance_tile", advance)
    mo.MLPSweepCV(mo.MLPClassifier(**SMALL), {"alpha": [1e-4, 3.0]}, n_iter=None, cv=2, refit=False, n_jobs=2).fit(X, LABELS)
    assert not both.broken


def test_samples_that_fill_up_change_nothing(monkeypatch):
    """Whether the last batch is filled up in the arrays or in the program: the same bits."""
    filled, plain = (mo.MLPRegressor(**SMALL, early_stopping=True, validation_fraction=0.2) for _ in range(2))
    filled.fit(X, CURVE, WEIGHT)
    monkeypatch.setattr(training, "LARGE", 0)
    plain.fit(X, CURVE, WEIGHT)
    assert filled.validation_scores_ == plain.validation_scores_
    np.testing.assert_array_equal(filled.coefs_[0], plain.coefs_[0])


def test_what_it_does_not_take():
    with pytest.raises(mo.InputError, match=r"searches over mlp_opt's MLPClassifier .*, which LogisticRegression\(\) does not hold"):
        mo.MLPSweepCV(LogisticRegression(), {"C": [1.0]}).fit(X, LABELS)
    with pytest.raises(TypeError, match="alpha"):
        mo.MLPSweepCV(mo.MLPClassifier(), {"alpha": loguniform(1e-5, 1)}, n_iter=None).fit(X, LABELS)
    with pytest.raises(ValueError, match="'n_iter' parameter"):
        mo.MLPSweepCV(mo.MLPClassifier(), {"alpha": [1.0]}, n_iter=0).fit(X, LABELS)


@pytest.mark.parametrize("broken", ["advance_tile", "_Group"])
def test_where_training_breaks_every_fit_fails_and_none_waits(monkeypatch, broken):
    """Out of memory, say, in a compiled call or before it."""

    def fails(*args):
        raise MemoryError("no room")

    monkeypatch.setattr(meeting, broken, fails)
    with pytest.raises(
        ValueError, match=r"All the 12 fits failed(.|\n)*12 fits failed with(.|\n)*no room(.|\n)*the tile of this fit's lane failed"
    ):
        mo.MLPSweepCV(mo.MLPClassifier(**SMALL), {"alpha": [1e-4, 1e-3, 1.0]}, n_iter=None, cv=4).fit(X, LABELS)
