"""Decision boundaries as they form: several optimizers on several two-dimensional sets, the same lane as everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import lane
from ..compiled import jit
from ..data import synthetic
from ..lane import Data, HParams, LaneSpec, LaneState
from ..model import MLP, predict
from ..optimizers import OPTIMIZERS


class Frame(NamedTuple):
    """After `epoch` epochs: the probability of label 1 on the grid, (optimizer, set, points); the training accuracy, (optimizer, set)."""

    epoch: int
    probability: np.ndarray
    accuracy: np.ndarray
    states: list[LaneState]


def sets(names: Sequence[str], n: int = 300) -> Data:
    """Synthetic sets of n points, standardized and stacked: X (set, n, 2), y (set, n)."""
    pairs = [synthetic.SETS[name](n=n) for name in names]
    X = np.stack([(X - X.mean(axis=0)) / X.std(axis=0) for X, _ in pairs])
    return Data(jnp.asarray(X, jnp.float32), jnp.asarray(np.stack([y for _, y in pairs]), jnp.float32))


def forming(
    model: MLP, rates: Mapping[str, float], data: Data, points: Float[Array, "points 2"], epochs: Sequence[int], batch_size: int = 32
) -> Iterator[Frame]:
    """Train every optimizer of `rates` (name -> learning rate) on every set of `data` (see `sets`) and stop at each of `epochs`.

    All start from the same weights and see the same order. One program for all: optimizers beside each other, sets as lanes.
    epochs: increasing, at most lane.HISTORY_ROWS apart. A frame's states are overwritten by the next.
    """
    spec = LaneSpec(model, batch_size)
    hparams = [HParams(OPTIMIZERS[name](float(rate))) for name, rate in rates.items()]
    lanes = data.X.shape[0]
    first = [jax.tree.map(lambda leaf: jnp.stack([leaf] * lanes), lane.init(spec, h)) for h in hparams]
    states, done = first, 0
    for epoch in epochs:
        states, probability, accuracy = _advance(spec, states, hparams, data, points, done, epoch)
        done = epoch
        yield Frame(epoch, np.asarray(probability), np.asarray(accuracy), states)


@partial(jit, static_argnums=0)
def _advance(
    spec: LaneSpec, states: list[LaneState], hparams: list[HParams], data: Data, points: Array, first: Any, until: Any
) -> tuple[list[LaneState], Array, Array]:
    """Go on with all optimizers and sets until `until` epochs are done, and look at the grid."""

    def one(hparams: HParams, state: LaneState, X: Array, y: Array) -> Any:
        state, _ = lane.advance(spec, state, hparams, Data(X, y), first, until)
        return state, predict(spec.model, state.params, points)[:, 0], lane.evaluate(spec.model, state.params, X, y)[1]

    found = [jax.vmap(one, (None, 0, 0, 0))(h, state, data.X, data.y) for h, state in zip(hparams, states, strict=True)]
    states, probability, accuracy = (list(part) for part in zip(*found, strict=True))
    return states, jnp.stack(probability), jnp.stack(accuracy)
