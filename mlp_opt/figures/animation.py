"""Animated GIFs from figures, with Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image


def pixels(figure: Figure, dpi: int = 100) -> np.ndarray:
    """The figure as it is drawn now: (height, width, 3) uint8."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def gif(frames: Iterable[np.ndarray], fps: float = 20.0, hold_s: float = 1.5) -> bytes:
    """Frames (height, width, 3) uint8 of one size as an endless GIF; the last stands for `hold_s` seconds."""
    images = [Image.fromarray(frame) for frame in frames]
    palette = images[-1].quantize(256)  # one palette for all, so that nothing flickers
    reduced = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    times = [round(1000 / fps)] * (len(reduced) - 1) + [round(1000 * hold_s)]
    buffer = io.BytesIO()
    reduced[0].save(buffer, "GIF", save_all=True, append_images=reduced[1:], duration=times, loop=0, optimize=False)
    return buffer.getvalue()
