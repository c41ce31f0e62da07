"""Rows as a network's inputs, and targets as it learns them: fitted on training rows only, saved as plain numbers.

    numbers     missing ones replaced by the median (with an input that says so), then scaled
    dates       five numbers: days since 1970 and the sine and cosine of the time of the year and of the week
                (seven with a clock: of the day, too), then as numbers
    categories  one input a value; rare values share one with those never seen; missing has its own
    text        words and pairs of words, hashed, weighed by TF-IDF

Fitted by scikit-learn's transformers; what they found is kept as arrays and lists, so that a saved encoder computes
the same bits as the fitted one and holds no code.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError, check_name
from . import columns
from .dataset import Dataset, Rows

SCALINGS = ("auto", "standard", "robust", "range", "none")
LIMIT = 3.0  # what robust scaling bounds numbers to, smoothly
MOST_VALUES = 100  # of a category that get an input of their own
WORDS = 1024  # inputs of a text column
CHUNK = 8192  # rows encoded at a time


@dataclass(frozen=True)
class Numbers:
    """x' = (x - shift) / scale for each of k columns; where limit is finite then x' / sqrt(1 + (x'/limit)^2).

    shift, scale, fill: (k,) float64. flagged: the columns (by place) whose missing cells get an input of their own.
    """

    shift: np.ndarray
    scale: np.ndarray
    fill: np.ndarray
    flagged: tuple[int, ...]
    limit: float

    @property
    def width(self) -> int:
        return len(self.shift) + len(self.flagged)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """X (n, k) float64, NaN where missing -> (n, width)."""
        missing = np.isnan(X)
        with np.errstate(over="ignore"):
            out = (np.where(missing, self.fill, X) if missing.any() else X) - self.shift
            out /= self.scale
        if np.isfinite(self.limit):
            out = np.clip(out, -1e100, 1e100)
            out /= np.sqrt(1 + (out / self.limit) ** 2)
        return np.hstack([out, missing[:, list(self.flagged)]]) if self.flagged else out


@dataclass(frozen=True)
class Category:
    """One input for each of `values`, then one for rare values and those never seen (if `rare`), then one for missing ones
    (if `missing`). What has no input of its own is all zeros."""

    name: str
    values: tuple[str, ...]
    rare: bool
    missing: bool

    @property
    def width(self) -> int:
        return len(self.values) + self.rare + self.missing

    def fill(self, cells: pl.Series, out: np.ndarray) -> None:
        """cells (n,) text; out (n, width) zeros."""
        other = len(self.values) if self.rare else -1
        places = {value: i for i, value in enumerate(self.values)}
        at = cells.replace_strict(places, default=other, return_dtype=pl.Int64).to_numpy().copy()
        at[cells.is_null().to_numpy()] = self.width - 1 if self.missing else other
        rows = np.flatnonzero(at >= 0)
        out[rows, at[rows]] = 1


@dataclass(frozen=True)
class Text:
    """TF-IDF of hashed words and pairs of words: rows of length sqrt(width), so that a square is 1 on average. idf: (width,)."""

    name: str
    idf: np.ndarray

    @property
    def width(self) -> int:
        return len(self.idf)

    def fill(self, cells: pl.Series, out: np.ndarray) -> None:
        """cells (n,) text; out (n, width)."""
        weigh = _tfidf()
        weigh.idf_ = self.idf
        out[:] = weigh.transform(_counts(cells, self.width)).toarray() * np.sqrt(self.width)


@dataclass(frozen=True)
class Encoder:
    """features: the columns of the rows as they come, with their kinds (all "number" for an array). y_shift and y_scale: ()
    or (targets,), of a regression. pad: inputs that are always 0, which give the folds of a sweep one width."""

    features: tuple[str, ...]
    kinds: tuple[str, ...]
    numbers: Numbers
    dates: tuple[tuple[str, bool], ...]
    categories: tuple[Category, ...]
    texts: tuple[Text, ...]
    y_shift: np.ndarray
    y_scale: np.ndarray
    pad: int = 0

    @property
    def width(self) -> int:
        """Inputs of the network."""
        return self.numbers.width + sum(block.width for block in self.blocks) + self.pad

    @property
    def blocks(self) -> tuple[Category | Text, ...]:
        """What follows the numbers."""
        return (*self.categories, *self.texts)

    def _matrix(self, table: pl.DataFrame) -> np.ndarray:
        return matrix(table, [n for n, k in zip(self.features, self.kinds, strict=True) if k == "number"], self.dates)

    @property
    def plain(self) -> bool:
        """Whether all columns are numbers, so that rows may come as an array."""
        return set(self.kinds) <= {"number"}

    def X(self, rows: Rows, dtype: Any = np.float64, where: str = "the table") -> np.ndarray:
        """Rows as they come, an array (n, features) or a table, as inputs (n, width) of `dtype` (float32 or float64)."""
        rows = self.typed(rows, where) if columns.is_table(rows) else self._array(np.asarray(rows))
        out = _aligned(len(rows), self.width, np.dtype(dtype))
        for first in range(0, len(rows), CHUNK):
            self._fill(rows[first : first + CHUNK], out[first : first + CHUNK])
        return out

    def _array(self, X: np.ndarray) -> np.ndarray:
        if not self.plain or X.ndim != 2 or X.shape[1] != len(self.features) or X.dtype.kind not in "biuf":
            wanted = (
                "a table with the columns " + ", ".join(self.features[:8]) if not self.plain else f"numbers, (rows, {len(self.features)})"
            )
            raise InputError(f"X of shape {X.shape} and type {X.dtype} does not fit the model: give {wanted}")
        return X.astype(np.float64, copy=False)

    def typed(self, rows: Any, where: str = "the table") -> pl.DataFrame:
        """The columns of a table that the encoder reads, by name, as their kinds. InputError if one is missing or does not fit."""
        table = columns.frame(rows)
        there = set(table.columns)
        for name in self.features:
            if name not in there:
                check_name(f"column in {where}: it has no", name, table.columns)
        return pl.DataFrame({n: columns.as_kind(table[n], k, where) for n, k in zip(self.features, self.kinds, strict=True)})

    def _fill(self, rows: Rows, out: np.ndarray) -> None:
        end = self.numbers.width
        out[:, :end] = self.numbers(rows if isinstance(rows, np.ndarray) else self._matrix(rows))
        for block in self.blocks:
            block.fill(rows[block.name], out[:, end : end + block.width])
            end += block.width

    def y(self, y: np.ndarray) -> np.ndarray:
        """Labels as they are, values scaled."""
        return y if np.issubdtype(y.dtype, np.integer) else (y - self.y_shift) / self.y_scale

    def values(self, y_hat: np.ndarray) -> np.ndarray:
        """Predictions (n, targets) back in the units of the data."""
        return y_hat * self.y_scale + self.y_shift

    def plan(self) -> str:
        """What becomes of the columns, for people."""
        kinds = [f"{self.kinds.count(k)} {k if self.kinds.count(k) == 1 else many}" for k, many in _MANY.items() if k in self.kinds]
        return f"{', '.join(kinds)} -> {self.width:,} inputs"


_MANY = {"number": "numbers", "category": "categories", "date": "dates", "text": "texts"}


def matrix(table: pl.DataFrame, numbers: Sequence[str], dates: Sequence[tuple[str, bool]]) -> np.ndarray:
    """The numbers of a typed table and then its dates as numbers: (n, k) float64, NaN where missing."""
    parts = [table[name].to_numpy() for name in numbers] + [part for name, clock in dates for part in _moments(table[name], clock)]
    return np.stack(parts, axis=1) if parts else np.zeros((len(table), 0))


def _aligned(rows: int, width: int, dtype: np.dtype) -> np.ndarray:
    """Zeros at an address that is a multiple of 64, which JAX reads where they are instead of copying them."""
    size = rows * width * dtype.itemsize
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(rows, width)


def _moments(when: pl.Series, clock: bool) -> Iterator[np.ndarray]:
    """A date as numbers: days since 1970, and where it stands in the year, the week and (with a clock) the day."""
    days = when.cast(pl.Int64).cast(pl.Float64).to_numpy() / 86_400e6
    year = when.dt.ordinal_day().cast(pl.Float64).to_numpy() / 365.25
    yield days if clock else np.floor(days)
    for turn in (year, np.floor(days) / 7, *((days,) if clock else ())):
        yield np.sin(2 * np.pi * turn)
        yield np.cos(2 * np.pi * turn)


def fit(data: Dataset, rows: Rows, y: np.ndarray, scaling: str) -> Encoder:
    """Fit on training rows. `scaling` of numbers: "standard" (mean 0, deviation 1 a column), "robust" (median 0, the
    quartiles' distance as that of a unit normal, smoothly bounded to +-3: Holzmuller et al. 2024), "range" (all columns
    together to [0, 1], for pixels), "none"; "auto" is robust for tables and standard for arrays. Values of a regression
    are always standardized.
    """
    check_name("scaling", scaling, SCALINGS)
    table = isinstance(rows, pl.DataFrame)
    scaling = ("robust" if table else "standard") if scaling == "auto" else scaling
    kinds = tuple(data.kinds[name] for name in data.features) if table else ("number",) * len(data.features)
    of = {kind: [n for n, k in zip(data.features, kinds, strict=True) if k == kind] for kind in columns.KINDS}
    dates = tuple((n, bool((rows[n].dt.time() != datetime.time(0)).any())) for n in of["date"])
    numbers = _fit_numbers(matrix(rows, of["number"], dates) if table else rows, scaling)
    wild = np.flatnonzero(~np.isfinite(numbers.shift) | ~np.isfinite(numbers.scale))
    if len(wild):
        names = [*of["number"], *(n for n, _ in dates for _ in range(7))] if table else data.features
        raise InputError(f"{data.name}: the numbers of {names[wild[0]]} are too large to be scaled; give them in another unit")
    categories, texts = tuple(_fit_category(rows[n]) for n in of["category"]), tuple(_fit_text(rows[n]) for n in of["text"])
    return Encoder(data.features, kinds, numbers, dates, categories, texts, *_fit_target(y, data.task))


def one_width(encoders: Sequence[Encoder]) -> list[Encoder]:
    """The encoders, padded to the widest."""
    most = max(encoder.width for encoder in encoders)
    return [dataclasses.replace(e, pad=e.pad + most - e.width) for e in encoders]


def _fit_numbers(X: np.ndarray, scaling: str) -> Numbers:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import RobustScaler, StandardScaler

    k = X.shape[1]
    shift, scale, fill, missing = np.zeros(k), np.ones(k), np.zeros(k), np.isnan(X).any(axis=0)
    if missing.any():
        imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(X)
        fill, X = imputer.statistics_, imputer.transform(X)
    elif k:  # a cell may be missing later that never was before
        fill = np.median(X.T.copy(), axis=1, overwrite_input=True)  # of rows in memory: a quarter less time
    if k and scaling == "standard":
        fitted = StandardScaler().fit(X)
        shift, scale = fitted.mean_, fitted.scale_
    elif k and scaling == "range":
        low, high = X.min(), X.max()
        shift, scale = np.full(k, low), np.full(k, high - low or 1.0)
    elif k and scaling == "robust":
        with np.errstate(over="ignore"):
            quartiles = RobustScaler(unit_variance=True).fit(X)
            spread = X.max(axis=0) / 2 - X.min(axis=0) / 2  # where half of the cells are one value
        flat = np.ptp(np.percentile(X, (25, 75), axis=0), axis=0) == 0
        shift = quartiles.center_
        scale = np.where(flat, np.where(spread > 0, spread, 1.0), quartiles.scale_)
    flagged = tuple(int(i) for i in np.flatnonzero(missing))
    return Numbers(shift, scale, fill, flagged, LIMIT if scaling == "robust" else np.inf)


def _fit_category(cells: pl.Series) -> Category:
    """Values of fewer rows than 1 in 1,000 (and of a single row) are rare, and all but the MOST_VALUES most frequent."""
    from sklearn.preprocessing import OneHotEncoder

    some = cells.drop_nulls()
    if not len(some):
        return Category(cells.name, (), False, True)
    least = max(2, len(cells) // 1000)
    fitted = OneHotEncoder(min_frequency=least, max_categories=MOST_VALUES + 1, handle_unknown="infrequent_if_exist")
    fitted.fit(some.to_numpy().astype(object)[:, None])
    rare = fitted.infrequent_categories_[0]
    left_out = set() if rare is None else set(rare)
    values = tuple(str(v) for v in fitted.categories_[0] if v not in left_out)
    return Category(cells.name, values, rare is not None, bool(cells.null_count()))


def _fit_text(cells: pl.Series) -> Text:
    return Text(cells.name, _tfidf().fit(_counts(cells, WORDS)).idf_)


def _counts(cells: pl.Series, width: int) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(n_features=width, ngram_range=(1, 2), norm=None, alternate_sign=False)
    return hashed.transform(cells.fill_null("").to_list())


def _tfidf() -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer

    return TfidfTransformer(sublinear_tf=True)


def _fit_target(y: np.ndarray, task: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.preprocessing import StandardScaler

    if task != "regression":
        return np.zeros(()), np.ones(())
    fitted = StandardScaler().fit(y.reshape(len(y), -1))
    return (fitted.mean_, fitted.scale_) if y.ndim > 1 else (np.asarray(fitted.mean_[0]), np.asarray(fitted.scale_[0]))
