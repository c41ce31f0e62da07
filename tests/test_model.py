import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt.initializers import INITIALIZERS
from mlp_opt.model import penalty

RNG = np.random.default_rng(0)


def test_forward_is_the_notes_formula_sample_by_sample(x64):
    model = mo.MLP((3, 4, 2), "tanh", "mse")
    params = jax.tree.map(lambda p: jnp.asarray(RNG.normal(size=p.shape)), mo.init(model, jax.random.key(0), dtype=jnp.float64))
    X = RNG.normal(size=(5, 3))
    trace = mo.forward(model, params, jnp.asarray(X))
    for i, x in enumerate(X):
        z = x
        for l, (W, b) in enumerate(params, 1):
            a = np.asarray(W) @ z + np.asarray(b)
            z = np.tanh(a) if l < 2 else a
            np.testing.assert_allclose(trace.a[l][:, i], a, rtol=1e-13)
            np.testing.assert_allclose(trace.z[l][:, i], z, rtol=1e-13)
    assert trace.a[0] is None
    np.testing.assert_array_equal(trace.z[0], X.T)
    np.testing.assert_array_equal(mo.predict(model, params, jnp.asarray(X)), trace.z[2].T)


def test_lanes_that_share_their_samples_have_one_product_in_the_first_layer():
    model = mo.MLP((5, 3, 2))
    lanes = jax.vmap(lambda key: mo.init(model, key))(jax.random.split(jax.random.key(0), 4))
    forward = jax.vmap(lambda params: mo.forward(model, params, jnp.ones((7, 5))).a[-1])
    products = re.findall(r"dot_general[^\n]*", jax.jit(forward).lower(lanes).as_text())
    assert ["batching_dims" in product for product in products] == [False, True]
    assert "tensor<4x3x7xf32>" in products[0]


def test_predictions_are_probabilities_or_values():
    X = jnp.asarray(RNG.normal(size=(6, 4)), jnp.float32)
    soft = mo.MLP((4, 8, 3))
    p = mo.predict(soft, mo.init(soft, jax.random.key(0)), X)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    binary = mo.MLP((4, 3), loss="bce")
    p = mo.predict(binary, mo.init(binary, jax.random.key(0)), X)
    assert ((p > 0) & (p < 1)).all()
    assert p.shape == (6, 3)


def test_step_makes_the_classic_perceptron():
    """OR and AND by hand-set weights: 1 if w.x + b > 0, else 0."""
    model = mo.MLP((2, 2), activation=("step",), loss="mse")
    params = (mo.Layer(jnp.ones((2, 2)), jnp.asarray([-0.5, -1.5])),)
    X = jnp.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(mo.predict(model, params, X), [[0, 0], [1, 0], [1, 0], [1, 1]])


def test_residual_adds_the_input_where_widths_agree(x64):
    model = mo.MLP((4, 4, 4, 3, 4), "tanh", "mse", residual=True)
    assert model.skips == (True, True, False, False)
    params = mo.init(model, jax.random.key(1), dtype=jnp.float64)
    trace = mo.forward(model, params, jnp.asarray(RNG.normal(size=(5, 4))))
    np.testing.assert_allclose(trace.z[1], jnp.tanh(trace.a[1]) + trace.z[0], rtol=1e-14)
    np.testing.assert_allclose(trace.z[2], jnp.tanh(trace.a[2]) + trace.z[1], rtol=1e-14)
    np.testing.assert_allclose(trace.z[3], jnp.tanh(trace.a[3]), rtol=1e-14)
    np.testing.assert_allclose(trace.z[4], trace.a[4], rtol=1e-14)


def test_dropout_drops_the_given_share_and_keeps_the_mean():
    model = mo.MLP((2, 4000, 1), "identity", "mse")
    params = (mo.Layer(jnp.zeros((4000, 2)), jnp.ones(4000)), mo.Layer(jnp.zeros((1, 4000)), jnp.zeros(1)))
    z = mo.forward(model, params, jnp.ones((3, 2)), dropout=0.3, key=jax.random.key(0)).z[1]
    np.testing.assert_allclose(np.unique(np.asarray(z)), [0, 1 / 0.7], rtol=1e-6)
    assert float((z == 0).mean()) == pytest.approx(0.3, abs=0.02)
    assert float(z.mean()) == pytest.approx(1.0, abs=0.03)
    again = mo.forward(model, params, jnp.ones((3, 2)), dropout=0.3, key=jax.random.key(0)).z[1]
    np.testing.assert_array_equal(z, again)
    assert (z[:, 0] != z[:, 1]).any()
    with pytest.raises(mo.InputError, match="dropout needs a key"):
        mo.forward(model, params, jnp.ones((3, 2)), dropout=0.3)


def test_dropout_masks_differ_between_layers():
    model = mo.MLP((2, 500, 500, 1), "identity", "mse")
    trace = mo.forward(model, mo.init(model, jax.random.key(0)), jnp.ones((1, 2)), dropout=0.5, key=jax.random.key(3))
    assert (trace.mask[1] != trace.mask[2]).any()
    assert trace.mask[0] is None
    assert trace.mask[3] is None


VARIANCE = {
    "he": lambda n_out, n_in: 2 / n_in,
    "glorot": lambda n_out, n_in: 2 / (n_in + n_out),
    "lecun": lambda n_out, n_in: 1 / n_in,
}


