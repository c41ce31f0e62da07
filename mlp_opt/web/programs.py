"""Compiled programs pile up while pages ask for ever new ones: all are forgotten now and then, those in use are compiled again."""

from __future__ import annotations

import threading
from collections.abc import Hashable

import jax

from . import limits

_compiled: set[Hashable] = set()
_lock = threading.Lock()


def remember(program: Hashable) -> None:
    """Count a program, named by what makes it; after limits.PROGRAMS of them JAX forgets what it compiled."""
    with _lock:
        _compiled.add(program)
        if len(_compiled) > limits.PROGRAMS:
            _compiled.clear()
            jax.clear_caches()
