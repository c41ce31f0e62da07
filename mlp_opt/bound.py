"""Functions with arguments filled in that are pytrees: numbers are leaves, everything else is structure.

An optimizer or a schedule is made of these, so its learning rate can be traced, stacked and
vmapped, and a change of a number never recompiles, while a change of rule or flag does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Number = float | int | np.generic | np.ndarray | jax.Array


def _is_traced(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (Number, Bound, dict, list, tuple))


@jax.tree_util.register_pytree_node_class
class Bound:
    """`function` with keyword arguments filled in: `Bound(f, x=1.0)(y) == f(y, x=1.0)`.

    As a pytree its children are the arguments that are numbers, arrays, containers of them, or
    Bound themselves; bools, None, strings, dtypes and plain functions are static and hashable.
    """

    def __init__(self, function: Callable[..., Any], /, **arguments: Any):
        self.function = function
        self.traced = {k: v for k, v in arguments.items() if _is_traced(v)}
        self.static = {k: v for k, v in arguments.items() if k not in self.traced}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **self.static, **self.traced, **kwargs)

    def __repr__(self) -> str:
        filled = ", ".join(f"{k}={v!r}" for k, v in (self.static | self.traced).items())
        return f"{self.function.__name__}({filled})"

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        keys = tuple(sorted(self.traced))
        return tuple(self.traced[k] for k in keys), (self.function, keys, tuple(sorted(self.static.items())))

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Any) -> Bound:
        bound = object.__new__(cls)
        bound.function, keys, static = aux
        bound.traced, bound.static = dict(zip(keys, children, strict=True)), dict(static)
        return bound


def within(value: Any, low: float | int, high: float | int) -> bool:
    """Whether it is a number, or an array of numbers, each from low up to but not high. Bools and lists are no numbers."""
    if isinstance(value, (int, float)):
        return not isinstance(value, bool) and low <= value < high
    if not (is_whole(value) or jnp.issubdtype(getattr(value, "dtype", np.bool_), jnp.floating)):
        return False
    wide = np.asarray(value, np.float64)  # in float32 the limits would be rounded too
    return bool(np.all((wide >= low) & (wide < high)))


def is_whole(value: Any) -> bool:
    """Whether it is of a kind that holds whole numbers only."""
    return isinstance(value, int) or jnp.issubdtype(getattr(value, "dtype", np.bool_), jnp.integer)


def cast(number: Any, dtype: Any) -> Any:
    """`number` ready to meet arrays of `dtype`: Python numbers stay weakly typed, arrays are converted.

    Without this a float32 learning rate would widen bfloat16 parameters, or be widened by float64 ones.
    """
    return number if type(number) in (bool, int, float) else jnp.asarray(number, dtype)


def widen(*dtypes: Any) -> Any:
    """The float dtype to compute in: float64 if any of `dtypes` is, else float32 (bfloat16 and float16 widen)."""
    return jnp.float64 if any(d == jnp.float64 for d in dtypes) else jnp.float32
