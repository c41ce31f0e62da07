"""Which hyperparameters a sweep's result depends on, told by a random forest. The table as in `sweep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from .numbers import choices, floats, values_of

MOST = 4096  # trials that the forest looks at


def importances(table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str]) -> dict[str, float]:
    """The share of each hyperparameter in what a random forest can tell about a trial's rank; the shares sum to 1, or are all 0
    where nothing can be told: under 8 trials, all of equal worth, or no better predicted than by their mean."""
    return explained(table, varied, scales)[0]


def explained(table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str]) -> tuple[dict[str, float], float]:
    """The importances, and the forest's R² on held-out trials: how far they can be trusted (NaN without a forest)."""
    if not varied:
        return {}, np.nan
    rank = pl.Series("rank", values_of(table)).rank()
    trials = table.with_columns(rank).group_by("trial", maintain_order=True).agg(pl.col("rank").mean(), pl.col(*varied).first())
    trials = trials.sample(MOST, seed=0) if trials.height > MOST else trials
    y = trials["rank"].to_numpy() / table.height
    if len(varied) == 1 or len(y) < 8 or np.ptp(y) == 0:
        return dict.fromkeys(varied, float(len(varied) == 1)), np.nan
    present = np.stack([trials[name].is_not_null().to_numpy() for name in varied], axis=1)
    X = np.stack([_encoded(trials, name, scales[name]) for name in varied], axis=1)
    worse, error = _shuffled(X, y, present)
    worse = np.maximum(worse, 0) * (error < y.var())
    shares = worse / worse.sum() if worse.sum() > 0 else worse
    return dict(zip(varied, shares.tolist(), strict=True)), float(1 - error / y.var())


def _encoded(trials: pl.DataFrame, name: str, scale: str) -> np.ndarray:
    """A column as numbers: log, or the place in the order of a category. What is not set takes the middle value, not one of its own:
    another hyperparameter (the optimizer) decides it, and that one should get the credit."""
    if scale == "category" or not trials[name].dtype.is_numeric():
        values = {value: float(i) for i, value in enumerate(choices(trials, name))}
        return np.array([values[value] for value in trials[name].to_list()])
    x = floats(trials, name)
    x = np.where(np.isnan(x), np.nanmedian(x) if np.isfinite(x).any() else 0.0, x)
    return np.log(x) if scale == "log" and x.min() > 0 else x


def _shuffled(X: np.ndarray, y: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, float]:
    """How much the squared error on held-out rows of `X` (trials, hyperparameters) grows when a column's values are exchanged for those
    of other trials, and that error, both as means over trials. Only rows where the column was set take part."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import KFold

    rng, worse, error = np.random.default_rng(0), np.zeros(X.shape[1]), 0.0
    for train, test in KFold(3 if len(y) >= 64 else min(len(y), 12), shuffle=True, random_state=0).split(X):
        forest = RandomForestRegressor(n_estimators=64, random_state=0).fit(X[train], y[train])
        base = np.sum((forest.predict(X[test]) - y[test]) ** 2) / len(y)
        error += base
        for j in range(X.shape[1]):
            other, rows = np.repeat(X[test], 4, axis=0), np.repeat(present[test, j], 4)
            other[rows, j] = rng.choice(X[present[:, j], j], rows.sum()) if rows.any() else 0.0
            worse[j] += np.sum((forest.predict(other) - np.repeat(y[test], 4)) ** 2) / (4 * len(y)) - base
    return worse, float(error)


def chosen(
    table: pl.DataFrame, varied: Sequence[str], scales: Mapping[str, str], shares: Mapping[str, float] | None = None
) -> tuple[str, str] | None:
    """The two hyperparameters for `heat`, numbers before categories (x, y): the most important of `importances`, in doubt the learning
    rate. None if fewer than two take more than one value."""
    names = [name for name in varied if table[name].n_unique() > 1]
    if len(names) < 2:
        return None
    shares = importances(table, varied, scales) if shares is None else shares
    first = sorted(names, key=lambda name: (-shares[name], name != "learning_rate", name != "optimizer"))[:2]
    x, y = sorted(first, key=lambda name: (scales[name] == "category", name != "learning_rate"))
    return x, y
