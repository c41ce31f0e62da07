"""Mistakes that a user can mend: one line that names what was given and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input. Commands print its message as one line and exit with status 2."""


def check_name(kind: str, name: object, accepted: Iterable[str]) -> str:
    """Return `name` if it is one of `accepted`, else raise InputError with the nearest valid name."""
    names = list(accepted)
    if isinstance(name, str) and name in names:
        return name
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise InputError(f"unknown {kind} {name!r}{hint}; accepted: {', '.join(names)}")
