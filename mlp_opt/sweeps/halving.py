"""Successive halving (Jamieson & Talwalkar 2016) and Hyperband (Li et al. 2018): who trains how long. Pure functions."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Bracket(NamedTuple):
    """trials: who starts. rungs: epochs at which all but the best 1/eta are dropped; the last rung is the end."""

    trials: tuple[int, ...]
    rungs: tuple[int, ...]


def ladder(epochs: int, min_epochs: int, eta: int) -> tuple[int, ...]:
    """Epochs at the end of each rung, from about `min_epochs` up to `epochs`, each eta times the one before."""
    first = min_epochs or max(1, epochs / eta**2)
    steps = max(0, math.floor(math.log(epochs / first) / math.log(eta) + 1e-9)) if first < epochs else 0
    return tuple(sorted({max(1, round(epochs / eta**k)) for k in range(steps, -1, -1)}))


def brackets(trials: int, epochs: int, halving: bool, count: int, min_epochs: int, eta: int, seed: int) -> tuple[Bracket, ...]:
    """Without halving one bracket with one rung. Else `count` brackets, bracket s without the first s rungs of the ladder.

    Trials are dealt to the brackets at random (seeded), in Hyperband's proportions: bracket s of S gets a share like
    eta^(S - s) / (S - s + 1), so that all brackets cost about the same.
    """
    everyone = tuple(range(trials))
    if not halving:
        return (Bracket(everyone, (epochs,)),)
    rungs = ladder(epochs, min_epochs, eta)
    count = max(1, min(count, len(rungs)))
    if count == 1:
        return (Bracket(everyone, rungs),)
    top = len(rungs) - 1
    shares = np.array([eta ** (top - s) / (top - s + 1) for s in range(count)])
    ends = np.round(np.cumsum(shares / shares.sum()) * trials).astype(int)
    order = np.random.default_rng(seed).permutation(trials)
    parts = np.split(order, ends[:-1])
    return tuple(Bracket(tuple(sorted(int(t) for t in part)), rungs[s:]) for s, part in enumerate(parts) if len(part))


def stages(trials: int, rungs: tuple[int, ...], eta: int) -> list[tuple[int, int]]:
    """(trials, epochs) of each rung, where as many survive as may."""
    found = []
    for before, until in pairwise((0, *rungs)):
        found.append((trials, until - before))
        trials = max(1, trials // eta)
    return found


def survivors(trials: list[int], values: np.ndarray, eta: int) -> list[int]:
    """The best 1/eta of the trials (at least one) by value, lower is better; not finite never survives; ties to the lower number."""
    finite = [t for t in trials if math.isfinite(values[t])]
    keep = max(1, len(trials) // eta)
    return sorted(sorted(finite, key=lambda t: (values[t], t))[:keep])
