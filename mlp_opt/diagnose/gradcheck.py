"""Hand-written gradients against jax.grad and finite differences, over the cross of everything that the model has.

Needs float64 (jax_enable_x64). A difference is relative: the largest of a leaf over the largest
entry of jax.grad's leaf, and the worst leaf counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .. import losses
from ..activations import ACTIVATIONS
from ..backprop import value_and_grad
from ..losses import LOSSES
from ..model import MLP, Params, init, loss

JAX_BOUND = 1e-12
DIFFERENCE_BOUND = 1e-7  # central differences: h^2 truncation and eps/h rounding, at h = 1e-5
STEP = 1e-5
WAYS = 4  # random directions along which they are taken, one by one: the programs that the losses have compiled already serve
WIDTH = 4

TRAINABLE = tuple(name for name in ACTIVATIONS if name != "step")
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights": {"sample_weight": True},
    "l1": {"l1": 0.1},
    "l2": {"l2": 0.1},
    "dropout": {"dropout": 0.4},
    "smoothing": {"label_smoothing": 0.2},
    "residual": {"residual": True},
    "all": {"sample_weight": True, "l1": 0.1, "l2": 0.1, "dropout": 0.4, "label_smoothing": 0.2, "residual": True},
}
QUICK = ("plain", "all")


@dataclass(frozen=True)
class Case:
    """One point of the cross: what the network is, how many rows, and which options are on."""

    model: MLP
    batch: int
    option: str
    soft: bool = False  # soft rows of targets instead of integer labels


def cases(options: tuple[str, ...] = tuple(OPTIONS), depths: tuple[int, ...] = (0, 1, 2, 3)) -> Iterator[Case]:
    """activations x losses x depths x outputs x batch x options; depth counts hidden layers."""
    for name in LOSSES:
        outputs = (2, 3) if name == "softmax_cross_entropy" else (1, 3)
        for depth in depths:
            for activation in TRAINABLE if depth else ("identity",):
                for n_out in outputs:
                    sizes = (WIDTH,) * (depth + 1) + (n_out,)
                    for batch in (1, 5):
                        for option in options:
                            model = MLP(sizes, activation, name, residual=OPTIONS[option].get("residual", False))
                            yield Case(model, batch, option, soft=n_out == 3)
    for output in TRAINABLE[1:]:  # the notes' line 2 with an output activation of its own; a mix of activations
        yield Case(MLP((WIDTH, 5, WIDTH, 2), ("tanh", "gelu", output), "mse"), 5, "plain")


def sample(case: Case, seed: int = 0) -> tuple[Params, jax.Array, jax.Array, dict[str, Any]]:
    """Parameters, inputs, targets and options of a case: (params, X, y, options of value_and_grad)."""
    rng = np.random.default_rng(seed)
    model, n_out = case.model, case.model.sizes[-1]
    params = init(model, jax.random.key(seed), dtype=jnp.float64)
    params = jax.tree.map(lambda p: p + 0.3 * jnp.asarray(rng.normal(size=p.shape)), params)
    X = jnp.asarray(rng.normal(size=(case.batch, WIDTH)))
    if model.loss == "mse":
        y = jnp.asarray(rng.normal(size=(case.batch, n_out)))
    elif model.loss == "bce":
        y = jnp.asarray(rng.integers(0, 2, size=(case.batch, n_out)))
    elif case.soft:
        y = jnp.asarray(rng.dirichlet(np.ones(n_out), size=case.batch))
    else:
        y = jnp.asarray(rng.integers(0, n_out, size=case.batch))
    options = {k: v for k, v in OPTIONS[case.option].items() if k != "residual"}
    if "sample_weight" in options:
        options["sample_weight"] = jnp.asarray(rng.uniform(0.1, 2.0, size=case.batch))
    if "dropout" in options:
        options["key"] = jax.random.key(seed + 1)
    if model.loss == "mse":
        options.pop("label_smoothing", None)
    return params, X, y, options


def relative(found: PyTree, expected: PyTree) -> float:
    """The worst leaf's largest difference over the largest entry expected; 0 where both are 0."""
    worst = 0.0
    for f, e in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        gap, size = float(np.max(np.abs(f - e))), float(np.max(np.abs(e)))
        worst = max(worst, gap / size if size else (0.0 if gap == 0 else np.inf))
        if np.isnan(gap):
            return np.inf
    return worst


