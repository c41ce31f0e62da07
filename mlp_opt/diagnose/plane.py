"""The loss of a network on a plane or a line through its parameter space.

A plane is origin + a first + b second, each of them shaped like the parameters. Sources:

    random directions, normalized per neuron    Li et al. 2018, "Visualizing the loss landscape of neural nets"
    the principal plane of a training run       the same, section 7; Lorch 2016
    the plane through three solutions           Garipov et al. 2018, "Loss surfaces, mode connectivity"
    the line between two solutions              Goodfellow et al. 2015; its barrier: Frankle et al. 2020

A training run does not lie in any plane. `explained` says how much of it does, and `shadow` how far the loss that
is drawn under a path is from the loss that the network had.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import lane
from ..activations import ACTIVATIONS
from ..bound import widen
from ..compiled import jit
from ..errors import InputError
from ..model import MLP, Layer, Params

CHUNK_NUMBERS = 2**21  # activations of the widest layer that are in memory at once; more falls out of the caches


class Plane(NamedTuple):
    """origin + a first + b second, at least float32. The axes need not be orthogonal or of length 1."""

    origin: Params
    first: Params
    second: Params

    def at(self, a: Any, b: Any) -> Params:
        """The parameters at (a, b)."""
        return jax.tree.map(lambda o, u, v: o + jnp.asarray(a, o.dtype) * u + jnp.asarray(b, o.dtype) * v, *self)


class Surface(NamedTuple):
    """The plain mean loss, and the accuracy or R^2, at (xs[j], ys[i]) of a plane: row i, column j."""

    plane: Plane
    xs: np.ndarray  # (nx,)
    ys: np.ndarray  # (ny,)
    loss: np.ndarray  # (ny, nx)
    score: np.ndarray  # (ny, nx)


class Shadow(NamedTuple):
    """A path and its projection on a plane, point by point."""

    at: np.ndarray  # (points, 2), coordinates of the projection
    loss: np.ndarray  # (points,), at the real parameters
    on_plane: np.ndarray  # (points,), at the projection

    @property
    def gap(self) -> np.ndarray:
        """The loss at the real parameters minus the loss at their projection."""
        return self.loss - self.on_plane


class Line(NamedTuple):
    """The plain mean loss, and the accuracy or R^2, at (1 - t) start + t end."""

    t: np.ndarray
    loss: np.ndarray
    score: np.ndarray

    @property
    def barrier(self) -> float:
        """The largest rise of the loss above the chord between the two ends, 0 if there is none; infinite where the loss is."""
        inside = (self.t >= 0) & (self.t <= 1)
        if not np.isfinite(self.loss[inside]).all():
            return float("inf")
        start, end = np.interp([0, 1], self.t, self.loss)
        chord = (1 - self.t) * start + self.t * end
        return float(np.max(np.where(inside, self.loss - chord, 0), initial=0))


def random_plane(params: Params, key: Array, biases: bool = False) -> Plane:
    """The plane through `params` along two Gaussian directions; each neuron's row of W of a direction has the norm of its row in `params`.

    Rescaling a ReLU neuron and undoing it in the next layer changes no prediction; the normalization makes it change no
    picture either. Biases stay where they are, or with biases=True move by as much as their own size. The two directions
    are not made orthogonal, which would undo the normalization; in many dimensions they nearly are.
    """

    wide = _wide(params)
    return Plane(wide, *(_direction(wide, k, biases) for k in jax.random.split(key)))


def principal_plane(snapshots: Params) -> Plane:
    """The plane nearest to all snapshots (leading axis: the points of one or several paths), in least squares.

    Through their mean, along their first two principal axes: orthonormal, so the coordinates are distances in parameter
    space. Each axis points to where the last snapshot is. InputError if the snapshots lie on a line.
    """
    rows = flat(snapshots)
    mean = rows.mean(axis=0)
    _, size, axes = np.linalg.svd(rows - mean, full_matrices=False)
    if len(size) < 3 or size[1] <= 1e-6 * size[0]:
        raise InputError(f"a principal plane needs at least three points that are not on a line; got {len(rows)}")
    axes = axes[:2] * np.where(axes[:2] @ (rows[-1] - mean) < 0, -1, 1)[:, None]
    like = jax.tree.map(lambda x: x[0], snapshots)
    return Plane(*(_shaped(v, like) for v in (mean, *axes)))


def plane_through(a: Params, b: Params, c: Params) -> Plane:
    """The plane through three solutions: a at (0, 0), b on the first axis, orthonormal axes. InputError if they are on a line."""
    origin, *ends = flat(jax.tree.map(lambda *x: jnp.stack(x), a, b, c))
    u, v = (end - origin for end in ends)
    length = float(np.linalg.norm(u))
    first = u / (length or 1.0)
    rest = v - (v @ first) * first
    if np.linalg.norm(rest) <= 1e-6 * np.linalg.norm(v) or length == 0:
        raise InputError("the three solutions lie on a line and span no plane")
    return Plane(*(_shaped(x, a) for x in (origin, first, rest / np.linalg.norm(rest))))


def coordinates(plane: Plane, snapshots: Params) -> np.ndarray:
    """(points, 2): where the point of the plane is that is nearest to each snapshot. By least squares, which unlike
    the cosine with each axis needs no orthogonal axes. InputError if the axes are parallel."""
    origin, *axes = (flat(tree, stacked=False) for tree in plane)
    found, _, rank, _ = np.linalg.lstsq(np.stack(axes, axis=1), (flat(snapshots) - origin).T, rcond=None)
    if rank < 2:
        raise InputError("the plane's two axes are parallel, or one is zero: it is no plane")
    return found.T


def explained(plane: Plane, snapshots: Params) -> np.ndarray:
    """(2,): the share of the snapshots' variance about their mean that lies along the first axis, and along what the second adds.

    Of a principal plane's own snapshots: the explained variance ratios of the PCA. The sum is the plane's share.
    """
    rows = flat(snapshots)
    rows = rows - rows.mean(axis=0)
    axes, _ = np.linalg.qr(np.stack([flat(plane.first, stacked=False), flat(plane.second, stacked=False)], axis=1))
    return np.sum((rows @ axes) ** 2, axis=0) / max(np.sum(rows**2), np.finfo(np.float64).tiny)


def surface(model: MLP, plane: Plane, X: Float[Array, "n n_in"], y: Array, xs: Any, ys: Any) -> Surface:
    """Loss and score on the grid xs x ys of the plane, in one compiled call."""
    xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
    points = np.stack([grid.ravel() for grid in np.meshgrid(xs, ys)], axis=1)
    loss, score = (v.reshape(len(ys), len(xs)) for v in _on_plane(model, plane, X, y, points))
    return Surface(plane, xs, ys, loss, score)


def shadow(model: MLP, plane: Plane, X: Float[Array, "n n_in"], y: Array, snapshots: Params) -> Shadow:
    """The snapshots' projections, with the loss there and at the snapshots themselves."""
    at = coordinates(plane, snapshots)
    return Shadow(at, measure(model, snapshots, X, y)[0], _on_plane(model, plane, X, y, at)[0])


