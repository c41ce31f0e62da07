"""`scripts/bench lane`: one training run against what else trains such a network on a CPU.

All peers train the same network on the same float32 rows with the same number of Adam steps, from new weights in
each timed call.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from itertools import pairwise
from typing import Any, NamedTuple

from .workers import BOUND, LEAST_S, OURS, Job, Peer, Train, Trained, check_steps, installed, measure, share_right, show, step_us


class Shape(NamedTuple):
    """A network and its data. rows is a multiple of batch: peers treat a last, smaller batch differently."""

    sizes: tuple[int, ...]
    batch: int
    data: str
    rows: int
    epochs: int  # a call of the slower peers lasts about half a second


SHAPES = (
    Shape((784, 128, 128, 10), 128, "mnist5k", 4096, 20),
    Shape((64, 64, 64, 10), 128, "digits", 1792, 120),
    Shape((64, 32, 32, 10), 32, "digits", 1792, 60),
)


def ours(shape: Shape, X: Any, y: Any) -> Train:
    """mlp_opt's lane: the two compiled functions that `mlp_opt.fit` calls, in fit's loop."""
    import mlp_opt as mo
    from mlp_opt.lane import HISTORY_ROWS
    from mlp_opt.train import advance_lane, init_lane, prepare

    model = mo.MLP(shape.sizes)
    off: dict[str, Any] = dict.fromkeys(("l1", "l2", "dropout", "label_smoothing"), 0.0)
    off |= {"init_scale": 1.0, "monitor": "loss", "dtype": "float32"}
    off |= dict.fromkeys(("data_seed", "validation", "sample_weight", "patience"))
    spec, hparams, data = prepare(model, mo.adam(1e-3), X, y, batch_size=shape.batch, seed=0, **off)

    def train() -> Trained:
        state = init_lane(spec, hparams)
        for first in range(0, shape.epochs, HISTORY_ROWS):
            state, _ = advance_lane(spec, state, hparams, data, first, shape.epochs)
        return Trained(int(state.step), lambda: share_right(mo.predict(model, state.params, data.X).argmax(axis=1), y))

    return train


def he_normal(key: Any, sizes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """New weights (n_in, n_out) and biases, as users of optax write them."""
    import jax
    import jax.numpy as jnp

    keys, draw = jax.random.split(key, len(sizes)), jax.nn.initializers.he_normal()
    return [(draw(k, (n, m)), jnp.zeros(m)) for k, (n, m) in zip(keys, pairwise(sizes), strict=False)]


def logits(params: Any, z: Any) -> Any:
    """The network of `he_normal`."""
    import jax

    for W, b in params[:-1]:
        z = jax.nn.relu(z @ W + b)
    return z @ params[-1][0] + params[-1][1]


def loss(params: Any, X: Any, y: Any) -> Any:
    """Its mean cross-entropy, by optax."""
    import optax

    return optax.softmax_cross_entropy_with_integer_labels(logits(params, X), y).mean()


def optax_scan(shape: Shape, X: Any, y: Any) -> Train:
    """What a practised JAX user writes: optax.adam and jax.grad in two scans, X @ W, buffers donated."""
    import jax
    import jax.numpy as jnp
    import optax

    X, y, optimizer = jnp.asarray(X), jnp.asarray(y), optax.adam(1e-3)

    @jax.jit
    def init(key: Any) -> Any:
        params = he_normal(key, shape.sizes)
        return params, optimizer.init(params)

    @jax.jit(donate_argnums=0)
    def run(carry: Any, key: Any, X: Any, y: Any) -> Any:
        def step(carry: Any, rows: Any) -> Any:
            params, state = carry
            value, grads = jax.value_and_grad(loss)(params, X[rows], y[rows])
            updates, state = optimizer.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), value

        def epoch(carry: Any, key: Any) -> Any:
            carry, values = jax.lax.scan(step, carry, jax.random.permutation(key, len(X)).reshape(-1, shape.batch))
            return carry, values.mean()

        return jax.lax.scan(epoch, carry, jax.random.split(key, shape.epochs))

    def train() -> Trained:
        (params, state), _ = jax.block_until_ready(run(init(jax.random.key(0)), jax.random.key(1), X, y))
        return Trained(int(state[0].count), lambda: share_right(logits(params, X).argmax(axis=1), y))

    return train


def scikit_learn(shape: Shape, X: Any, y: Any) -> Train:
    """MLPClassifier without penalty, kept from stopping early."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    options = {"batch_size": shape.batch, "max_iter": shape.epochs, "n_iter_no_change": 10**9, "tol": 0.0, "shuffle": True}

    def train() -> Trained:
        model = MLPClassifier(shape.sizes[1:-1], solver="adam", alpha=0.0, random_state=0, **options).fit(X, y)
        return Trained(model.t_ // shape.batch, lambda: share_right(model.predict(X), y))

    return train


def torch_loop(shape: Shape, X: Any, y: Any) -> Train:
    """The loop of the tutorials, on tensors that are in memory already (no DataLoader), default threads."""
    import torch

    X, y, loss = torch.from_numpy(X), torch.from_numpy(y), torch.nn.CrossEntropyLoss()

    def train() -> Trained:
        layers = [layer for n_in, n_out in pairwise(shape.sizes) for layer in (torch.nn.Linear(n_in, n_out), torch.nn.ReLU())]
        model, steps = torch.nn.Sequential(*layers[:-1]), 0
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(shape.epochs):
            for rows in torch.randperm(len(X)).split(shape.batch):
                optimizer.zero_grad()
                loss(model(X[rows]), y[rows]).backward()
                optimizer.step()
                steps += 1
        return Trained(steps, lambda: share_right(model(X).argmax(dim=1), y))

    return train


def matmul_bound(shape: Shape, X: Any, y: Any) -> Train:
    """Nothing but the matrix products of the steps, as the lane does them, on one batch that need not be fetched.

    One element of the first weights moves with the gradient: else XLA would take the products out of the loop. In
    training sigma' stands between one delta and the next; here a barrier does, or XLA would make it other products.
    """
    import jax
    import jax.numpy as jnp

    batch, steps = jnp.asarray(X[: shape.batch]), shape.epochs * (len(X) // shape.batch)
    own = jax.lax.optimization_barrier
    draw = jax.nn.initializers.he_normal(in_axis=1, out_axis=0)
    weights = [draw(jax.random.key(n_in), (n_out, n_in)) for n_in, n_out in pairwise(shape.sizes)]

    @jax.jit
    def run(weights: Any, X: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            W, z, grads = carry[0], [X.T], []
            for l in range(len(W)):
                z.append(W[l] @ z[l])
            delta = z[-1]
            for l in reversed(range(len(W))):
                grads.append(delta @ z[l].T)
                delta = own(own(W[l].T) @ delta) if l else delta
            return ([W[0].at[0, 0].add(1e-12 * grads[-1][0, 0]), *W[1:]], grads), None

        return jax.lax.scan(step, (weights, [jnp.zeros_like(W) for W in reversed(weights)]), length=steps)[0]

    def train() -> Trained:
        jax.block_until_ready(run(weights, batch))
        return Trained(steps, lambda: None)

    return train


PEERS = {
    OURS: Peer(ours, "mlp-opt"),
    "optax scan": Peer(optax_scan, "optax"),
    "scikit-learn": Peer(scikit_learn, "scikit-learn"),
    "torch loop": Peer(torch_loop, "torch"),
    BOUND: Peer(matmul_bound, "jax"),
}


def add_to(commands: Any) -> None:
    command = commands.add_parser("lane", help="one training run against an optax scan, scikit-learn and a torch loop")
    command.add_argument("--json", action="store_true", help="print the raw numbers as one JSON object")
    command.add_argument("--rounds", type=int, help="timed calls of each peer (default 7)")
    command.add_argument("--epochs", type=int, help="epochs of a call (default: half a second or more of the slower peers)")
    command.add_argument("--quick", action="store_true", help="only prove that it works: the smallest network, 2 rounds, few epochs")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and print tables, or everything as one JSON object."""
    peers, machine = installed(PEERS, sys.stderr if args.json else sys.stdout)
    results = []
    for shape in SHAPES[-1:] if args.quick else SHAPES:
        shape = shape._replace(epochs=args.epochs or (5 if args.quick else shape.epochs))
        jobs, rounds = {peer: Job(peer, shape) for peer in peers}, args.rounds or (2 if args.quick else 7)
        measured = measure("lane", jobs, rounds, 0 if args.quick else LEAST_S)
        steps = shape.epochs * (shape.rows // shape.batch)
        check_steps(measured, dict.fromkeys(peers, steps))
        results.append(measured | {"steps": steps})
        if not args.json:
            show_lane(results[-1])
    if args.json:
        print(json.dumps(machine | {"shapes": results}))


def show_lane(measured: dict[str, Any]) -> None:
    """A table with a row a peer, and how near ours comes to the bound."""
    shape, rows = Shape(**measured["shape"]), []
    *peers, (_, bound) = measured["peers"].items()
    for peer, r in peers:
        times = f"{statistics.median(step_us(r)):.1f}", f"{min(step_us(r)):.1f}", f"{r['ratio']:.2f}"
        megabytes = f"{r['peak_mb']:.0f}", f"{r['peak_mb'] - r['baseline_mb']:.0f}"
        rows.append((peer, *times, *megabytes, f"{r['first_seconds']:.2f}", f"{r['accuracy']:.3f}"))
    show(
        f"{'-'.join(map(str, shape.sizes))}, batch {shape.batch}: {shape.rows} rows of {measured['data']}, {shape.epochs} epochs a call",
        ("peer", "us/step", "min", "times ours", "peak MB", "training MB", "1st call s", "accuracy"),
        rows,
        f"{BOUND}: {statistics.median(step_us(bound)):.1f} us/step; {OURS} runs at {bound['ratio']:.0%} of it",
        f"load {measured['load']:.1f} at the end; where others compute too, the threads of torch and scikit-learn stall",
    )
