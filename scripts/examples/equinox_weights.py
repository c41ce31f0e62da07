"""An equinox.nn.MLP trained by an optimizer of mlp_opt, brought to mlp_opt and back.

pip install 'mlp-opt[interop]'; python scripts/examples/equinox_weights.py
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_iris

import mlp_opt as mo


def main() -> tuple[list[float], float]:
    X, y = load_iris(return_X_y=True)
    X, y = jnp.asarray((X - X.mean(0)) / X.std(0), jnp.float32), jnp.asarray(y, jnp.int32)
    network = eqx.nn.MLP(4, 3, width_size=16, depth=2, activation=jax.nn.relu, key=jax.random.key(0))
    optimizer = mo.rmsprop(0.01)
    state = optimizer.init(eqx.filter(network, eqx.is_array))

    @eqx.filter_jit
    def step(network, state):
        def loss(network):
            return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(network)(X), y).mean()

        value, grads = eqx.filter_value_and_grad(loss)(network)
        updates, state = optimizer.update(grads, state, eqx.filter(network, eqx.is_array))
        return eqx.apply_updates(network, updates), state, value

    losses = []
    for _ in range(60):
        network, state, value = step(network, state)
        losses.append(float(value))
    print(f"equinox network, mlp_opt.rmsprop: loss {losses[0]:.4f} -> {losses[-1]:.4f}")

    model = mo.MLP((4, 16, 16, 3), "relu")
    params = mo.from_equinox(model, network)
    ours, theirs = mo.predict(model, params, X), jax.nn.softmax(jax.vmap(network)(X))
    back = jax.nn.softmax(jax.vmap(mo.to_equinox(model, params))(X))
    gap = float(max(np.abs(ours - theirs).max(), np.abs(ours - back).max()))
    print(f"the same parameters in mlp_opt, and back in equinox: probabilities differ by at most {gap:.1e}")
    return losses, gap


if __name__ == "__main__":
    main()
