"""`mlp-opt datasets`: the named data sets, listed or as tables."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from ..data.sources import SOURCES, source_of
from ..store import files


def main(as_json: bool) -> int:
    """Print the data sets; nothing is loaded."""
    if as_json:
        rows = []
        for name, source in SOURCES.items():
            row: dict[str, Any] = {f.name: getattr(source, f.name) for f in dataclasses.fields(source) if f.name != "load"}
            rows.append({"name": name} | row | {"kinds": dict(source.kinds)})
        print(json.dumps(rows, indent=1))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "rows", "columns", "task", "from", "about"):
        table.add_column(heading, justify="right" if heading in ("rows", "columns") else "left")
    for name, s in SOURCES.items():
        task = f"{s.task}, {s.classes} classes" if s.task == "multiclass" else s.task
        table.add_row(name, f"{s.rows:,}", str(s.columns), task, s.package, s.about)
    Console(width=None if Console().is_terminal else 120).print(table)
    return 0


def write(name: str, out: Path | None) -> int:
    """Write a data set as a table, its target last (in the column "target" where it has no name of its own)."""
    source = source_of(name)
    out = files.check_new_file(out, (".csv", ".parquet"))
    loaded = source.load()
    if isinstance(loaded, pl.DataFrame):
        table = loaded.select(pl.exclude(source.target), source.target)
    else:
        X, y, classes, features = loaded
        target = [classes[i] for i in np.asarray(y, int)] if classes else np.asarray(y, np.float64)
        table = pl.DataFrame(np.asarray(X), schema=list(features)).with_columns(target=pl.Series(target))
    buffer = io.BytesIO()
    table.write_csv(buffer) if out.suffix == ".csv" else table.write_parquet(buffer)
    files.write(out, buffer.getvalue())
    print(f"{len(table):,} rows, {table.width} columns: {out}")
    return 0