@pytest.mark.parametrize("name", [n for n in INITIALIZERS if n.split("_")[0] in VARIANCE])
def test_initial_weights_have_the_published_variance(name):
    n_out, n_in = 300, 200
    W = np.asarray(INITIALIZERS[name](jax.random.key(0), n_out, n_in, jnp.float32))
    variance = VARIANCE[name.split("_")[0]](n_out, n_in)
    assert W.shape == (n_out, n_in)
    assert W.var() == pytest.approx(variance, rel=0.03)
    assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
    if name.endswith("uniform"):
        assert np.abs(W).max() <= np.sqrt(3 * variance) * (1 + 1e-6)
        assert np.abs(W).max() > 0.99 * np.sqrt(3 * variance)
    else:
        assert np.abs(W).max() > 3.5 * np.sqrt(variance)  # not truncated


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_orthogonal_weights_are_orthogonal(shape, x64):
    W = INITIALIZERS["orthogonal"](jax.random.key(0), *shape, jnp.float64)
    small = W @ W.T if shape[0] <= shape[1] else W.T @ W
    np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-13)


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_init_scales_and_types(name, dtype):
    model = mo.MLP((5, 7, 3), init=name)
    params = mo.init(model, jax.random.key(0), dtype=dtype)
    doubled = mo.init(model, jax.random.key(0), scale=jnp.float32(2.0), dtype=dtype)
    for p, q in zip(params, doubled, strict=True):
        assert p.W.dtype == p.b.dtype == dtype
        np.testing.assert_allclose(np.asarray(q.W, np.float32), 2 * np.asarray(p.W, np.float32), rtol=1e-2)
        assert not p.b.any()
    assert [p.W.shape for p in params] == [(7, 5), (3, 7)]
    assert (np.asarray(params[0].W[:3, :5], np.float32) != np.asarray(params[1].W[:3, :5], np.float32)).any() or name == "zeros"


def test_normal_init_has_the_scale_as_its_standard_deviation():
    W = mo.init(mo.MLP((300, 200), init="normal"), jax.random.key(0), scale=0.01)[0].W
    assert float(W.std()) == pytest.approx(0.01, rel=0.02)


def test_layers_of_a_deeper_network_start_the_same():
    """Keys come from the layer's number, so adding a layer above does not redraw those below."""
    shallow = mo.init(mo.MLP((4, 5, 3)), jax.random.key(7))
    deep = mo.init(mo.MLP((4, 5, 3, 2)), jax.random.key(7))
    np.testing.assert_array_equal(shallow[0].W, deep[0].W)


def test_l2_is_half_the_sum_of_squares_of_W_only(x64):
    params = (mo.Layer(jnp.asarray([[1.0, 2.0]]), jnp.asarray([10.0])), mo.Layer(jnp.asarray([[3.0]]), jnp.asarray([10.0])))
    assert penalty(params, 0.0, 0.5, jnp.float64) == 0.5 * 0.5 * (1 + 4 + 9)
    model = mo.MLP((2, 1, 1), "identity", "mse")
    X, y = jnp.zeros((1, 2)), jnp.zeros(1)
    assert mo.loss(model, params, X, y, l2=0.5) - mo.loss(model, params, X, y) == 3.5


def test_l1_is_the_sum_of_the_sizes_of_W_only(x64):
    params = (mo.Layer(jnp.asarray([[1.0, -2.0]]), jnp.asarray([10.0])), mo.Layer(jnp.asarray([[-3.0]]), jnp.asarray([10.0])))
    assert penalty(params, 0.5, 0.0, jnp.float64) == 0.5 * (1 + 2 + 3)
    assert penalty(params, 0.5, 0.5, jnp.float64) == 0.5 * (1 + 2 + 3) + 0.5 * 0.5 * (1 + 4 + 9)


def test_a_model_is_hashable_and_lists_become_tuples():
    assert mo.MLP([4, 3], activation=[]) == mo.MLP((4, 3), activation=())
    assert hash(mo.MLP([4, 5, 3], ["relu"])) == hash(mo.MLP((4, 5, 3), ("relu",)))
    assert mo.MLP((4, 5, 6, 3), ("relu", "tanh")).activations == ("relu", "tanh", "softmax")
    assert mo.MLP((4, 5, 1), ("relu", "softplus"), "mse").activations == ("relu", "softplus")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (4,)}, "at least two"),
        ({"sizes": (4, 0, 2)}, ">= 1"),
        ({"sizes": (-4, 2)}, "whole numbers"),
        ({"sizes": (4, 10**12, 2)}, "make a layer of 4,000,000,000,000 weights"),
        ({"sizes": (4, 5, 2), "activation": "rleu"}, "did you mean 'relu'"),
        ({"sizes": (4, 5, 2), "activation": ("relu", "relu", "relu")}, "3 activations do not fit 2 layers"),
        ({"sizes": (4, 5, 2), "loss": "msee"}, "did you mean 'mse'"),
        ({"sizes": (4, 5, 2), "init": "he"}, "unknown initializer"),
        ({"sizes": (4, 5, 2), "activation": ("relu", "tanh"), "loss": "bce"}, "accepted: sigmoid"),
    ],
)
def test_shapes_and_names_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(mo.InputError, match=message):
        mo.MLP(**arguments)


def test_numpy_whole_numbers_are_sizes_and_bools_are_not():
    assert mo.MLP((np.int64(4), np.int32(3))) == mo.MLP((4, 3))
    with pytest.raises(mo.InputError, match="whole numbers"):
        mo.MLP((4, True))


def test_parameters_of_another_depth_are_refused():
    params = mo.init(mo.MLP((4, 5, 3)), jax.random.key(0))
    with pytest.raises(mo.InputError, match="2 layers of parameters do not fit the 1 layers"):
        mo.predict(mo.MLP((4, 3)), params, jnp.ones((2, 4)))
