"""Surfaces: values and gradients against the formulas written out in NumPy, minima against the calculus of a minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy import cos, exp, pi, sin, sqrt, tanh

from mlp_opt.errors import InputError
from mlp_opt.surfaces import SURFACES, find_minima, from_expression, gradient, grid, heights, hessian, surface, value

pytestmark = pytest.mark.usefixtures("x64")

# f and its gradient by hand, in NumPy; the first six with Gradient Descent Viz's second variable
CLOSED = {
    "global_minimum": (lambda x, y: x**2 + y**2, lambda x, y: (2 * x, 2 * y)),
    "sine_saddle": (lambda x, y: sin(x) + y**2, lambda x, y: (cos(x), 2 * y)),
    "ecliptic_bowl": (
        lambda x, y: -exp(-(x**2 + 5 * y**2) / 4) + x**2 / 4 + y**2 / 8,
        lambda x, y: (x / 2 * (exp(-(x**2 + 5 * y**2) / 4) + 1), y / 4 * (10 * exp(-(x**2 + 5 * y**2) / 4) + 1)),
    ),
    "rosenbrock": (
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        lambda x, y: (-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)),
    ),
    "rastrigin": (
        lambda x, y: 20 + x**2 + y**2 - 10 * (cos(2 * pi * x) + cos(2 * pi * y)),
        lambda x, y: (2 * x + 20 * pi * sin(2 * pi * x), 2 * y + 20 * pi * sin(2 * pi * y)),
    ),
    "beale": (
        lambda x, y: sum((c - x + x * y**k) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
        lambda x, y: (
            sum(2 * (c - x + x * y**k) * (y**k - 1) for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
            sum(2 * (c - x + x * y**k) * k * x * y ** (k - 1) for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
        ),
    ),
    "himmelblau": (
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
        lambda x, y: (4 * x * (x**2 + y - 11) + 2 * (x + y**2 - 7), 2 * (x**2 + y - 11) + 4 * y * (x + y**2 - 7)),
    ),
    "styblinski_tang": (
        lambda x, y: (x**4 - 16 * x**2 + 5 * x + y**4 - 16 * y**2 + 5 * y) / 2,
        lambda x, y: (2 * x**3 - 16 * x + 2.5, 2 * y**3 - 16 * y + 2.5),
    ),
    "branin": (
        lambda x, y: (y - 5.1 / (4 * pi**2) * x**2 + 5 / pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10,
        lambda x, y: (
            2 * (y - 5.1 / (4 * pi**2) * x**2 + 5 / pi * x - 6) * (5 / pi - 5.1 / (2 * pi**2) * x) - 10 * (1 - 1 / (8 * pi)) * sin(x),
            2 * (y - 5.1 / (4 * pi**2) * x**2 + 5 / pi * x - 6),
        ),
    ),
    "booth": (
        lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2,
        lambda x, y: (2 * (x + 2 * y - 7) + 4 * (2 * x + y - 5), 4 * (x + 2 * y - 7) + 2 * (2 * x + y - 5)),
    ),
    "quadratic": (lambda x, y: (x**2 + 100 * y**2) / 2, lambda x, y: (x, 100 * y)),
    "saddle": (lambda x, y: x**2 - y**2, lambda x, y: (2 * x, -2 * y)),
    "cliff": (
        lambda x, y: tanh(10 * x) + 0.01 * (x + 1) ** 2 + 0.05 * y**2,
        lambda x, y: (10 * (1 - tanh(10 * x) ** 2) + 0.02 * (x + 1), 0.1 * y),
    ),
    "local_minimum": (
        lambda x, z: (
            -2 * exp(-((x - 1) ** 2 + (1.4 * z) ** 2) / 0.2) - 6 * exp(-((x + 1) ** 2 + (1.4 * z) ** 2) / 0.2) + x**2 + (1.4 * z) ** 2
        ),
        None,
    ),
    "hills": (
        lambda x, z: (
            2 * exp(-((x - 1) ** 2 + (1.4 * z) ** 2) / 0.2)
            + 6 * exp(-((x + 1) ** 2 + (1.4 * z) ** 2) / 0.2)
            - 2 * exp(-((x - 1) ** 2 + (1.4 * z + 1) ** 2) / 0.2)
            + x**2
            + (1.4 * z) ** 2
        ),
        None,
    ),
    "plateau": (lambda x, z: -sin(r := sqrt((10 * x) ** 2 + (10 * z) ** 2) + 0.01) / r + 0.01 * r**2, None),
}
EACH = pytest.mark.parametrize("name", SURFACES)


def points(name, n=40):
    found = SURFACES[name]
    return np.random.default_rng(0).uniform([found.x[0], found.y[0]], [found.x[1], found.y[1]], (n, 2))


@EACH
def test_values_and_gradients_are_those_of_the_formula(name):
    w = points(name)
    f, by_hand = CLOSED[name]
    ours = SURFACES[name].f
    np.testing.assert_allclose(value(ours, jnp.asarray(w)), f(*w.T), rtol=1e-12, atol=1e-12)
    found = np.asarray(gradient(ours, jnp.asarray(w)))
    if by_hand is not None:
        np.testing.assert_allclose(found, np.stack(np.broadcast_arrays(*by_hand(*w.T)), -1), rtol=1e-11, atol=1e-11)
    h = 1e-6  # central differences of the NumPy formula: error of order h^2 f''' and eps f / h
    for i in (0, 1):
        step = h * np.eye(2)[i]
        differences = (f(*(w + step).T) - f(*(w - step).T)) / (2 * h)
        np.testing.assert_allclose(found[:, i], differences, rtol=1e-6, atol=1e-9 * np.abs(f(*w.T)).max() + 1e-6)


@EACH
def test_hessian_is_the_derivative_of_the_gradient(name):
    w, f, h = jnp.asarray(points(name)), SURFACES[name].f, 1e-5
    H = np.asarray(hessian(f, w))
    np.testing.assert_allclose(H, np.swapaxes(H, 1, 2), rtol=1e-10, atol=1e-10)
    for i in (0, 1):
        step = h * jnp.eye(2)[i]
        differences = np.asarray((gradient(f, w + step) - gradient(f, w - step)) / (2 * h))
        np.testing.assert_allclose(H[:, :, i], differences, rtol=1e-5, atol=1e-6 * (1 + np.abs(H).max()))


@EACH
def test_known_minima_are_minima_and_the_first_is_the_lowest(name):
    known = SURFACES[name]
    if not known.minima:
        return
    w = jnp.asarray(np.resize(known.minima, (40, 2)))  # one shape: its operations are compiled once
    levels = np.asarray(value(known.f, w))
    assert (np.diff(levels[: len(known.minima)]) >= -1e-9).all(), "the lowest first"
    if name == "plateau":  # its minimum is a kink: 0.01 is added to the radius
        f = heights(known, 101)[2]
        assert f.min() == f[50, 50] == pytest.approx(float(levels[0]))
        np.testing.assert_array_equal(gradient(known.f, w), np.zeros((40, 2)))
        return
    curvatures = np.linalg.eigvalsh(np.asarray(hessian(known.f, w)))
    assert (curvatures > 0).all()
    np.testing.assert_allclose(gradient(known.f, w), 0, atol=1e-11 * max(curvatures.max(initial=1.0), 1))
    assert levels[0] <= heights(known, 65)[2].min(), "none is lower"


@pytest.mark.parametrize("name", ["local_minimum", "himmelblau", "rastrigin"])
def test_newton_finds_every_known_minimum_and_no_other(name):
    known = SURFACES[name].minima
    found = find_minima(SURFACES[name])
    assert len(found) == len(known)
    for point in found:
        assert min(np.hypot(*np.subtract(point, other)) for other in known) < 1e-7


ZERO = dict.fromkeys(("rosenbrock", "rastrigin", "beale", "himmelblau", "booth"), 0)
LOWEST = ZERO | {"styblinski_tang": -78.33233140754282, "branin": 0.39788735772973816}


@pytest.mark.parametrize("name", LOWEST)
def test_lowest_values_are_those_of_the_literature(name):
    assert float(value(SURFACES[name].f, jnp.asarray(SURFACES[name].minima[0]))) == pytest.approx(LOWEST[name], abs=1e-12)


@EACH
def test_start_is_in_the_domain_and_the_default_rate_descends(name):
    found = SURFACES[name]
    assert all(low <= at <= high for at, (low, high) in zip(found.start, (found.x, found.y), strict=True))
    w = jnp.asarray(found.start)
    g = gradient(found.f, w)
    assert float(value(found.f, w - found.rate * g)) < float(value(found.f, w))
    assert found.unbounded == (not found.minima)


def test_grid_and_heights_cover_the_domain():
    x, y, f = heights(SURFACES["branin"], (4, 3))
    assert (x[0], x[-1], y[0], y[-1]) == (-5.0, 10.0, 0.0, 15.0)
    assert f.shape == (3, 4)
    assert f[2, 1] == pytest.approx(CLOSED["branin"][0](x[1], y[2]))
    assert [len(a) for a in grid(SURFACES["branin"], 5)] == [5, 5]


def test_the_condition_number_is_a_number_and_not_a_program():
    traces = []

    @jax.jit
    def curvature(f):
        traces.append(1)
        return jnp.linalg.cond(hessian(f, jnp.ones(2)))

    for condition in (10.0, 1e4):
        assert float(curvature(surface("quadratic", condition=condition).f)) == pytest.approx(condition)
    assert len(traces) == 1
    assert surface("quadratic", condition=10.0).formula.endswith("condition = 10")
    assert surface("rosenbrock", b=5.0).latex.endswith("b = 5")


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("rosenbrok", {}, "did you mean 'rosenbrock'"),
        ("quadratic", {"kappa": 2.0}, "unknown parameter of surface quadratic 'kappa'"),
        ("booth", {"condition": 2.0}, "unknown parameter of surface booth"),
        ("quadratic", {"condition": -1.0}, "must be a number > 0, got -1"),
        ("quadratic", {"condition": float("nan")}, "must be a number > 0, got nan"),
    ],
)
def test_unknown_surfaces_and_parameters_are_refused(name, numbers, message):
    with pytest.raises(InputError, match=message):
        surface(name, **numbers)


def test_an_expression_finds_its_own_minima():
    made = from_expression("x**4 - 2*x**2 + 0.2*x + y**2")
    roots = np.sort(np.roots([4, 0, -4, 0.2]).real)
    np.testing.assert_allclose([p[0] for p in made.minima], roots[[0, 2]], atol=1e-9)
    assert made.rate == pytest.approx(0.1 / (12 * made.start[0] ** 2 - 4))
    with pytest.raises(InputError, match="not finite at the start"):
        from_expression("log(x)", start=(-1.0, 0.0))
    with pytest.raises(InputError, match="domain of y must be two numbers, the lower first"):
        from_expression("x", y=(1.0, 1.0))
