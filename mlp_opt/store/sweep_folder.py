"""The run directory of a sweep: what is needed to go on after any kind of stop.

    config.toml       the sweep, resolved; never changed
    plan.json         tile sizes and the digest of config.toml
    trials.jsonl      a line a lane and rung, appended when its tile is done
    states/           a tile's whole state at the end of a rung, or part of the way
    models/           the weights of the best lanes so far

A state or model file carries a digest of its content. The one before is kept (`NAME.1`): a damaged file is set
aside (`NAME.damaged`) and the one before used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from . import arrays, files

LOG, PLAN, CONFIG = "trials.jsonl", "plan.json", "config.toml"
TEMPORARY = re.compile(r"\.(.+\.(safetensors|json|jsonl|toml|damaged))\.\w{8}")  # what `files.write` renames


class SweepFolder:
    """Reads a sweep's folder; inside `writing()` writes it. `damaged` lists what had to be set aside.

    kept: whether anyone will come back to it; if not, the log is held in memory.
    """

    def __init__(self, path: Path, kept: bool = True):
        self.path, self.kept = path, kept
        self.damaged: list[str] = []
        self._writing = False
        self._unwritten: list[dict[str, Any]] = []

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one process that writes. InputError if another is at work in the folder."""
        with open(self.path / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(f"another process is at work on the sweep in {self.path}") from error
            for name in ("states", "models"):
                (self.path / name).mkdir(exist_ok=True)
            for left in (*self.path.glob(".*"), *self.path.glob("*/.*")):
                if TEMPORARY.match(left.name) and left.is_file():  # of a process that was killed
                    left.unlink()
            self._writing = True
            try:
                yield
            finally:
                self._writing = False

    def save_plan(self, tiles: list[int], data: str) -> None:
        """Remember the tile sizes: the same ones give the same bits. data: a digest of the samples."""
        files.write(self.path / PLAN, json.dumps({"config": self._config(), "data": data, "tiles": tiles}) + "\n")

    def load_plan(self, data: str, buckets: int) -> list[int] | None:
        """The tile sizes, one a bucket; None if the sweep was stopped before they were chosen.

        InputError if config.toml or the data were changed, or another version of this package began the sweep with other buckets.
        """
        if not (self.path / PLAN).exists():
            return None
        try:
            plan = json.loads(files.read(self.path / PLAN))
            config, before, tiles = plan["config"], plan["data"], [int(size) for size in plan["tiles"]]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path / PLAN} is damaged: {error}") from error
        if config != self._config():
            raise InputError(f"{self.path / CONFIG} was changed since the sweep began; start another with --config and a new --out")
        if before != data:
            raise InputError(f"the data are not those that the sweep in {self.path} began with; start another in a new folder")
        if len(tiles) != buckets:
            raise InputError(f"{self.path / PLAN} has {len(tiles)} tile sizes for {buckets} programs: another version of mlp_opt wrote it")
        return tiles

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Add lines to trials.jsonl, on the disk when this returns; to those in memory if nobody comes back to the folder."""
        if not self.kept:
            self._unwritten += rows
            return
        encode = json.JSONEncoder(allow_nan=False).encode
        text = "".join(encode(row) + "\n" for row in rows)
        with open(self.path / LOG, "ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> list[dict[str, Any]]:
        """The lines of trials.jsonl without those that a crash damaged; a writer cuts these off, and keeps the file as it was."""
        path = self.path / LOG
        if not path.exists():
            return list(self._unwritten)
        content = files.read(path)
        good, bad = [], 0
        whole = _parsed(b"[" + content.rstrip(b"\n").replace(b"\n", b",") + b"]")  # at once is three times as fast as line by line
        if isinstance(whole, list) and all(map(_is_row, whole)) and len(whole) == content.count(b"\n") and b"\n\n" not in content:
            return whole
        for line in filter(None, content.split(b"\n")):
            row = _parsed(line)
            bad += row is None
            good += [(line, row)] if _is_row(row) else []
        if self._writing and (bad or not content.endswith(b"\n")):
            files.write(path.with_suffix(".jsonl.damaged"), content)
            files.write(path, b"".join(line + b"\n" for line, _ in good))
            self.damaged.append(f"{path}: {bad} incomplete line(s) dropped")
        return [row for _, row in good]

    def save(self, name: str, content: dict[str, np.ndarray]) -> None:
        """Write states/... or models/... atomically; the file of that name, if any, becomes NAME.1."""
        path = self._path(name)
        if not self.kept:
            path.write_bytes(arrays.dump(content, {"sha256": _digest(content)}))
            return
        if path.exists():
            os.replace(path, self._before(path))
        files.write(path, arrays.dump(content, {"sha256": _digest(content)}))

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """The newest undamaged content, or None."""
        path = self._path(name)
        for candidate in (path, self._before(path)):
            if candidate.exists():
                try:
                    content = arrays.load(candidate)
                    if arrays.metadata(candidate).get("sha256") == _digest(content):
                        return content
                except InputError:
                    pass
                os.replace(candidate, candidate.with_name(candidate.name + ".damaged"))
                self.damaged.append(f"{candidate} is damaged: set aside")
        return None

    def remove(self, name: str) -> None:
        """Delete the file and the one before."""
        for path in (self._path(name), self._before(self._path(name))):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"

    @staticmethod
    def _before(path: Path) -> Path:
        return path.with_name(path.name + ".1")

    def _config(self) -> str:
        return hashlib.sha256(files.read(self.path / CONFIG)).hexdigest()


def _parsed(text: bytes) -> Any:
    """What the JSON says; None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and {"task", "lane", "rung"} <= row.keys()


def _digest(content: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(content):
        array = np.ascontiguousarray(content[name])
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
