"""An encoder as plain JSON values, and back, to the same bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..data.columns import KINDS
from ..data.encode import Category, Encoder, Numbers, Text


def dump(encoder: Encoder) -> dict[str, Any]:
    """What JSON can hold: lists, numbers, text."""
    numbers = encoder.numbers
    return {
        "features": encoder.features,
        "kinds": encoder.kinds,
        "numbers": {name: getattr(numbers, name).tolist() for name in ("shift", "scale", "fill")}
        | {"flagged": numbers.flagged, "limit": numbers.limit if math.isfinite(numbers.limit) else None},
        "dates": encoder.dates,
        "categories": [{"name": c.name, "values": c.values, "rare": c.rare, "missing": c.missing} for c in encoder.categories],
        "texts": [{"name": t.name, "idf": t.idf.tolist()} for t in encoder.texts],
        "y_shift": encoder.y_shift.tolist(),
        "y_scale": encoder.y_scale.tolist(),
        "pad": encoder.pad,
    }


def load(found: dict[str, Any]) -> Encoder:
    """ValueError, KeyError or TypeError if it is none."""
    n = found["numbers"]
    shift, scale, fill = (_vector(n[name]) for name in ("shift", "scale", "fill"))
    flagged, features, kinds = tuple(n["flagged"]), tuple(found["features"]), tuple(found["kinds"])
    dates = tuple((str(name), bool(clock)) for name, clock in found["dates"])
    k = kinds.count("number") + sum(7 if clock else 5 for _, clock in dates)
    if not len(shift) == len(scale) == len(fill) == k or not all(0 <= i < k for i in flagged) or not (scale != 0).all():
        raise ValueError("the numbers' scaling does not fit the columns")
    encoder = Encoder(
        features,
        kinds,
        Numbers(shift, scale, fill, flagged, math.inf if n["limit"] is None else float(n["limit"])),
        dates,
        tuple(Category(str(c["name"]), tuple(c["values"]), bool(c["rare"]), bool(c["missing"])) for c in found["categories"]),
        tuple(Text(str(t["name"]), _vector(t["idf"])) for t in found["texts"]),
        np.asarray(found["y_shift"], np.float64),
        np.asarray(found["y_scale"], np.float64),
        int(found["pad"]),
    )
    _check_names(encoder)
    return encoder


def _vector(values: Any) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("a list of finite numbers was expected")
    return array


def _check_names(encoder: Encoder) -> None:
    blocks = {
        "category": [c.name for c in encoder.categories],
        "date": [name for name, _ in encoder.dates],
        "text": [t.name for t in encoder.texts],
    }
    of = {kind: [f for f, k in zip(encoder.features, encoder.kinds, strict=True) if k == kind] for kind in KINDS}
    if any(of[kind] != names for kind, names in blocks.items()) or of["drop"] or encoder.pad < 0:
        raise ValueError("the columns do not fit their kinds")
    if encoder.y_shift.shape != encoder.y_scale.shape or encoder.y_shift.ndim > 1 or not np.isfinite(encoder.y_scale).all():
        raise ValueError("the targets' scaling is no scaling")
