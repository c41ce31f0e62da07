"""`scripts/bench sweep`: many networks at once.

speed: Adam with as many learning rates as networks, against what else trains many small networks on a CPU. All peers
train on the same float32 rows, from new weights in each timed call, every epoch a full pass in a new order.
scaling: what a network costs us, in time and memory, as the sweep grows.
halving: whether successive halving finds as good a network as training every trial to the end, and for what share of the epochs.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from typing import Any, NamedTuple

from . import sweep_peers
from .sweep_peers import LOOP, LOOPED, Shape
from .workers import BOUND, LEAST_S, OURS, Job, Peer, check_steps, installed, measure, show, step_us

SHAPES = (  # fewer of the large networks, so that a round stays short
    Shape((64, 32, 32, 10), 32, "digits", 1792, 10, 64),
    Shape((64, 64, 64, 10), 128, "digits", 1792, 10, 64),
    Shape((64, 256, 256, 10), 128, "digits", 1792, 10, 16),
)
SCALING = (64, 256, 1024, 4096)
FROM_MEMORY = 256  # the size that the others' memory is compared with; times are compared with the smallest's
SCALED = SHAPES[0]
QUICK = SHAPES[0]._replace(models=8, epochs=2)

PEERS = {
    OURS: Peer(sweep_peers.ours, "mlp-opt"),
    "scikit-learn": Peer(sweep_peers.scikit_learn, "scikit-learn"),
    "optax vmap": Peer(sweep_peers.optax_vmap, "optax"),
    "torch vmap": Peer(sweep_peers.torch_vmap, "torch"),
    LOOP: Peer(sweep_peers.torch_loop, "torch"),
    BOUND: Peer(sweep_peers.matmul_bound, "jax"),
}


class Halving(NamedTuple):
    """A sweep that is run twice, with and without halving, from each seed."""

    data: str
    trials: int = 64
    epochs: int = 27
    seeds: int = 5
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam", "rmsprop")
    hidden: tuple[int, ...] = (32, 64, 128)
    test_size: float = 0.2
    validation: float = 0.2


HALVINGS = (Halving("digits"), Halving("mnist5k"))
QUICK_HALVING = Halving("digits", trials=9, epochs=9, seeds=1, optimizers=("adam",), hidden=(32,))


def add_to(commands: Any) -> None:
    command = commands.add_parser("sweep", help="many networks against joblib, torch.func.vmap and a torch loop; scaling; halving")
    command.add_argument("--json", action="store_true", help="print the raw numbers as one JSON object")
    command.add_argument("--rounds", type=int, help="timed calls of each peer (default 7) and of each size (default 3)")
    command.add_argument("--quick", action="store_true", help="only prove that it works: few small networks, few epochs")
    command.add_argument("--models", type=int, help="networks in each shape of the first part (default: 64, 64, 16)")
    command.add_argument(
        "--peers",
        type=lambda names: names.split(","),
        help="of the first part: ours, the bound and these alone, as 'optax vmap,torch vmap'",
    )
    command.add_argument("--only", choices=PARTS, help="leave the other parts out")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and print tables, or everything as one JSON object."""
    peers, results = installed(PEERS, sys.stderr if args.json else sys.stdout)
    for part in [args.only] if args.only else PARTS:
        results[part] = PARTS[part](args, peers)
    if args.json:
        print(json.dumps(results))


def speed(args: argparse.Namespace, peers: list[str]) -> list[dict[str, Any]]:
    """Every peer at every shape."""
    results = []
    if unknown := set(args.peers or ()) - set(PEERS):
        sys.exit(f"bench: unknown peer {min(unknown)!r}; accepted: {', '.join(PEERS)}")
    if args.models is not None and args.models < 1:
        sys.exit(f"bench: --models must be a whole number >= 1, got {args.models}")
    asked = [peer for peer in peers if args.peers is None or peer in (OURS, BOUND, *args.peers)]
    for shape in [QUICK] if args.quick else SHAPES:
        shape = shape._replace(models=args.models or shape.models)
        jobs = {peer: Job(peer, shape) for peer in asked}
        measured = measure("sweep", jobs, args.rounds or (2 if args.quick else 7), 0 if args.quick else LEAST_S, same_tile)
        check_steps(measured, {peer: shape.steps * (min(LOOPED, shape.models) if peer == LOOP else shape.models) for peer in asked})
        results.append(measured)
        if not args.json:
            show_speed(measured)
    return results


def same_tile(shape: Shape, answer: dict[str, Any]) -> Shape:
    """The bound computes as many networks at once as ours chose to."""
    return shape._replace(tile=answer["about"]["tile"])


def show_speed(measured: dict[str, Any]) -> None:
    """A table with a row a peer."""
    shape, rows = Shape(**measured["shape"]), []
    bound = measured["peers"][BOUND]
    for peer, r in measured["peers"].items():
        times = show_us(statistics.median(step_us(r))), show_us(min(step_us(r))), f"{r['ratio']:.2f}", f"{bound['ratio'] / r['ratio']:.0%}"
        accuracy = "" if r["accuracy"] is None else f"{r['accuracy']:.3f}"
        rows.append((peer, *times, f"{r['peak_mb']:.0f}", f"{r['first_seconds']:.2f}", accuracy))
    about = f"{shape.rows} rows of {measured['data']}, {shape.epochs} epochs a call"
    show(
        f"{shape.models} networks {'-'.join(map(str, shape.sizes))}, batch {shape.batch}: {about}",
        ("peer", "us/step", "min", "times ours", "of bound", "peak MB", "1st call s", "accuracy"),
        rows,
        "us/step: a step of one network; accuracy: the best network's",
        f"{OURS} and the bound train {bound['about']['tile']} networks in a call; {BOUND}: the lanes' own products",
        f"{LOOP} trains {min(LOOPED, shape.models)} of the {shape.models} a call; scikit-learn's memory is that of all its processes",
        f"load {measured['load']:.1f} at the end; where others compute too, the threads of torch stall",
    )


