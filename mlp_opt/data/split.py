"""Training, validation and test parts of a data set, and folds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .dataset import Dataset, Rows


class Part(NamedTuple):
    """Rows of a data set as they come, before encoding."""

    X: Rows
    y: np.ndarray

    def take(self, rows: np.ndarray) -> Part:
        return Part(self.X[rows], self.y[rows])


def split(data: Dataset, test_size: float, validation: float, seed: int) -> tuple[Part, Part | None, Part | None]:
    """(train, validation or None, test or None) by scikit-learn's train_test_split, stratified where there are classes.

    test_size is the share of all rows, validation the share of the rows that are left.
    """
    from sklearn.model_selection import train_test_split

    def cut(part: Part, share: float, what: str) -> tuple[Part, Part]:
        classes = part.y if np.issubdtype(part.y.dtype, np.integer) else None
        try:
            first, second = train_test_split(np.arange(len(part.y)), test_size=share, random_state=seed, stratify=classes)
        except ValueError as error:
            each = "" if classes is None else ", and of each class one"
            raise InputError(
                f"cannot set aside {share} of {len(part.y)} rows of {data.name} for {what}: both parts need a row{each}; "
                f"try another {'test_size' if what == 'the test' else 'validation'}"
            ) from error
        return part.take(first), part.take(second)

    whole = Part(data.X, data.y)
    train, test = (whole, None) if test_size == 0 else cut(whole, test_size, "the test")
    if validation == 0:
        return train, None, test
    return *cut(train, validation, "validation"), test


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
    pairs = list((StratifiedKFold if labels else KFold)(k, shuffle=True, random_state=seed).split(np.zeros(len(rows.y)), rows.y))
    n, m = min(len(train) for train, _ in pairs), min(len(val) for _, val in pairs)
    order = np.random.default_rng(seed)
    pairs = [(np.sort(order.permutation(train)[:n]), np.sort(order.permutation(val)[:m])) for train, val in pairs]
    return [(rows.take(a), rows.take(b)) for a, b in pairs]
