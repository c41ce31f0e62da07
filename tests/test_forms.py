"""The products in other forms are the plain ones: values, derivatives, under vmap and nested, in every dtype."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlp_opt.forms import linear, written_out

LANES = {"shared samples": (None, 0), "shared weights": (0, None), "nothing shared": (0, 0)}


def plain(z, W):
    return z @ W.T


def arrays(shape, dtype="float64"):
    """z (batch, n_in) and W (n_out, n_in), with the axes of lanes before them."""
    rng = np.random.default_rng(0)
    before_z, before_W = shape
    return jnp.asarray(rng.normal(size=(*before_z, 7, 5)), dtype), jnp.asarray(rng.normal(size=(*before_W, 3, 5)), dtype)


def same(found, expected, tolerance=1e-14):
    jax.tree.map(
        lambda f, e: np.testing.assert_allclose(np.asarray(f, np.float64), np.asarray(e, np.float64), rtol=tolerance, atol=tolerance),
        found,
        expected,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_linear_is_the_product_with_the_transposed_weights(dtype):
    z, W = arrays(((), ()), dtype)
    assert linear(z, W).dtype == dtype
    np.testing.assert_array_equal(np.asarray(linear(z, W), np.float32), np.asarray(plain(z, W), np.float32))


@pytest.mark.parametrize("axes", LANES.values(), ids=LANES)
@pytest.mark.parametrize("transform", ["value", "gradient", "tangent", "curvature"])
def test_lanes_of_linear_have_the_values_and_derivatives_of_the_plain_product(transform, axes, x64):
    z, W = arrays(tuple(() if axis is None else (4,) for axis in axes))
    down = jax.grad(lambda f, z, W: jnp.sum(jnp.sin(f(z, W))), argnums=(1, 2))
    of = {
        "value": lambda f: f,
        "gradient": lambda f: lambda z, W: down(f, z, W),
        "tangent": lambda f: lambda z, W: jax.jvp(f, (z, W), (jnp.cos(z), jnp.sin(W))),
        "curvature": lambda f: lambda z, W: jax.jvp(lambda z, W: down(f, z, W), (z, W), (jnp.cos(z), jnp.sin(W))),
    }[transform]
    same(*(jax.jit(jax.vmap(of(f), in_axes=axes))(z, W) for f in (linear, plain)))


@pytest.mark.parametrize("inner", LANES.values(), ids=LANES)
@pytest.mark.parametrize("outer", LANES.values(), ids=LANES)
def test_lanes_in_lanes_are_those_of_the_plain_product(outer, inner, x64):
    sizes = [tuple(n for n, axis in zip((2, 4), axes, strict=True) if axis is not None) for axes in zip(outer, inner, strict=True)]
    z, W = arrays(tuple(sizes))
    same(*(jax.vmap(jax.vmap(f, in_axes=inner), in_axes=outer)(z, W) for f in (linear, plain)))


def test_gradients_of_lanes_at_once_are_those_of_the_plain_product(x64):
    """Differentiated outside of vmap, not inside."""
    z, W = arrays(((), (4,)))
    same(*(jax.grad(lambda W, f=f: jnp.sum(jnp.sin(jax.vmap(f, in_axes=(None, 0))(z, W))))(W) for f in (linear, plain)))


def test_lanes_that_share_their_samples_are_one_product():
    z, W = arrays(((), (4,)), "float32")
    program = jax.jit(jax.vmap(linear, in_axes=(None, 0))).lower(z, W).as_text()
    assert re.findall(r"dot_general.*-> tensor<(\w+)xf32>", program) == ["7x12"]


def test_what_is_not_differentiated_costs_no_product():
    z, W = arrays(((), ()), "float32")
    program = jax.make_jaxpr(lambda W, dW: jax.jvp(lambda W: linear(z, W), (W,), (dW,)))(W, W)
    assert str(program).count("dot_general[") == 2
    infinite = W.at[0, 0].set(jnp.inf)  # 0 times it would be NaN
    same(jax.jvp(lambda W: linear(z, W), (infinite,), (W,))[1], plain(z, W), 1e-6)
    same(jax.jvp(lambda z: linear(z, W), (z,), (z,))[1], plain(z, W), 1e-6)
    same(jax.jvp(lambda v: linear(z, W), (W,), (W,))[1], jnp.zeros((7, 3)))


def test_lanes_without_samples_have_no_outputs():
    assert jax.vmap(linear, in_axes=(None, 0))(jnp.zeros((0, 5)), jnp.zeros((4, 3, 5))).shape == (4, 0, 3)


def test_written_out_changes_nothing():
    z, _ = arrays(((), ()), "float32")
    np.testing.assert_array_equal(jax.jit(written_out)(z), z)
    np.testing.assert_array_equal(jax.vmap(lambda row: written_out(row))(z), z)
