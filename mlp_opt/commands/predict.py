"""`mlp-opt predict`: a saved model on a table of any length, a batch of rows at a time."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from ..data import columns, table_files
from ..errors import InputError, check_name
from ..store import files, model_files
from ..store.model_files import Ensemble, TrainedModel
from .signals import asked_to_stop


def main(model: Path, data: str, out: Path | None, keep: tuple[str, ...]) -> int:
    """Write a row of predictions for each row of `data`, in its order; on standard output as CSV where there is no `out`."""
    if out is not None:
        files.check_new_file(out, (".parquet", ".csv"))
    trained = load(model)
    score, started = _Score(trained), time.perf_counter()
    asked: list[bool] = []
    with asked_to_stop(lambda: asked.append(True)):
        batches = _predicted(trained, data, keep, score, asked)
        if out is None:
            for i, batch in enumerate(batches):
                sys.stdout.write(batch.write_csv(include_header=i == 0))
            return 0
        _write(batches, out)
    seconds = time.perf_counter() - started
    print(f"{score.rows:,} rows in {seconds:.1f} s: {out}{score.line()}", file=sys.stderr)
    return 0


def load(folder: Path) -> TrainedModel | Ensemble:
    """The model in a folder; of a sweep's folder its best model."""
    if not (folder / "model.json").exists() and (folder / "best" / "model.json").exists():
        folder = folder / "best"
    if model_files.dtype_of(folder) == "float64":
        jax.config.update("jax_enable_x64", True)
    return model_files.load(folder)


def _predicted(
    trained: TrainedModel | Ensemble, data: str, keep: tuple[str, ...], score: _Score, asked: list[bool]
) -> Iterator[pl.DataFrame]:
    for rows in table_files.batches(data):
        if asked:
            raise KeyboardInterrupt
        for name in keep:
            check_name(f"column in {data} to keep", name, rows.columns)
        inputs = trained.encoder.typed(rows, f"{data}, rows from {score.rows + 1:,}" if score.rows else data)
        found = trained.table(inputs)
        twice = set(keep) & set(found.columns)
        if twice:
            raise InputError(f"--keep {sorted(twice)[0]}: the predictions have a column of that name")
        score.add(rows, found)
        yield rows.select(keep).hstack(found) if keep else found


def _write(batches: Iterator[pl.DataFrame], out: Path) -> None:
    """All batches into one file, which is there only when it is whole."""
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    os.close(handle)
    try:
        if out.suffix == ".csv":
            with open(temporary, "w", encoding="utf-8") as file:
                for i, batch in enumerate(batches):
                    file.write(batch.write_csv(include_header=i == 0))
        else:
            _parquet(batches, temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _parquet(batches: Iterator[pl.DataFrame], path: str) -> None:
    first = next(batches)
    failed: list[BaseException] = []

    def rows(with_columns: Any, predicate: Any, n_rows: Any, batch_size: Any) -> Iterator[pl.DataFrame]:
        try:
            yield first
            yield from batches
        except BaseException as error:  # polars would wrap it
            failed.append(error)

    register_io_source(rows, schema=first.schema).sink_parquet(path)
    if failed:
        raise failed[0]


class _Score:
    """Accuracy or R^2, where the table holds what is predicted; summed up batch by batch."""

    def __init__(self, trained: TrainedModel | Ensemble):
        self.trained, self.rows, self.known = trained, 0, 0
        self.right = self.total = 0.0
        self.moments = np.zeros(3)  # sum of y, of y^2, of squared errors

    def add(self, rows: pl.DataFrame, found: pl.DataFrame) -> None:
        self.rows += len(found)
        target = self.trained.targets[0]
        if len(self.trained.targets) > 1 or target not in rows.columns or target in self.trained.features:
            return
        kind = "number" if self.trained.task == "regression" else "category"
        try:
            y = columns.as_kind(rows[target], kind, "")
        except InputError:
            return
        there = y.is_not_null()
        y, y_hat = y.filter(there), found["prediction"].filter(there)
        self.known += len(y)
        if kind == "category":
            self.right += float((y == y_hat).sum())
        else:
            values, errors = y.to_numpy() - float(self.trained.encoder.y_shift), (y - y_hat).to_numpy()  # near 0, where squares keep digits
            self.moments += values.sum(), (values**2).sum(), (errors**2).sum()

    def line(self) -> str:
        if not self.known:
            return ""
        of = f" on the {self.known:,} rows that hold {self.trained.targets[0]!r}"
        if self.trained.task != "regression":
            return f"; accuracy {self.right / self.known:.4f}{of}"
        total, squares, errors = self.moments
        spread = squares - total**2 / self.known
        return f"; R^2 {1 - errors / spread:.4f}{of}" if spread > 0 else ""
