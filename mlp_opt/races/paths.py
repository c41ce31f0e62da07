"""The paths that optimizers take on a surface, all of them in one compiled scan.

What is traced: the start and every number of the surface and of the rules. What makes another program: the
surface's formula, the rules and their flags, the number of steps. So a start that is dragged costs no compilation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..bound import Bound
from ..compiled import jit
from ..errors import check_name
from ..optimizers import OPTIMIZERS, Optimizer
from ..optimizers.base import Rate
from ..surfaces import Surface

SEVEN = ("sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam")  # the notes' animations show these
STEPS = 200


class Path(NamedTuple):
    """One optimizer's path, a row a step from t = 0 (the start) to the last, in the float dtype of the race.

    w (steps+1, 2): positions; loss (steps+1,) and gradient (steps+1, 2) there. update (steps+1, 2): what is added
    to w at each step, so w[t+1] = w[t] + update[t] (the last is not applied). m, v (steps+1, 2): the rule's
    velocity (or mean gradient) and its accumulated squares after the step's gradient; None if the rule has none.
    """

    w: Any
    loss: Any
    gradient: Any
    update: Any
    m: Any = None
    v: Any = None


def nesterov(learning_rate: Rate, momentum: Any = 0.9, **options: Any) -> Optimizer:
    """SGD with Nesterov's momentum: sgd(learning_rate, momentum, nesterov=True)."""
    return OPTIMIZERS["sgd"](learning_rate, momentum, nesterov=True, **options)


RULES: dict[str, Callable[..., Optimizer]] = OPTIMIZERS | {"nesterov": nesterov}


def make(name: str, learning_rate: Rate, **options: Any) -> Optimizer:
    """The optimizer of that name: any of OPTIMIZERS, or "nesterov". InputError for another name."""
    return RULES[check_name("optimizer", name, RULES)](learning_rate, **options)


# Shares of the domain's width that an adaptive rule moves a step, about: its rate is this times the width.
_SHARES = {"adadelta": 1.0, "adagrad": 0.1, "lion": 0.004, "rmsprop": 0.008}


def default_rate(surface: Surface, name: str) -> float:
    """A learning rate that makes a clear picture: the surface's own for rules whose step grows with the gradient; for
    adaptive rules, whose step does not, a share of the domain's width. `races.fair` finds each rule's best."""
    if name in ("sgd", "momentum", "nesterov", "qhm"):
        return surface.rate
    return _SHARES.get(name, 0.012) * surface.width


def velocity(name: str, path: Path) -> Any:
    """Which way the rule's m points, downhill (steps+1, 2): the notes' velocity does, a mean of gradients points uphill; None without m."""
    return path.m if name == "momentum" or path.m is None else -path.m


def race(surface: Surface, optimizers: Mapping[str, Optimizer], start: Any = None, steps: int = STEPS) -> dict[str, Path]:
    """Every optimizer's path from `start` (two numbers; default: the surface's), `steps` gradients each, as NumPy arrays."""
    at = jnp.asarray(surface.start if start is None else start, jnp.result_type(float))
    found = jax.device_get(paths(surface.f, tuple(optimizers.values()), at, steps))
    return dict(zip(optimizers, found, strict=True))


@partial(jit, static_argnames="steps")
def paths(f: Bound, optimizers: tuple[Optimizer, ...], start: Any, steps: int) -> tuple[Path, ...]:
    """The paths from start (2,), one compiled scan for all; as `race`, with arrays on the device.

    The surface is computed for all optimizers at once, and a step leaves a single row of numbers: on a CPU the
    time goes into the number of operations, not into their size.
    """
    n = len(optimizers)
    states = tuple(optimizer.init((start[0], start[1])) for optimizer in optimizers)
    kept = [[(name, p) for name in ("m", "v") if (p := getattr(state, name, None)) is not None] for state in states]

    def step(carry: Any, _: Any) -> Any:
        x, y, states = carry
        loss, gx, gy = _slope(f, x, y)
        moved = [o.update((gx[i], gy[i]), states[i], (x[i], y[i])) for i, o in enumerate(optimizers)]
        states = tuple(state for _, state in moved)
        ux, uy = (jnp.stack([u[i] for u, _ in moved]) for i in (0, 1))
        rest = [getattr(state, name)[i] for state, names in zip(states, kept, strict=True) for name, _ in names for i in (0, 1)]
        row = [x, y, loss, gx, gy, ux, uy, *([jnp.stack(rest).astype(x.dtype)] if rest else [])]
        return (x + ux.astype(x.dtype), y + uy.astype(y.dtype), states), jnp.concatenate(row)

    carry = (jnp.full(n, start[0]), jnp.full(n, start[1]), states)
    rows = jax.lax.scan(step, carry, length=steps + 1)[1]
    common, at, made = rows[:, : 7 * n].reshape(-1, 7, n), 7 * n, []
    for i, names in enumerate(kept):
        own = {name: rows[:, at + 2 * j : at + 2 * j + 2] for j, (name, _) in enumerate(names)}
        made.append(Path(common[:, :2, i], common[:, 2, i], common[:, 3:5, i], common[:, 5:, i], **own))
        at += 2 * len(names)
    return tuple(made)


def _slope(f: Bound, x: Any, y: Any) -> Any:
    """f and its derivatives by x and y, elementwise: three arrays of one shape."""
    loss, pullback = jax.vjp(f, x, y)
    return loss, *pullback(jnp.ones_like(loss))


def _add(w: Any, u: Any) -> Any:
    return tuple((a + b).astype(a.dtype) for a, b in zip(w, u, strict=True))


def end(f: Bound, optimizer: Optimizer, start: Any, steps: int, watch: Any = None) -> Any:
    """Where `optimizer` is after `steps` gradients from start = (x, y), and since when `watch(w, loss)` has held.

    Returns (w, loss, since): w = (x, y) and the loss there; since, int32: the first step from which on watch was
    true up to the end, steps + 1 if it does not hold at the end; None without watch. A pure function of scalars,
    to be vmapped over starts and numbers: it keeps no path.
    """

    def step(t: Any, carry: Any) -> Any:
        w, state, since = carry
        loss, *g = _slope(f, *w)
        u, state = optimizer.update(tuple(g), state, w)
        return _add(w, u), state, _since(watch, w, loss, t, since, steps)

    none = None if watch is None else jnp.full_like(start[0], steps + 1, jnp.int32)
    w, _, since = jax.lax.fori_loop(0, steps, step, (start, optimizer.init(start), none))
    loss = f(*w)
    return w, loss, _since(watch, w, loss, steps, since, steps)


def _since(watch: Any, w: Any, loss: Any, t: Any, since: Any, steps: int) -> Any:
    return None if watch is None else jnp.where(watch(w, loss), jnp.minimum(since, t), steps + 1).astype(jnp.int32)


def stacked(optimizers: Sequence[Optimizer]) -> Optimizer:
    """Optimizers of one rule, and other numbers, as one whose numbers are arrays (n,), to be vmapped over."""
    dtype = jnp.result_type(float)
    return jax.tree.map(lambda *numbers: jnp.asarray(np.stack([np.asarray(n) for n in numbers]), dtype), *optimizers)


def distance_to_minima(surface: Surface, w: Any) -> Any:
    """Distance of points w (..., 2) to the nearest known minimum (...,); NaN without any."""
    points = np.asarray(surface.minima or [(np.nan, np.nan)])
    apart = np.asarray(w)[..., None, :] - points
    return np.hypot(apart[..., 0], apart[..., 1]).min(-1)
