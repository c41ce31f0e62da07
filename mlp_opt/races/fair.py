"""A fair comparison: equal gradient evaluations, each rule at its own best rate, tuned and reported on different starts.

Protocol, after DeepOBS (Schneider, Balles & Hennig 2019) and AlgoPerf (Dahl et al. 2023): every rule gets the same 36
learning rates, evenly from 1e-5 to 1e2 in the logarithm, the same random starts for tuning and the same number of
gradients a run; its best rate is then run from other random starts, and only those are reported. A run that misses
its target, or whose loss is not finite, counts as infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import InputError
from ..optimizers import Optimizer
from ..surfaces import Surface
from .maps import ends
from .paths import STEPS, stacked

RATES = np.geomspace(1e-5, 1e2, 36)
QUARTILES = (0.25, 0.5, 0.75)
TUNING, REPORTING = 20, 100  # starts


class Result(NamedTuple):
    """One rule's comparison. rates (r,); tuning (r, 3): quartiles of the scores from the tuning starts at each rate;
    rate: the best of them; scores (s,): from the reporting starts at that rate; quartiles (3,) of them; missed: the
    share of them that is infinite; evaluations: gradients a run, in tuning and reporting alike.

    A score is the last loss or, with a target, the first step from which on the loss stays at or under it.
    """

    rates: np.ndarray
    tuning: np.ndarray
    rate: float
    scores: np.ndarray
    quartiles: np.ndarray
    missed: float
    evaluations: int


def random_starts(surface: Surface, n: int, seed: int, part: int) -> jax.Array:
    """n starts (n, 2), uniform over the domain. part: 0 for tuning, 1 for reporting; they are independent."""
    key = jax.random.fold_in(jax.random.key(seed), part)
    low, high = (jnp.asarray([surface.x[i], surface.y[i]], jnp.result_type(float)) for i in (0, 1))
    return low + (high - low) * jax.random.uniform(key, (n, 2), low.dtype)


def fair(
    surface: Surface,
    builds: Mapping[str, Callable[[float], Optimizer]],
    steps: int = STEPS,
    target: float | None = None,
    seed: int = 0,
    rates: np.ndarray = RATES,
    tuning: int = TUNING,
    reporting: int = REPORTING,
) -> dict[str, Result]:
    """Each rule's Result; builds[name](rate) makes it. InputError on a surface that has no lowest loss, without a target."""
    if surface.unbounded and target is None:
        raise InputError(f"surface {surface.name} has no lowest loss to compare: give a target, the loss to be reached")
    first, second = (np.asarray(random_starts(surface, n, seed, part)) for part, n in enumerate((tuning, reporting)))
    lanes = max(len(rates) * tuning, reporting)  # one shape, hence one program, for both parts
    found = {}
    for name, build in builds.items():
        optimizers = [build(float(rate)) for rate in rates]
        every = [optimizer for optimizer in optimizers for _ in range(tuning)]
        tuned = _scores(surface, every, np.tile(first, (len(rates), 1)), steps, target, lanes).reshape(len(rates), tuning)
        best = _best(tuned)
        scores = _scores(surface, [optimizers[best]] * reporting, second, steps, target, lanes)
        found[name] = Result(
            rates, _quartiles(tuned), float(rates[best]), scores, _quartiles(scores), float(np.isinf(scores).mean()), steps
        )  # fmt: skip
    return found


def _scores(surface: Surface, optimizers: list[Optimizer], starts: np.ndarray, steps: int, target: float | None, lanes: int) -> np.ndarray:
    """The score of each optimizer from its start (n,), lower is better, infinite for a miss; run as `lanes` lanes, the first repeated."""
    n, more = len(starts), lanes - len(starts)
    filled = np.concatenate([starts, np.repeat(starts[:1], more, axis=0)])
    loss, since = ends(surface.f, stacked(optimizers + optimizers[:1] * more), filled, steps, target)
    if since is None:
        return np.where(np.isfinite(loss), loss, np.inf).astype(float)[:n]
    return np.where(since <= steps, since, np.inf)[:n]


def _quartiles(scores: np.ndarray) -> np.ndarray:
    """Quartiles over the last axis (..., 3), each one of the scores: a mean of a number and infinity would be infinite."""
    return np.moveaxis(np.quantile(scores, QUARTILES, axis=-1, method="inverted_cdf"), 0, -1)


def _best(scores: np.ndarray) -> int:
    """The rate (row) with the lowest median; of equals, those with fewest misses, then the lowest quartiles, then the middle one.

    Scores that differ from the lowest by less than 1e-10 of it (or of 1) are equal: digits that no one asked for.
    """
    q = _quartiles(scores)
    least = q[np.isfinite(q)].min(initial=np.inf)
    q = np.maximum(q, least + 1e-10 * max(1.0, abs(least))) if np.isfinite(least) else q
    keys = np.stack([q[:, 1], np.isinf(scores).sum(1), q[:, 2], q[:, 0]], axis=1)
    first = keys[np.lexsort(keys.T[::-1])[0]]
    equal = np.flatnonzero((keys == first).all(1))
    return int(equal[len(equal) // 2])
