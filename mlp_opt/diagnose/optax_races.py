"""optax's own paths on a surface, beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..optimizers import as_pytree
from ..races.paths import STEPS, Path, paths
from ..surfaces import Surface
from .parity import twin


def optax_optimizer(name: str, learning_rate: Any, **options: Any) -> Any | None:
    """optax's optimizer for a rule of the races, "nesterov" included; None for a rule that optax does not have."""
    if name == "nesterov":
        return optax.sgd(learning_rate, **{"momentum": 0.9, "nesterov": True} | options)
    make = twin(name)
    return None if make is None else make(learning_rate, **options)


def optax_race(surface: Surface, optimizers: Mapping[str, Any], start: Any = None, steps: int = STEPS) -> dict[str, Path]:
    """`races.race` for optax's optimizers: the same scan and the same gradients, optax's updates."""
    at = jnp.asarray(surface.start if start is None else start, jnp.result_type(float))
    found = jax.device_get(paths(surface.f, tuple(as_pytree(optimizer) for optimizer in optimizers.values()), at, steps))
    return dict(zip(optimizers, found, strict=True))


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest distance, in x or y, between two paths (steps+1, 2) over all steps: 0 where neither is finite, infinite where one is.

    Coordinates beyond 1 in size count in parts of themselves: a path that flies off to 1e100 has its rounding there.
    """
    one, other = np.isfinite(ours), np.isfinite(theirs)
    if (one != other).any():
        return np.inf
    size = np.maximum(1, np.maximum(np.abs(ours), np.abs(theirs)))[one]
    return float(np.abs(ours[one] / size - theirs[one] / size).max(initial=0.0))
