import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from mlp_opt.activations import ACTIVATIONS, softmax, softmax_pullback

GRID = np.concatenate([np.linspace(-20, 20, 401), [-1e4, -100.0, 100.0, 1e4]])

# sigma and sigma' once more, from scipy in float64, for every name of the registry
REFERENCE = {
    "step": (lambda a: (a > 0) * 1.0, lambda a: 0 * a),
    "identity": (lambda a: a, lambda a: 1 + 0 * a),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
    "leaky_relu": (lambda a: np.where(a > 0, a, 0.01 * a), lambda a: np.where(a > 0, 1, 0.01)),
    "elu": (lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))), lambda a: np.where(a > 0, 1, np.exp(np.minimum(a, 0)))),
    "softplus": (lambda a: np.logaddexp(a, 0), special.expit),
    "sigmoid": (special.expit, lambda a: special.expit(a) * special.expit(-a)),
    "tanh": (np.tanh, lambda a: 4 * special.expit(2 * a) * special.expit(-2 * a)),
    "silu": (lambda a: a * special.expit(a), lambda a: special.expit(a) * (1 + a * special.expit(-a))),
    "gelu": (lambda a: a * special.ndtr(a), lambda a: special.ndtr(a) + a * np.exp(-0.5 * a**2) / np.sqrt(2 * np.pi)),
    "gelu_tanh": (
        lambda a: a * special.expit(2 * np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)),
        lambda a: (
            special.expit(2 * np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))
            + a
            * special.expit(2 * np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))
            * special.expit(-2 * np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))
            * 2
            * np.sqrt(2 / np.pi)
            * (1 + 3 * 0.044715 * a**2)
        ),
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_derivative_are_the_textbook_ones(name, x64):
    with np.errstate(over="ignore"):
        sigma, derivative = (f(GRID) for f in REFERENCE[name])
    np.testing.assert_allclose(ACTIVATIONS[name].sigma(jnp.asarray(GRID)), sigma, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(jnp.asarray(GRID)), derivative, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "step"])
def test_derivative_equals_jax_grad(name, x64):
    a = jnp.asarray(GRID)
    expected = jax.vmap(jax.grad(ACTIVATIONS[name].sigma))(a)
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(a), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("sigmoid", -80, 80), ("tanh", -40, 40), ("softplus", -80, 80), ("elu", -80, 0), ("silu", -80, -5), ("gelu", -9, -5)],
)
def test_derivative_keeps_its_digits_at_saturation_in_float32(name, low, high):
    """Relative accuracy where sigma has run flat: 1 - tanh(a)^2 would be 0 from a = 9."""
    a = np.linspace(low, high, 101, dtype=np.float32)
    exact = REFERENCE[name][1](a.astype(np.float64))
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(jnp.asarray(a)), exact, rtol=2e-4)
    assert np.all(exact != 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_dtype_is_kept_and_everything_is_finite(name, dtype):
    a = jnp.asarray([-1e4, -30.0, -1.0, 0.0, 1.0, 30.0, 1e4], dtype)
    for f in ACTIVATIONS[name]:
        out = f(a)
        assert out.dtype == dtype
        assert np.isfinite(np.asarray(out, np.float32)).all()


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "step"])
def test_nan_is_not_hidden(name):
    assert np.isnan(ACTIVATIONS[name].sigma(jnp.asarray(np.nan)))


def test_derivatives_at_zero_are_those_of_the_notes():
    zero = jnp.zeros(())
    assert ACTIVATIONS["relu"].derivative(zero) == 0
    assert jax.grad(ACTIVATIONS["relu"].sigma)(zero) == 0
    assert ACTIVATIONS["step"].sigma(zero) == 0
    assert ACTIVATIONS["leaky_relu"].derivative(zero) == jnp.float32(0.01)


def test_softmax_pullback_is_its_jacobian_transposed(x64):
    rng = np.random.default_rng(0)
    a, dz = jnp.asarray(rng.normal(size=(3, 4))), jnp.asarray(rng.normal(size=(3, 4)))
    expected = jax.vjp(softmax, a)[1](dz)[0]
    np.testing.assert_allclose(softmax_pullback(a, dz), expected, rtol=1e-13)
