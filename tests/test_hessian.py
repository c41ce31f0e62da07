"""Products with the Hessian and Lanczos' method, against the dense Hessian of the plain loss."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt.diagnose import hessian
from mlp_opt.errors import InputError

CASES = {
    "softmax tanh": mo.MLP((3, 4, 3), "tanh"),
    "bce gelu": mo.MLP((3, 4, 4, 1), "gelu", "bce", residual=True),
    "mse sigmoid": mo.MLP((3, 4, 2), ("sigmoid", "softplus"), "mse"),
    "softmax relu": mo.MLP((3, 4, 3), "relu"),
}


@pytest.fixture(scope="module", params=CASES)
def dense(request):
    """(model, params, X, y, unflatten, Hessian) in float64, with l2 = 0.1."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        model, rng = CASES[request.param], np.random.default_rng(1)
        params = mo.init(model, jax.random.key(0), dtype=jnp.float64)
        params = jax.tree.map(lambda p: p + 0.3 * jnp.asarray(rng.normal(size=p.shape)), params)
        X = jnp.asarray(rng.normal(size=(30, 3)))
        labels = rng.integers(0, model.sizes[-1], 30) if model.loss == "softmax_cross_entropy" else rng.random((30, model.sizes[-1])) > 0.5
        y = jnp.asarray(labels, jnp.int32 if model.loss == "softmax_cross_entropy" else jnp.float64)
        leaves, structure = jax.tree.flatten(params)
        cuts = np.cumsum([leaf.size for leaf in leaves])[:-1].tolist()

        def unflatten(v):
            parts = jnp.split(v, cuts)
            return jax.tree.unflatten(structure, [p.reshape(leaf.shape) for p, leaf in zip(parts, leaves, strict=True)])

        flat = jnp.concatenate([leaf.ravel() for leaf in leaves])
        H = jax.jit(jax.hessian(lambda v: mo.loss(model, unflatten(v), X, y, l2=0.1)))(flat)
        yield model, params, X, y, unflatten, np.asarray(H)


def one(params):
    return jax.tree.map(lambda x: x[None], params)


def test_a_product_is_the_dense_hessians(dense):
    model, params, X, y, unflatten, H = dense
    v = np.random.default_rng(2).normal(size=len(H))
    found = jax.jit(lambda v: hessian.product(model, params, X, y, unflatten(v), l2=0.1))(v)
    np.testing.assert_allclose(np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(found)]), H @ v, atol=1e-12)


def test_all_steps_give_the_dense_hessians_eigenvalues(dense):
    model, params, X, y, _, H = dense
    found = hessian.eigenvalues(model, one(params), X, y, k=4, steps=1000, l2=0.1)
    exact = np.linalg.eigvalsh(H)
    assert found.top.shape == (1, 4)
    np.testing.assert_allclose(found.top[0], exact[::-1][:4], atol=1e-10)
    np.testing.assert_allclose(found.lowest, exact[:1], atol=1e-10)
    assert found.residual.max() < 1e-10


def test_the_residual_bounds_the_error_of_few_steps(dense):
    model, params, X, y, _, H = dense
    found = hessian.eigenvalues(model, one(params), X, y, k=2, steps=8, l2=0.1)
    exact = np.linalg.eigvalsh(H)
    for value, residual in zip([*found.top[0], found.lowest[0]], found.residual[0], strict=True):
        assert np.abs(exact - value).min() <= residual + 1e-12
    assert found.top[0, 0] <= exact[-1] + 1e-12  # Ritz values lie inside the spectrum
    assert found.residual[0, 0] > 0


def test_each_snapshot_has_its_own_eigenvalues():
    model = CASES["softmax tanh"]
    rng = np.random.default_rng(0)
    snapshots = tuple(
        mo.Layer(rng.normal(size=(3, n, m)).astype(np.float32), np.zeros((3, n), np.float32)) for m, n in pairwise(model.sizes)
    )
    X, y = jnp.asarray(rng.normal(size=(20, 3)), jnp.float32), jnp.arange(20) % 3
    found = hessian.eigenvalues(model, snapshots, X, y, steps=10)
    backwards = hessian.eigenvalues(model, jax.tree.map(lambda x: x[::-1], snapshots), X, y, steps=10)
    assert found.top.shape == (3, 1)
    assert len(np.unique(found.top)) == 3
    np.testing.assert_array_equal(found.top, backwards.top[::-1])


def test_lanczos_goes_on_where_its_basis_is_complete(x64):
    diagonal = jnp.asarray([5.0, 5.0, 2.0, 2.0, -1.0, -1.0])  # three different eigenvalues: the first basis is complete after three
    alpha, beta = hessian.lanczos(lambda v: diagonal * v, jnp.arange(1.0, 7.0), 6, jax.random.key(0))
    T = np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(T), np.sort(diagonal), atol=1e-12)
    assert float(beta[2]) == 0


def test_gradient_descent_on_a_quadratic_diverges_just_above_two_over_the_learning_rate(x64):
    model = mo.MLP((2, 1), loss="mse")
    X = jnp.asarray(np.random.default_rng(0).normal(size=(50, 2)))
    y = X[:, :1]
    start = mo.init(model, jax.random.key(0), dtype=jnp.float64)
    sharpness = float(hessian.eigenvalues(model, one(start), X, y, steps=3).top[0, 0])
    for factor, falls in ((0.99, True), (1.01, False)):
        run = mo.fit(model, mo.sgd(factor * 2 / sharpness), X, y, epochs=400, batch_size=None, dtype="float64")
        assert (run.history["train_loss"][-1] < run.history["train_loss"][0]) == falls


@pytest.mark.parametrize("k", [0, 11])
def test_a_number_of_eigenvalues_that_there_cannot_be_is_refused(k):
    model = CASES["softmax tanh"]
    with pytest.raises(InputError, match="k must be from 1 to the 10 steps"):
        hessian.eigenvalues(model, one(mo.init(model, jax.random.key(0))), jnp.ones((4, 3)), jnp.zeros(4, jnp.int32), k=k, steps=10)


def test_a_network_that_cannot_be_trained_has_no_hessian():
    model = mo.MLP((3, 4, 2), "step")
    with pytest.raises(InputError, match="step"):
        hessian.eigenvalues(model, one(mo.init(model, jax.random.key(0))), jnp.ones((4, 3)), jnp.zeros(4, jnp.int32))
