"""A surface's heights, squeezed so that valleys and walls are seen in one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..surfaces import Surface, heights


@dataclass(frozen=True)
class Relief:
    """A surface on a grid, its heights squeezed to be seen: x (nx,), y (ny,), t (ny, nx) the squeezed f.

    squeeze: f -> t, monotone; f itself, or logarithmic above the lowest value where the highest would flatten the rest.
    """

    surface: Surface
    x: np.ndarray
    y: np.ndarray
    t: np.ndarray
    low: float
    scale: float | None

    def squeeze(self, f: Any) -> Any:
        if self.scale is None:
            return f
        return np.log10(1 + np.maximum(np.asarray(f) - self.low, 0) / self.scale)

    def ticks(self) -> tuple[list[float], list[str]] | None:
        """Where the squeezed axis is marked, at powers of ten or, if they crowd, evenly, and with what; None where the axis is f itself."""
        if self.scale is None:
            return None
        high = self.low + self.scale * (10 ** float(np.nanmax(self.t)) - 1)
        powers = [k for k in range(-3, 12) if self.low + 3 * self.scale < 10**k < 0.8 * high][-4:]
        at = [float(self.squeeze(10.0**k)) for k in powers]
        top = float(np.nanmax(self.t))
        if len(at) < 2 or min(np.diff(at)) < 0.12 * top:
            at = [top * share for share in (0, 0.33, 0.66, 0.99)]
            return at, [f"{self.low + self.scale * (10**t - 1):.2g}" for t in at]
        return at, [f"$10^{{{k}}}$" if k > 3 else f"{10.0**k:g}" for k in powers]


def relief(surface: Surface, size: int = 201) -> Relief:
    """The surface on a grid of size x size, points where it is not finite as NaN."""
    x, y, f = heights(surface, size)
    f = np.where(np.isfinite(f), f, np.nan).astype(float)
    if np.isnan(f).all():
        f = np.zeros_like(f)
    low = float(np.nanmin(f))
    near, far = (float(np.nanquantile(f, q)) - low for q in (0.15, 1.0))
    scale = max(near, far * 1e-4) / 3 if far > 25 * near else None
    made = Relief(surface, x, y, f, low, scale)
    return Relief(surface, x, y, np.asarray(made.squeeze(f)), low, scale)
