"""What a table's columns are: numbers, categories, dates, free text, or nothing to learn from; and their cells as such.

A kind is inferred from the training table, where it is not given, and is kept with the model: later tables are read
by name as the same kinds. A cell is missing if it is empty or one of MISSING.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError, check_name

KINDS = ("number", "category", "date", "text", "drop")
MISSING = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "NaT", "null", "NULL", "Null", "<NA>", "#N/A", "#NA", "?")
NO_NUMBER = ("None", "none", "NONE", "-", "--", ".", "missing", "-nan", "#VALUE!", "#DIV/0!", "#NULL!", "#REF!", "#NUM!")  # nor a date
MOSTLY = 0.9  # of a column's cells: what so many are, the column is; the others are refused by name
TRUTHS = {"true": 1, "false": 0, "yes": 1, "no": 0, "t": 1, "f": 0, "y": 1, "n": 0, "1": 1, "0": 0}
DATES = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%d %H:%M:%S%.f%:z",
    "%Y-%m-%dT%H:%M:%S%.f%:z",
    "%Y/%m/%d",
    "%d.%m.%Y",
)
THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$"


def is_table(data: Any) -> bool:
    """Whether `data` has named columns: a data frame or a dictionary of columns."""
    return isinstance(data, Mapping) or hasattr(data, "columns")


def frame(data: Any) -> pl.DataFrame:
    """A polars or pandas data frame, or a dictionary of columns, as a polars data frame."""
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if not isinstance(data, Mapping) and not (hasattr(data, "columns") and hasattr(data, "iloc")):
        raise InputError(f"a table is a polars or pandas data frame or a dictionary of columns, not {type(data).__name__}")
    names = [str(name) for name in data]
    if len(set(names)) < len(names):
        raise InputError(f"the column name {next(n for n in names if names.count(n) > 1)!r} stands twice in the table")
    try:
        return pl.DataFrame({str(name): _series(data[name]) for name in data})
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise InputError(f"the table's columns do not fit together: {error}") from error


def _series(values: Any) -> Any:
    """A pandas column as one of polars, without pyarrow; other columns as they are."""
    dtype = getattr(values, "dtype", None)
    if dtype is None or not hasattr(values, "isna"):
        return values
    missing, kind = np.asarray(values.isna()), getattr(dtype, "kind", "")
    if str(dtype) == "category":
        return pl.Series([None if gone else str(v) for v, gone in zip(values, missing, strict=True)], dtype=pl.Categorical)
    if kind == "f":
        return pl.Series(values.to_numpy(dtype=float, na_value=np.nan)).fill_nan(None)
    if kind in "biu" and kind and not missing.any():
        return pl.Series(values.to_numpy(dtype={"b": bool, "i": np.int64, "u": np.uint64}[kind]))
    if kind == "M":
        naive = values.dt.tz_convert(None) if getattr(dtype, "tz", None) is not None else values  # in UTC
        return pl.Series(naive.to_numpy().astype("datetime64[us]"))
    cells = [None if gone else v for v, gone in zip(values, missing, strict=True)]
    return pl.Series([v.item() if isinstance(v, np.generic) else v for v in cells], strict=False)


def text(series: pl.Series) -> pl.Series:
    """Cells as stripped text, null where missing. InputError for a column of lists and the like, or bytes that are no text."""
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Duration, pl.Time):
        raise InputError(f"column {series.name!r} holds {series.dtype}, which is neither number, text nor date")
    try:
        cells = series.cast(pl.String).str.strip_chars()
    except pl.exceptions.PolarsError as error:
        raise InputError(f"column {series.name!r} holds bytes that are not UTF-8 text") from error
    return cells.set(cells.is_in(list(MISSING)), None)


def _without(cells: pl.Series, words: tuple[str, ...]) -> pl.Series:
    return cells.set(cells.is_in(list(words)).fill_null(False), None)


def present(series: pl.Series) -> pl.Series:
    """Which cells are not missing."""
    return series.fill_nan(None).is_not_null() if series.dtype.is_float() else text(series).is_not_null()


def kind_of(series: pl.Series) -> tuple[str, str]:
    """(kind, why) that a column seems to be; why is "" unless the kind is "drop"."""
    dtype = series.dtype
    series = series.fill_nan(None) if dtype.is_float() else series
    if series.null_count() == len(series):
        return "drop", "holds no value"
    if dtype.is_numeric():
        return _number(series.drop_nulls(), dtype.is_integer(), len(series))
    if dtype == pl.Boolean:
        return ("category", "") if series.n_unique() > 1 else ("drop", "is always the same")
    if dtype in (pl.Date, pl.Datetime):
        return "date", ""
    if dtype in (pl.Categorical, pl.Enum):
        return ("category", "") if series.n_unique() > 1 else ("drop", "is always the same")
    if dtype not in (pl.String, pl.Binary):
        return "drop", f"holds {dtype}, which is neither number, text nor date"
    cells = text(series)
    some = cells.drop_nulls()
    if not len(some):
        return "drop", "holds no value"
    plain = _without(some, NO_NUMBER).drop_nulls()
    numbers = _numbers(plain)
    found = len(numbers) - numbers.null_count()
    if found and found >= MOSTLY * len(plain) and not some.str.contains(r"^[+-]?0\d+$").any():  # 007 is a name
        return _number(numbers.drop_nulls(), not some.str.contains(r"[.eE]").any(), len(series))
    dates = _dates(plain)
    if len(plain) and len(plain) - dates.null_count() >= MOSTLY * len(plain):
        return "date", ""
    return _words(some, len(series))


def _number(some: pl.Series, whole: bool, rows: int) -> tuple[str, str]:
    if some.name in ("", "rownames", "Unnamed: 0", "unnamed_0", "index") and whole and (some.diff().drop_nulls() == 1).all():
        return "drop", "counts the rows"
    return ("drop", "is always the same") if len(some) == rows and (some == some[0]).all() else ("number", "")


def _words(some: pl.Series, rows: int) -> tuple[str, str]:
    """Category, text, or an identifier that says nothing about other rows."""
    distinct = some.n_unique()
    if distinct == 1 and len(some) == rows:
        return "drop", "is always the same"
    words = float(some.str.split(" ").list.len().mean())  # type: ignore[arg-type]
    if words >= 3 and distinct > max(20, 0.2 * len(some)):
        return "text", ""
    if len(some) >= 50 and distinct > 0.9 * len(some):
        return "drop", "has a value of its own in nearly every row (an identifier?)"
    return "category", ""


def _numbers(cells: pl.Series) -> pl.Series:
    """Text as float64, with or without thousands separators; null where it is no number."""
    numbers = cells.cast(pl.Float64, strict=False)
    if numbers.null_count() == cells.null_count() or not cells.str.contains(THOUSANDS).any():
        return numbers
    return numbers.zip_with(
        numbers.is_not_null(), cells.set(~cells.str.contains(THOUSANDS), None).str.replace_all(",", "").cast(pl.Float64)
    )


def _dates(cells: pl.Series) -> pl.Series:
    """Text as moments (UTC where an offset says so) by the one of DATES that fits most cells; null where it does not."""
    best = None
    for form in DATES:
        found = cells.str.to_datetime(form, strict=False, exact=True, time_unit="us")
        found = found.dt.replace_time_zone(None)
        found = found.set(found.dt.year().fill_null(9999) < 1000, None)  # 01.02.26 is no year 26
        if best is None or found.null_count() < best.null_count():
            best = found
        if best.null_count() == cells.null_count():
            break
    assert best is not None
    return best


def as_kind(series: pl.Series, kind: str, where: str) -> pl.Series:
    """The column's cells as its kind: Float64, String or Datetime. InputError names the first cell that is none."""
    if kind == "number":
        return _as_numbers(series, where)
    if kind == "date":
        return _as_dates(series, where)
    if kind == "text":
        return text(series)
    if series.dtype.is_float():
        digits = 7 if series.dtype == pl.Float32 else 15
        return series.fill_nan(None).map_elements(lambda v: f"{v:.{digits}g}", return_dtype=pl.String)
    # One category, however it is written: 1.0 and 1, True and true.
    cells = text(series).str.replace(r"^([+-]?\d+)\.0+$", "${1}")
    lower = cells.str.to_lowercase()
    return cells.zip_with(~lower.is_in(["true", "false"]).fill_null(False), lower)


