"""Named arrays as safetensors bytes, bfloat16 included (which safetensors' own NumPy reader lacks)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from ..errors import InputError
from . import files

_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I32": np.int32, "I64": np.int64}


def dump(arrays: dict[str, Any]) -> bytes:
    """The arrays (NumPy or JAX) in the safetensors format."""
    return safetensors.numpy.save({name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()})


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays in a safetensors file. InputError if it cannot be read or is damaged."""
    data = files.read(path)
    try:
        return {
            name: np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in safetensors.deserialize(data)
        }
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
