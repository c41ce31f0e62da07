"""A race as an animation: the map and the relief are drawn once, and every frame only what moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Rectangle
from matplotlib.path import Path as Shape
from matplotlib.transforms import IdentityTransform
from mpl_toolkits.mplot3d import proj3d

from ..races.paths import Path, velocity
from ..surfaces import Surface
from .animation import gif
from .lanes import titled
from .looks import LOOKS
from .race import HALO, drawable, formula, heading, label, line
from .relief import draw_map, draw_relief, relief

ARROWHEAD = Shape([(-1, -0.12), (0.3, -0.12), (0.3, -0.4), (1, 0), (0.3, 0.4), (0.3, 0.12), (-1, 0.12), (-1, -0.12)])  # in legends
ARROW = 44.0  # length of the longest arrows, in pixels
SQUARE = 0.16  # side of the largest square, as a share of the domain's width
GREY = "0.25"
KINDS = {
    "gradient": ("downhill gradient (grey)", GREY),
    "m": ("velocity (hollow)", "white"),
    "update": ("step taken (in colour)", "#0072B2"),
}


def race_gif(
    surface: Surface,
    paths: Mapping[str, Path],
    rates: Mapping[str, Any] | None = None,
    title: str = "",
    frames: int = 120,
    fps: float = 20.0,
    arrows: bool = True,
) -> bytes:
    """The race of `paths` (see races.race) as a GIF: up to `frames` frames, evenly spaced over the steps.

    arrows: at each optimizer, the downhill gradient, its velocity and the step taken (the adjusted gradient), longer
    for larger (by the square root, each kind by its own scale); and a rectangle whose sides are the roots of the
    accumulated squares of the two derivatives, scaled to each optimizer's largest.
    """
    return gif(race_frames(surface, paths, rates, title, frames, arrows), fps)


def race_frames(
    surface: Surface, paths: Mapping[str, Path], rates: Mapping[str, Any] | None, title: str, frames: int, arrows: bool
) -> Iterator[np.ndarray]:
    """The frames of `race_gif`, (560, 1100, 3) uint8."""
    steps = len(next(iter(paths.values())).w) - 1
    figure, above, solid, lift = _stage(surface, paths, rates, title or heading(surface), arrows)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # the layout stays as it was found
    background = canvas.copy_from_bbox(figure.bbox)
    cast = [_Runner(name, path, surface, figure, above, solid, lift) for name, path in paths.items()]
    moving = _Arrows(paths, above, np.stack([one.inside for one in cast], axis=1)) if arrows else None
    clock = figure.add_artist(above.text(0.97, 0.03, "", transform=above.transAxes, ha="right", fontsize=11, fontweight="bold"))
    renderer = canvas.get_renderer()
    for t in np.unique(np.linspace(0, steps, min(frames, steps + 1)).round().astype(int)).tolist():
        canvas.restore_region(background)
        for layer in ("box", "trail", "arrows", "ball"):
            for artist in moving.at(t) if layer == "arrows" and moving else [a for one in cast for a in one.at(t, layer, arrows)]:
                artist.draw(renderer)
        clock.set_text(f"step {t}")
        clock.draw(renderer)
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _stage(surface: Surface, paths: Mapping[str, Path], rates: Mapping[str, Any] | None, title: str, arrows: bool) -> Any:
    """What does not move: map, relief, legend."""
    figure = Figure(figsize=(11, 5.6), dpi=100, layout=ConstrainedLayoutEngine(h_pad=0.12))
    grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.05])
    above, solid = figure.add_subplot(grid[0]), figure.add_subplot(grid[1], projection="3d")
    land = relief(surface)
    draw_map(above, land, next(iter(paths.values())).w[0])
    lift = draw_relief(solid, land)
    titled(above, title, "arrows: longer is larger; rectangles: accumulated squared gradients" if arrows else "", 14)
    solid.set_title(formula(surface), fontsize=11, pad=8)
    balls: dict[str, Any] = dict(ms=8, mec="white")
    handles = [Line2D([], [], **line(LOOKS[n]), marker=LOOKS[n].marker, label=label(n, (rates or {}).get(n)), **balls) for n in paths]
    if arrows:
        for text, face in KINDS.values():
            edge = GREY if face == "white" else face
            handles.append(Line2D([], [], linestyle="", marker=MarkerStyle(ARROWHEAD), ms=15, mec=edge, mfc=face, mew=0.9, label=text))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9.5, handlelength=2.4)
    return figure, above, solid, lift


class _Runner:
    """One optimizer's moving parts: its trail and ball on the map and on the relief, the rectangle of its squares."""

    def __init__(self, name: str, path: Path, surface: Surface, figure: Figure, above: Any, solid: Any, lift: Any):
        points, inside = lift(path.w, path.loss)
        x, y, _ = proj3d.proj_transform(*np.where(inside[:, None], points, 0).T, solid.get_proj())
        self.flat = np.where(inside[:, None], solid.transData.transform(np.column_stack([x, y])), np.nan)
        self.w, self.v, self.inside = drawable(path.w), path.v, inside
        pixels: dict[str, Any] = {"transform": IdentityTransform()}
        look = LOOKS[name]
        ball: dict[str, Any] = dict(marker=look.marker, color=look.color, markeredgecolor="white", markersize=10, linestyle="")
        self.trails = [above.plot([], [], **line(look), path_effects=HALO)[0], Line2D([], [], **line(look), **pixels, path_effects=HALO)]
        self.balls = [above.plot([], [], **ball)[0], Line2D([], [], **ball, **pixels)]
        for artist in (self.trails[1], self.balls[1]):
            figure.add_artist(artist)
        self.box = above.add_patch(Rectangle((0, 0), 0, 0, fill=False, edgecolor=look.color, linewidth=1.2, alpha=0.9))
        if path.v is not None:
            sides = np.sqrt(path.v)
            self.sides = SQUARE * surface.width * sides / max(sides[inside].max(initial=0), 1e-30)

    def at(self, t: int, layer: str, boxes: bool) -> list[Any]:
        if layer == "trail":
            for artist, where in zip(self.trails, (self.w, self.flat), strict=True):
                artist.set_data(*where[: t + 1].T)
            return self.trails
        if layer == "ball":
            for artist, where in zip(self.balls, (self.w, self.flat), strict=True):
                artist.set_data(*where[t : t + 1].T)
            return self.balls
        if layer == "box" and boxes and self.v is not None and self.inside[t]:
            self.box.set(xy=self.w[t] - self.sides[t] / 2, width=self.sides[t][0], height=self.sides[t][1])
            return [self.box]
        return []


