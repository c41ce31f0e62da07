import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

import mlp_opt as mo
from mlp_opt import lane

RNG = np.random.default_rng(0)


def _scored(loss, a, y, weight=None):
    """evaluate() on a network that passes its input through: the score of given output pre-activations."""
    n = a.shape[1]
    model, params = mo.MLP((n, n), loss=loss), (mo.Layer(jnp.eye(n), jnp.zeros(n)),)
    weight = None if weight is None else jnp.asarray(weight, jnp.float32)
    return float(lane.evaluate(model, params, jnp.asarray(a, jnp.float32), jnp.asarray(y), weight)[1])


@pytest.mark.parametrize("weighted", [False, True])
def test_r2_is_scikit_learns(weighted):
    y = RNG.normal(size=(40, 3)).astype(np.float32)
    a = y + 0.3 * RNG.normal(size=y.shape)
    w = RNG.uniform(0.1, 2, 40) if weighted else None
    assert _scored("mse", a, y, w) == pytest.approx(r2_score(y, a, sample_weight=w), abs=1e-5)


def test_r2_of_a_constant_target_is_scikit_learns():
    assert _scored("mse", np.full((7, 1), 0.2), np.full((7, 1), 0.1, np.float32)) == 0.0
    y = np.ones((5, 1), np.float32)
    assert _scored("mse", y, y) == r2_score(y, y) == 1.0
    assert _scored("mse", y + 1, y) == r2_score(y, y + 1) == 0.0


def test_accuracy_is_scikit_learns():
    a, y, w = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40), RNG.uniform(0.1, 2, 40)
    assert _scored("softmax_cross_entropy", a, y) == pytest.approx(accuracy_score(y, a.argmax(1)))
    assert _scored("softmax_cross_entropy", a, y, w) == pytest.approx(accuracy_score(y, a.argmax(1), sample_weight=w), rel=1e-6)
    b, t = a[:, :1], RNG.integers(0, 2, 40)
    assert _scored("bce", b, t) == pytest.approx(accuracy_score(t, b[:, 0] > 0))


def test_accuracy_of_several_labels_is_the_share_that_is_right():
    a, y = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1, 0], [0, 1]])
    assert _scored("bce", a, y) == 0.75
