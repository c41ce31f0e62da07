"""Who trains many networks in `scripts/bench sweep`, each as a function (shape, X, y) -> what its worker calls again and again."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any, NamedTuple

from .lane import he_normal, logits, loss
from .workers import Train, Trained, share_right

LOOP, LOOPED = "torch loop", 4  # the loop is slow and its networks independent: it trains only so many of them a call


class Shape(NamedTuple):
    """Networks and their data. rows is a multiple of batch: peers treat a last, smaller batch differently."""

    sizes: tuple[int, ...]
    batch: int
    data: str
    rows: int
    epochs: int
    models: int  # each with a learning rate of its own
    tile: int = 0  # networks that the bound computes at once

    @property
    def steps(self) -> int:
        """Of one network."""
        return self.epochs * (self.rows // self.batch)

    def rates(self) -> Any:
        import numpy as np

        return np.geomspace(1e-4, 1e-1, self.models)


def ours(shape: Shape, X: Any, y: Any) -> Train:
    """mlp_opt as it is used: a grid over the learning rate, with all that mo.sweep does around the training.

    Its accuracy is the epoch's mean as it was trained on, a little below that of the last weights.
    """
    import mlp_opt as mo

    space = {"learning_rate": [float(rate) for rate in shape.rates()]}
    network: dict[str, Any] = {"hidden": shape.sizes[1:-1], "activation": "relu", "optimizer": "adam"}
    rows: dict[str, Any] = {"scaling": "none", "test_size": 0.0, "validation": 0.0, "batch_size": shape.batch}

    def train() -> Trained:
        result = mo.sweep(space, X, y, method="grid", epochs=shape.epochs, **network, **rows)
        steps = int(result.table["epochs"].sum()) * (shape.rows // shape.batch)
        return Trained(steps, lambda: max(result.table["train_accuracy"].to_list()), {"tile": max(result.tiles.values())})

    return train


def scikit_learn(shape: Shape, X: Any, y: Any) -> Train:
    """MLPClassifier without penalty, kept from stopping early; joblib's processes, one a core, each with one BLAS thread."""
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the processes: every fit ends at max_iter and warns of that
    from joblib import Parallel, delayed
    from sklearn.neural_network import MLPClassifier

    options = {"batch_size": shape.batch, "max_iter": shape.epochs, "n_iter_no_change": 10**9, "tol": 0.0, "shuffle": True}

    def classifier(rate: float, seed: int) -> Any:
        return MLPClassifier(
            shape.sizes[1:-1], solver="adam", alpha=0.0, learning_rate_init=rate, early_stopping=False, random_state=seed, **options
        )

    def train() -> Trained:
        classifiers = [classifier(float(rate), seed) for seed, rate in enumerate(shape.rates())]
        fitted = Parallel(n_jobs=-1)(delayed(c.fit)(X, y) for c in classifiers)
        return Trained(sum(int(c.t_) // shape.batch for c in fitted), lambda: max(share_right(c.predict(X), y) for c in fitted))

    train()  # start the processes and have them import scikit-learn
    return train


def optax_vmap(shape: Shape, X: Any, y: Any) -> Train:
    """What a practised JAX user writes: optax.adam and jax.grad in two scans, vmapped over the rates; the networks share their batches."""
    import jax
    import jax.numpy as jnp
    import optax

    X, y, rates = jnp.asarray(X), jnp.asarray(y), jnp.asarray(shape.rates(), jnp.float32)

    def one(rate: Any, key: Any, orders: Any) -> Any:
        optimizer, params = optax.adam(rate), he_normal(key, shape.sizes)

        def step(carry: Any, rows: Any) -> Any:
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params, X[rows], y[rows]), state, params)
            return (optax.apply_updates(params, updates), state), None

        def epoch(carry: Any, order: Any) -> Any:
            return jax.lax.scan(step, carry, order.reshape(-1, shape.batch))[0], None

        return jax.lax.scan(epoch, (params, optimizer.init(params)), orders)[0][0]

    @jax.jit
    def run(key: Any) -> Any:
        orders = jax.vmap(lambda k: jax.random.permutation(k, len(X)))(jax.random.split(key, shape.epochs))
        return jax.vmap(one, in_axes=(0, 0, None))(rates, jax.random.split(key, len(rates)), orders)

    score = jax.jit(jax.vmap(lambda params: jnp.mean(logits(params, X).argmax(axis=1) == y)))

    def train() -> Trained:
        params = jax.block_until_ready(run(jax.random.key(0)))
        return Trained(shape.steps * len(rates), lambda: float(score(params).max()))

    return train


