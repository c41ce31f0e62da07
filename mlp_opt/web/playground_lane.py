"""The Playground's programs: the library's lane trained by whole epochs, and what is drawn of a network. Numbers never recompile."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import lane
from ..backprop import backward
from ..compiled import jit
from ..lane import Data, HParams, LaneSpec, LaneState
from ..model import MLP, Params, forward
from . import limits
from .playground_data import FEATURES, features, grid

CURVE = ("train_loss", "train_score", "test_loss", "test_score")
THIN = 3  # a unit's small map has every third point of a large one
draw = jit(lane.draw, static_argnums=(0, 1))
begin = jit(lane.begin)


class Measured(NamedTuple):
    """curve: a row an epoch (CURVE), NaN from a divergence on. now: the same at the end. norms: of each layer's gradient."""

    curve: Any
    now: Any
    norms: Any


@partial(jit, static_argnames="spec")
def train(spec: LaneSpec, state: LaneState, hparams: HParams, data: Data, epochs: Any) -> tuple[LaneState, Measured]:
    """Go on by `epochs` (at most limits.EPOCHS) and measure: plain losses and scores of all rows after each epoch."""
    plain = data._replace(X_val=None, y_val=None)

    def scores(params: Params) -> Any:
        pair = lane.evaluate(spec.model, params, data.X, data.y)
        assert data.X_val is not None
        assert data.y_val is not None
        return jnp.stack([*pair, *lane.evaluate(spec.model, params, data.X_val, data.y_val)])

    def epoch(k: Any, carry: Any) -> Any:
        state, curve = carry
        state, _ = lane.advance(spec, state, hparams, plain, state.epoch, state.epoch + 1)
        return state, curve.at[k].set(jnp.where(state.diverged_at == 0, scores(state.params), jnp.nan))

    curve = jnp.full((limits.EPOCHS, len(CURVE)), jnp.nan, jnp.float32)
    state, curve = jax.lax.fori_loop(0, jnp.asarray(epochs, jnp.int32), epoch, (state, curve))
    _, grads, _ = backward(spec.model, state.params, data.X, data.y, l1=hparams.l1, l2=hparams.l2)
    norms = jnp.stack([jnp.sqrt(jnp.sum(jnp.square(W)) + jnp.sum(jnp.square(b))) for W, b in grads])
    return state, Measured(curve, scores(state.params), norms)


@partial(jit, static_argnames=("model", "names"))
def maps(model: MLP, names: tuple[str, ...], params: Params, xy: Any, unit: Any) -> tuple[Any, Any]:
    """z of every hidden unit and output over the plane, small (units, m, m), and that of one unit, large (n, n)."""
    z = forward(model, params, features(names, xy)).z[1:]
    every = jnp.concatenate(z).reshape(-1, limits.MAP, limits.MAP)
    return every[:, ::THIN, ::THIN], every[unit]


@jit
def feature_maps(xy: Any) -> Any:
    """Small maps of every feature there is."""
    return features(tuple(FEATURES), xy).T.reshape(-1, limits.MAP, limits.MAP)[:, ::THIN, ::THIN]


def flat(params: Params) -> np.ndarray:
    """All weights: of each layer W by rows, then b."""
    return np.concatenate([np.asarray(part).ravel() for layer in params for part in layer])


def drawn(model: MLP, names: tuple[str, ...], params: Params, unit: int) -> dict[str, np.ndarray]:
    """The arrays that the page draws of a network."""
    small, large = maps(model, names, params, grid(), np.int32(unit))
    return {"params": flat(params), "maps": small, "large": large}