def line(model: MLP, start: Params, end: Params, X: Float[Array, "n n_in"], y: Array, t: Any) -> Line:
    """Loss and score on the straight line from `start` (t = 0) to `end` (t = 1), in one compiled call."""
    start, end = _wide(start), _wide(end)
    way = Plane(start, jax.tree.map(jnp.subtract, end, start), jax.tree.map(jnp.zeros_like, start))
    t = np.asarray(t, np.float64)
    return Line(t, *_on_plane(model, way, X, y, np.stack([t, np.zeros_like(t)], axis=1)))


def measure(model: MLP, snapshots: Params, X: Float[Array, "n n_in"], y: Array) -> tuple[np.ndarray, np.ndarray]:
    """(loss, score) of each snapshot, as `evaluate` has them, in one compiled call."""
    loss, score = _measure(model, _wide(snapshots), X, y)
    return np.asarray(loss, np.float64), np.asarray(score, np.float64)


def flat(params: Params, stacked: bool = True) -> np.ndarray:
    """All parameters in float64, (points, weights) of stacked snapshots, or (weights,) of one."""
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params)]
    return np.concatenate([x.reshape(len(x), -1) if stacked else x.ravel() for x in leaves], axis=-1)


def _on_plane(model: MLP, plane: Plane, X: Any, y: Any, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(loss, score) at points (n, 2) of the plane."""
    chunk = max(1, min(CHUNK_NUMBERS // (X.shape[0] * max(model.sizes[1:])), len(points)))
    filled = np.concatenate([points, np.repeat(points[-1:], -len(points) % chunk, axis=0)])  # whole chunks: one program
    loss, score = _evaluate(model, chunk, plane, X, y, jnp.asarray(filled, plane.origin[0].W.dtype))
    return np.asarray(loss, np.float64)[: len(points)], np.asarray(score, np.float64)[: len(points)]


@partial(jit, static_argnums=2)
def _direction(params: Params, key: Array, biases: bool) -> Params:
    layers = []
    for l, (W, b) in enumerate(params):
        for_W, for_b = jax.random.split(jax.random.fold_in(key, l))
        D = jax.random.normal(for_W, W.shape, W.dtype)
        D = D * (jnp.linalg.norm(W, axis=1) / jnp.linalg.norm(D, axis=1))[:, None]
        layers.append(Layer(D, b * jax.random.rademacher(for_b, b.shape, b.dtype) if biases else jnp.zeros_like(b)))
    return tuple(layers)


@partial(jit, static_argnums=(0, 1))
def _evaluate(model: MLP, chunk: int, plane: Plane, X: Any, y: Any, points: Any) -> tuple[Array, Array]:
    if model.n_layers == 1:
        return jax.lax.map(lambda ab: lane.evaluate(model, plane.at(*ab), X, y), points, batch_size=chunk)
    # a[1] is linear in the coordinates: the product with the data, often the largest, is done three times and not at every point
    X = X.astype(plane.origin[0].W.dtype)
    start, *along = (X @ W.T + b for W, b in (tree[0] for tree in plane))
    rest = MLP(model.sizes[1:], model.activations[1:], model.loss, model.residual)
    above = Plane(*(tree[1:] for tree in plane))

    def at(ab: Array) -> tuple[Array, Array]:
        z = ACTIVATIONS[model.activations[0]].sigma(start + ab[0] * along[0] + ab[1] * along[1])
        return lane.evaluate(rest, above.at(*ab), z + X if model.skips[0] else z, y)

    return jax.lax.map(at, points, batch_size=chunk)


@partial(jit, static_argnums=0)
def _measure(model: MLP, snapshots: Params, X: Any, y: Any) -> tuple[Array, Array]:
    return jax.lax.map(lambda params: lane.evaluate(model, params, X, y), snapshots)


def _wide(params: Params) -> Params:
    """The parameters as arrays of float32 or float64."""
    return jax.tree.map(lambda x: jnp.asarray(x, widen(x.dtype)), params)


def _shaped(vector: np.ndarray, like: Params) -> Params:
    """A vector of all parameters in the shapes of `like`."""
    leaves, structure = jax.tree.flatten(like)
    cuts = np.cumsum([np.size(leaf) for leaf in leaves])[:-1]
    parts = np.split(vector, cuts)
    return jax.tree.unflatten(
        structure, [jnp.asarray(v.reshape(leaf.shape), widen(leaf.dtype)) for v, leaf in zip(parts, leaves, strict=True)]
    )
