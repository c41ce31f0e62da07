"""Every optimizer against its optax call, and against a literal transcription of its formula.

1,000 steps on random gradients whose scales run from 1e-4 to 1e4, in float64 (jax_enable_x64), with
epsilon at its default and at 1e-3 (at 1e-8 a misplaced epsilon hides under any tolerance), and with
the learning rate constant and under a schedule. A difference is the largest of |w - w'| / max(1, |w'| so far)
over all steps and weights: rounding is proportional to the largest number that a sum has passed through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .. import schedules
from ..compiled import jit
from ..optimizers import OPTIMIZERS, apply_updates, as_pytree
from .literal import FORMULAS

BOUND = 1e-14
STEPS = 1000
RATE = 1e-2
EPSILONS = (None, 1e-3)  # None: the rule's default


def schedule(t: Any) -> Any:
    """A learning rate that changes at every step, plain arithmetic for NumPy and JAX alike."""
    return RATE / (1 + 0.01 * t)


def gradients(steps: int = STEPS, n: int = 12, seed: int = 0) -> np.ndarray:
    """Badly scaled random gradients (steps, n); some are exactly 0."""
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(steps, n)) * np.logspace(-4, 4, n)
    g[rng.uniform(size=g.shape) < 0.05] = 0.0
    g[: steps // 2, 0] = 0.0  # a weight whose first gradient comes late
    return g


def path(optimizer: Any, g: np.ndarray) -> np.ndarray:
    """The weights (steps, n) that an (init, update) pair makes of fixed gradients, from w = 1."""
    return np.asarray(_path(as_pytree(optimizer), jnp.asarray(g)))


@jit
def _path(optimizer: Any, g: Any) -> Any:  # the numbers of our optimizers are leaves: another epsilon is the same program
    def step(carry: Any, gradient: Any) -> Any:
        w, state = carry
        updates, state = optimizer.update({"w": gradient}, state, w)
        w = apply_updates(w, updates)
        return (w, state), w["w"]

    w = {"w": jnp.ones(g.shape[1], g.dtype)}
    return jax.lax.scan(step, (w, optimizer.init(w)), g)[1]


def gap(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest |w - w'| / max(1, |w'| so far); infinite where one is not finite."""
    size = np.maximum.accumulate(np.maximum(1, np.abs(expected)), axis=0)
    worst = np.max(np.abs(found - expected) / size)
    return float(worst) if np.isfinite(worst) else np.inf


def twin(name: str) -> Callable[..., Any] | None:
    """The optax function that a rule equals; None for the rules that optax does not have."""
    if name == "momentum":  # the velocity form: the learning rate goes in before the trace
        return lambda rate, momentum=0.9, nesterov=False: optax.chain(optax.scale_by_learning_rate(rate), optax.trace(momentum, nesterov))
    return getattr(optax, name, None)


def variants(name: str) -> list[dict[str, Any]]:
    """The arguments under which a rule is compared with optax: each flag, and epsilon where it has one."""
    table: dict[str, list[dict[str, Any]]] = {
        "sgd": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
        "momentum": [{}, {"nesterov": True}],
        "rmsprop": [
            {}, {"eps_in_sqrt": False}, {"initial_scale": 1.0, "momentum": 0.9}, {"momentum": 0.9, "nesterov": True},
            {"bias_correction": True}, {"centered": True},
        ],
        "adagrad": [{}, {"initial_accumulator_value": 0.0}],
        "adam": [{}, {"nesterov": True}, {"eps_root": 1e-3}],
        "adamw": [{}, {"weight_decay": 0.1}, {"nesterov": True}],
        "nadam": [{}, {"nesterov": False}],
        "amsgrad": [{}, {"bias_correction_mu": False}, {"bias_correction_nu": False}, {"eps_root": 1e-3}],
        "adadelta": [{}, {"weight_decay": 0.1}],
        "radam": [{}, {"nesterov": True}, {"threshold": 100.0}, {"eps_root": 1e-3}],
        "lion": [{}, {"weight_decay": 0.1, "b2": 0.9}],
    }  # fmt: skip
    flags = table.get(name, [{}])
    if name in ("sgd", "momentum", "lion", "qhm"):
        return flags
    return [f if eps is None else f | {"eps": eps} for f in flags for eps in EPSILONS]


def compare(name: str, quick: bool = False) -> dict[str, Any]:
    """One rule's worst differences: from optax over all variants and rates, and from its literal formula.

    quick: only the last variant and formula, under a schedule.
    """
    g = gradients()
    only = slice(-1, None) if quick else slice(None)
    both: tuple[Any, ...] = (RATE, schedule)
    rates = both[only]
    row: dict[str, Any] = {"optimizer": name, "optax": None, "formula": None, "runs": 0}
    other = twin(name)
    if other is not None:
        row["optax"] = 0.0
        for arguments in variants(name)[only]:
            for rate in rates:
                ours, theirs = OPTIMIZERS[name](rate, **arguments), other(rate, **arguments)
                row["optax"] = max(row["optax"], gap(path(ours, g), path(theirs, g)))
                row["runs"] += 1
    for arguments, formula in FORMULAS.get(name, [])[only]:
        row["formula"] = row["formula"] or 0.0
        for rate in rates:
            alpha = rate if callable(rate) else lambda t: RATE
            row["formula"] = max(row["formula"], gap(path(OPTIMIZERS[name](rate, **arguments), g), formula(g, alpha)))
            row["runs"] += 1
    gaps = [x for x in (row["optax"], row["formula"]) if x is not None]
    row["passed"] = bool(gaps) and max(gaps) <= BOUND
    return row


def schedule_gap() -> float:
    """How far the notes' momentum under a schedule is from optax.sgd(schedule, momentum): they are different rules."""
    g = gradients()
    s = schedules.exponential(RATE, 100, 0.5)
    return gap(path(OPTIMIZERS["momentum"](s, 0.9), g), path(optax.sgd(s, 0.9), g))


def run(quick: bool = False, on_case: Any = None) -> list[dict[str, Any]]:
    """A row for each optimizer of the registry."""
    rows = []
    for i, name in enumerate(OPTIMIZERS):
        rows.append(compare(name, quick))
        if on_case:
            on_case(i + 1, len(OPTIMIZERS))
    return rows
