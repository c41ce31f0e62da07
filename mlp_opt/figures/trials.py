"""The trials of a sweep over epochs: learning curves of the best, and what halving dropped. The table as in `sweep`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .lanes import STRIP, dress, score_axis, titled
from .looks import TRAIN, VALIDATION
from .numbers import LABELS, floats, scores, values_of


def best_curves(histories: Mapping[int, Mapping[str, np.ndarray]], table: pl.DataFrame, metric: str) -> Figure | None:
    """Learning curves of the (at most 10) best trials (mean of `values_of`): validation solid, training dotted. None without any."""
    order = (
        table.with_columns(value=values_of(table)).group_by("trial").agg(pl.col("value").mean()).sort("value", "trial")["trial"].to_list()
    )
    best = [trial for trial in order if trial in histories][:10]
    if not best:
        return None
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    colors = colormaps["viridis"](np.linspace(0, 0.88, len(best)))
    for axes, what in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        seen: list[np.ndarray] = []
        for place, (trial, color) in enumerate(zip(best, colors, strict=True)):
            history = histories[trial]
            for part, dashes, width in (("train", ":", 1.0), ("val", "-", 2.4 if place == 0 else 1.3)):
                if f"{part}_{what}" in history:
                    seen.append(np.asarray(history[f"{part}_{what}"], float))
                    solid = part == "val" or f"val_{what}" not in history
                    line = dict(
                        color=color, linestyle="-" if solid else dashes, linewidth=width, alpha=1 if solid else 0.7, zorder=12 - place
                    )
                    name = f"trial {trial}" if solid and what == "loss" else None
                    axes.plot(history["epoch"], seen[-1], label=name, marker="." if len(seen[-1]) < 3 else "", **line)
        finite = np.concatenate(seen)
        finite = finite[np.isfinite(finite)]
        if what == "loss" and finite.size and finite.min() > 0:
            axes.set_yscale("log")
        elif what != "loss":
            score_axis(axes, finite, metric)
        axes.set(xlabel="epoch", ylabel=LABELS[what])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        dress(axes)
    figure.legend(loc="outside right upper", frameon=False, title="best first")
    dotted = (
        "solid: validation, dotted: training" if any("val_loss" in histories[t] for t in best) else "training (there is no validation data)"
    )
    titled(figure.axes[0], "Learning curves of the best trial" + (f"s ({len(best)})" if len(best) > 1 else ""), dotted)
    return figure


def brackets(rungs: pl.DataFrame, metric: str) -> Figure | None:
    """Successive halving, one row a lane and rung: the score (mean over a trial's lanes) at the end of each rung, a panel a bracket.
    Trials that were dropped are grey. None if there is one rung only."""
    if rungs.is_empty() or rungs["rung"].n_unique() < 2:
        return None
    score, what = scores(rungs, metric)
    lanes = rungs.select("bracket", "trial", "rung", "epochs", score=pl.Series(score).fill_nan(None))
    ends = lanes.group_by("bracket", "trial", "rung").agg(pl.col("score").mean(), pl.col("epochs").max()).sort("bracket", "rung", "trial")
    parts = ends.partition_by("bracket", maintain_order=True)
    across = min(len(parts), 4)
    figure = Figure(figsize=(max(6.5, 3.3 * across), 0.9 + 3.1 * -(-len(parts) // across)), layout="constrained")
    panels = figure.subplots(-(-len(parts) // across), across, sharey=True, squeeze=False).ravel()
    for axes, part in zip(panels, parts, strict=False):
        _bracket(axes, part)
        score_axis(axes, score, metric)
        axes.set_xlabel("epochs")
    for axes in panels[len(parts) :]:
        axes.set_visible(False)
    for axes in panels[::across]:
        axes.set_ylabel(what)
    figure.suptitle("Successive halving", x=0.01, ha="left", fontsize=14, fontweight="bold")
    shown = {name: handle for axes in panels for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    legend = figure.legend(shown.values(), shown.keys(), loc="outside lower center", frameon=False, ncols=len(shown))
    for line in legend.get_lines():
        line.set(linewidth=2, markersize=5)
    return figure


def _bracket(axes: Axes, ends: pl.DataFrame) -> None:
    """One bracket: a trial is a row of the matrix (trials, rungs), NaN after it was dropped; a NaN column lets one line hold them all."""
    trials, rungs = np.unique(ends["trial"].to_numpy()), np.unique(ends["rung"].to_numpy())
    r, t = np.searchsorted(rungs, ends["rung"].to_numpy()), np.searchsorted(trials, ends["trial"].to_numpy())
    y, reached = np.full((len(trials), len(rungs) + 1), np.nan), np.zeros((len(trials), len(rungs)), bool)
    y[t, r], reached[t, r] = floats(ends, "score"), True
    epochs = np.array([ends["epochs"].filter(ends["rung"] == int(rung)).max() for rung in rungs], float)
    x = np.append(epochs, np.nan)
    last, lived = reached.sum(axis=1) - 1, reached[:, -1]
    lost = np.isnan(y[np.arange(len(trials)), last])
    for rows, color, width, name in ((~lived, "0.75", 0.8, "dropped"), (lived, TRAIN, 1.2, "reached the last rung")):
        if rows.any():
            thin = float(np.clip(6 / np.sqrt(rows.sum()), 0.25, 1))
            line = np.tile(x, rows.sum()), y[rows].ravel()
            axes.plot(
                *line, "-o", color=color, linewidth=width * thin, markersize=3 * thin, label=name, gid=name, zorder=2 + (color == TRAIN)
            )
    if np.isfinite(y[:, -2]).any():
        best = int(np.nanargmax(y[:, -2]))
        axes.plot(epochs, y[best, :-1], "-o", color=VALIDATION, linewidth=2.2, markersize=4, label="best of the bracket", zorder=4)
    if lost.any():
        at = epochs[last[lost]], np.full(lost.sum(), STRIP)
        axes.plot(
            *at, "x", color="0.25", markersize=5, transform=axes.get_xaxis_transform(), label="diverged", gid="diverged", clip_on=False
        )
    counts = " → ".join(f"{n:,}" for n in reached.sum(axis=0))
    axes.set_title(f"bracket {ends['bracket'][0]}: {counts}", fontsize=10, loc="left")
    if epochs.min() > 0:
        axes.set(xscale="log", xlim=(0.8 * epochs.min(), 1.25 * epochs.max()))
    axes.set_xticks(epochs, [f"{e:g}" for e in epochs])
    axes.minorticks_off()
    dress(axes)
