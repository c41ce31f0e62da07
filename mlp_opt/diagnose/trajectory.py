"""Training with the parameters kept as they were after each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from .. import lane
from ..compiled import jit
from ..errors import InputError
from ..model import MLP, Params
from ..train import Run, fit

_draw = jit(lane.draw, static_argnums=(0, 1))


@dataclass(frozen=True)
class Trajectory:
    """The path of a run through parameter space.

    snapshots: like the parameters, NumPy arrays with a leading axis of points; the first is the initial parameters.
    epochs: epochs done at each point, 0 first. run: what `fit` returned at the end. Points that are not finite are left out.
    """

    snapshots: Params
    epochs: np.ndarray
    run: Run

    @property
    def last(self) -> Params:
        """The parameters at the last point."""
        return jax.tree.map(lambda x: x[-1], self.snapshots)

    def thinned(self, points: int) -> Trajectory:
        """At most so many of the points, evenly spread, both ends among them."""
        kept = np.unique(np.linspace(0, len(self.epochs) - 1, points).round().astype(int))
        return Trajectory(jax.tree.map(lambda x: x[kept], self.snapshots), self.epochs[kept], self.run)


def record(model: MLP, optimizer: Any, X: Any, y: Any, *, epochs: int = 20, every: int = 1, **options: Any) -> Trajectory:
    """`fit(model, optimizer, X, y, epochs=epochs, **options)`, to the same bits, with a snapshot after every `every` epochs.

    Raises InputError as `fit` does, and for `every` below 1.
    """
    if every < 1:
        raise InputError(f"every must be a whole number >= 1, got {every}")
    run = fit(model, optimizer, X, y, epochs=min(every, epochs), **options)
    scale = options.get("init_scale", 1.0)
    start = _draw(model, options.get("dtype", "float32"), np.uint32(options.get("seed", 0)), None if scale == 1 else float(scale))
    points, done = [jax.tree.map(np.asarray, start)], [0]
    while True:
        points.append(jax.tree.map(np.asarray, run.last))
        done.append(len(run.history["epoch"]))
        if run.stopped != "finished" or done[-1] >= epochs:
            break
        run = fit(model, optimizer, X, y, epochs=min(done[-1] + every, epochs), **options | {"state": run.state, "history": run.history})
    kept = [i for i, p in enumerate(points) if all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(p))]
    stacked = jax.tree.map(lambda *x: np.stack(x), *(points[i] for i in kept))
    return Trajectory(stacked, np.asarray(done)[kept], run)
