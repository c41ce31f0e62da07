"""The folder of a race: its pictures as PNG and SVG, the animation, the tables, and one page with all of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from html import escape
from pathlib import Path as Folder

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from ..races.fair import Result
from ..races.maps import Basins, Heat
from ..races.paths import Path
from ..store import files
from ..surfaces import Surface
from . import page
from .curves import png
from .race import heading, race_picture
from .race_gif import race_gif
from .race_maps import basin_map, fair_picture, heat_map

CAPTIONS = {
    "race": "The paths from above (stars are minima), in relief, and the loss after each gradient.",
    "animation": "The race. Grey arrows point downhill, hollow ones along the velocity, coloured ones are the steps taken; longer is "
    "larger, by the square root. A rectangle's sides are the roots of the accumulated squared derivatives, scaled to each rule's largest.",
    "fair": "Every optimizer got the same 36 learning rates, the same random starts to choose one by, and the same number of gradients; "
    "what is reported comes from other starts. A run that misses counts as infinite.",
    "basins": "Every pixel is a start: above, coloured by the minimum that it leads to; below, by the steps until it stays there.",
    "heat": "Every cell is a run from the same start; the ring marks the best.",
}


def save(
    folder: Folder,
    surface: Surface,
    paths: Mapping[str, Path],
    rates: Mapping[str, float],
    table: pl.DataFrame,
    optax: Mapping[str, np.ndarray],
    target: float | None = None,
    animated: bool = True,
    *,
    fair: Mapping[str, Result] | None = None,
    basins: Mapping[str, Basins] | None = None,
    heat: Mapping[str, Heat] | None = None,
) -> None:
    """Write race.png, .svg, .gif, paths.csv, race.csv, report.html, and fair, basins and heat as far as they are given."""
    gap = "largest difference to optax"
    worst = table[gap].drop_nulls().max() if gap in table.columns else None
    figures = {"race": race_picture(surface, paths, rates, optax, worst if isinstance(worst, float) else None)}
    if fair:
        figures["fair"] = fair_picture(surface, fair, target)
        files.write(folder / "fair.csv", fair_table(fair).write_csv())
    if basins:
        figures["basins"] = basin_map(surface, basins, rates)
    if heat:
        figures["heat"] = heat_map(surface, heat)
    pictures = {}
    for stem, figure in figures.items():
        data = png(figure)
        files.write(folder / f"{stem}.png", data)
        files.write(folder / f"{stem}.svg", svg(figure))
        pictures[stem] = page.picture(stem, data, heading(surface) + ": " + CAPTIONS[stem], 1040, CAPTIONS[stem])
    if animated:
        data = race_gif(surface, paths, rates)
        files.write(folder / "race.gif", data)
        pictures["animation"] = page.picture(
            "animation", data, heading(surface) + ": " + CAPTIONS["animation"], 1040, CAPTIONS["animation"]
        )
    files.write(folder / "paths.csv", paths_table(paths, optax).write_csv())
    files.write(folder / "race.csv", table.write_csv())
    start, steps = surface.start, len(next(iter(paths.values())).w) - 1
    lines = [f"f(x, y) = {surface.formula}", f"start {start[0]:g}, {start[1]:g}; {steps} gradients for each optimizer; float64"]
    parts = [
        f"<h1>A race on {escape(heading(surface))}</h1>",
        '<div class="facts">' + "".join(f"<p>{escape(text)}</p>" for text in lines) + "</div>",
        pictures.pop("race"),
        pictures.pop("animation", ""),
        "<h2>Where they ended</h2>\n" + page.table(table),
        *([pictures.pop("fair"), page.table(fair_table(fair))] if fair else []),
        *pictures.values(),
    ]
    files.write(folder / "report.html", page.document(f"Race on {heading(surface)}", [part for part in parts if part]))


def svg(figure: Figure) -> bytes:
    """The figure as SVG; surfaces inside are pixels, lines and texts are not."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=150)
    return buffer.getvalue()


def paths_table(paths: Mapping[str, Path], optax: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """A row an optimizer and step: x, y, loss, the gradient, the step taken; optax's x and y where they were computed."""
    frames = []
    for name, path in paths.items():
        columns = {"optimizer": [name] * len(path.w), "step": range(len(path.w)), "x": path.w[:, 0], "y": path.w[:, 1], "loss": path.loss}
        for stem, pairs in (("gradient", path.gradient), ("update", path.update)):
            columns |= {f"{stem}_{axis}": pairs[:, i] for i, axis in enumerate("xy")}
        if optax:
            theirs = optax.get(name, np.full_like(path.w, np.nan))
            columns |= {f"optax_{axis}": theirs[:, i] for i, axis in enumerate("xy")}
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames)


def fair_table(results: Mapping[str, Result]) -> pl.DataFrame:
    """A row an optimizer, the best first: its rate, quartiles of the scores, the share that missed, gradients a run."""
    rows = [
        {"optimizer": name, "best rate": r.rate, "quartile": r.quartiles[0], "median": r.quartiles[1], "upper quartile": r.quartiles[2]}
        | {"missed": r.missed, "gradients a run": r.evaluations}
        for name, r in results.items()
    ]
    return pl.DataFrame(sorted(rows, key=lambda row: (row["median"], row["missed"], row["upper quartile"])))
