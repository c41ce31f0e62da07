"""What page and server say to each other.

The page sends JSON texts, {"id": 7, "kind": "race/paths", ...}. The server answers each with one binary frame: the
length of a header (uint32), the header (JSON, filled with spaces to a multiple of 4 bytes), then float32 arrays one
after the other, all little-endian. The header has the id and kind that it answers, and either "error", one line, or
what the answer tells, with "arrays": [[name, shape], ...] in the order in which they follow.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from . import limits


class Request(NamedTuple):
    """id: the page's number for it; kind: which handler; body: the rest, not yet checked."""

    id: int
    kind: str
    body: dict[str, Any]


class Reply(NamedTuple):
    """header: what JSON can hold, not finite numbers as None; arrays: sent as float32."""

    header: dict[str, Any]
    arrays: Mapping[str, np.ndarray]


def request(text: str | bytes) -> Request:
    """The message as a Request; InputError if it is none."""
    if len(text) > limits.MESSAGE:
        raise InputError(f"message has {len(text)} bytes, at most {limits.MESSAGE} are accepted")
    try:
        message = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"message is not JSON: {str(error)[:80]}") from None
    if not isinstance(message, dict):
        raise InputError("message must be a JSON object with id and kind")
    number, kind = message.pop("id", None), message.pop("kind", None)
    if type(number) is not int or not 0 <= number < 2**53:
        raise InputError("id must be a whole number from 0")
    if not isinstance(kind, str):
        raise InputError("kind must be a name")
    return Request(number, kind, message)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number of JSON")


def frame(id: int | None, kind: str, reply: Reply) -> bytes:
    """The answer as bytes, see above."""
    arrays = {name: np.ascontiguousarray(array) for name, array in reply.arrays.items()}
    shapes = [[name, list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({"id": id, "kind": kind, "arrays": shapes, **_finite(reply.header)}, allow_nan=False).encode()
    head += b" " * (-len(head) % 4)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is infinite there
        return b"".join([struct.pack("<I", len(head)), head, *(array.astype("<f4").tobytes() for array in arrays.values())])


def failure(id: int | None, kind: str, reason: str) -> bytes:
    """An answer that only says what was wrong."""
    return frame(id, kind, Reply({"error": reason[:1000]}, {}))


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A frame's header and arrays: what the page does, for Python."""
    (length,) = struct.unpack_from("<I", data)
    header, at, arrays = json.loads(data[4 : 4 + length]), 4 + length, {}
    for name, shape in header["arrays"]:
        count = math.prod(shape)
        arrays[name] = np.frombuffer(data, "<f4", count, at).reshape(shape)
        at += 4 * count
    return header, arrays


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def known(body: Mapping[str, Any], where: str, accepted: tuple[str, ...]) -> None:
    """InputError for a key that nobody reads."""
    for key in body:
        if key not in accepted:
            raise InputError(f"unknown key {str(key)[:40]!r} in {where}; accepted: {', '.join(accepted)}")


def number(value: Any, where: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from low to high, as a float."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300
    if not (fits and low <= value <= high):
        span = "" if low == -math.inf and high == math.inf else f" from {low:g} to {high:g}"
        raise InputError(f"{where} must be a number{span}, got {repr(value)[:40]}")
    return float(value)


def whole(value: Any, where: str, low: int, high: int) -> int:
    """A whole number from low to high."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{where} must be a whole number from {low} to {high}, got {repr(value)[:40]}")
    return value


def pair(value: Any, where: str) -> tuple[float, float]:
    """Two finite numbers."""
    if not isinstance(value, list) or len(value) != 2:
        raise InputError(f"{where} must be two numbers, got {repr(value)[:40]}")
    return number(value[0], where), number(value[1], where)


def text(value: Any, where: str, longest: int) -> str:
    """A text of at most `longest` characters."""
    if not isinstance(value, str) or len(value) > longest:
        raise InputError(f"{where} must be a text of at most {longest} characters, got {repr(value)[:40]}")
    return value
