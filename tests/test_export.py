"""A network as a fitted estimator of scikit-learn's own."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)


def network(sizes, **given):
    model = mo.MLP(sizes, **given)
    return model, mo.init(model, jax.random.key(1))


CASES = {
    "three classes": ((5, 8, 6, 3), {"activation": "relu"}),
    "two softmax outputs": ((5, 8, 2), {"activation": "tanh"}),
    "one logistic output": ((5, 8, 1), {"activation": "sigmoid", "loss": "bce"}),
    "several labels": ((5, 8, 3), {"activation": "identity", "loss": "bce"}),
    "no hidden layer": ((5, 3), {}),
    "values": ((5, 8, 1), {"activation": "relu", "loss": "mse"}),
    "several values": ((5, 8, 2), {"activation": "tanh", "loss": "mse"}),
}


@pytest.mark.parametrize(("sizes", "given"), CASES.values(), ids=CASES)
def test_it_predicts_what_the_network_predicts(sizes, given):
    model, params = network(sizes, **given)
    ours = np.asarray(mo.predict(model, params, jnp.asarray(X)))
    theirs = pickle.loads(pickle.dumps(mo.to_sklearn(model, params)))
    assert type(theirs).__module__.startswith("sklearn.")
    if model.loss == "mse":
        got = theirs.predict(X).reshape(ours.shape)
    else:
        got = theirs.predict_proba(X)
        ours = np.hstack([1 - ours, ours]) if ours.shape[1] == 1 else ours
    np.testing.assert_allclose(got, ours, rtol=1e-5, atol=1e-5 * np.abs(ours).max())
    assert np.ptp(ours, axis=0).min() > 1e-2  # the rows differ, so the agreement says something


def test_it_names_the_classes_and_goes_on():
    model, params = network((5, 8, 3), activation="relu")
    theirs = mo.to_sklearn(model, params, ["a", "b", "c"])
    labels = np.array(["a", "b", "c"])[np.argmax(mo.predict(model, params, jnp.asarray(X)), axis=1)]
    np.testing.assert_array_equal(theirs.predict(X), labels)
    assert theirs.score(X, labels) == 1
    before = theirs.coefs_[0].copy()
    theirs.partial_fit(X, labels)
    assert 0 < np.abs(theirs.coefs_[0] - before).max() < 0.01  # Adam's first step: 0.001 a weight
    assert len(theirs.loss_curve_) == 1


def test_an_estimator_of_ours_becomes_one_of_theirs():
    ours = mo.MLPClassifier((8,), max_iter=200, solver="lbfgs", random_state=0).fit(X, X[:, 0] > 0)
    layers = tuple(mo.Layer(W.T, b) for W, b in zip(ours.coefs_, ours.intercepts_, strict=True))
    theirs = mo.to_sklearn(mo.MLP((5, 8, 1), "relu", "bce"), layers, [False, True])
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=0, atol=1e-5)


REFUSED = {
    "gelu": ((5, 8, 3), {"activation": "gelu"}, None, "one hidden activation of identity, sigmoid, tanh, relu; this network has gelu"),
    "mixed": ((5, 8, 8, 3), {"activation": ("relu", "tanh")}, None, "this network has relu, tanh"),
    "residual": ((5, 8, 8, 3), {"residual": True}, None, "no residual connections"),
    "output": ((5, 8, 1), {"activation": ("relu", "tanh"), "loss": "mse"}, None, "output activation identity; this network has tanh"),
    "too few names": ((5, 8, 3), {}, ["a", "b"], "classes must be 3 different names in ascending order"),
    "order": ((5, 8, 2), {}, ["b", "a"], "classes must be 2 different names in ascending order"),
    "one class": ((5, 8, 1), {}, None, "classes must be 2 different names"),
}


@pytest.mark.parametrize(("sizes", "given", "classes", "told"), REFUSED.values(), ids=REFUSED)
def test_it_refuses_what_scikit_learn_does_not_have(sizes, given, classes, told):
    with pytest.raises(mo.InputError) as raised:
        mo.to_sklearn(*network(sizes, **given), classes)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
