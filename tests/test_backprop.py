import ast
import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlp_opt as mo
from mlp_opt import activations, backprop, losses
from mlp_opt.compiled import jit
from mlp_opt.diagnose import gradcheck
from mlp_opt.diagnose.gradcheck import OPTIONS, TRAINABLE, Case
from mlp_opt.losses import LOSSES

pytestmark = pytest.mark.implicit_promotion

RNG = np.random.default_rng(0)
DEPTH_2 = [c for c in gradcheck.cases(depths=(2,)) if c.batch == 5 and c.model.sizes[-1] == 3]
OTHERS = [c for c in gradcheck.cases(("all",), (0, 1, 3)) if c.model.activations[0] in ("tanh", "identity", "relu")]


def _name(case: Case) -> str:
    return f"{case.model.loss}-{'-'.join(map(str, case.model.sizes))}-{case.model.activations[0]}-{case.batch}-{case.option}"


@pytest.mark.parametrize("case", DEPTH_2 + OTHERS, ids=_name)
def test_gradients_equal_jax_grad_in_float64(case, x64):
    gaps = gradcheck.differences(case, finite=False)
    assert gaps["jax.grad"] <= 1e-12


@pytest.mark.parametrize("activation", TRAINABLE)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_finite_differences(activation, loss, x64):
    case = Case(mo.MLP((4, 4, 3), activation, loss, residual=True), 5, "all")
    assert gradcheck.differences(case)["finite"] <= gradcheck.DIFFERENCE_BOUND


@pytest.mark.parametrize("activation", TRAINABLE)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_jax_grad_in_float32(activation, loss, x64):
    case = Case(mo.MLP((4, 4, 4, 3), activation, loss, residual=True), 5, "all")
    params, X, y, options = gradcheck.sample(case)
    narrow = [jnp.float32 if jnp.issubdtype(v.dtype, jnp.floating) else v.dtype for v in (X, y)]
    params, X, y = jax.tree.map(lambda p: p.astype(jnp.float32), params), X.astype(narrow[0]), y.astype(narrow[1])
    options["sample_weight"] = options["sample_weight"].astype(jnp.float32)
    value, grads = mo.value_and_grad(case.model, params, X, y, **options)
    assert all(g.dtype == jnp.float32 for g in jax.tree.leaves(grads))
    expected = jax.value_and_grad(lambda p: mo.loss(case.model, p, X, y, **options))(params)
    assert gradcheck.relative((value, grads), expected) <= 1e-5


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_network_has_the_gradient_of_jax_grad(data):
    """Any widths, mix of activations, loss, batch and numbers."""
    with jax.enable_x64(True):
        depth = data.draw(st.integers(0, 3))
        sizes = tuple(data.draw(st.lists(st.integers(1, 4), min_size=depth + 2, max_size=depth + 2)))
        hidden = tuple(data.draw(st.lists(st.sampled_from(TRAINABLE), min_size=depth, max_size=depth)))
        model = mo.MLP(sizes, hidden, data.draw(st.sampled_from(list(LOSSES))), data.draw(st.booleans()))
        batch, seed = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 1000))
        rng = np.random.default_rng(seed)
        shapes = jax.eval_shape(lambda: mo.init(model, jax.random.key(0)))
        params = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape)), shapes)
        X, y = jnp.asarray(rng.normal(size=(batch, sizes[0]))), jnp.asarray(rng.uniform(size=(batch, sizes[-1])))
        l1, l2, dropout = (data.draw(st.floats(0, most)) for most in (1, 1, 0.9))
        options = {"l1": l1, "l2": l2, "dropout": dropout, "key": jax.random.key(seed)}

        @jit  # one program for both, not one an operation
        def both(params):
            by_jax = jax.value_and_grad(lambda p: mo.loss(model, p, X, y, **options))
            return mo.value_and_grad(model, params, X, y, **options), by_jax(params)

        found, expected = both(params)
        size = max(float(jnp.abs(e).max()) for e in jax.tree.leaves(expected))
        for g, e in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-12 * size)


@pytest.mark.parametrize("loss", LOSSES)
def test_per_sample_gradients_are_unbiased(loss, x64):
    """The notes: in expectation the per-sample gradient is the full gradient."""
    case = Case(mo.MLP((4, 5, 3), "tanh", loss), 5, "plain")
    params, X, y, _ = gradcheck.sample(case)
    _, full = mo.value_and_grad(case.model, params, X, y)
    each = [mo.value_and_grad(case.model, params, X[i : i + 1], y[i : i + 1])[1] for i in range(5)]
    mean = jax.tree.map(lambda *g: sum(g) / 5, *each)
    assert gradcheck.relative(mean, full) <= 1e-13


