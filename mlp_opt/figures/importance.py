"""The picture of which hyperparameters a sweep's result depends on. The table as in `sweep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.figure import Figure

from .forest import explained
from .lanes import dress, titled
from .looks import TRAIN
from .numbers import label


def importance(
    table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str], metric: str, known: tuple[dict[str, float], float] | None = None
) -> Figure | None:
    """Bars: each hyperparameter's share as in `importances` (`known`: what `explained` gave). None where there is nothing to compare."""
    shares, fit = known or explained(table, varied, scales)
    if len(varied) < 2 or not sum(shares.values()):
        return None
    names = sorted(shares, key=lambda name: shares[name])
    figure = Figure(figsize=(8, 1.5 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([label(name) for name in names], [shares[name] for name in names], color=TRAIN, height=0.65)
    axes.bar_label(bars, [f"{shares[name]:.0%}" for name in names], padding=4, fontsize=10)
    axes.set(xlim=(0, 1.12 * max(shares.values())), xticks=[])
    dress(axes, "x")
    axes.spines["bottom"].set_visible(False)
    told = f"On unseen trials the forest explains {max(fit, 0):.0%} of the ranking" + (": too little to rely on." if fit < 0.2 else ".")
    small = f"How much worse a random forest predicts a trial's rank when one column is shuffled, as shares.\n{told}"
    titled(axes, "Which hyperparameters matter", small)
    return figure
