"""The run folders that the page may look at: those directly below one folder. Nothing outside it is read."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError, check_name
from . import limits
from .messages import text

KINDS = ("sweep", "landscape", "train")
# What is read of a folder, and the most bytes of each.
FILES = {
    "config.toml": 2**20, "plan.json": 2**20, "result.json": 2**24, "history.csv": 2**26, "landscape.npz": 2**26,
    "trials.jsonl": 2**29, "trials.parquet": 2**28,
}  # fmt: skip
COMMANDS = {
    "sweep": "mlp-opt sweep digits",
    "landscape": "mlp-opt landscape digits --optimizers sgd,momentum,adam",
    "train": "mlp-opt train digits",
}
_root = [Path("runs")]


class Folder(NamedTuple):
    """A run's folder, checked. changed: when its newest file was; stamp: changes whenever one of them does."""

    name: str
    path: Path
    kind: str
    finished: bool
    changed: float
    stamp: str

    @property
    def age(self) -> float:
        """Seconds since it changed."""
        return max(time.time() - self.changed, 0.0)


def use(root: Path) -> None:
    """Look at the folders in `root` from now on."""
    _root[0] = root


def where() -> Path:
    return _root[0]


def listed() -> list[Folder]:
    """The runs, the last changed first."""
    try:
        names = [entry.name for entry in sorted(where().iterdir())[: limits.ENTRIES] if allowed(entry.name)]
    except OSError:  # there is no such folder yet
        return []
    found = []
    for name in names:
        with contextlib.suppress(InputError):  # none of ours, or not to be read
            found.append(_looked_at(name))
    return sorted(found, key=lambda folder: (-folder.changed, folder.name))[: limits.RUN_FOLDERS]


def opened(body: dict[str, Any], kind: str) -> Folder:
    """The folder that a request names, of this kind. InputError in one line for anything else."""
    name = text(body.get("name"), "name", 255)
    if not allowed(name):
        raise InputError(f"{name[:60]!r} is no name of a run's folder")
    folder = _looked_at(name)
    if folder.kind != check_name("kind", kind, KINDS):
        raise InputError(f"{where() / name} holds no {kind}, but a {folder.kind}")
    return folder


def allowed(name: str) -> bool:
    """Whether a name is one of a folder directly below, and no hidden one."""
    return bool(name) and not name.startswith(".") and not re.search(r"[/\\\x00-\x1f]", name)


def inside(path: Path, most: int) -> bool:
    """Whether there is such a file. InputError if it leads out of the folder of runs, is no plain file, or is too large."""
    try:
        real = path.resolve(strict=True)
        size = real.stat().st_size
    except FileNotFoundError:
        return False
    except (OSError, RuntimeError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it leads in a circle'}") from error
    if not real.is_relative_to(where().resolve()):
        raise InputError(f"{path} leads out of the folder of runs: it is not read")
    if not real.is_file() or size > most:
        raise InputError(f"{path} is {f'larger than {most:,} bytes' if real.is_file() else 'no plain file'}: it is not read")
    return True


def _looked_at(name: str) -> Folder:
    path = where() / name
    try:
        if not path.is_dir():
            raise InputError(f"there is no folder {path}; was it moved or deleted?")
        if not path.resolve().is_relative_to(where().resolve()):
            raise InputError(f"{path} leads out of the folder of runs: it is not read")
        there = {file: (path / file).stat() for file, most in FILES.items() if inside(path / file, most)}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    kind = _kind(path, there)
    changed = max(stat.st_mtime for stat in there.values())
    stamp = "-".join(f"{stat.st_mtime_ns:x}.{stat.st_size:x}" for stat in there.values())
    return Folder(name, path, kind, "result.json" in there, changed, stamp)


def _kind(path: Path, there: Any) -> str:
    if "landscape.npz" in there:
        return "landscape"
    if "trials.jsonl" in there or "plan.json" in there:
        return "sweep"
    if "history.csv" in there:
        return "train"
    if "config.toml" in there and re.search(r"^\[+(sweep|space)\b", (path / "config.toml").read_text("utf-8", "replace"), re.MULTILINE):
        return "sweep"
    raise InputError(f"{path} holds no run that can be shown")
