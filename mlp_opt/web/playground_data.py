"""The Playground's data: sets that are made, rows that are pasted, and the features of a point.

All live on a plane from -SPAN to SPAN; pasted columns are moved and stretched onto -REACH to REACH of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..data import synthetic
from ..errors import InputError, check_name
from . import limits

SPAN, REACH = 6.0, 5.0
OWN = "own"


class Points(NamedTuple):
    """xy (n, 2) on the plane, y (n,): 0 and 1, or values in about -1 to 1; the first `train` rows are trained on.

    ranges: what -SPAN to SPAN of x and y mean, and -1 to 1 of the values.
    names: of the two columns and the target; classes: of label 0 and 1.
    """

    xy: np.ndarray
    y: np.ndarray
    train: int
    task: str
    ranges: tuple[tuple[float, float], ...] = ((-SPAN, SPAN), (-SPAN, SPAN), (-1.0, 1.0))
    names: tuple[str, ...] = ("x", "y", "target")
    classes: tuple[str, ...] = ("0", "1")


class Made(NamedTuple):
    """task, from a share of noise (0 to 1) to the generator's noise, and from its inputs to the plane."""

    task: str
    noise: Callable[[float], float]
    place: Callable[[np.ndarray], np.ndarray]


def _wide(X: np.ndarray) -> np.ndarray:
    return REACH * X


SETS = {
    "circle": Made("classification", lambda s: 0.5 * s, _wide),
    "xor": Made("classification", lambda s: 0.5 * s, _wide),
    "gaussians": Made("classification", lambda s: 0.35 + 1.3 * s, lambda X: 2 * X),
    "spiral": Made("classification", lambda s: 0.3 * s, _wide),
    "moons": Made("classification", lambda s: 0.8 * s, lambda X: 3 * (X - np.array([0.5, 0.25]))),
    "plane": Made("regression", lambda s: s, _wide),
    "bumps": Made("regression", lambda s: s, _wide),
}
FEATURES: dict[str, Callable[[Any, Any], Any]] = {
    "x": lambda x, y: x, "y": lambda x, y: y, "x2": lambda x, y: x**2, "y2": lambda x, y: y**2, "xy": lambda x, y: x * y,
    "sinx": lambda x, y: jnp.sin(x), "siny": lambda x, y: jnp.sin(y),
}  # fmt: skip
# Squares and products are divided by REACH: all features are of the size of x.
SCALES = {"x2": 1 / REACH, "y2": 1 / REACH, "xy": 1 / REACH}


def features(names: tuple[str, ...], xy: Any) -> Any:
    """The network's inputs (n, features) of points (n, 2)."""
    return jnp.stack([FEATURES[name](xy[:, 0], xy[:, 1]) * SCALES.get(name, 1.0) for name in names], axis=1)


def grid() -> np.ndarray:
    """The points of a map (limits.MAP^2, 2) float32, rows from low y to high."""
    at = np.linspace(-SPAN, SPAN, limits.MAP, dtype=np.float32)
    return np.stack([axis.ravel() for axis in np.meshgrid(at, at)], axis=1)


def made(name: str, noise: float, share: float, seed: int) -> Points:
    """A set of limits.POINTS, shuffled; `share` of them to train on."""
    about = SETS[check_name("data set", name, SETS)]
    X, y = synthetic.SETS[name](limits.POINTS, about.noise(noise), seed)
    return _split(Points(about.place(X), y.astype(float), 0, about.task), share, seed)


def own(text: str, share: float, seed: int) -> Points:
    """Points from pasted text, parsed as data only; InputError with the line that does not fit."""
    rows, names, lines = _rows(text)
    cells = list(zip(*rows, strict=True)) or [(), (), ()]
    xy = np.array([[_number(cell, line, names[k]) for cell, line in zip(cells[k], lines, strict=True)] for k in (0, 1)]).T
    if len(rows) < 4:
        raise InputError(f"the data has {len(rows)} rows of numbers, at least 4 are needed")
    labels = cells[2]
    classes = tuple(dict.fromkeys(sorted(labels)))
    ranges = [_range(xy[:, k], SPAN / REACH) for k in (0, 1)]
    plane = np.stack([_onto(xy[:, k], ranges[k], SPAN) for k in (0, 1)], axis=1)
    if len(classes) == 2:
        y = np.array([float(label == classes[1]) for label in labels])
        points = Points(plane, y, 0, "classification", (*ranges, (-1.0, 1.0)), names, classes)
    else:
        what = f"{names[2]}, of more than two kinds"
        values = np.array([_number(label, line, what) for label, line in zip(labels, lines, strict=True)])
        heights = _range(values, 1.0)
        points = Points(plane, _onto(values, heights, 1.0), 0, "regression", (*ranges, heights), names)
    return _split(points, share, seed)


def _rows(text: str) -> tuple[list[list[str]], tuple[str, ...], list[int]]:
    """Cells of three columns, their names, and the number of each row's line. A first line without numbers names the columns."""
    rows: list[list[str]] = []
    lines: list[int] = []
    names = ("x", "y", "target")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        separator = next((s for s in ("\t", ";", ",") if s in line), None)
        cells = [cell.strip().strip('"').strip() for cell in line.split(separator)]
        if len(cells) != 3 or not all(cells):
            raise InputError(
                f"line {number} of the data has {len([c for c in cells if c])} values, 3 are needed: two numbers and a label or target"
            )
        if not rows and not lines and names == ("x", "y", "target") and not any(_is_number(cell) for cell in cells[:2]):
            names = (cells[0][:24], cells[1][:24], cells[2][:24])
            continue
        if len(rows) == limits.OWN_ROWS:
            raise InputError(f"line {number} of the data: at most {limits.OWN_ROWS} rows are accepted")
        rows.append(cells)
        lines.append(number)
    return rows, names, lines


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _number(cell: str, line: int, name: str) -> float:
    if not _is_number(cell) or not abs(float(cell)) <= 1e30:
        raise InputError(f"line {line} of the data: {cell[:24]!r} is not a number ({name})")
    return float(cell)


def _range(values: np.ndarray, margin: float) -> tuple[float, float]:
    """What the plane's ends mean, so that the values fill all but the margin; one value alone stands in the middle."""
    low, high = float(values.min()), float(values.max())
    middle, half = (low + high) / 2, (high - low) / 2 or max(abs(low), 1.0)
    return middle - margin * half, middle + margin * half


def _onto(values: np.ndarray, ends: tuple[float, float], reach: float) -> np.ndarray:
    return reach * (2 * (values - ends[0]) / (ends[1] - ends[0]) - 1)


def _split(points: Points, share: float, seed: int) -> Points:
    n = len(points.y)
    order = np.random.default_rng(seed).permutation(n)
    train = min(max(round(n * share), 2), n - 1)
    return points._replace(xy=points.xy[order].astype(np.float32), y=points.y[order].astype(np.float32), train=train)
