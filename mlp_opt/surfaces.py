"""Functions of two variables on which optimizers race; SURFACES names them all.

The first six are those of Gradient Descent Viz (MIT), with its formulas and domain; the others are the test
functions of the optimization literature (Jamil & Yang 2013). A surface's `f` is a Bound, so its numbers (a condition number) may be
traced; gradient and Hessian are JAX's, exact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import formulas
from .bound import Bound
from .compiled import jit
from .errors import InputError, check_name
from .expressions import Expression, parse_tree
from .expressions import latex as latex_of

Interval = tuple[float, float]
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Surface:
    """One function and what is known about it.

    f: f(x, y), elementwise on arrays of one shape and float dtype. formula: for people; latex: the same for
    mathematics, without dollars. x, y: the domain that is drawn and from which random starts are taken. start:
    where a race starts by default. minima: the known local minima within the domain, the lowest first; empty for
    a function without any, or where they are not known. rate: a learning rate for plain gradient descent that
    makes a clear picture (the others' rates: `races.default_rate`).
    """

    name: str
    f: Bound
    formula: str
    latex: str
    x: Interval
    y: Interval
    start: Point
    minima: tuple[Point, ...]
    rate: float
    unbounded: bool = False

    @property
    def width(self) -> float:
        """The longer side of the domain."""
        return max(self.x[1] - self.x[0], self.y[1] - self.y[0])


def value(f: Callable[[Any, Any], Any], w: Any) -> Any:
    """f at points w (..., 2): (...)."""
    return f(w[..., 0], w[..., 1])


def gradient(f: Callable[[Any, Any], Any], w: Any) -> Any:
    """The exact gradient at points w (..., 2): (..., 2)."""
    total, pullback = jax.vjp(f, w[..., 0], w[..., 1])
    return jnp.stack(pullback(jnp.ones_like(total)), axis=-1)


def hessian(f: Callable[[Any, Any], Any], w: Any) -> Any:
    """The exact Hessian at points w (..., 2): (..., 2, 2)."""
    basis = jnp.eye(2, dtype=w.dtype)
    columns = [jax.jvp(lambda p: gradient(f, p), (w,), (jnp.broadcast_to(e, w.shape),))[1] for e in basis]
    return jnp.stack(columns, axis=-1)


def grid(surface: Surface, size: int | tuple[int, int] = 256) -> tuple[np.ndarray, np.ndarray]:
    """size (or nx, ny) evenly spaced values of x and of y over the domain, both ends included; float64."""
    nx, ny = (size, size) if isinstance(size, int) else size
    return np.linspace(*surface.x, nx), np.linspace(*surface.y, ny)


def heights(surface: Surface, size: int | tuple[int, int] = 256) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (nx,), y (ny,) and f on the grid of them (ny, nx), as a picture needs them."""
    x, y = grid(surface, size)
    X, Y = (jnp.asarray(a, jnp.result_type(float)) for a in np.meshgrid(x, y))
    return x, y, np.asarray(surface.f(X, Y))


def find_minima(surface: Surface, size: int = 48) -> tuple[Point, ...]:
    """The minima that Newton's method finds within the domain from size x size starts, the lowest first.

    A point counts if the gradient vanishes there (to the rounding of a double-sided step) and both eigenvalues
    of the Hessian are positive; points closer than 1e-4 of the domain's width are one. Minima at a kink, where
    the gradient does not vanish, are not found. Compute in float64 for all digits.
    """
    x, y = grid(surface, size)
    w = jnp.asarray(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), jnp.result_type(float))

    def step(_: Any, w: Any) -> Any:
        g, H = gradient(surface.f, w), hessian(surface.f, w)
        mean, half = (H[:, 0, 0] + H[:, 1, 1]) / 2, (H[:, 0, 0] - H[:, 1, 1]) / 2
        radius = jnp.maximum(jnp.hypot(half, H[:, 0, 1]), 1e-30)
        upper, lower = (1 / jnp.maximum(jnp.abs(mean + s * radius), 1e-12) for s in (1, -1))
        slope = (upper - lower) / (2 * radius)  # |H|^-1 = (offset I + slope H): never uphill, unlike H^-1
        offset = upper - slope * (mean + radius)
        move = offset[:, None] * g + slope[:, None] * jnp.einsum("nij,nj->ni", H, g)
        length = jnp.linalg.norm(move, axis=-1, keepdims=True)
        return w - move * jnp.minimum(1, 0.05 * surface.width / jnp.maximum(length, 1e-30))

    w = jit(lambda w: jax.lax.fori_loop(0, 100, step, w))(w)
    g, H = np.asarray(gradient(surface.f, w)), np.asarray(hessian(surface.f, w))
    points, level = np.asarray(w), np.asarray(value(surface.f, w))
    tiny = math.sqrt(float(np.finfo(points.dtype).eps)) * (1 + np.abs(H).max(axis=(1, 2)))
    kept = np.isfinite(points).all(1) & np.isfinite(level) & (np.abs(g).max(1) <= tiny)
    kept[kept] = np.linalg.eigvalsh(H[kept])[:, 0] > 1e-6
    for i, (low, high) in enumerate((surface.x, surface.y)):
        kept &= (points[:, i] >= low) & (points[:, i] <= high)
    found: list[np.ndarray] = []
    for p in points[kept][np.argsort(level[kept], kind="stable")]:
        if all(np.linalg.norm(p - q) > 1e-4 * surface.width for q in found):
            found.append(p)
    return tuple((float(p[0]), float(p[1])) for p in found)


