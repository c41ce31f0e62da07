"""Reports: one HTML page that needs nothing but itself (no network, no scripts). The sweep's, and the parts of any."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from . import sweep
from .curves import png

CAPTIONS = {
    "headline": "Every network of the sweep, a point each.",
    "sensitivity": "How the score depends on one number. The wider the plateau, the less tuning is needed.",
    "importance": "How much each hyperparameter tells about a trial's rank, judged on trials that the forest has not seen.",
    "heat": "The two hyperparameters that matter most, against each other.",
    "best_curves": "How the best trials learned, epoch by epoch.",
    "brackets": "Which trials each rung of the halving kept, and which it dropped.",
}

STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1c1e21; --soft: #5f6570; --line: #e3e4e6; --best: #fdf3e3; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14161a; --card: #1c1f24; --ink: #e8e9eb; --soft: #a0a6b0; --line: #33373e; --best: #3a3020; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0 0 .5rem; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem; }
.facts { margin: 0 0 2rem; color: var(--soft); }
.facts p { margin: .1rem 0; }
figure { margin: 0 0 2rem; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; background: #fff; border-radius: 6px; }
figcaption { margin-top: .75rem; color: var(--soft); font-size: .92rem; }
.scroll { overflow-x: auto; margin-bottom: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .8rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; }
tbody tr:first-child { background: var(--best); font-weight: 600; }
tbody tr:last-child td { border-bottom: 0; }
@media print { figure, .scroll { break-inside: avoid; } }
"""


def figures_of(
    table: pl.DataFrame,
    rungs: pl.DataFrame,
    histories: Mapping[int, Mapping[str, np.ndarray]],
    varied: Sequence[str],
    scales: Mapping[str, str],
    metric: str,
    seconds: float | int,
    title: str,
) -> dict[str, Figure]:
    """Every figure that these results allow, by the stem of its file, in the report's order. The arguments as in `sweep`."""
    known = sweep.explained(table, varied, scales)
    pair = sweep.chosen(table, varied, scales, known[0])
    figures = {
        "headline": sweep.headline(table, seconds, title, metric),
        "sensitivity": sweep.sensitivity(table, varied, scales, metric),
        "importance": sweep.importance(table, varied, scales, metric, known),
        "heat": sweep.heat(table, *pair, scales, metric) if pair else None,
        "best_curves": sweep.best_curves(histories, table, metric),
        "brackets": sweep.brackets(rungs, metric),
    }
    return {stem: figure for stem, figure in figures.items() if figure is not None}


def report(
    title: str, subtitle_lines: Sequence[str], leaderboard: pl.DataFrame, figures: Mapping[str, Figure], notes: Sequence[str]
) -> str:
    """The page: the headline, the leaderboard (its first row is the best and is marked), the other figures, notes. Every text is
    escaped, every picture is inside the page."""
    pictures = {stem: _picture(stem, figure) for stem, figure in figures.items()}
    first = pictures.pop("headline", "")
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<div class="facts">' + "".join(f"<p>{escape(line)}</p>" for line in subtitle_lines) + "</div>",
        first,
        f"<h2>Best trials</h2>\n{html_table(leaderboard)}" if leaderboard.height else "",
        "<h2>What the sweep shows</h2>" if pictures else "",
        *pictures.values(),
        "<h2>Notes</h2>\n<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else "",
    ]
    return page(title, parts)


def page(title: str, parts: Sequence[str]) -> str:
    """The parts, each HTML already, as a whole page in our style."""
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>'
    body = "\n".join(part for part in parts if part)
    start = f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n'
    return f"{start}{body}\n</main>\n</body>\n</html>\n"


def _picture(stem: str, figure: Figure) -> str:
    """A figure of the sweep with its caption, at half its pixels: sharp on fine screens."""
    width = round(100 * float(figure.get_size_inches()[0]))
    return picture(stem, png(figure), CAPTIONS.get(stem, stem.replace("_", " ")), _alt(stem, figure), width)


def picture(stem: str, data: bytes, caption: str, alt: str, width: int) -> str:
    """A PNG or GIF inside the page, `width` pixels wide, with its caption; alt says it to those who cannot see it."""
    kind = "gif" if data.startswith(b"GIF8") else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    image = f'<img src="{source}" alt="{escape(alt)}" width="{width}">'
    return f'<figure id="{escape(stem)}">\n{image}\n<figcaption>{escape(caption)}</figcaption>\n</figure>'


def _alt(stem: str, figure: Figure) -> str:
    """What a picture shows, for those who cannot see it: its title and the names of its axes."""
    title = figure.get_suptitle() or next((a.get_title().strip() for a in figure.axes), "")
    names = [
        next((name for name in found if name), "")
        for found in ([a.get_ylabel() for a in figure.axes], [a.get_xlabel() for a in figure.axes])
    ]
    return (title or stem.replace("_", " ")) + (f": {names[0]} against {names[1]}" if all(names) else "")


def html_table(frame: pl.DataFrame) -> str:
    """A data frame as an HTML table, numbers to the right."""
    right = [' class="number"' if dtype.is_numeric() else "" for dtype in frame.dtypes]
    header = "".join(f'<th scope="col"{side}>{escape(name)}</th>' for name, side in zip(frame.columns, right, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(f"<td{side}>{escape(_text(v))}</td>" for v, side in zip(row, right, strict=True)) + "</tr>"
        for row in frame.iter_rows()
    )
    return f'<div class="scroll">\n<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>'


def _text(value: Any) -> str:
    """A cell: four significant digits, an en dash for what is missing."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
