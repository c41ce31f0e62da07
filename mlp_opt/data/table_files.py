"""Tables on disk, a few rows at a time: CSV (plain or gz), Parquet, npz. Cells of a CSV come as text; `columns` says what they are.

A CSV is UTF-8 with a header line; its separator is the one of , ; tab | that the header holds most often. Quotes are
RFC 4180's. Every row must have as many cells as the header: a table that does not is refused, not guessed at.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from ..errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".npz")
ROWS = 65_536  # of a batch
BLOCK = 8_000_000  # bytes of CSV read at a time


def is_file(name: str) -> bool:
    """Whether a data set's name means a file."""
    return name.lower().endswith(SUFFIXES) or "/" in name or Path(name).is_file()


def read(path: str | Path) -> pl.DataFrame:
    """The whole table. InputError names the file and what is wrong with it."""
    return pl.concat(list(batches(path)))


def batches(path: str | Path, rows: int = ROWS) -> Iterator[pl.DataFrame]:
    """The table in pieces of `rows` rows, the last one shorter; memory holds one piece (of an npz, all of it)."""
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give a file: {', '.join(SUFFIXES)}")
        if not path.name.lower().endswith(SUFFIXES):
            raise InputError(f"{path} is no table that can be read; accepted: {', '.join(SUFFIXES)}")
        kind = path.suffix.lower()
        pieces = _parquet(path, rows) if kind == ".parquet" else _npz(path) if kind == ".npz" else _csv(path)
        yield from _regular(pieces, rows, path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _regular(pieces: Iterator[pl.DataFrame], rows: int, path: Path) -> Iterator[pl.DataFrame]:
    """The same rows in pieces of exactly `rows`, so that what is computed for a row does not depend on the file's blocks."""
    held: list[pl.DataFrame] = []
    total = count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        total += len(piece)
        while count >= rows:
            whole = pl.concat(held)
            yield whole[:rows]
            held, count = [whole[rows:]], count - rows
    if total == 0:
        raise InputError(f"{path} holds no rows")
    if count:
        yield pl.concat(held)


# --- Parquet and npz ---


def _parquet(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    with open(path, "rb") as file:
        if file.read(4) != b"PAR1":
            raise InputError(f"{path} is not a Parquet file")
    try:
        table = pl.scan_parquet(path, glob=False)
        total = table.select(pl.len()).collect().item()
        for first in range(0, total, rows):
            yield table.slice(first, rows).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"{path} is damaged: {_first_line(error)}") from error


def _npz(path: Path) -> Iterator[pl.DataFrame]:
    """Arrays of one length: 1-D ones are columns, a 2-D array `X` is the columns X0, X1, ..."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {name: np.asarray(found[name]) for name in found.files}
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, AttributeError) as error:
        raise InputError(f"{path} cannot be read as npz: {_first_line(error)}") from error
    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim == 0 or array.ndim > 2 or array.dtype.kind not in "biufUSM":
            raise InputError(f"{path}: the array {name!r} of shape {array.shape} and type {array.dtype} is no column of a table")
        found_columns = {name: array} if array.ndim == 1 else {f"{name}{i}": array[:, i] for i in range(array.shape[1])}
        if found_columns.keys() & columns.keys():
            raise InputError(f"{path}: two arrays make the column {sorted(found_columns.keys() & columns.keys())[0]!r}")
        columns |= found_columns
    lengths = {name: len(array) for name, array in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{path}: the arrays have different lengths: {', '.join(f'{k} {n}' for k, n in list(lengths.items())[:6])}")
    try:
        yield pl.DataFrame({k: np.char.decode(a, "utf-8") if a.dtype.kind == "S" else a for k, a in columns.items()})
    except UnicodeDecodeError as error:
        raise InputError(f"{path} holds bytes that are not UTF-8 text") from error
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: an array is no column of a table: {_first_line(error)}") from error


# --- CSV ---


def _csv(path: Path) -> Iterator[pl.DataFrame]:
    blocks = _blocks(path)
    first = next(blocks, b"")
    if not first.strip():
        raise InputError(f"{path} is empty")
    if b"\n" not in first and b"\r" in first:
        raise InputError(f"{path} ends its lines with CR alone; save it with LF or CRLF")
    line, rest = _row(first)
    given = re.match(r"sep=(.)\s*$", line, re.IGNORECASE)  # Excel's own first line
    if given:
        line, rest = _row(rest)
    plain = re.sub(r'"[^"]*"', "", line)
    separator = given[1] if given else max(",;\t|", key=plain.count)
    names = _header(path, line, separator)
    done = 0
    for block in (rest, *blocks) if rest.strip() else blocks:
        yield _parsed(path, block, names, separator, done)
        done += block.count(b"\n")


def _row(block: bytes) -> tuple[str, bytes]:
    """The first row, which may hold newlines inside quotes, and the rest."""
    end = block.find(b"\n")
    while end >= 0 and block.count(b'"', 0, end) % 2:
        end = block.find(b"\n", end + 1)
    end = len(block) if end < 0 else end
    return block[:end].decode(), block[end + 1 :]


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes, cut at ends of rows: newlines with an even number of quotes before them. Checked to be UTF-8 text."""
    with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
        tail, lines, start = b"", 0, True
        while True:
            try:
                read = file.read(BLOCK)
            except (gzip.BadGzipFile, zlib.error, EOFError) as error:
                raise InputError(f"{path} is damaged: {error}") from error
            if start and read[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise InputError(f"{path} is UTF-16 text; save it as UTF-8")
            block = tail + (read.removeprefix(b"\xef\xbb\xbf") if start else read)
            cut = len(block) if not read else _last_end(block)
            start, block, tail = False, block[:cut], block[cut:]
            if block:
                _check_text(path, block, lines)
                lines += block.count(b"\n")
                yield block
            if not read:
                return
            if len(tail) > 64 * BLOCK:
                raise InputError(f"{path}: no end of a row within {len(tail):,} bytes after line {lines}; is a quote left open?")


def _last_end(block: bytes) -> int:
    """The place after the last newline that is not inside quotes; 0 if there is none."""
    end = block.rfind(b"\n") + 1
    if b'"' not in block:
        return end
    codes = np.frombuffer(block, np.uint8)
    newlines = np.flatnonzero(codes == 10)
    even = np.cumsum(codes == 34)[newlines] % 2 == 0
    return int(newlines[even][-1]) + 1 if even.any() else 0


def _check_text(path: Path, block: bytes, lines: int) -> None:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines + 1 + block[: error.start].count(b"\n")
        raise InputError(f"{path}, line {line}: byte 0x{block[error.start]:02x} is not UTF-8 text; save the file as UTF-8") from error
    nul = block.find(b"\0")
    if nul >= 0:
        line = lines + 1 + block[:nul].count(b"\n")
        raise InputError(f"{path}, line {line}: holds a NUL byte; this is not a text file")


def _header(path: Path, line: str, separator: str) -> list[str]:
    try:
        names = [" ".join(name.split()) for name in next(csv.reader(io.StringIO(line.rstrip("\r")), delimiter=separator), [])]
    except csv.Error as error:
        raise InputError(f"{path}, line 1: {error}") from error
    for i, name in enumerate(names):
        names[i] = name or f"unnamed_{i}"  # the first is often the index's
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise InputError(f"{path}: the column name {sorted(twice)[0]!r} stands twice in the header")
    return names


def _parsed(path: Path, block: bytes, names: list[str], separator: str, before: int) -> pl.DataFrame:
    """A block of rows as a table of text, each row checked to have a cell for each column."""
    text = block.decode().replace("\r\n", "\n")
    _check_cells(path, text, len(names), separator, before)
    if len(names) > 1 and ("\n\n" in text or text.startswith("\n")):  # lines with nothing at all are no rows
        text = re.sub(r'"(?:[^"]|"")*"|(?<=\n)\n|\A\n', lambda found: found[0] if found[0][0] == '"' else "", text)
    try:
        schema = dict.fromkeys(names, pl.String)
        return pl.read_csv(io.BytesIO(text.encode()), has_header=False, schema=schema, separator=separator)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} cannot be read as CSV: {_first_line(error)}") from error


def _check_cells(path: Path, text: str, columns: int, separator: str, before: int) -> None:
    if '"' not in text:  # count separators: many times faster
        codes = np.frombuffer(text.encode(), np.uint8)
        ends = np.append(np.flatnonzero(codes == 10), [] if text.endswith("\n") else [len(codes)]).astype(np.int64)
        marks = np.searchsorted(np.flatnonzero(codes == ord(separator)), ends)
        cells = np.diff(marks, prepend=0) + 1
        blank = np.diff(ends, prepend=-1) == 1
        bad = np.flatnonzero((cells != columns) & ~(blank & (columns > 1)))
        if len(bad):
            raise InputError(_ragged(path, before + int(bad[0]) + 2, int(cells[bad[0]]), columns))
        return
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(io.StringIO(text.replace("\r", " ")), delimiter=separator, strict=True)
    try:
        for row in rows:
            if len(row) != columns and row:
                raise InputError(_ragged(path, before + rows.line_num + 1, len(row), columns))
    except csv.Error as error:
        raise InputError(f"{path}, line {before + rows.line_num + 1}: {error}") from error


def _ragged(path: Path, line: int, cells: int, columns: int) -> str:
    return f"{path}, line {line}: {cells} cells, but the header names {columns} columns"


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