class _Arrows:
    """A quiver for each kind of arrow, an arrow an optimizer in each."""

    def __init__(self, paths: Mapping[str, Path], above: Any, inside: np.ndarray):
        names = list(paths)
        colors = [LOOKS[name].color for name in names]
        self.w = np.stack([paths[name].w for name in names], axis=1)  # (steps+1, optimizers, 2)
        self.inside = inside
        kinds = {
            "gradient": [-path.gradient for path in paths.values()],
            "m": [np.zeros_like(path.w) if path.m is None else velocity(name, path) for name, path in paths.items()],
            "update": [path.update for path in paths.values()],
        }
        inks: dict[str, dict[str, Any]] = {
            "gradient": dict(color=GREY),
            "m": dict(facecolor="white", edgecolor=colors),
            "update": dict(color=colors),
        }
        units = above.transData.transform((1, 1)) - above.transData.transform((0, 0))  # pixels for a unit of x and of y
        self.quivers, self.vectors = [], []
        for kind, found in kinds.items():
            vectors = np.where(inside[..., None], np.stack(found, axis=1), 0) * units
            size = np.linalg.norm(vectors, axis=-1, keepdims=True)
            # each rule has a unit of velocity of its own; gradients and steps are compared with each other's
            longest = size.max(axis=0 if kind == "m" else (0, 1), keepdims=True)
            self.vectors.append(vectors / np.maximum(np.sqrt(size * longest), 1e-30) * ARROW)
            still = np.zeros(len(names))
            self.quivers.append(
                above.quiver(
                    still, still, still, still, units="dots", scale_units="dots", angles="uv", scale=1, minlength=0.5, headwidth=4,
                    headlength=5, headaxislength=4.5, width=3.6 if kind == "m" else 2.4, linewidth=0.9, **inks[kind],
                )
            )  # fmt: skip

    def at(self, t: int) -> list[Any]:
        for quiver, vectors in zip(self.quivers, self.vectors, strict=True):
            quiver.set_offsets(np.where(self.inside[t][:, None], self.w[t], 1e9))
            quiver.set_UVC(*vectors[t].T)
        return self.quivers
