"""The run directory of a sweep: what is needed to go on after any kind of stop.

    config.toml       the sweep, resolved; never changed
    plan.json         tile sizes and the digest of config.toml
    trials.jsonl      a line a lane and rung, appended when its tile is done
    states/           a tile's whole state at the end of a rung, or part of the way; gone when the sweep is finished
    models/           the weights of the best lanes so far

A state or model file carries a digest of its content, a line of the log its CRC-32. The file before is kept (`NAME.1`):
a damaged one is set aside (`NAME.damaged`) and the one before used; a damaged line is left out, and its tile done again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from . import arrays, files

VERSION = 2  # of the log, the states, and of which trial has which number
LOG, PLAN, CONFIG = "trials.jsonl", "plan.json", "config.toml"


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
    def _locked(self) -> Iterator[None]:
        with open(self.path / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(f"another process is at work on the sweep in {self.path}") from error
            yield

    def describe(self, config: str) -> None:
        """Write config.toml, which says what the sweep is. InputError if another process has begun one here meanwhile."""
        with self._locked():
            if (self.path / CONFIG).exists():
                raise InputError(f"another process has begun a sweep in {self.path}; choose another --out")
            files.write(self.path / CONFIG, config)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one process that writes. InputError if another is at work in the folder."""
        with self._locked():
            for name in ("states", "models"):
                (self.path / name).mkdir(exist_ok=True)
            if self.kept:
                files.sync(self.path)
                for folder in (self.path, *(p for p in self.path.iterdir() if p.is_dir())):
                    files.clean(folder)  # of a process that was killed
            self._writing = True
            try:
                yield
            finally:
                self._writing = False

    def save_plan(self, tiles: list[int], data: str) -> None:
        """Remember the tile sizes: the same ones give the same bits. data: a digest of the samples."""
        files.write(self.path / PLAN, json.dumps({"version": VERSION, "config": self._config(), "data": data, "tiles": tiles}) + "\n")

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
            raise InputError(f"{self.path / PLAN} is damaged ({error}); start another sweep in a new folder") from error
        if plan.get("version") != VERSION:
            raise InputError(f"another version of mlp_opt began the sweep in {self.path}; start another in a new folder")
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
        content = b"".join(_line(encode(row).encode()) for row in rows)
        with open(self.path / LOG, "ab", buffering=0) as file:
            size = file.tell()
            try:
                written = 0
                while written < len(content):
                    written += file.write(content[written:])
                os.fsync(file.fileno())
            except BaseException:  # a full disk: nothing may be appended to half a line
                file.truncate(size)
                raise
        if size == 0:
            files.sync(self.path)

    def rows(self) -> list[dict[str, Any]]:
        """The lines of trials.jsonl without those that a crash damaged; a writer cuts these off, and keeps the file as it was."""
        path = self.path / LOG
        if not path.exists():
            return list(self._unwritten)
        content = files.read(path)
        lines = content.split(b"\n")
        if _CRC not in content and not self._writing:  # an earlier version's, which is only looked at
            return [row for row in map(_plain, lines) if row is not None]
        good = [line for line in lines[:-1] if _body(line) is not None]
        bad = len(lines) - 1 - len(good) + (lines[-1] != b"")
        if self._writing and bad:
            files.write(path.with_suffix(".jsonl.damaged"), content)
            files.write(path, b"".join(line + b"\n" for line in good))
            self.damaged.append(f"{path}: {bad} damaged or incomplete line(s) dropped")
        return json.loads(b"[" + b",".join(filter(None, map(_body, good))) + b"]")  # at once is three times as fast as line by line

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
            try:
                data = candidate.read_bytes()  # what cannot be read just now is not damaged: the error goes out
            except FileNotFoundError:
                continue
            try:
                content = arrays.parsed(data, candidate)
                if arrays.metadata(data).get("sha256") == _digest(content):
                    return content
            except InputError:
                pass
            os.replace(candidate, candidate.with_name(candidate.name + ".damaged"))
            self.damaged.append(f"{candidate} is damaged: set aside")
        return None

    def saved(self, kind: str) -> set[str]:
        """The names of what is saved in states/ or models/."""
        return {p.name.split(".safetensors")[0] for p in (self.path / kind).iterdir() if not p.name.endswith(".damaged")}

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


_CRC = b', "crc32": '


def _line(row: bytes) -> bytes:
    """A line of the log: the row, a JSON object, with the CRC-32 of what it is without it."""
    return b"%b%b%d}\n" % (row[:-1], _CRC, zlib.crc32(row))


def _body(line: bytes) -> bytes | None:
    """The row of a line, or None if a bit of it is not as it was written."""
    row, _, crc = line.rpartition(_CRC)
    return row + b"}" if crc == b"%d}" % zlib.crc32(row + b"}") else None


def _plain(line: bytes) -> dict[str, Any] | None:
    """The row of a line without a CRC-32, or None."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"task", "lane", "rung", "value"} <= row.keys() else None


def _digest(content: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(content):
        array = np.ascontiguousarray(content[name])
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
