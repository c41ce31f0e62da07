"""Writing files so that a crash leaves the old content or the new, never half of either."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from ..errors import InputError

_LEFT = re.compile(r"\.(?:.+\.(?:safetensors|json|jsonl|toml|damaged|parquet|html|png|svg|csv)|\.probe)\.[a-z0-9_]{8}|\.probe")


def write(path: Path, content: str | bytes) -> None:
    """Write atomically: a temporary file in the same folder, fsync, rename, fsync of the folder."""
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Bring the folder's entries, new files say, to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clean(folder: Path) -> None:
    """Delete what `write` and `new_folder` left behind in a process that was killed. Only where no other writes."""
    for left in folder.glob(".*"):
        if _LEFT.fullmatch(left.name) and left.is_file():
            left.unlink()


def read(path: Path) -> bytes:
    """The file's content, or InputError with the reason."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def new_folder(path: Path) -> Path:
    """Make `path`, which must not exist yet or be empty, and prove that it can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(there.name != "lock" and not _LEFT.fullmatch(there.name) for there in path.iterdir()):  # a kill may leave these alone
            raise InputError(f"{path} already holds files; choose another --out")
        write(path / ".probe", "")
        (path / ".probe").unlink()
    except OSError as error:
        raise InputError(f"cannot write to the output folder {path}: {error.strerror}") from error
    return path


def check_new_file(path: Path | None, suffixes: tuple[str, ...]) -> Path:
    """`path`, if it ends in one of `suffixes`, does not exist yet, and its folder does; else InputError."""
    accepted = " or ".join(suffixes)
    if path is None or path.suffix not in suffixes:
        raise InputError(f"--out {path or ''}: give a file {accepted}".replace(" :", ":"))
    if path.exists() or not path.resolve().parent.is_dir():
        raise InputError(f"--out {path}: {'already exists' if path.exists() else 'its folder does not exist'}; choose another")
    return path


def next_folder(parent: Path, name: str, kind: str = "") -> Path:
    """Make the first of parent/NAME-1, parent/NAME-2, ... that does not exist; NAME is `name`, of a path its last part, and `kind`.

    No two processes get the same.
    """
    name, number = (name.rsplit("/", 1)[-1].split(".")[0] or "run") + kind, 1
    while True:
        path = parent / f"{name}-{number}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path
        except FileExistsError:
            if not path.exists():  # `parent` is a file
                raise InputError(f"cannot write to the output folder {path}: {parent} is a file") from None
            number += 1
        except OSError as error:
            raise InputError(f"cannot write to the output folder {path}: {error.strerror}") from error