def torch_device() -> str:
    """Where torch trains: on the GPU if there is one, as JAX does."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def torch_waits() -> None:
    """Until the GPU, if there is one, has done what it was given."""
    import torch

    if torch_device() == "cuda":
        torch.cuda.synchronize()


def torch_net(shape: Shape, device: str) -> Any:
    """The network with new weights."""
    import torch

    layers = [layer for n_in, n_out in pairwise(shape.sizes) for layer in (torch.nn.Linear(n_in, n_out), torch.nn.ReLU())]
    return torch.nn.Sequential(*layers[:-1]).to(device)


def torch_vmap(shape: Shape, X: Any, y: Any) -> Train:
    """torch's recipe for ensembles, all networks in one call: stacked weights, vmap of the gradient, Adam by hand on the stacks.

    The networks share their batches. Fewer at once was slower at all our shapes: a call costs more than what it computes.
    """
    import torch
    from torch.func import functional_call, grad_and_value, stack_module_state, vmap

    device = torch_device()
    X, y, net = torch.tensor(X, device=device), torch.tensor(y, device=device), torch_net(shape, "meta")
    rates = torch.tensor(shape.rates(), dtype=torch.float32, device=device)
    columns = {k: rates.view(-1, *[1] * v.ndim) for k, v in net.named_parameters()}

    def loss(params: Any, X: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(functional_call(net, params, (X,)), y)

    gradients = vmap(grad_and_value(loss), in_dims=(0, None, None))

    def adam(params: Any, grads: Any, moments: Any, step: int) -> None:
        for k, g in grads.items():
            m, v = moments[k]
            m.lerp_(g, 1 - 0.9)
            v.mul_(0.999).addcmul_(g, g, value=1 - 0.999)
            root = v.sqrt().div_((1 - 0.999**step) ** 0.5).add_(1e-8)
            params[k].sub_(columns[k] / (1 - 0.9**step) * m / root)

    def train() -> Trained:
        stacked, _ = stack_module_state([torch_net(shape, device) for _ in rates])
        params = {k: v.detach() for k, v in stacked.items()}
        moments, step = {k: (torch.zeros_like(v), torch.zeros_like(v)) for k, v in params.items()}, 0
        for _ in range(shape.epochs):
            for rows in torch.randperm(len(X), device=device).split(shape.batch):
                grads, _ = gradients(params, X[rows], y[rows])
                step += 1
                adam(params, grads, moments, step)
        torch_waits()

        def best() -> float:
            logits = vmap(lambda p: functional_call(net, p, (X,)))(params)
            return max(share_right(each.argmax(dim=1).cpu(), y.cpu()) for each in logits)

        return Trained(step * len(rates), best)

    return train


def torch_loop(shape: Shape, X: Any, y: Any) -> Train:
    """One network after the other with torch.optim.Adam, on tensors in memory, default threads. LOOPED of them, evenly spread."""
    import torch

    device = torch_device()
    X, y, loss = torch.tensor(X, device=device), torch.tensor(y, device=device), torch.nn.CrossEntropyLoss()
    rates = [float(rate) for rate in shape.rates()]
    few = min(LOOPED, len(rates))
    rates = [rates[(2 * i + 1) * len(rates) // (2 * few)] for i in range(few)]

    def train() -> Trained:
        nets, steps = [torch_net(shape, device) for _ in rates], 0
        for net, rate in zip(nets, rates, strict=True):
            optimizer = torch.optim.Adam(net.parameters(), lr=rate)
            for _ in range(shape.epochs):
                for rows in torch.randperm(len(X), device=device).split(shape.batch):
                    optimizer.zero_grad()
                    loss(net(X[rows]), y[rows]).backward()
                    optimizer.step()
                    steps += 1
        torch_waits()
        return Trained(steps, lambda: max(share_right(net(X).argmax(dim=1).cpu(), y.cpu()) for net in nets))

    return train


def matmul_bound(shape: Shape, X: Any, y: Any) -> Train:
    """Nothing but the matrix products of the steps, as the lanes do them: columns are samples, vmapped over a tile that shares X."""
    import jax

    own = jax.lax.optimization_barrier  # else XLA would make them other products

    def of_a_lane(W: Any, X: Any) -> Any:
        z, grads = [X.T], []
        for l in range(len(W)):
            z.append(own(W[l] @ z[l]))
        delta = z[-1]
        for l in reversed(range(len(W))):
            grads.append(delta @ z[l].T)
            delta = own(own(W[l].T) @ delta) if l else delta
        return grads

    return _alone(shape, X, jax.vmap(of_a_lane, in_axes=(0, None)))


def _alone(shape: Shape, X: Any, products: Any) -> Train:
    """A worker that does `products` (weights of a tile, batch -> gradients) for all steps, a thread a core.

    The batch need not be fetched. What keeps XLA from taking products out of the loop, or making them others, is what
    the lane's bound explains.
    """
    from concurrent.futures import ThreadPoolExecutor

    import jax
    import jax.numpy as jnp

    batch, tile = jnp.asarray(X[: shape.batch]), shape.tile or shape.models
    draw = jax.nn.initializers.he_normal(in_axis=2, out_axis=1, batch_axis=0)
    sizes = [min(tile, shape.models - done) for done in range(0, shape.models, tile)]
    tiles = [[draw(jax.random.key(n_in), (size, n_out, n_in)) for n_in, n_out in pairwise(shape.sizes)] for size in sizes]

    @jax.jit
    def run(W: Any, X: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            W, grads = carry[0], products(carry[0], X)
            return ([W[0].at[:, 0, 0].add(1e-12 * grads[-1][:, 0, 0]), *W[1:]], grads), None

        return jax.lax.scan(step, (W, [jnp.zeros_like(w) for w in reversed(W)]), length=shape.steps)[0]

    def train() -> Trained:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda W: jax.block_until_ready(run(W, batch)), tiles))
        return Trained(shape.steps * shape.models, lambda: None, {"tile": tile})

    return train
