"""The noise of minibatch gradients: an unbiased cloud, the ball in which SGD ends, the batch size that the noise suggests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import train
from ..data import sources
from ..diagnose import batches, noise
from ..model import MLP
from ..optimizers import adam
from .entries import Entry
from .lanes import COLORS, DASHES, MARKERS, dress, titled

SIGNAL, NOISE = "#D55E00", "#0072B2"
RATES = tuple(float(a) for a in np.geomspace(0.02, 1.8, 10))
BATCHES = (1, 4, 16, 64)
POINT = (-1.0, 1.0)  # (weight, bias) at which the cloud of gradients is drawn


def ball(rates: np.ndarray, batch: Sequence[int], radius: np.ndarray, curvature: float, deviation: float, small: str) -> Figure:
    """Radius of the noise ball, measured (batches, rates) as marks and by theory as lines, against the learning rate and the batch size."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    fine = np.geomspace(rates[0], rates[-1], 200)
    for i, b in enumerate(batch):
        look = dict(color=COLORS[i], linestyle=DASHES[i % 3])
        left.plot(fine, noise.ball_radius(fine, b, curvature, deviation), linewidth=1.6, **look)
        left.plot(rates, radius[i], marker=MARKERS[i], color=COLORS[i], linestyle="", markersize=7, label=f"{b}", gid="measured")
    sizes = np.geomspace(batch[0], batch[-1], 100)
    for j, i in enumerate((0, len(rates) // 2, len(rates) - 1)):
        rate = rates[i]
        right.plot(sizes, noise.ball_radius(rate, sizes, curvature, deviation), color=COLORS[j + 3], linestyle=DASHES[j], linewidth=1.6)
        right.plot(batch, radius[:, i], marker=MARKERS[j + 3], color=COLORS[j + 3], linestyle="", markersize=7, label=f"{rate:.2g}")
    worst = np.max(np.abs(radius / noise.ball_radius(rates, np.asarray(batch)[:, None], curvature, deviation) - 1))
    left.set(xscale="log", yscale="log", xlabel="learning rate α", ylabel="radius of the noise ball (root mean square of w)")
    right.set(xscale="log", xlabel="batch size b (samples)", xticks=batch, xticklabels=[str(b) for b in batch])
    right.minorticks_off()
    left.legend(title="batch size b", frameon=False)
    right.legend(title="learning rate α", frameon=False)
    titled(left, "The noise ball grows with the learning rate …", f"marks: measured; lines: √(α s² / (b λ (2 − α λ)))\n{small}")
    titled(right, "… and shrinks with the batch", f"marks: measured; lines: theory\nlargest relative difference from theory {worst:.1%}")
    for axes in (left, right):
        dress(axes)
    return figure


def cloud(estimates: Mapping[int, np.ndarray], full: np.ndarray, gap: float, title: str) -> Figure:
    """Gradient estimates (draws, 2) by batch size, each panel with their mean and the full gradient (2,).

    gap: the largest difference between the mean of all per-sample gradients and `full`.
    """
    figure = Figure(figsize=(14, 5.2), layout="constrained")
    figure.suptitle(title, fontsize=14)
    for axes, (batch, points) in zip(figure.subplots(1, len(estimates), sharex=True, sharey=True), estimates.items(), strict=True):
        axes.axhline(0, color="0.75", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.75", linewidth=0.8, zorder=0)
        axes.plot(*points.T, ".", color=NOISE, alpha=0.35, markersize=5, label="one estimate", gid="cloud")
        axes.plot(*points.mean(axis=0), "o", color="white", markeredgecolor="black", markersize=13, label="their mean")
        axes.plot(*full, "+", color=SIGNAL, markersize=14, markeredgewidth=2.6, label="full gradient")
        axes.set_xlabel("∂L/∂w")
        axes.xaxis.label.set_size(13)
        spread = float(np.sqrt(points.var(axis=0).sum()))
        what = f"all {len(points)} samples" if batch == 1 else f"{len(points)} draws"
        titled(
            axes, f"Batch of {batch}", f"{what}, spread {spread:.3f}" + (f"; mean − full gradient = {gap:.0e}" if batch == 1 else ""), 15
        )
    figure.axes[0].set_ylabel("∂L/∂b", fontsize=13)
    figure.axes[-1].legend(loc="upper left", framealpha=0.9)
    return figure


def scale(
    epochs: Sequence[int], scales: np.ndarray, losses: np.ndarray, batch: Sequence[int], errors: Mapping[int, np.ndarray], small: str
) -> Figure:
    """Left: noise scale (epochs,) and loss (epochs,) over training. Right: epoch -> measured relative error of minibatch gradients
    (batches,), with the line scale / b of theory."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = np.asarray(epochs)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.plot(x, scales, "-o", color=SIGNAL, linewidth=2, label="noise scale tr(Σ) / |G|²")
    left.set(xlabel="epoch", ylabel="noise scale = suggested batch (samples)", yscale="log")
    other = left.twinx()
    other.plot(x, losses, "--s", color=NOISE, linewidth=1.6, markersize=5, label="training loss (right axis)")
    other.set(yscale="log", ylabel="training loss")
    other.spines[["top"]].set_visible(False)
    lines = [*left.get_lines(), *other.get_lines()]
    left.legend(lines, [str(line.get_label()) for line in lines], frameon=False, loc="upper right")
    left.set_ylim(top=scales.max() * 12)
    for i, (epoch, error) in enumerate(errors.items()):
        b_noise = scales[list(epochs).index(epoch)]
        label = f"epoch {epoch}: batch of {b_noise:,.0f}"
        right.plot(batch, error, MARKERS[i], color=COLORS[i], markersize=7, label=label, gid="measured")
        right.plot(batch, b_noise / np.asarray(batch), DASHES[i % 3], color=COLORS[i], linewidth=1.4)
    right.axhline(1, color="0.4", linewidth=1)
    right.annotate("noise = signal", (batch[0], 1), (2, 4), textcoords="offset points", color="0.3", fontsize=11)
    right.set(xscale="log", yscale="log", xlabel="batch size b (samples)", ylabel="relative squared error |g − G|² / |G|²")
    right.legend(title="noise = signal at", frameon=False, loc="upper right")
    titled(left, "As the loss falls, noise grows over the signal", small)
    titled(right, "The error of a minibatch gradient", "marks: measured, 200 draws a size; lines: noise scale / b")
    dress(left)
    dress(right)
    return figure


def _ball() -> Figure:
    X, _ = batches.column("breast_cancer", "mean radius")
    radius = noise.ball(X[:, 0], jnp.asarray(RATES), 1.0, jax.random.key(0), batches=BATCHES)
    deviation = float(jnp.std(X))
    small = f"λ = 1, s = {deviation:.2g}: SGD towards the mean of a real column, {X.shape[0]} samples"
    return ball(np.asarray(RATES), BATCHES, np.asarray(radius), 1.0, deviation, small)


def _cloud(draws: int = 500) -> Figure:
    with jax.enable_x64(True):
        X, y = (jnp.asarray(a, jnp.float64) for a in batches.column("breast_cancer", "mean radius"))
        params = batches.network(jnp.asarray(POINT))
        each = np.asarray(noise.sample_gradients(batches.MODEL, params, X, y))
        full = np.asarray(noise.full_gradient(batches.MODEL, params, X, y))
    estimates = {b: each if b == 1 else noise.minibatch_means(each, b, draws) for b in (1, 8, 64)}
    gap = float(np.abs(each.mean(axis=0) - full).max())
    return cloud(
        estimates,
        full,
        gap,
        f"Gradients of a logistic regression at w = −{-POINT[0]:g}, b = {POINT[1]:g} (breast cancer, from the mean radius), float64",
    )


def _scale() -> Figure:
    digits = sources.load("digits")
    model = MLP((64, 32, 10))
    X = digits.X / 16
    epochs, shown = (0, 1, 2, 3, 5, 8, 12, 16, 20), (0, 3, 20)
    spec, hparams, data = train.prepare(
        model, adam(1e-3), X, digits.y,
        batch_size=32, seed=0, data_seed=None, validation=None, sample_weight=None, l1=0.0, l2=0.0, dropout=0.0,
        label_smoothing=0.0, init_scale=1.0, patience=None, monitor="loss", dtype="float32",
    )  # fmt: skip
    state = train.init_lane(spec, hparams)
    batch = [2**i for i in range(12)]
    scales, losses, errors = [], [], {}
    for epoch in epochs:
        state, _ = train.advance_lane(spec, state, hparams, data, int(state.epoch), epoch)
        scales.append(float(noise.noise_scale(model, state.params, data.X, data.y).scale))
        losses.append(float(train.evaluate(model, state.params, data.X, data.y)[0]))
        if epoch in shown:
            each = np.asarray(noise.sample_gradients(model, state.params, data.X, data.y))
            errors[epoch] = noise.relative_errors(each, batch, draws=200)
    small = f"64-32-10 network on {len(X):,} handwritten digits, Adam 1e-3, batch 32"
    return scale(epochs, np.asarray(scales), np.asarray(losses), batch, errors, small)


GALLERY = (
    Entry(
        "noise_ball",
        "How far SGD stays from a minimum, measured on the losses λ(w − c)²/2 of real samples c, against what theory says for each "
        "learning rate and batch size.",
        'This may cause the optimization path to fluctuate significantly, introducing a "noise ball" effect where updates wander before '
        "settling near a minimum.",
        _ball,
    ),
    Entry(
        "unbiased",
        "Every sample's gradient and the means of minibatches: the clouds are wide, their centre is the full gradient, and a batch of b "
        "is √b times narrower.",
        "in expectation, the per-sample gradient is equivalent to the full gradient",
        _cloud,
    ),
    Entry(
        "noise_scale",
        "The gradient noise scale (McCandlish et al. 2018) while a network learns: the batch size at which a minibatch gradient is as much "
        "noise as signal, and below which larger batches pay.",
        "This approach benefits from reduced noise compared to pure SGD due to averaging over multiple samples, while still being "
        "significantly faster and more memory-efficient than full-batch gradient descent.",
        _scale,
    ),
)
