"""`mlp-opt figures`: every picture of the notes, and the page that shows them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from ..errors import check_name
from ..store import files


def main(out: Path | None, only: tuple[str, ...], listed: bool, as_json: bool) -> int:
    """Make the pictures named in `only` (all without any) and index.html in a new folder; or list them, and make none.

    A picture's files are whole or not there; the page is written last. Raises InputError for a name that is not in the gallery.
    """
    jax.config.update("jax_default_matmul_precision", "highest")
    from ..figures import gallery

    names = [check_name("picture", name, gallery.GALLERY) for name in only] or list(gallery.GALLERY)
    if listed:
        _list([gallery.GALLERY[name] for name in names], as_json)
        return 0
    folder = files.new_folder(out or files.next_folder(Path("runs"), "figures"))
    made, seconds = {}, {}
    for i, name in enumerate(dict.fromkeys(names), start=1):
        started = time.perf_counter()
        made[name] = gallery.contents(gallery.GALLERY[name].make())
        for suffix, content in made[name].items():
            files.write(folder / f"{name}.{suffix}", content)
        seconds[name] = round(time.perf_counter() - started, 2)
        kinds = ", ".join(f"{name}.{suffix}" for suffix in made[name])
        print(f"{i}/{len(set(names))}  {kinds}  {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    files.write(folder / "index.html", gallery.index(made))
    if as_json:
        rows = [{"name": n, "files": [f"{n}.{suffix}" for suffix in made[n]], "seconds": seconds[n]} for n in made]
        print(json.dumps({"folder": str(folder), "pictures": rows}, indent=1))
    else:
        print(f"{len(made)} pictures and index.html in {folder}")
    return 0


def _list(entries: list[Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"name": e.name, "caption": e.caption, "notes": e.notes} for e in entries], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "shows"):
        table.add_column(heading)
    for entry in entries:
        table.add_row(entry.name, entry.caption)
    Console(width=None if Console().is_terminal else 120).print(table)
