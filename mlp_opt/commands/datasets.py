"""`mlp-opt datasets`: the named data sets."""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console
from rich.table import Table

from ..data.sources import SOURCES


def main(as_json: bool) -> int:
    """Print the data sets; nothing is loaded."""
    if as_json:
        rows = []
        for name, source in SOURCES.items():
            row = {f.name: getattr(source, f.name) for f in dataclasses.fields(source) if f.name != "load"}
            rows.append({"name": name} | row)
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
