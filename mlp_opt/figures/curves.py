"""Training and validation curves of one run."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .looks import TRAIN as TRAIN
from .looks import VALIDATION as VALIDATION
from .numbers import LABELS as LABELS


def curves(history: dict[str, np.ndarray], title: str, best_epoch: int = 0) -> Figure:
    """Loss (logarithmic) and score against the epoch; the best epoch marked. `history` as in `Run`."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    metric = next(name.removeprefix("train_") for name in history if name.startswith("train_") and name != "train_loss")
    for axes, what in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        for part, color, style in (("train", TRAIN, "-"), ("val", VALIDATION, "--")):
            if f"{part}_{what}" in history:
                name = "training" if part == "train" else "validation"
                values = history[f"{part}_{what}"]
                axes.plot(history["epoch"], values, style, color=color, label=name, marker="." if len(values) < 3 else "")
        if best_epoch:
            axes.axvline(best_epoch, color="0.6", linewidth=1, zorder=0, label=f"best epoch ({best_epoch})")
        axes.set(xlabel="epoch", ylabel=LABELS[what])
        axes.grid(alpha=0.25)
        finite = [v for k, v in history.items() if k.endswith(what) for v in v[np.isfinite(v)]]
        if what == "loss" and finite and min(finite) > 0:
            axes.set_yscale("log")
        elif what == "r2" and finite:
            axes.set_ylim(bottom=max(min(finite), -0.2))
        axes.legend(frameon=False)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG at 150 dots an inch."""
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
