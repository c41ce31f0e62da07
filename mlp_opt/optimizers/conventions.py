"""Which arguments make each rule that of the notes, of optax, of torch, of keras.

The libraries put the learning rate and epsilon in different places and have other defaults. A row
names one of our optimizers and the arguments that reproduce a library's rule of that name with its
defaults; `make` builds it. Every row is proven by a test: the notes' against their literal formulas,
optax's against optax, torch's and keras' against numbers that those libraries computed
(tests/golden/conventions.json). A library that has the rule in a form that no arguments reach is in
UNREACHED with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, check_name
from . import OPTIMIZERS, Optimizer
from .base import Rate

LIBRARIES = ("notes", "optax", "torch", "keras")


@dataclass(frozen=True)
class Convention:
    """Our optimizer `rule` with `arguments`; `epsilon` names the argument that holds the library's epsilon."""

    rule: str
    arguments: dict[str, Any] = field(default_factory=dict)
    epsilon: str | None = None


def _eps(rule: str, value: float, at: str = "eps", **arguments: Any) -> Convention:
    return Convention(rule, arguments | {at: value}, at)


CONVENTIONS: dict[str, dict[str, Convention]] = {
    "sgd": {library: Convention("sgd") for library in LIBRARIES},
    "momentum": {
        "notes": Convention("momentum", {"momentum": 0.9}),
        "optax": Convention("sgd", {"momentum": 0.9}),
        "torch": Convention("sgd", {"momentum": 0.9}),
        "keras": Convention("momentum", {"momentum": 0.9}),
    },
    "nesterov": {
        "optax": Convention("sgd", {"momentum": 0.9, "nesterov": True}),
        "torch": Convention("sgd", {"momentum": 0.9, "nesterov": True}),
        "keras": Convention("momentum", {"momentum": 0.9, "nesterov": True}),
    },
    "adagrad": {
        "notes": _eps("adagrad", 1e-8, initial_accumulator_value=0.0),
        "optax": _eps("adagrad", 1e-7, initial_accumulator_value=0.1),
        "torch": _eps("adagrad", 1e-10, initial_accumulator_value=0.0, eps_in_sqrt=False),
        "keras": _eps("adagrad", 1e-7, initial_accumulator_value=0.1),
    },
    "rmsprop": {
        "notes": _eps("rmsprop", 1e-8, decay=0.9),
        "optax": _eps("rmsprop", 1e-8, decay=0.9),
        "torch": _eps("rmsprop", 1e-8, decay=0.99, eps_in_sqrt=False),
        "keras": _eps("rmsprop", 1e-7, decay=0.9),
    },
    "adam": {
        "notes": _eps("adam", 1e-8, at="eps_root", eps=0.0),
        "optax": _eps("adam", 1e-8),
        "torch": _eps("adam", 1e-8),
        "keras": _eps("adam", 1e-7, eps_hat=True),
    },
    "adamw": {
        "optax": _eps("adamw", 1e-8, weight_decay=1e-4),
        "torch": _eps("adamw", 1e-8, weight_decay=1e-2),
        "keras": _eps("adamw", 1e-7, weight_decay=4e-3, eps_hat=True),
    },
    "nadam": {"optax": _eps("nadam", 1e-8)},
    "amsgrad": {"optax": _eps("amsgrad", 1e-8)},
    "adamax": {"optax": _eps("adamax", 1e-8), "torch": _eps("adamax", 1e-8)},
    "adadelta": {
        "optax": _eps("adadelta", 1e-6, rho=0.9),
        "torch": _eps("adadelta", 1e-6, rho=0.9),
        "keras": _eps("adadelta", 1e-7, rho=0.95),
    },
    "radam": {"optax": _eps("radam", 1e-8), "torch": _eps("radam", 1e-8, eps_hat=True)},
    "lion": {
        "optax": Convention("lion", {"b1": 0.9, "b2": 0.99, "weight_decay": 1e-3}),
        "keras": Convention("lion", {"b1": 0.9, "b2": 0.99, "weight_decay": 0.0}),
    },
}

UNREACHED: dict[tuple[str, str], str] = {
    ("nadam", "torch"): "schedules beta_1 (momentum_decay)",
    ("nadam", "keras"): "schedules beta_1",
    ("amsgrad", "torch"): "takes the largest v before the bias correction",
    ("amsgrad", "keras"): "takes the largest v before the bias correction",
    ("adamax", "keras"): "adds epsilon to u, not to the size of g",
}


def make(rule: str, library: str, learning_rate: Rate, epsilon: float | None = None, **arguments: Any) -> Optimizer:
    """The optimizer `rule` as `library` ("notes", "optax", "torch", "keras") has it, with its defaults.

    epsilon goes where the library has it; other arguments have our names and override the row's.
    InputError if the library has no such rule, or has it in a form that we cannot reach.
    """
    row = CONVENTIONS[check_name("rule", rule, CONVENTIONS)]
    check_name("library", library, LIBRARIES)
    if library not in row:
        reason = UNREACHED.get((rule, library), "has no such rule")
        raise InputError(f"no arguments make {rule} that of {library}: it {reason}; accepted: {', '.join(row)}")
    convention = row[library]
    chosen = convention.arguments | arguments
    if epsilon is not None:
        if convention.epsilon is None:
            raise InputError(f"{rule} has no epsilon")
        chosen[convention.epsilon] = epsilon
    return OPTIMIZERS[convention.rule](learning_rate, **chosen)
