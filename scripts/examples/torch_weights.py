"""A network trained by mlp_opt as a torch.nn.Sequential, and back.

pip install 'mlp-opt[bench]'; python scripts/examples/torch_weights.py
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import torch
from sklearn.datasets import load_iris
from torch import nn

import mlp_opt as mo


def main() -> float:
    X, y = load_iris(return_X_y=True)
    X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    model = mo.MLP((4, 16, 8, 3), "gelu")
    params = mo.fit(model, mo.adam(0.02), X, y, epochs=10).last

    network = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 8), nn.GELU(), nn.Linear(8, 3), nn.Softmax(dim=1))
    state = mo.to_torch_state_dict(model, params)  # NumPy arrays
    network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    with torch.no_grad():
        theirs = network(torch.from_numpy(X)).numpy()
    gap = float(np.abs(np.asarray(mo.predict(model, params, jnp.asarray(X))) - theirs).max())
    print(f"accuracy in torch: {(theirs.argmax(1) == y).mean():.3f}; probabilities differ by at most {gap:.1e}")

    back = mo.from_torch_state_dict(model, network.state_dict())
    same = all(np.array_equal(a, b) for ours, read in zip(params, back, strict=True) for a, b in zip(ours, read, strict=True))
    print(f"and back in mlp_opt: {'the same bits' if same else 'they differ'}")
    return gap


if __name__ == "__main__":
    main()
