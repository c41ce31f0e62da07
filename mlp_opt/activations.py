"""Activation functions sigma and their derivatives sigma', side by side.

Source: the notes, "Activation Functions" (step, ReLU, sigmoid, tanh; SiLU and GELU in footnote 1).
All act element-wise on the pre-activation a = W z + b, take any float dtype and return it. The
derivatives are written so that they keep their relative accuracy where sigma saturates: in float32
1 - tanh(a)^2 is 0 from a = 9, the form below is right until the number itself is too small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Elementwise = Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]


class Activation(NamedTuple):
    """sigma and its derivative sigma', both functions of the pre-activation a."""

    sigma: Elementwise
    derivative: Elementwise


def step(a):  # the classic perceptron: 1 if w.x > 0, else 0
    return (a > 0).astype(a.dtype)


def step_derivative(a):  # zero everywhere (undefined at 0): nothing can be learned through it
    return jnp.zeros_like(a)


def identity(a):
    return a


def identity_derivative(a):
    return jnp.ones_like(a)


def relu(a):  # max(0, a); jax.nn.relu is that with the notes' derivative at 0
    return jax.nn.relu(a)


def relu_derivative(a):  # sigma'(0) = 0, footnote 1 of the notes
    return (a > 0).astype(a.dtype)


LEAKY_SLOPE = 0.01


def leaky_relu(a):
    return jnp.where(a > 0, a, LEAKY_SLOPE * a)


def leaky_relu_derivative(a):
    return jnp.where(a > 0, jnp.ones_like(a), LEAKY_SLOPE)


def elu(a):  # Clevert et al. 2016, alpha = 1; the inner where keeps expm1 finite where it is not used
    return jnp.where(a > 0, a, jnp.expm1(jnp.where(a > 0, 0, a)))


def elu_derivative(a):
    return jnp.exp(jnp.minimum(a, 0))


def softplus(a):  # log(1 + e^a)
    return jnp.logaddexp(a, jnp.zeros_like(a))


def softplus_derivative(a):
    return sigmoid(a)


def sigmoid(a):  # 1 / (1 + e^-a)
    return jax.nn.sigmoid(a)


def sigmoid_derivative(a):  # sigma(a) sigma(-a), with one exponential that cannot overflow
    e = jnp.exp(-jnp.abs(a))
    return e / (1 + e) ** 2


def tanh(a):
    return jnp.tanh(a)


def tanh_derivative(a):  # 1 - tanh(a)^2 = sech(a)^2 = 4 sigma'(2a) of the sigmoid
    return 4 * sigmoid_derivative(2 * a)


def silu(a):  # a sigmoid(a)
    return a * sigmoid(a)


def silu_derivative(a):
    return sigmoid(a) * (1 + a * sigmoid(-a))


def gelu(a):  # a Phi(a), Phi the normal distribution function (exact; torch's default)
    return a * _normal_cdf(a)


def gelu_derivative(a):  # Phi(a) + a phi(a)
    density = jnp.exp(-0.5 * a**2) / math.sqrt(2 * math.pi)
    return _normal_cdf(a) + a * density


def gelu_tanh(a):  # a (1 + tanh u) / 2 = a sigmoid(2u)  (jax.nn.gelu's default)
    return a * sigmoid(2 * _gelu_inner(a))


def gelu_tanh_derivative(a):
    two_u = 2 * _gelu_inner(a)
    return sigmoid(two_u) + a * sigmoid_derivative(two_u) * 2 * GELU_C * (1 + 3 * GELU_K * _bounded(a) ** 2)


GELU_C, GELU_K = math.sqrt(2 / math.pi), 0.044715


def _gelu_inner(a):
    return GELU_C * (a + GELU_K * _bounded(a) ** 3)


def _bounded(a):  # beyond 30 the sigmoid is 0 or 1 to the last bit of float64, and a^3 overflows float16
    return jnp.clip(a, -30, 30)


def _normal_cdf(a):  # by erfc: no cancellation in the negative tail
    return 0.5 * jax.lax.erfc(-a / math.sqrt(2))


ACTIVATIONS: dict[str, Activation] = {
    "step": Activation(step, step_derivative),
    "identity": Activation(identity, identity_derivative),
    "relu": Activation(relu, relu_derivative),
    "leaky_relu": Activation(leaky_relu, leaky_relu_derivative),
    "elu": Activation(elu, elu_derivative),
    "softplus": Activation(softplus, softplus_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "silu": Activation(silu, silu_derivative),
    "gelu": Activation(gelu, gelu_derivative),
    "gelu_tanh": Activation(gelu_tanh, gelu_tanh_derivative),
}


def softmax(a: Float[Array, "n batch"]) -> Float[Array, "n batch"]:
    """Output activation of multi-class classification, of each column; not element-wise, so output layers only."""
    return jax.nn.softmax(a, axis=0)


def softmax_pullback(a: Float[Array, "n batch"], dz: Float[Array, "n batch"]) -> Float[Array, "n batch"]:
    """dL/da from dL/dz: the transposed Jacobian (diag(z) - z z^T) applied to dL/dz."""
    z = softmax(a)
    return z * (dz - jnp.sum(z * dz, axis=0))
