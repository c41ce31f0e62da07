"""The losses of a plane that its colours and heights stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DECADES = 4.0  # a plane is drawn up to so many decades above its lowest loss


class Scale(NamedTuple):
    """The losses that colours stand for; `cut` if there are higher ones."""

    low: float
    high: float
    cut: bool

    def clipped(self, loss: np.ndarray) -> np.ndarray:
        """The loss within the scale; what is not finite is at its upper end."""
        return np.clip(np.where(np.isfinite(loss), loss, self.high), self.low, self.high)


def scale_of(shown: Sequence[np.ndarray]) -> Scale:
    """The scale of the loss that all planes share."""
    loss = np.concatenate([loss[np.isfinite(loss) & (loss > 0)] for loss in shown])
    low, high = (float(loss.min()), float(loss.max())) if loss.size else (0.1, 1.0)
    top = min(high, low * 10**DECADES)
    return Scale(low, top if top > low else 2 * low, top < high)
