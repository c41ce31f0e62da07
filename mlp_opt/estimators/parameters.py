"""An estimator's parameters: what is accepted, and the optimizer that they describe."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..activations import ACTIVATIONS
from ..bound import Bound
from ..config import TrainConfig
from ..errors import InputError, check_name
from ..experiment import build_optimizer
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules import SCHEDULES

SKLEARN_ACTIVATIONS = {"logistic": "sigmoid"}  # the others have our names
SOLVERS = ("lbfgs", *(name for name in OPTIMIZERS if name != "momentum"))  # sgd has the momentum
RATES = ("constant", "invscaling", "adaptive", *(name for name in SCHEDULES if name != "constant"))
_BETAS = {"b1": "beta_1", "b2": "beta_2", "eps": "epsilon"}
_ARGUMENTS: dict[str, dict[str, str]] = {  # of a rule, and the parameters that they are
    "sgd": {"momentum": "momentum", "nesterov": "nesterovs_momentum"},
    **dict.fromkeys(("adam", "adamw", "nadam", "amsgrad", "adamax", "radam"), _BETAS),
}


def _whole(low: int) -> tuple[Callable[[Any], bool], str]:
    return lambda v: operator.index(v) >= low, f"a whole number >= {low}"


_FLAG = (lambda v: v in (True, False), "True or False")
_BETA = (lambda v: 0 <= v < 1, "a number from 0 up to but not 1")
_NOT_NEGATIVE = (lambda v: 0 <= v < math.inf, "a number >= 0")
_POSITIVE = (lambda v: 0 < v < math.inf, "a number > 0")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "alpha": _NOT_NEGATIVE,
    "batch_size": (lambda v: v == "auto" or operator.index(v) >= 1, "'auto' or a whole number >= 1"),
    "learning_rate_init": _POSITIVE,
    "power_t": _NOT_NEGATIVE,
    "max_iter": _whole(1),
    "shuffle": _FLAG,
    "tol": _NOT_NEGATIVE,
    "verbose": (lambda v: operator.index(v) >= 0, "True, False or a whole number >= 0"),
    "warm_start": _FLAG,
    "momentum": _BETA,
    "nesterovs_momentum": _FLAG,
    "early_stopping": _FLAG,
    "validation_fraction": (lambda v: 0 < v < 1, "a number between 0 and 1"),
    "beta_1": _BETA,
    "beta_2": _BETA,
    "epsilon": _POSITIVE,
    "n_iter_no_change": (lambda v: v == math.inf or operator.index(v) >= 1, "a whole number >= 1 or infinity"),
    "max_fun": _whole(1),
    "dropout": (lambda v: 0 <= v < 1, "a number from 0 up to but not 1"),
    "dtype": (lambda v: v in ("auto", "float32", "float64"), "'auto', 'float32' or 'float64'"),
}


def check(estimator: Any) -> None:
    """InputError for a parameter that no fit could have."""
    for name, (good, accepted) in _RULES.items():
        value = getattr(estimator, name)
        try:
            fine = bool(good(value))
        except (TypeError, ValueError):
            fine = False
        if not fine or (isinstance(value, bool) and name != "verbose" and _RULES[name] is not _FLAG):
            raise InputError(f"{name} must be {accepted}, got {value!r}")
    check_name("solver", estimator.solver, SOLVERS)
    check_name("learning_rate", estimator.learning_rate, RATES)
    if estimator.solver == "lbfgs" and estimator.dropout:
        raise InputError(f"solver 'lbfgs' needs an objective that does not change: dropout must be 0, got {estimator.dropout!r}")
    for name in ("solver_params", "learning_rate_params"):
        if not isinstance(getattr(estimator, name), dict | None):
            raise InputError(f"{name} must be None or a dictionary, got {getattr(estimator, name)!r}")


def hidden(estimator: Any) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """(units, activation by our name) of each hidden layer."""
    sizes = estimator.hidden_layer_sizes
    sizes = tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)
    given = estimator.activation
    names = (given,) * len(sizes) if isinstance(given, str) else tuple(given)
    if len(names) != len(sizes):
        raise InputError(f"activation gives {len(names)} names for {len(sizes)} hidden layers; give one name, or one a layer")
    trainable = [*SKLEARN_ACTIVATIONS, *(name for name in ACTIVATIONS if name != "step")]
    for name in (given,) if isinstance(given, str) else names:
        check_name("activation", name, trainable)
    return sizes, tuple(SKLEARN_ACTIVATIONS.get(name, name) for name in names)


def optimizer(estimator: Any, rate: float, steps: int, n: int, updates: int, factor: float) -> Optimizer:
    """The optimizer of the next epochs, of `steps` updates on n samples each.

    rate: the present learning rate. updates: how many the optimizer has made. factor: see `scaled`.
    """
    named = estimator.learning_rate in SCHEDULES and estimator.learning_rate != "constant"
    arguments = {argument: getattr(estimator, name) for argument, name in _ARGUMENTS.get(estimator.solver, {}).items()}
    if estimator.solver == "adam":
        arguments["eps_hat"] = True  # scikit-learn's epsilon meets the root of v before its correction
    arguments |= estimator.solver_params or {}
    rule = {"sgd": "momentum"}.get(estimator.solver, estimator.solver)
    config = TrainConfig(
        optimizer=rule,
        optimizer_options=arguments,
        learning_rate=float(rate),
        schedule=estimator.learning_rate if named else "constant",
        schedule_options=estimator.learning_rate_params or {},
    )
    made = build_optimizer(config, estimator.max_iter * steps)
    if estimator.learning_rate == "invscaling":
        numbers = {"init_value": rate, "power": estimator.power_t, "samples": n, "steps": steps}
        start = {"first": updates, "seen": estimator.t_}
        made = OPTIMIZERS[rule](Bound(_inverse_scaling, **{k: float(v) for k, v in (numbers | start).items()}), **arguments)
    return made if factor == 1 else scaled(made, factor)


def scaled(inner: Optimizer, factor: float) -> Optimizer:
    """`inner` on `factor` times the gradient: scikit-learn's losses are multiples of ours."""
    return Optimizer(inner.init, Bound(_scaled, inner=inner.update, factor=float(factor)))


def _scaled(grads, state, params=None, *, inner, factor, **extra_args):
    return inner(jax.tree.map(lambda g: factor * g, grads), state, params, **extra_args)


def _inverse_scaling(count, *, init_value, power, samples, steps, first, seen):
    """init_value / (t + 1)^power, t the samples seen before this epoch: `seen` at update number `first`, then n an epoch."""
    t = seen + jnp.floor((jnp.asarray(count, jnp.result_type(float)) - first) / steps) * samples
    return init_value / (t + 1) ** power