def surface(name: str, **numbers: float) -> Surface:
    """A surface of the registry; `numbers` change its parameters, as surface("quadratic", condition=1000.0).

    InputError for an unknown name or parameter, or a number that is not finite and positive.
    """
    found = SURFACES[check_name("surface", name, SURFACES)]
    for key, number in numbers.items():
        check_name(f"parameter of surface {name}", key, found.f.traced)
        if not (math.isfinite(number) and number > 0):
            raise InputError(f"parameter {key} of surface {name} must be a number > 0, got {number}")
    if not numbers:
        return found
    rate = 1.0 / numbers["condition"] if "condition" in numbers else found.rate
    (number,) = numbers.values()
    formula, latex = (re.sub(r"= [\d.]+$", f"= {number:g}", text) for text in (found.formula, found.latex))
    return replace(found, f=Bound(found.f.function, **found.f.traced | numbers), rate=rate, formula=formula, latex=latex)


def from_expression(text: str, x: Interval = (-2.0, 2.0), y: Interval = (-2.0, 2.0), start: Point | None = None) -> Surface:
    """A user's expression as a surface: its minima found by Newton's method, its rate 0.1 / the largest curvature at the start.

    start: default three quarters of the way to the upper corner. InputError for a bad expression (see
    `expressions.parse`), an empty domain, or a start at which value or gradient is not finite.
    """
    tree = parse_tree(text)
    for name, (low, high) in (("x", x), ("y", y)):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"domain of {name} must be two numbers, the lower first, got {low:g},{high:g}")
    at = start or (0.125 * x[0] + 0.875 * x[1], 0.125 * y[0] + 0.875 * y[1])
    made = Surface("expression", Bound(Expression(tree)), text.strip(), latex_of(tree), x, y, at, (), 0.1)
    w = jnp.asarray(at, jnp.result_type(float))
    slope = np.asarray(gradient(made.f, w))
    if not (np.isfinite(value(made.f, w)) and np.isfinite(slope).all()):
        raise InputError(
            f"expression {text.strip()!r} or its gradient is not finite at the start {at[0]:g},{at[1]:g}; choose another start"
        )
    curvature = np.abs(np.asarray(hessian(made.f, w))).max()
    rate = 0.1 / float(curvature) if np.isfinite(curvature) and curvature > 0 else 0.1
    return replace(made, minima=find_minima(made), rate=min(rate, 1.0))


