"""Two-dimensional toy sets in the manner of TensorFlow Playground, and two functions to fit.

Each returns X (n, d) and y (n,): labels 0 and 1 in equal numbers, or values. Gaussian noise of
standard deviation `noise` is added to the inputs of the classes, to the values of the functions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

XY = tuple[np.ndarray, np.ndarray]


def _halves(n: int) -> np.ndarray:
    return (np.arange(n) >= n // 2).astype(np.int64)


def gaussians(n: int = 500, noise: float = 0.5, seed: int = 0) -> XY:
    """Clouds around (-1, -1) and (1, 1)."""
    rng, y = np.random.default_rng(seed), _halves(n)
    return np.where(y[:, None] == 0, -1.0, 1.0) + noise * rng.normal(size=(n, 2)), y


def circle(n: int = 500, noise: float = 0.05, seed: int = 0) -> XY:
    """Label 1 in the disc of radius 0.5, label 0 in the ring from 0.7 to 1."""
    rng, y = np.random.default_rng(seed), _halves(n)
    radius = np.where(y == 1, rng.uniform(0, 0.5, n), rng.uniform(0.7, 1.0, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    X = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return X + noise * rng.normal(size=(n, 2)), y


def xor(n: int = 500, noise: float = 0.05, seed: int = 0) -> XY:
    """Label 1 where x1 and x2 have the same sign, in the square [-1, 1]^2 with a gap around the axes."""
    rng, y = np.random.default_rng(seed), _halves(n)
    first = rng.uniform(0.1, 1.0, n) * rng.choice([-1, 1], n)
    second = rng.uniform(0.1, 1.0, n) * np.sign(first) * np.where(y == 1, 1, -1)
    return np.stack([first, second], axis=1) + noise * rng.normal(size=(n, 2)), y


def spiral(n: int = 500, noise: float = 0.02, seed: int = 0) -> XY:
    """Two spirals of one and three quarter turns, half a turn apart."""
    rng, y = np.random.default_rng(seed), _halves(n)
    along = rng.uniform(0.05, 1.0, n)
    angle = 1.75 * 2 * np.pi * along + np.pi * y
    X = along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return X + noise * rng.normal(size=(n, 2)), y


def moons(n: int = 500, noise: float = 0.1, seed: int = 0) -> XY:
    """Two half circles, the second upside down and shifted to (1, 0.5)."""
    rng, y = np.random.default_rng(seed), _halves(n)
    angle = rng.uniform(0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    return np.where(y[:, None] == 0, upper, lower) + noise * rng.normal(size=(n, 2)), y


def plane(n: int = 500, noise: float = 0.05, seed: int = 0) -> XY:
    """y = 0.7 x1 + 0.3 x2 on [-1, 1]^2."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    return X, X @ np.array([0.7, 0.3]) + noise * rng.normal(size=n)


def bumps(n: int = 500, noise: float = 0.05, seed: int = 0) -> XY:
    """Six cones in two rows, heights 1 and -1 in turn, on [-1, 1]^2; 0 between them."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    centers = np.array([[x, y] for y in (0.5, -0.5) for x in (-0.8, 0.0, 0.8)])
    signs = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    distance = np.linalg.norm(X[:, None] - centers, axis=-1)
    return X, np.sum(signs * np.maximum(1 - distance / 0.4, 0), axis=1) + noise * rng.normal(size=n)


def sine(n: int = 500, noise: float = 0.05, seed: int = 0) -> XY:
    """y = sin(2 pi x) on [-1, 1]."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 1))
    return X, np.sin(2 * np.pi * X[:, 0]) + noise * rng.normal(size=n)


SETS: dict[str, Callable[..., XY]] = {f.__name__: f for f in (gaussians, circle, xor, spiral, moons, plane, bumps, sine)}
