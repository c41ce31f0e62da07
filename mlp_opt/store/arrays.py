"""Named arrays as safetensors bytes, bfloat16 included (which safetensors' own NumPy reader lacks)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from ..errors import InputError
from . import files

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I32": np.int32,
    "I64": np.int64,
    "U32": np.uint32,
    "BOOL": np.bool_,
}


def dump(arrays: dict[str, Any], about: dict[str, str] | None = None) -> bytes:
    """The arrays (NumPy or JAX) in the safetensors format, with `about` in its header."""
    return safetensors.numpy.save({name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}, about)


def metadata(data: bytes) -> dict[str, str]:
    """What `dump` was given as `about`, of bytes that `parsed` takes."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(header.get("__metadata__", {}))


def load(path: Path, sha256: str = "") -> dict[str, np.ndarray]:
    """The arrays in a safetensors file. InputError if it cannot be read, is damaged, or has not the given SHA-256."""
    return parsed(files.read(path), path, sha256)


def parsed(data: bytes, path: Path, sha256: str = "") -> dict[str, np.ndarray]:
    """The arrays in the bytes of a safetensors file, `path` in messages. InputError as in `load`."""
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{path} does not match its checksum: it was changed or damaged after it was written")
    try:
        return {
            name: np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in safetensors.deserialize(data)
        }
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