def differences(case: Case, seed: int = 0, finite: bool = True) -> dict[str, float]:
    """Relative differences of one case: of value and gradients from jax.grad, and from finite differences."""
    model = case.model
    params, X, y, options = sample(case, seed)
    value, grads = value_and_grad(model, params, X, y, **options)
    expected = jax.value_and_grad(lambda p: loss(model, p, X, y, **options))(params)
    gaps = {"jax.grad": relative((value, grads), expected)}
    if not finite:
        return gaps
    rng, slopes, numeric = np.random.default_rng(seed), np.zeros(WAYS), np.zeros(WAYS)

    def moved(way: PyTree, step: float) -> jax.Array:
        return loss(model, jax.tree.map(lambda p, d: p + jnp.asarray(step * d), params, way), X, y, **options)

    for i in range(WAYS):
        way = jax.tree.map(lambda p: rng.normal(size=p.shape), params)
        numeric[i] = (moved(way, STEP) - moved(way, -STEP)) / (2 * STEP)
        slopes[i] = sum(np.vdot(d, g) for d, g in zip(jax.tree.leaves(way), jax.tree.leaves(grads), strict=True))
    return gaps | {"finite": relative(slopes, numeric)}


def two_step(name: str, output: str, seed: int = 0) -> float:
    """Relative difference of the notes' lines 1 and 2 from the fused delta[L], at logits from -5 to 5.

    Further out the two-step form itself runs out of digits (1 - z[L] cancels), which is why it is fused.
    """
    rng = np.random.default_rng(seed)
    a_L = jnp.asarray(rng.uniform(-5, 5, size=(3, 50)))
    y = jnp.asarray(rng.dirichlet(np.ones(3), size=50))
    what = (name, a_L, y, jnp.asarray(rng.uniform(0, 2, size=50)), 0.0 if name == "mse" else 0.1, output)
    return relative(losses.delta_two_step(*what), losses.delta(*what))


def run_two_step() -> list[dict[str, Any]]:
    """A row for each loss: the worst of `two_step` over its output activations."""
    rows = []
    for name, entry in LOSSES.items():
        outputs = [output for output in entry.outputs if output != "step"]
        gap = max(two_step(name, output) for output in outputs)
        rows.append({"loss": name, "cases": len(outputs), "gap": gap, "passed": gap <= JAX_BOUND})
    return rows


def run(quick: bool = False, on_case: Any = None) -> list[dict[str, Any]]:
    """A row for each hidden activation, the output layer alone and mixes: cases, worst differences, passed.

    Finite differences are taken for the batches of 5 of the options "plain" and "all".
    """
    chosen = [c for c in cases(QUICK, (0, 2)) if c.batch > 1] if quick else list(cases())
    rows: dict[str, dict[str, Any]] = {}
    for i, case in enumerate(chosen):
        name = "(no hidden layer)" if case.model.n_layers == 1 else case.model.activation
        name = name if isinstance(name, str) else "(a mix)"
        row = rows.setdefault(name, {"activation": name, "cases": 0, "jax.grad": 0.0, "finite cases": 0, "finite": 0.0})
        finite = case.option in QUICK and case.batch > 1
        row["cases"] += 1
        row["finite cases"] += finite
        for key, gap in differences(case, finite=finite).items():
            row[key] = max(row[key], gap)
        if on_case:
            on_case(i + 1, len(chosen))
    for row in rows.values():
        row["passed"] = row["jax.grad"] <= JAX_BOUND and row["finite"] <= DIFFERENCE_BOUND
    return list(rows.values())