def show_us(us: float) -> str:
    """Three digits; of larger numbers all before the point and one behind it."""
    return f"{us:.1f}" if us >= 10 else f"{us:.3g}"


def scaling(args: argparse.Namespace, peers: list[str]) -> dict[str, Any]:
    """Ours with ever more networks, each size in a fresh process."""
    sizes = [n // 8 for n in SCALING[:2]] if args.quick else SCALING
    shape = SCALED._replace(epochs=1) if args.quick else SCALED
    jobs = {str(n): Job(OURS, shape._replace(models=n)) for n in sizes}
    measured = measure("sweep", jobs, args.rounds or (1 if args.quick else 3), 0 if args.quick else LEAST_S)
    check_steps(measured, {str(n): shape.steps * n for n in sizes})
    if not args.json:
        show_scaling(shape, measured["peers"])
    return measured


def show_scaling(shape: Shape, results: dict[str, Any]) -> None:
    """A table with a row a size. Times of a round are compared with the smallest size's, memory with a larger one's."""
    ground = results.get(str(FROM_MEMORY), next(iter(results.values())))["peak_mb"]
    rows = []
    for n, r in results.items():
        cost = statistics.median(step_us(r)) * shape.steps
        megabytes = f"{r['peak_mb']:.0f}", f"{r['peak_mb'] / ground:.2f}"
        rows.append((n, f"{cost:.0f}", f"{r['ratio']:.2f}", *megabytes, f"{r['first_seconds']:.2f}", f"{r['accuracy']:.3f}"))
    show(
        f"{OURS} alone: {'-'.join(map(str, shape.sizes))}, batch {shape.batch}, {shape.epochs} epochs; warm calls, a process a size",
        ("networks", "us/network", f"times that of {next(iter(results))}", "peak MB", "times", "1st call s", "accuracy"),
        rows,
        f"peak MB: times is relative to {FROM_MEMORY if str(FROM_MEMORY) in results else next(iter(results))} networks",
    )


def halving(args: argparse.Namespace, peers: list[str]) -> list[dict[str, Any]]:
    """The same trials trained to the end and halved, for every data set and seed."""
    results = []
    for plan in [QUICK_HALVING] if args.quick else HALVINGS:
        results += [plan._asdict() | halved(plan, seed) for seed in range(plan.seeds)]
    if not args.json:
        show_halving(results)
    return results


def halved(plan: Halving, seed: int) -> dict[str, Any]:
    """Best validation accuracy with and without halving, what it cost, and how exact the accuracy is.

    The standard error is that of a share p among n_val rows: what another draw of as many rows would change.
    """
    full, kept = sweep(plan, seed, halving=False), sweep(plan, seed, halving=True)
    p, n_val = full["best"], validation_rows(plan)
    error = math.sqrt(p * (1 - p) / n_val)
    share = kept["epochs_done"] / full["epochs_done"]
    return {
        "seed": seed,
        "full": full,
        "halving": kept,
        "n_val": n_val,
        "error": error,
        "share": share,
        "within": kept["best"] >= p - error,
    }


def sweep(plan: Halving, seed: int, halving: bool) -> dict[str, Any]:
    """One random sweep through the public API."""
    import mlp_opt as mo

    start = time.perf_counter()
    space = {
        "learning_rate": {"log_uniform": [1e-4, 1.0]},
        "optimizer": list(plan.optimizers),
        "hidden": [[n] for n in plan.hidden],
    }
    result = mo.sweep(
        space, plan.data, method="random", trials=plan.trials, sweep_seed=seed, halving=halving, epochs=plan.epochs,
        monitor="score", test_size=plan.test_size, validation=plan.validation,
    )  # fmt: skip
    scores = [v for v in result.table["val_accuracy"].to_list() if v is not None and math.isfinite(v)]
    seconds = time.perf_counter() - start
    return {"best": max(scores), "epochs_done": int(result.table["epochs"].sum()), "seconds": seconds}


def validation_rows(plan: Halving) -> int:
    """As train_test_split counts them: shares of rows are rounded up."""
    from mlp_opt.data.sources import SOURCES

    rows = SOURCES[plan.data].rows
    return math.ceil((rows - math.ceil(rows * plan.test_size)) * plan.validation)


def show_halving(results: list[dict[str, Any]]) -> None:
    """A table with a row a data set and seed."""
    rows = []
    for r in results:
        scores = f"{r['full']['best']:.4f}", f"{r['halving']['best']:.4f}", f"{r['error']:.4f}", "yes" if r["within"] else "no"
        rows.append(
            (f"{r['data']} {r['seed']}", *scores, f"{r['share']:.0%}", f"{r['full']['seconds']:.1f}", f"{r['halving']['seconds']:.1f}")
        )
    within, share = sum(r["within"] for r in results), statistics.mean(r["share"] for r in results)
    show(
        f"best validation accuracy of {results[0]['trials']} random trials, {results[0]['epochs']} epochs each, and of the same halved",
        ("data, seed", "all to the end", "halved", "std. error", "within", "epochs", "s to the end", "s halved"),
        rows,
        f"within one standard error of the full sweep's best: {within} of {len(results)}, for {share:.0%} of its epochs on average",
        "seconds include what is compiled: most of it in a data set's first row",
    )


PARTS = {"speed": speed, "scaling": scaling, "halving": halving}