def _rastrigin_minima() -> tuple[Point, ...]:
    """The 121 local minima within the domain, the lowest first: 1-D roots of 2x + 20 pi sin(2 pi x) beside the whole numbers."""
    roots = []
    for k in range(-5, 6):
        r = float(k)
        for _ in range(6):  # Newton
            r -= (2 * r + 20 * math.pi * math.sin(2 * math.pi * r)) / (2 + 40 * math.pi**2 * math.cos(2 * math.pi * r))
        roots.append(r)
    return tuple(sorted(((a, b) for a in roots for b in roots), key=lambda p: (p[0] ** 2 + p[1] ** 2, p)))


_VIZ: dict[str, Any] = dict(x=(-2.0, 2.0), y=(-2.0, 2.0), start=(1.5, 1.5))
_A, _B = -2.903534027771177, 2.746802770990837  # minima of (t^4 - 16 t^2 + 5 t)/2

_ALL = (
    Surface(
        "local_minimum", Bound(formulas.local_minimum),
        "y <- 1.4y; -2 exp(-((x-1)^2 + y^2)/0.2) - 6 exp(-((x+1)^2 + y^2)/0.2) + x^2 + y^2",
        r"-2 e^{-5((x-1)^2+(1.4y)^2)} - 6 e^{-5((x+1)^2+(1.4y)^2)} + x^2 + (1.4y)^2",
        minima=((-0.9675774464554597, 0.0), (0.9053178606008483, 0.0)), rate=0.01, **_VIZ,
    ),
    Surface("global_minimum", Bound(formulas.global_minimum), "x^2 + y^2", "x^2 + y^2", minima=((0.0, 0.0),), rate=0.05, **_VIZ),
    Surface("sine_saddle", Bound(formulas.sine_saddle), "sin(x) + y^2", r"\sin(x) + y^2", minima=((-math.pi / 2, 0.0),), rate=0.05, **_VIZ),
    Surface(
        "ecliptic_bowl", Bound(formulas.ecliptic_bowl), "x, y <- x/2, y/2; -exp(-(x^2 + 5y^2)) + x^2 + 0.5 y^2",
        r"-e^{-(x^2+5y^2)/4} + \frac{x^2}{4} + \frac{y^2}{8}", minima=((0.0, 0.0),), rate=0.1, **_VIZ,
    ),
    Surface(
        "hills", Bound(formulas.hills),
        "y <- 1.4y; 2 exp(-((x-1)^2 + y^2)/0.2) + 6 exp(-((x+1)^2 + y^2)/0.2) - 2 exp(-((x-1)^2 + (y+1)^2)/0.2) + x^2 + y^2",
        r"2 e^{-5((x-1)^2+(1.4y)^2)} + 6 e^{-5((x+1)^2+(1.4y)^2)} - 2 e^{-5((x-1)^2+(1.4y+1)^2)} + x^2 + (1.4y)^2",
        minima=((0.9003065222993073, -0.6534011583039486), (0.04150712569956185, -0.0006403776376543045)), rate=0.02, **_VIZ,
    ),
    Surface(
        "plateau", Bound(formulas.plateau), "x, y <- 10x, 10y; r = sqrt(x^2 + y^2) + 0.01; -sin(r)/r + 0.01 r^2",
        r"-\frac{\sin r}{r} + 0.01 r^2,\ r = 10\sqrt{x^2+y^2} + 0.01", minima=((0.0, 0.0),), rate=0.01, **_VIZ,
    ),
    Surface(
        "rosenbrock", Bound(formulas.rosenbrock, b=100.0), "(1 - x)^2 + b (y - x^2)^2, b = 100", r"(1-x)^2 + b\,(y-x^2)^2,\ b = 100",
        (-2.2, 2.2), (-1.0, 3.0), (-1.5, 2.0), ((1.0, 1.0),), 5e-4,
    ),
    Surface(
        "rastrigin", Bound(formulas.rastrigin), "20 + x^2 - 10 cos(2 pi x) + y^2 - 10 cos(2 pi y)",
        r"20 + x^2 - 10\cos(2\pi x) + y^2 - 10\cos(2\pi y)", (-5.12, 5.12), (-5.12, 5.12), (-2.0, 3.5), _rastrigin_minima(), 1e-3,
    ),
    Surface(
        "beale", Bound(formulas.beale), "(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2",
        "(1.5-x+xy)^2 + (2.25-x+xy^2)^2 + (2.625-x+xy^3)^2", (-4.5, 4.5), (-4.5, 4.5), (1.0, 1.5), ((3.0, 0.5),), 5e-3,
    ),
    Surface(
        "himmelblau", Bound(formulas.himmelblau), "(x^2 + y - 11)^2 + (x + y^2 - 7)^2", "(x^2+y-11)^2 + (x+y^2-7)^2",
        (-5.0, 5.0), (-5.0, 5.0), (-0.5, -0.5),
        ((3.0, 2.0), (-2.805118086952745, 3.131312518250573),
         (-3.779310253377747, -3.2831859912861696), (3.58442834033049, -1.8481265269644036)),
        2e-3,
    ),
    Surface(
        "styblinski_tang", Bound(formulas.styblinski_tang), "(x^4 - 16x^2 + 5x + y^4 - 16y^2 + 5y)/2",
        r"\frac{1}{2}(x^4 - 16x^2 + 5x + y^4 - 16y^2 + 5y)", (-5.0, 5.0), (-5.0, 5.0), (0.5, 1.5),
        ((_A, _A), (_A, _B), (_B, _A), (_B, _B)), 5e-3,
    ),
    Surface(
        "branin", Bound(formulas.branin), "(y - 5.1/(4 pi^2) x^2 + 5/pi x - 6)^2 + 10 (1 - 1/(8 pi)) cos(x) + 10",
        r"\left(y - \frac{5.1}{4\pi^2}x^2 + \frac{5}{\pi}x - 6\right)^2 + 10\left(1-\frac{1}{8\pi}\right)\cos x + 10",
        (-5.0, 10.0), (0.0, 15.0), (4.0, 13.0), ((-math.pi, 12.275), (math.pi, 2.275), (3 * math.pi, 2.475)), 1e-2,
    ),
    Surface(
        "booth", Bound(formulas.booth), "(x + 2y - 7)^2 + (2x + y - 5)^2", "(x+2y-7)^2 + (2x+y-5)^2",
        (-10.0, 10.0), (-10.0, 10.0), (-8.0, -6.0), ((1.0, 3.0),), 1e-2,
    ),
    Surface(
        "quadratic", Bound(formulas.quadratic, condition=100.0), "(x^2 + condition y^2)/2, condition = 100",
        r"\frac{1}{2}(x^2 + \kappa y^2),\ \kappa = 100", (-2.0, 2.0), (-2.0, 2.0), (-1.8, 1.2), ((0.0, 0.0),), 1e-2,
    ),
    Surface("saddle", Bound(formulas.saddle), "x^2 - y^2", "x^2 - y^2", (-2.0, 2.0), (-2.0, 2.0), (-1.5, 1e-3), (), 0.05, unbounded=True),
    Surface(
        "cliff", Bound(formulas.cliff), "tanh(10x) + 0.01 (x + 1)^2 + 0.05 y^2", r"\tanh(10x) + 0.01(x+1)^2 + 0.05 y^2",
        (-2.0, 2.0), (-2.0, 2.0), (1.0, 1.0), ((-1.0000041219672036, 0.0),), 0.05,
    ),
)  # fmt: skip
SURFACES: dict[str, Surface] = {made.name: made for made in _ALL}
