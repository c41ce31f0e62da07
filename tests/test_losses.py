import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

import mlp_opt as mo
from mlp_opt import losses
from mlp_opt.diagnose import gradcheck
from mlp_opt.losses import LOSSES

RNG = np.random.default_rng(0)


def test_mse_is_scikit_learns(x64):
    a, y = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 3))
    w = RNG.uniform(0.1, 2, 6)
    assert losses.value("mse", jnp.asarray(a.T), jnp.asarray(y)) == pytest.approx(mean_squared_error(y, a), rel=1e-14)
    weighted = losses.value("mse", jnp.asarray(a.T), jnp.asarray(y), jnp.asarray(w))
    assert weighted == pytest.approx(mean_squared_error(y, a, sample_weight=w), rel=1e-14)


def test_bce_is_scikit_learns(x64):
    a, y, w = RNG.normal(size=(1, 9)), RNG.integers(0, 2, 9), RNG.uniform(0.1, 2, 9)
    y[:2] = 0, 1
    expected = log_loss(y, 1 / (1 + np.exp(-a[0])), sample_weight=w)
    assert losses.value("bce", jnp.asarray(a), jnp.asarray(y), jnp.asarray(w)) == pytest.approx(expected, rel=1e-13)


def test_bce_of_several_labels_is_the_mean_over_outputs(x64):
    a, y = jnp.asarray(RNG.normal(size=(3, 5))), jnp.asarray(RNG.integers(0, 2, (5, 3)))
    each = [losses.value("bce", a[j : j + 1], y[:, j]) for j in range(3)]
    assert losses.value("bce", a, y) == pytest.approx(np.mean(each), rel=1e-14)


def test_softmax_cross_entropy_is_scikit_learns_and_takes_integer_one_hot_and_soft_labels(x64):
    a, y = RNG.normal(size=(3, 8)), np.array([0, 1, 2, 0, 1, 2, 2, 1])
    z = (np.exp(a) / np.exp(a).sum(0)).T
    integer = losses.value("softmax_cross_entropy", jnp.asarray(a), jnp.asarray(y))
    assert integer == pytest.approx(log_loss(y, z), rel=1e-13)
    assert losses.value("softmax_cross_entropy", jnp.asarray(a), jnp.eye(3)[y]) == integer
    soft = RNG.dirichlet(np.ones(3), 8)
    expected = -np.mean(np.sum(soft * np.log(z), axis=1))
    assert losses.value("softmax_cross_entropy", jnp.asarray(a), jnp.asarray(soft)) == pytest.approx(expected, rel=1e-13)


def test_label_smoothing_mixes_in_the_uniform_distribution(x64):
    y = jnp.asarray([0, 2])
    np.testing.assert_allclose(
        losses.targets("softmax_cross_entropy", y, 4, jnp.float64, 0.2).T, [[0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.85, 0.05]]
    )
    np.testing.assert_allclose(losses.targets("bce", jnp.asarray([0.0, 1.0]), 1, jnp.float64, 0.2), [[0.1, 0.9]])
    with pytest.raises(mo.InputError, match="label_smoothing does not apply to mse"):
        losses.targets("mse", jnp.asarray([0.0]), 1, jnp.float64, 0.2)


@pytest.mark.parametrize("name", ["bce", "softmax_cross_entropy"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_finite_with_finite_gradients_at_huge_logits(name, dtype):
    a = jnp.asarray([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]], dtype).T
    for y in (jnp.eye(3, dtype=jnp.int32), 1 - jnp.eye(3, dtype=jnp.int32), jnp.zeros((3, 3), jnp.int32)):
        assert np.isfinite(losses.value(name, a, y))
        delta = losses.delta(name, a, y)
        assert delta.dtype == dtype
        assert np.isfinite(np.asarray(delta, np.float32)).all()
        by_jax = jax.grad(lambda a, y=y: losses.value(name, a, y))(a)
        np.testing.assert_allclose(
            np.asarray(delta, np.float32), np.asarray(by_jax, np.float32), atol=1e-2 if dtype != jnp.float32 else 1e-6
        )
    assert losses.value("bce", jnp.full((1, 1), 1e4), jnp.asarray([0])) == 1e4


@pytest.mark.parametrize(("name", "output"), [(n, o) for n, loss in LOSSES.items() for o in loss.outputs if o != "step"])
def test_two_step_delta_equals_the_fused_one(name, output, x64):
    assert gradcheck.two_step(name, output) <= 1e-12


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_delta_is_the_gradient_of_the_value(name, weighted, x64):
    a = jnp.asarray(RNG.normal(size=(3, 5)))
    y = jnp.asarray(RNG.dirichlet(np.ones(3), 5)) * 1.3  # soft labels need not sum to 1
    w = jnp.asarray(RNG.uniform(0, 2, 5)) if weighted else None
    expected = jax.grad(lambda a: losses.value(name, a, y, w))(a)
    np.testing.assert_allclose(losses.delta(name, a, y, w), expected, rtol=1e-12, atol=1e-15)


def test_a_sample_of_weight_zero_does_not_count_even_if_it_is_infinite():
    a = jnp.asarray([[1.0, jnp.inf]])
    value = losses.value("mse", a, jnp.asarray([0.0, 0.0]), jnp.asarray([2.0, 0.0]))
    delta = losses.delta("mse", a, jnp.asarray([0.0, 0.0]), jnp.asarray([2.0, 0.0]))
    assert value == 1.0
    np.testing.assert_array_equal(delta, [[2.0, 0.0]])
    assert losses.value("mse", a[:, :1], jnp.asarray([0.0]), jnp.asarray([0.0])) == 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_many_lanes_that_share_their_targets_have_each_its_own_loss(name):
    lanes, n = 400, 100  # 40,000 samples in all: XLA's kernels for many differ from those for few
    rng = np.random.default_rng(1)
    a, labels = jnp.asarray(3 * rng.normal(size=(lanes, 4, n)), jnp.float32), jnp.arange(n) % 4
    y = labels if name == "softmax_cross_entropy" else jax.nn.one_hot(labels, 4)
    value = jax.jit(lambda a, y: losses.value(name, a, y))
    together = jax.jit(jax.vmap(lambda a, y: losses.value(name, a, y), in_axes=(0, None)))(a, y)
    alone = [value(a[i], y) for i in range(0, lanes, 19)]
    np.testing.assert_allclose(together[::19], alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "y", "n_out", "message"),
    [
        ("softmax_cross_entropy", jnp.asarray([0.0, 1.0]), 2, "must be integers"),
        ("mse", jnp.zeros(3), 2, r"give \(batch, 2\)"),
        ("bce", jnp.zeros((3, 2)), 1, r"do not fit 1 outputs"),
        ("softmax_cross_entropy", jnp.zeros((3, 2)), 3, r"do not fit 3 outputs"),
    ],
)
def test_targets_that_do_not_fit_are_refused(name, y, n_out, message):
    with pytest.raises(mo.InputError, match=message):
        losses.targets(name, y, n_out, jnp.float32)


@pytest.mark.parametrize(("y", "weight"), [(jnp.zeros(1), None), (jnp.zeros(6), jnp.ones((6, 1))), (jnp.zeros(6), jnp.ones(5))])
def test_columns_that_would_be_broadcast_are_refused(y, weight):
    with pytest.raises(mo.InputError, match="predictions of 6 samples do not fit"):
        losses.value("mse", jnp.ones((1, 6)), y, weight)
