"""A flax network trained by an optimizer of mlp_opt, and its parameters brought to mlp_opt.

flax's TrainState takes the optimizer as its `tx`, as it takes one of optax. Afterwards `from_flax` reads the trained
parameters, and mlp_opt predicts the same probabilities.

    pip install 'mlp-opt[interop]'; python scripts/examples/flax_loop.py
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState
from sklearn.datasets import load_iris

import mlp_opt as mo


class Network(nn.Module):
    """The flax twin of MLP((4, 16, 8, 3), "tanh"); it returns logits."""

    @nn.compact
    def __call__(self, x):
        x = nn.tanh(nn.Dense(16)(x))
        x = nn.tanh(nn.Dense(8)(x))
        return nn.Dense(3)(x)


@jax.jit
def step(state: TrainState, X, y) -> tuple[TrainState, jax.Array]:
    def loss(params):
        return optax.softmax_cross_entropy_with_integer_labels(state.apply_fn(params, X), y).mean()

    value, grads = jax.value_and_grad(loss)(state.params)
    return state.apply_gradients(grads=grads), value


def main() -> tuple[list[float], float]:
    X, y = load_iris(return_X_y=True)
    X, y = jnp.asarray((X - X.mean(0)) / X.std(0), jnp.float32), jnp.asarray(y, jnp.int32)
    network = Network()
    state = TrainState.create(apply_fn=network.apply, params=network.init(jax.random.key(0), X), tx=mo.nadam(0.03))
    losses = []
    for _ in range(60):
        state, value = step(state, X, y)
        losses.append(float(value))
    print(f"flax network, mlp_opt.nadam: loss {losses[0]:.4f} -> {losses[-1]:.4f}")

    model = mo.MLP((4, 16, 8, 3), "tanh")
    params = mo.from_flax(model, state.params)
    ours, theirs = mo.predict(model, params, X), jax.nn.softmax(network.apply(state.params, X))
    gap = float(np.abs(ours - theirs).max())
    print(f"the same parameters in mlp_opt: probabilities differ by at most {gap:.1e}")
    back = mo.to_flax(model, params)
    same = jax.tree.all(jax.tree.map(np.array_equal, back, state.params))
    print(f"and back in flax: {'the same bits' if same else 'they differ'}")
    return losses, gap


if __name__ == "__main__":
    main()
