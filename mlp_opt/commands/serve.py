"""`mlp-opt serve`: the live page, or the page written into one file."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..config import RaceConfig
from ..errors import InputError
from ..store import files

PACKAGES = ("starlette", "uvicorn", "websockets")


def needed() -> None:
    """InputError if the server's packages are not installed."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise InputError(f"the live page needs the package {name}, which is not installed: pip install 'mlp-opt[web]'")


def main(host: str, port: int | None, show: bool, file: Path | None, runs: Path) -> int:
    """Serve until Ctrl-C or, given a file, write the page into it; 0."""
    if file is not None:
        return export(file)
    needed()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # the page has no use for a GPU, whose memory JAX would claim
    from ..web import serve

    return serve.main(host, port, show, runs)


def export(path: Path, options: RaceConfig | None = None, folder: Path | None = None) -> int:
    """Write the page with one race in it, by default the one that the page opens with; 0. InputError if a folder is given, too."""
    if folder is not None:
        raise InputError(f"--html {path} writes one file; leave out --out {folder}")
    needed()
    from ..web import bake, race, serve

    asked = {"surface": serve.FIRST} if options is None else request(options)
    maps: list[list[str]] = []
    if options is not None:
        maps += [["fair", ""]] if options.fair else []
        maps += [["basins", name] for name in options.optimizers if options.basins]
        maps += [["heat", name] for name in options.optimizers if options.heat and name in race.KNOBS]
    html = bake.page(asked, maps=maps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, html)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    print(f"{path}: {len(html) / 1e6:.1f} MB, works without a network")
    return 0


def request(options: RaceConfig) -> dict[str, Any]:
    """The options of `mlp-opt race` as the page asks for a race."""
    names = dict.fromkeys(options.optimizers)
    own = {
        name: {key.partition(".")[2]: v for key, v in options.optimizer_options.items() if key.partition(".")[0] == name} for name in names
    }
    asked: dict[str, Any] = {
        "surface": options.surface or None, "expression": options.expression, "condition": options.condition,
        "steps": options.steps, "schedule": options.schedule,
        "methods": [{"name": name, "rate": options.rates.get(name), "options": own[name]} for name in names],
    }  # fmt: skip
    for key in ("x", "y", "start"):
        asked[key] = list(getattr(options, key)) or None
    return asked
