"""`jit`: jax.jit, with what XLA's CPU compiler should do otherwise for programs of small networks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
from jax.extend.core import get_opaque_trace_state

# LLVM's first level in place of its third, XLA's default, which unrolls a loop over 32 numbers before it could be vectorized:
# with the third a tile or lane of 64-32-32-10 takes 1.25 times as long in batches of 32 (jaxlib 0.10.2), wider ones the same, and every
# program more time to compile, that of initial weights three times as much.
CPU_OPTIONS = {"xla_backend_optimization_level": 1}


class jit:  # noqa: N801 - it is used as jax.jit is, by itself or as partial(jit, static_argnums=0)
    """`function` compiled by XLA, as by jax.jit with the same arguments; has the attributes of what jax.jit returns. Not for methods.

    JAX takes options for the compiler only where the program is not part of another that is traced.
    """

    def __init__(self, function: Callable[..., Any], **options: Any):
        functools.update_wrapper(self, function)
        self._default: Any = jax.jit(function, **options)
        self._cpu: Any = jax.jit(function, compiler_options=CPU_OPTIONS, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return (self._default if get_opaque_trace_state() != _nothing_traced() else self._here)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_default", "_cpu"):  # asked of an object that is being copied
            raise AttributeError(name)
        return getattr(self._here, name)

    def _cache_size(self) -> int:
        return self._default._cache_size() + self._cpu._cache_size()

    def clear_cache(self) -> None:
        self._default.clear_cache()
        self._cpu.clear_cache()

    @property
    def _here(self) -> Any:
        return self._cpu if on_cpu() else self._default


@functools.cache
def _nothing_traced() -> Any:
    """JAX's state where nothing is traced, as it is in a new thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(get_opaque_trace_state).result()


def on_cpu() -> bool:
    """Whether what is computed now is for a CPU."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return (jax.default_backend() if device is None else getattr(device, "platform", device)) == "cpu"
