"""Reports: one HTML page that needs nothing but itself (no network, no scripts). The sweep's, and the parts of any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from . import page, sweep

CAPTIONS = {
    "headline": "Every network of the sweep, a point each.",
    "sensitivity": "How the score depends on one number. The wider the plateau, the less tuning is needed.",
    "importance": "How much each hyperparameter tells about a trial's rank, judged on trials that the forest has not seen.",
    "heat": "The two hyperparameters that matter most, against each other.",
    "best_curves": "How the best trials learned, epoch by epoch.",
    "brackets": "Which trials each rung of the halving kept, and which it dropped.",
}


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
    title: str,
    subtitle_lines: Sequence[str],
    leaderboard: pl.DataFrame,
    figures: Mapping[str, Figure],
    drawn: Mapping[str, bytes],
    notes: Sequence[str],
) -> str:
    """The page: the headline, the leaderboard (its first row is the best and is marked), the other figures, notes. Every text is
    escaped, every picture is inside the page. drawn: the figures' PNGs."""
    captions = CAPTIONS if "importance" in figures else CAPTIONS | {"heat": "Two hyperparameters, against each other."}
    pictures = {
        stem: page.figure(stem, figure, drawn[stem], captions.get(stem, stem.replace("_", " "))) for stem, figure in figures.items()
    }
    first = pictures.pop("headline", "")
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<div class="facts">' + "".join(f"<p>{escape(line)}</p>" for line in subtitle_lines) + "</div>",
        first,
        f"<h2>Best trials</h2>\n{page.table(leaderboard)}" if leaderboard.height else "",
        "<h2>What the sweep shows</h2>" if pictures else "",
        *pictures.values(),
        "<h2>Notes</h2>\n<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else "",
    ]
    return page.document(title, parts)