def _as_numbers(series: pl.Series, where: str) -> pl.Series:
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        numbers = series.cast(pl.Float64).fill_nan(None)
    else:
        cells = _without(text(series), NO_NUMBER)
        numbers = _numbers(cells)
        _refuse(cells, numbers, "number", where)
    bad = numbers.is_infinite().fill_null(False).arg_true()
    if len(bad):
        row = int(bad[0]) + 1
        raise InputError(
            f"{where}: column {series.name!r}, row {row} holds {numbers[row - 1]}; numbers must be finite, or empty where missing"
        )
    return numbers


def _as_dates(series: pl.Series, where: str) -> pl.Series:
    if series.dtype == pl.Date:
        return series.cast(pl.Datetime("us"))
    if isinstance(series.dtype, pl.Datetime):
        utc = series.dt.convert_time_zone("UTC") if series.dtype.time_zone else series
        return utc.dt.replace_time_zone(None).dt.cast_time_unit("us")
    cells = _without(text(series), NO_NUMBER)
    found = _dates(cells)
    _refuse(cells, found, "date", where)
    return found


def _refuse(cells: pl.Series, found: pl.Series, kind: str, where: str) -> None:
    bad = (cells.is_not_null() & found.is_null()).arg_true()
    if len(bad):
        row = int(bad[0]) + 1
        shown = cells[row - 1] if len(cells[row - 1]) <= 40 else cells[row - 1][:40] + "..."
        hint = "a number" if kind == "number" else "a date such as 2026-01-31 or 2026-01-31 12:00"
        raise InputError(f"{where}: column {cells.name!r}, row {row} holds {shown!r}, which is not {hint}")


def check_kinds(given: Mapping[str, str], names: list[str], where: str) -> None:
    """InputError for a kind that is none or a column that is not there."""
    for name, kind in given.items():
        check_name(f"column of {where}", name, names)
        check_name(f"kind for column {name!r}", kind, KINDS)
