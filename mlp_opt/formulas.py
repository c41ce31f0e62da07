"""The formulas of the surfaces: functions of x and y, elementwise on arrays of one shape and float dtype.

Gradient Descent Viz calls the second variable z; the constants are its. sine_saddle is its "saddle".
"""

from __future__ import annotations

import jax.numpy as jnp


def _bump(x, y, at_x, at_y):
    return jnp.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 0.2)


def local_minimum(x, y):
    y = 1.4 * y
    return -2 * _bump(x, y, 1, 0) - 6 * _bump(x, y, -1, 0) + x**2 + y**2


def global_minimum(x, y):
    return x**2 + y**2


def sine_saddle(x, y):
    return jnp.sin(x) + y**2


def ecliptic_bowl(x, y):
    x, y = x / 2, y / 2
    return -jnp.exp(-(x**2 + 5 * y**2)) + x**2 + 0.5 * y**2


def hills(x, y):
    y = 1.4 * y
    return 2 * _bump(x, y, 1, 0) + 6 * _bump(x, y, -1, 0) - 2 * _bump(x, y, 1, -1) + x**2 + y**2


def plateau(x, y):
    square = (10 * x) ** 2 + (10 * y) ** 2
    centre = square == 0  # the root has no derivative there: taken as 0, by symmetry
    r = jnp.where(centre, 0, jnp.sqrt(jnp.where(centre, 1, square))) + 0.01
    return -jnp.sin(r) / r + 0.01 * r**2


def rosenbrock(x, y, *, b):
    return (1 - x) ** 2 + b * (y - x**2) ** 2


def rastrigin(x, y):
    return 20 + x**2 - 10 * jnp.cos(2 * jnp.pi * x) + y**2 - 10 * jnp.cos(2 * jnp.pi * y)


def beale(x, y):
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def styblinski_tang(x, y):
    return (x**4 - 16 * x**2 + 5 * x + y**4 - 16 * y**2 + 5 * y) / 2


def branin(x, y):
    return (y - 5.1 / (4 * jnp.pi**2) * x**2 + 5 / jnp.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * jnp.pi)) * jnp.cos(x) + 10


def booth(x, y):
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def quadratic(x, y, *, condition):
    return (x**2 + condition * y**2) / 2


def saddle(x, y):
    return x**2 - y**2


def cliff(x, y):
    return jnp.tanh(10 * x) + 0.01 * (x + 1) ** 2 + 0.05 * y**2
