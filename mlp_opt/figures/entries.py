"""What a picture of the gallery is: a name, a sentence, the notes' sentence that it illustrates, and how to make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Entry:
    """One picture. `make` computes and draws it: a figure, or the bytes of a GIF.

    caption: one sentence that says what the picture shows. notes: the sentence of the notes that it illustrates.
    """

    name: str
    caption: str
    notes: str
    make: Callable[[], Figure | bytes]
