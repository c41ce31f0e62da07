"""Training, validation and test parts, and scaling fitted on the training part only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import InputError, check_name
from .sources import Dataset

SCALINGS = ("standard", "range", "none")


class Part(NamedTuple):
    """Rows of a data set as they come, before scaling."""

    X: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Scaler:
    """Affine scaling: X' = (X - x_shift) / x_scale, and for regression y' = (y - y_shift) / y_scale."""

    x_shift: np.ndarray
    x_scale: np.ndarray
    y_shift: np.ndarray
    y_scale: np.ndarray

    def X(self, X: np.ndarray) -> np.ndarray:
        return (np.asarray(X, np.float64) - self.x_shift) / self.x_scale

    def y(self, y: np.ndarray) -> np.ndarray:
        """Labels as they are, values scaled."""
        return y if np.issubdtype(y.dtype, np.integer) else (y - self.y_shift) / self.y_scale

    def values(self, y_hat: np.ndarray) -> np.ndarray:
        """Predictions back in the units of the data."""
        return y_hat * self.y_scale + self.y_shift


def split(data: Dataset, test_size: float, validation: float, seed: int) -> tuple[Part, Part | None, Part | None]:
    """(train, validation or None, test or None) by scikit-learn's train_test_split, stratified where there are classes.

    test_size is the share of all rows, validation the share of the rows that are left.
    """
    from sklearn.model_selection import train_test_split

    def cut(X: np.ndarray, y: np.ndarray, share: float) -> tuple[Part, Part]:
        classes = y if np.issubdtype(y.dtype, np.integer) else None
        try:
            X1, X2, y1, y2 = train_test_split(X, y, test_size=share, random_state=seed, stratify=classes)
        except ValueError as error:
            raise InputError(f"cannot set aside {share} of {len(y)} rows of {data.name}: {error}") from error
        return Part(X1, y1), Part(X2, y2)

    train, test = (Part(data.X, data.y), None) if test_size == 0 else cut(data.X, data.y, test_size)
    if validation == 0:
        return train, None, test
    return *cut(*train, validation), test


def folds(rows: Part, k: int, seed: int, name: str) -> list[tuple[Part, Part]]:
    """k (training, validation) pairs by scikit-learn's (Stratified)KFold, shuffled.

    All pairs are of one size, so that they are one compiled program: where k does not divide the rows, the last
    rows of the larger parts are left out (at most a few of either).
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    labels = np.issubdtype(rows.y.dtype, np.integer)
    if k > len(rows.y) or (labels and k > np.bincount(rows.y)[np.unique(rows.y)].min()):
        most = np.bincount(rows.y)[np.unique(rows.y)].min() if labels else len(rows.y)
        raise InputError(f"folds must be at most {most}, the rows of {name}{' in its rarest class' if labels else ''}, got {k}")
    pairs = list((StratifiedKFold if labels else KFold)(k, shuffle=True, random_state=seed).split(rows.X, rows.y))
    n, m = min(len(train) for train, _ in pairs), min(len(val) for _, val in pairs)
    order = np.random.default_rng(seed)
    pairs = [(np.sort(order.permutation(train)[:n]), np.sort(order.permutation(val)[:m])) for train, val in pairs]
    return [(Part(rows.X[a], rows.y[a]), Part(rows.X[b], rows.y[b])) for a, b in pairs]


def fit_scaler(train: Part, scaling: str) -> Scaler:
    """Fit on the training part. "standard": mean 0, deviation 1 a column; "range": every column by the
    range of all of X together, to [0, 1] (pixels); "none". Values of a regression are always standardized.
    """
    check_name("scaling", scaling, SCALINGS)
    from sklearn.preprocessing import StandardScaler

    columns = train.X.shape[1]
    shift, scale = np.zeros(columns), np.ones(columns)
    if scaling == "standard":
        fitted = StandardScaler().fit(train.X)
        shift, scale = fitted.mean_, fitted.scale_
    elif scaling == "range":
        low, high = train.X.min(), train.X.max()
        shift, scale = np.full(columns, low), np.full(columns, high - low or 1.0)
    if np.issubdtype(train.y.dtype, np.integer):
        return Scaler(shift, scale, np.zeros(()), np.ones(()))
    target = StandardScaler().fit(train.y[:, None])
    return Scaler(shift, scale, np.asarray(target.mean_[0]), np.asarray(target.scale_[0]))