@pytest.mark.parametrize("loss", LOSSES)
def test_a_whole_weight_is_a_repeated_sample(loss, x64):
    case = Case(mo.MLP((4, 5, 3), "tanh", loss), 5, "plain")
    params, X, y, _ = gradcheck.sample(case)
    times = np.array([1, 2, 0, 3, 1])
    rows = np.repeat(np.arange(5), times)
    weighted = mo.value_and_grad(case.model, params, X, y, sample_weight=jnp.asarray(times * 0.7))
    repeated = mo.value_and_grad(case.model, params, X[rows], y[rows])
    assert gradcheck.relative(weighted, repeated) <= 1e-13


def test_the_subgradient_of_l1_is_the_sign_and_0_at_0(x64):
    """Where every data gradient is 0, what is left is l1 sign(W), and nothing for the biases."""
    model = mo.MLP((2, 2, 1), "identity", "mse")
    params = (mo.Layer(jnp.asarray([[2.0, 0.0], [-0.5, 0.0]]), jnp.zeros(2)), mo.Layer(jnp.asarray([[0.0, -3.0]]), jnp.zeros(1)))
    X, y = jnp.zeros((3, 2)), jnp.zeros(3)
    _, grads = mo.value_and_grad(model, params, X, y, l1=0.25)
    np.testing.assert_array_equal(grads[0].W, [[0.25, 0.0], [-0.25, 0.0]])
    np.testing.assert_array_equal(grads[1].W, [[0.0, -0.25]])
    assert not any(grads[l].b.any() for l in range(2))


def test_training_a_step_function_is_refused_with_the_reason():
    model = mo.MLP((2, 3, 1), "step", "mse")
    params = mo.init(model, jax.random.key(0))
    X, y = jnp.ones((2, 2)), jnp.ones(2)
    assert np.isfinite(mo.loss(model, params, X, y))
    with pytest.raises(mo.InputError, match="its derivative is 0 everywhere"):
        mo.value_and_grad(model, params, X, y)
    with pytest.raises(mo.InputError, match="its derivative is 0 everywhere"):
        mo.fit(model, mo.sgd(0.1), np.ones((2, 2)), np.ones(2), epochs=1, batch_size=1)


def test_gradients_are_not_retraced_when_numbers_change():
    model = mo.MLP((3, 4, 2))
    params, traces = mo.init(model, jax.random.key(0)), []

    @jax.jit
    def step(params, l2, dropout, smoothing, seed):
        traces.append(1)
        options = {"l2": l2, "dropout": dropout, "label_smoothing": smoothing, "key": jax.random.key(seed)}
        return mo.value_and_grad(model, params, jnp.ones((2, 3)), jnp.asarray([0, 1]), **options)

    first = step(params, 0.1, 0.2, 0.3, 0)
    second = step(params, 0.5, 0.6, 0.0, 1)
    assert len(traces) == 1
    assert float(first[0]) != float(second[0])


@pytest.mark.parametrize("module", [backprop, activations, losses])
def test_there_is_no_automatic_differentiation_in_the_notes_files(module):
    names = {node.attr for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Attribute)}
    assert not names & {"grad", "value_and_grad", "vjp", "jvp", "jacfwd", "jacrev", "linearize"}


def test_every_option_is_in_the_cross():
    cases = list(gradcheck.cases())
    assert {c.option for c in cases} == set(OPTIONS)
    assert {c.model.activations[0] for c in cases if c.model.n_layers > 1} >= set(TRAINABLE)
    assert {c.model.n_layers for c in cases} == {1, 2, 3, 4}
    assert len(cases) > 2500


def test_line_6_in_the_form_for_a_cpu_is_the_plain_product(x64):
    """Few columns and many, in lanes, and what is differentiated again."""
    for n in (backprop.NARROW - 1, backprop.NARROW):
        W, delta = jnp.asarray(RNG.normal(size=(2, 3, 4))), jnp.asarray(RNG.normal(size=(2, 3, n)))
        for axes in ((0, 0), (0, None), (None, 0)):
            given = [array if axis == 0 else array[0] for array, axis in zip((W, delta), axes, strict=True)]
            along = [jnp.cos(array) for array in given]
            forms = (backprop._back, lambda W, delta: W.T @ delta)
            ours, plain = (jax.jvp(jax.jit(jax.vmap(form, in_axes=axes)), given, along) for form in forms)
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-13), ours, plain)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_line_6_keeps_the_dtype(dtype):
    W, delta = jnp.ones((3, 4), dtype), jnp.ones((3, backprop.NARROW), dtype)
    for part in (delta, delta[:, :2]):
        assert backprop._back(W, part).dtype == dtype
        np.testing.assert_array_equal(np.asarray(backprop._back(W, part), np.float32), np.full((4, part.shape[1]), 3))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_a_large_batch_with_every_option_equal_jax_grad(loss, x64):
    """So large that line 6 takes its other form on a CPU."""
    case = Case(mo.MLP((4, 4, 4, 3), "tanh", loss, residual=True), backprop.NARROW + 1, "all", soft=True)
    assert gradcheck.differences(case, finite=False)["jax.grad"] <= gradcheck.JAX_BOUND
