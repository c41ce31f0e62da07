"""One update taken apart: what a rule does between the gradient and the step, in the order and letters of the notes.

    states, values = explain("adam", optimizer, path)

A state is a caption, the equation and the equation with places for numbers; `values` fills them, for every step of
the path. Nothing is computed twice: gradients, velocities, accumulators and steps are the path's own, and what the
rule does not keep (m_hat, the root) follows from them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..errors import check_name
from ..optimizers import Optimizer
from .paths import Path


class State(NamedTuple):
    """caption: what happens, in words; equation: in the notes' letters; filled: the same with {name} for each value;
    result: the name of the value that the state makes; drawn: "arrow", "square" or "point", how to show it."""

    caption: str
    equation: str
    filled: str
    result: str
    drawn: str


_GRADIENT = State("The gradient: the direction of steepest ascent here.", "g = ∇f(w)", "g = {g}", "g", "arrow")
_MOVE = State("Move.", "w ← w + Δw", "w = {w} + {u}", "w_next", "point")
_MEAN_M = [
    State("The mean gradient forgets a little.", "β₁ m", "{b1} · {m_old}", "m_kept", "arrow"),
    State("Add a share of the new gradient.", "m ← β₁ m + (1 − β₁) g", "m = {m_kept} + {c1} · {g}", "m", "arrow"),
]


def _root(inside: str) -> State:
    return State("Its root is the side of the square.", f"r = √({inside} + ε)", "r = {root}", "root", "square")


_DIVIDE = State(
    "Divide by the side of the square, and scale by the learning rate.", "Δw = −α g / r", "Δw = −{alpha} · {g} / {root}", "u", "arrow"
)
STATES: dict[str, tuple[State, ...]] = {
    "sgd": (
        _GRADIENT,
        State("Go the other way, by the learning rate.", "Δw = −α g", "Δw = −{alpha} · {g}", "u", "arrow"),
        _MOVE,
    ),
    "momentum": (
        State("The velocity of the step before.", "m", "m = {m_old}", "m_old", "arrow"),
        State("It decays.", "μ m", "{mu} · {m_old}", "m_kept", "arrow"),
        _GRADIENT,
        State("Add the gradient's step: the new velocity.", "m ← μ m − α g", "m = {m_kept} − {alpha} · {g}", "m", "arrow"),
        _MOVE._replace(equation="w ← w + m"),
    ),
    "nesterov": (
        State("The velocity of the step before (it points uphill).", "m", "m = {m_old}", "m_old", "arrow"),
        _GRADIENT,
        State("It decays, and the gradient is added.", "m ← μ m + g", "m = {mu} · {m_old} + {g}", "m", "arrow"),
        State("Look ahead: where the new velocity would lead.", "Δw = −α (g + μ m)", "Δw = −{alpha} · ({g} + {mu} · {m})", "u", "arrow"),
        _MOVE,
    ),
    "adagrad": (
        _GRADIENT,
        State("Add its square to the sum of all squares: the square only grows.", "v ← v + g²", "v = {v_old} + {g2}", "v", "square"),
        _root("v"), _DIVIDE, _MOVE,
    ),
    "rmsprop": (
        _GRADIENT,
        State("The mean square forgets a little.", "β v", "{beta} · {v_old}", "v_kept", "square"),
        State("Add a share of the new square.", "v ← β v + (1 − β) g²", "v = {v_kept} + {c} · {g2}", "v", "square"),
        _root("v"), _DIVIDE, _MOVE,
    ),
    "adadelta": (
        _GRADIENT,
        State("The mean square of the gradients.", "v ← ρ v + (1 − ρ) g²", "v = {rho} · {v_old} + {c} · {g2}", "v", "square"),
        State("The mean square of the steps so far: the unit of the weights.", "x", "x = {x_old}", "x_old", "square"),
        State("Divide by one, multiply by the other.", "s = √(x + ε) / √(v + ε) g", "s = {ratio} · {g}", "s", "arrow"),
        State("Go the other way, by the learning rate.", "Δw = −α s", "Δw = −{alpha} · {s}", "u", "arrow"),
        _MOVE,
    ),
    "adam": (
        _GRADIENT, *_MEAN_M,
        State("It began at 0: undo the bias.", "m̂ = m / (1 − β₁ᵗ)", "m̂ = {m} / {bias1}", "m_hat", "arrow"),
        State("The mean square forgets a little.", "β₂ v", "{b2} · {v_old}", "v_kept", "square"),
        State("Add a share of the new square.", "v ← β₂ v + (1 − β₂) g²", "v = {v_kept} + {c2} · {g2}", "v", "square"),
        State("It began at 0, too: undo the bias.", "v̂ = v / (1 − β₂ᵗ)", "v̂ = {v} / {bias2}", "v_hat", "square"),
        State("Its root, and a little more, is the side of the square.", "r = √(v̂ + ε₀) + ε", "r = {root}", "root", "square"),
        _DIVIDE._replace(equation="Δw = −α m̂ / r", filled="Δw = −{alpha} · {m_hat} / {root}"),
        _MOVE,
    ),
}  # fmt: skip


def explain(name: str, optimizer: Optimizer, path: Path) -> tuple[tuple[State, ...], dict[str, np.ndarray]]:
    """The states of one rule's update, and the values in them: arrays (steps+1, 2), or (steps+1,) for numbers that both
    coordinates share, as float64. InputError for a rule without states.

    optimizer: as it ran, with its numbers; path: its path (see races.race).
    """
    states = STATES[check_name("optimizer for step by step", name, STATES)]
    with np.errstate(all="ignore"):  # a run that has left the finite numbers is shown as it is
        return states, _values(name, optimizer, path)


def _values(name: str, optimizer: Optimizer, path: Path) -> dict[str, np.ndarray]:
    numbers = optimizer.update.traced
    g, u, w = (np.asarray(a, float) for a in (path.gradient, path.update, path.w))
    n = len(g)
    rate = numbers["learning_rate"]
    alpha = np.broadcast_to(np.asarray(rate(jnp.arange(n)) if callable(rate) else rate, float), n)
    values = {"g": g, "g2": g**2, "u": u, "w": w, "w_next": w + u, "alpha": alpha}
    start = np.asarray(optimizer.init.traced.get("initial", 0.0), float)
    for letter, kept, first in (("m", path.m, np.zeros(())), ("v", path.v, start)):
        if kept is not None:
            values[letter] = np.asarray(kept, float)
            values[f"{letter}_old"] = np.concatenate([np.broadcast_to(first, (1, 2)), values[letter][:-1]])
    shared, made = _RULES[name](numbers, values, np.arange(1, n + 1))
    values |= {key: np.broadcast_to(np.asarray(number, float), n) for key, number in shared.items()} | made
    return values


def _sgd(numbers: Any, of: Any, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {}


def _momentum(numbers: Any, of: Any, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"mu": numbers["momentum"]}, {"m_kept": numbers["momentum"] * of["m_old"]}


def _adagrad(numbers: Any, of: Any, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {"root": np.sqrt(of["v"] + numbers["eps"])}


def _rmsprop(numbers: Any, of: Any, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    beta = numbers["decay"]
    return {"beta": beta, "c": 1 - beta}, {"v_kept": beta * of["v_old"], "root": np.sqrt(of["v"] + numbers["eps"])}


def _adadelta(numbers: Any, of: Any, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    rho, eps = numbers["rho"], numbers["eps"]
    s = np.divide(-of["u"], of["alpha"][:, None], out=np.zeros_like(of["u"]), where=of["alpha"][:, None] != 0)
    x = np.zeros_like(s)
    for i in range(1, len(s)):
        x[i] = rho * x[i - 1] + (1 - rho) * s[i - 1] ** 2
    return {"rho": rho, "c": 1 - rho}, {"x_old": x, "s": s, "ratio": np.sqrt(x + eps) / np.sqrt(of["v"] + eps)}


def _adam(numbers: Any, of: Any, t: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    b1, b2 = numbers["b1"], numbers["b2"]
    bias1, bias2 = 1 - b1**t, 1 - b2**t
    m_hat, v_hat = of["m"] / bias1[:, None], of["v"] / bias2[:, None]
    shared = {"b1": b1, "c1": 1 - b1, "b2": b2, "c2": 1 - b2, "bias1": bias1, "bias2": bias2}
    kept = {"m_kept": b1 * of["m_old"], "v_kept": b2 * of["v_old"], "m_hat": m_hat, "v_hat": v_hat}
    return shared, kept | {"root": np.sqrt(v_hat + numbers["eps_root"]) + numbers["eps"]}


_RULES = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _momentum,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adadelta": _adadelta,
    "adam": _adam,
}
