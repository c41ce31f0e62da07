"""`jit`: jax.jit, with what XLA's CPU compiler should do otherwise for programs of small networks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

# LLVM's first level in place of its third, XLA's default, which unrolls a loop over 32 numbers before it could be vectorized:
# with it a tile of 64-32-32-10 takes 1.13 times as long (jaxlib 0.10.2; 1.09 with 0.12.0), wider ones and single lanes the same,
# and every program more time to compile, that of initial weights three times as much.
CPU_OPTIONS = {"xla_backend_optimization_level": 1}


class jit:  # noqa: N801 - it is used as jax.jit is, by itself or as partial(jit, static_argnums=0)
    """`function` compiled by XLA, as by jax.jit with the same arguments; has the attributes of what jax.jit returns."""

    def __init__(self, function: Callable[..., Any], **options: Any):
        self._default = jax.jit(function, **options)
        self._cpu = jax.jit(function, compiler_options=CPU_OPTIONS, **options)
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):  # part of another program
            return self._default(*args, **kwargs)
        return self._here(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._here, name)

    @property
    def _here(self) -> Any:
        return self._cpu if on_cpu() else self._default


def on_cpu() -> bool:
    """Whether what is computed now is for a CPU."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return (jax.default_backend() if device is None else getattr(device, "platform", device)) == "cpu"
