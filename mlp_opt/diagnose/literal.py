"""The update rules written down once more, as the notes and papers have them, in plain NumPy.

Each function takes gradients g (steps, n) and alpha(t), starts from w = 1 and returns w after every
step. They share nothing with mlp_opt.optimizers: they are what it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Formula = Callable[[np.ndarray, Callable[[int], float]], np.ndarray]


def gradient_descent(g, alpha):  # w <- w - alpha g
    w, path = np.ones(g.shape[1]), []
    for t in range(len(g)):
        w = w - alpha(t) * g[t]
        path.append(w)
    return np.array(path)


def momentum(mu: float) -> Formula:  # m <- mu m - alpha g;  w <- w + m
    def formula(g, alpha):
        w, m, path = np.ones(g.shape[1]), np.zeros(g.shape[1]), []
        for t in range(len(g)):
            m = mu * m - alpha(t) * g[t]
            w = w + m
            path.append(w)
        return np.array(path)

    return formula


def adagrad(epsilon: float) -> Formula:  # v <- v + g^2;  w <- w - alpha / sqrt(v + epsilon) g
    def formula(g, alpha):
        w, v, path = np.ones(g.shape[1]), np.zeros(g.shape[1]), []
        for t in range(len(g)):
            v = v + g[t] ** 2
            w = w - alpha(t) / np.sqrt(v + epsilon) * g[t]
            path.append(w)
        return np.array(path)

    return formula


def rmsprop(beta: float, epsilon: float) -> Formula:  # v <- beta v + (1-beta) g^2;  w <- w - alpha / sqrt(v + epsilon) g
    def formula(g, alpha):
        w, v, path = np.ones(g.shape[1]), np.zeros(g.shape[1]), []
        for t in range(len(g)):
            v = beta * v + (1 - beta) * g[t] ** 2
            w = w - alpha(t) / np.sqrt(v + epsilon) * g[t]
            path.append(w)
        return np.array(path)

    return formula


def adam(beta_1: float, beta_2: float, epsilon: float) -> Formula:  # the notes' five lines
    def formula(g, alpha):
        w, m, v, path = np.ones(g.shape[1]), np.zeros(g.shape[1]), np.zeros(g.shape[1]), []
        for t in range(len(g)):
            m = beta_1 * m + (1 - beta_1) * g[t]
            v = beta_2 * v + (1 - beta_2) * g[t] ** 2
            m_hat = m / (1 - beta_1 ** (t + 1))
            v_hat = v / (1 - beta_2 ** (t + 1))
            w = w - alpha(t) / np.sqrt(v_hat + epsilon) * m_hat
            path.append(w)
        return np.array(path)

    return formula


def qhm(beta: float, nu: float) -> Formula:  # Ma & Yarats 2019, equations (2) and (3)
    def formula(g, alpha):
        w, m, path = np.ones(g.shape[1]), np.zeros(g.shape[1]), []
        for t in range(len(g)):
            m = beta * m + (1 - beta) * g[t]
            w = w - alpha(t) * ((1 - nu) * g[t] + nu * m)
            path.append(w)
        return np.array(path)

    return formula


def qhadam(beta_1: float, beta_2: float, nu_1: float, nu_2: float, epsilon: float) -> Formula:  # section 4
    def formula(g, alpha):
        w, m, v, path = np.ones(g.shape[1]), np.zeros(g.shape[1]), np.zeros(g.shape[1]), []
        for t in range(len(g)):
            m = beta_1 * m + (1 - beta_1) * g[t]
            v = beta_2 * v + (1 - beta_2) * g[t] ** 2
            m_hat = m / (1 - beta_1 ** (t + 1))
            v_hat = v / (1 - beta_2 ** (t + 1))
            top = (1 - nu_1) * g[t] + nu_1 * m_hat
            w = w - alpha(t) * top / (np.sqrt((1 - nu_2) * g[t] ** 2 + nu_2 * v_hat) + epsilon)
            path.append(w)
        return np.array(path)

    return formula


# rule -> pairs (arguments of our optimizer that make it the formula, the formula)
FORMULAS: dict[str, list[tuple[dict[str, Any], Formula]]] = {
    "sgd": [({}, gradient_descent)],
    "momentum": [({"momentum": 0.9}, momentum(0.9)), ({"momentum": 0.5}, momentum(0.5))],
    "adagrad": [({"initial_accumulator_value": 0.0, "eps": e}, adagrad(e)) for e in (1e-8, 1e-3)],
    "rmsprop": [({"decay": b, "eps": e}, rmsprop(b, e)) for b in (0.9, 0.99) for e in (1e-8, 1e-3)],
    "adam": [({"eps": 0.0, "eps_root": e}, adam(0.9, 0.999, e)) for e in (1e-8, 1e-3)],
    "qhm": [({"momentum": 0.9, "nu": nu}, qhm(0.9, nu)) for nu in (0.3, 0.7)],
    "qhadam": [({"b1": 0.9, "nu1": 0.7, "nu2": nu, "eps": e}, qhadam(0.9, 0.999, 0.7, nu, e)) for nu in (0.6, 1.0) for e in (1e-8, 1e-3)],
}
