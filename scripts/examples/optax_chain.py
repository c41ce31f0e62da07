"""Our optimizers inside an optax chain, and an optax optimizer inside `mlp_opt.fit`.

An optimizer of mlp_opt is an optax transformation: a pair (init, update) that `optax.chain`, `optax.masked`,
`optax.MultiSteps` and any optax training loop take. And `fit` takes any optax transformation in place of one of ours.

    python scripts/examples/optax_chain.py
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_iris

import mlp_opt as mo


def by_hand(model: mo.MLP, optimizer, X, y, steps: int) -> list[float]:
    """Gradient descent on all rows with any optax transformation: the loss before each step."""

    @jax.jit
    def step(params, state):
        value, grads = mo.value_and_grad(model, params, X, y)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    params = mo.init(model, jax.random.key(0))
    state, losses = optimizer.init(params), []
    for _ in range(steps):
        params, state, value = step(params, state)
        losses.append(float(value))
    return losses


def main() -> dict[str, list[float]]:
    X, y = load_iris(return_X_y=True)
    X, y = jnp.asarray((X - X.mean(0)) / X.std(0), jnp.float32), jnp.asarray(y, jnp.int32)
    model = mo.MLP((4, 16, 3), "tanh")

    ours = optax.chain(optax.clip_by_global_norm(0.1), mo.adam(0.05), optax.add_decayed_weights(-1e-4))
    theirs = optax.chain(optax.clip_by_global_norm(0.1), optax.adam(0.05), optax.add_decayed_weights(-1e-4))
    losses = {"mlp_opt.adam in the chain": by_hand(model, ours, X, y, 30), "optax.adam in the chain": by_hand(model, theirs, X, y, 30)}
    for name, values in losses.items():
        print(f"{name:34} loss {values[0]:.4f} -> {values[-1]:.6f}")

    for name, optimizer in (("fit with mlp_opt.adam", mo.adam(0.05)), ("fit with optax.adam", optax.adam(0.05))):
        run = mo.fit(model, optimizer, X, y, epochs=10, batch_size=50)
        losses[name] = run.history["train_loss"].tolist()
        print(f"{name:34} loss {losses[name][0]:.4f} -> {losses[name][-1]:.6f}")
    return losses


if __name__ == "__main__":
    main()
