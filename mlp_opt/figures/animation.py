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
    palette = _palette(images)
    reduced = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    times = [round(1000 / fps)] * (len(reduced) - 1) + [round(1000 * hold_s)]
    buffer = io.BytesIO()
    reduced[0].save(buffer, "GIF", save_all=True, append_images=reduced[1:], duration=times, loop=0, optimize=False)
    return buffer.getvalue()


def _palette(images: list[Image.Image]) -> Image.Image:
    """256 colours for all frames, so that nothing flickers. They are chosen from frames of the whole animation, with as many
    coloured pixels as grey ones: thin lines in colour would otherwise be given the colour of another line."""
    some = np.concatenate([np.asarray(image).reshape(-1, 3) for image in images[:: max(len(images) // 6, 1)] + images[-1:]])
    colored = some[some.max(axis=1).astype(int) - some.min(axis=1) > 48]
    both = np.concatenate([some, np.resize(colored, some.shape)]) if len(colored) else some
    return Image.fromarray(both.reshape(len(both) // images[0].width, images[0].width, 3)).quantize(256)
