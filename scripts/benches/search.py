"""`scripts/bench search`: the same grid on the same folds through MLPSweepCV and scikit-learn's GridSearchCV.

breast_cancer, standardized, five stratified folds; a grid over two batch sizes (32, and scikit-learn's default of 200) and
everything else, and the same grid with each of them alone. Peers: GridSearchCV over scikit-learn's MLPClassifier, as it comes and
with a process a core, and over ours. All compute in float64, scikit-learn's matrix products with one thread (more are
slower at these sizes). A round calls every peer once, in turns; a ratio is a round's, its median over the rounds is told.
No peer refits the best candidate: they would all do the same fit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from .workers import show

OURS, SKLEARN, CORES, SAME = "MLPSweepCV", "GridSearchCV, scikit-learn's", "the same, n_jobs=-1", "GridSearchCV, ours"


class Grid(NamedTuple):
    """What is searched, and how each network is trained."""

    batches: tuple[Any, ...] = (32, "auto")
    epochs: int = 100
    alphas: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2)
    hidden: tuple[tuple[int, ...], ...] = ((32,), (64,), (32, 32))
    folds: int = 5

    @property
    def fits(self) -> int:
        return len(self.batches) * len(self.alphas) * len(self.rates) * len(self.hidden) * self.folds


GRIDS = (Grid(), Grid((32,)), Grid(("auto",)))
QUICK = Grid(("auto",), epochs=5, alphas=(1e-4,), rates=(1e-3, 1e-2), hidden=((8,),), folds=2)


def add_to(commands: Any) -> None:
    command = commands.add_parser("search", help="MLPSweepCV against scikit-learn's GridSearchCV")
    command.add_argument("--json", action="store_true", help="print the raw numbers as one JSON object")
    command.add_argument("--rounds", type=int, help="timed calls of each peer (default 3)")
    command.add_argument("--quick", action="store_true", help="only prove that it works: few small networks, few epochs")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and print a table a grid, or everything as one JSON object."""
    results = []
    for grid in [QUICK] if args.quick else GRIDS:
        results.append(measure(grid, args.rounds or (1 if args.quick else 3)))
        if not args.json:
            show_search(results[-1])
    if args.json:
        print(json.dumps(results))


def measure(grid: Grid, rounds: int) -> dict[str, Any]:
    """Seconds of every call of every peer, and what the searches found. Ours is called once before: that call compiles."""
    peers = searches(grid)
    found, first = timed(peers[OURS])
    timed(peers[SAME])
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    best = {}
    for _ in range(rounds):
        for name, search in peers.items():
            found, took = timed(search)
            seconds[name].append(took)
            results, i = found.cv_results_, found.best_index_
            scores = [results[f"split{k}_test_score"].tolist() for k in range(grid.folds)]
            best[name] = {"score": found.best_score_, "error": results["std_test_score"][i] / math.sqrt(grid.folds - 1), "scores": scores}
    return {"grid": grid._asdict(), "fits": grid.fits, "first": first, "seconds": seconds, "best": best}


def timed(search: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    found = search()
    return found, time.perf_counter() - start


def searches(grid: Grid) -> dict[str, Callable[[], Any]]:
    """Every peer as a function that searches and returns the fitted search."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    import mlp_opt as mo

    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    params = {"batch_size": grid.batches, "alpha": grid.alphas, "learning_rate_init": grid.rates, "hidden_layer_sizes": grid.hidden}
    given = {"max_iter": grid.epochs, "random_state": 0}
    options = {"cv": grid.folds, "refit": False, "error_score": "raise"}
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the processes of n_jobs: many fits do all epochs, and say so

    def fit(search: Any) -> Any:
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            return search.fit(X, y)

    return {
        OURS: lambda: fit(mo.MLPSweepCV(mo.MLPClassifier(**given), params, n_iter=None, **options)),
        SKLEARN: lambda: fit(GridSearchCV(MLPClassifier(**given), params, **options)),
        CORES: lambda: fit(GridSearchCV(MLPClassifier(**given), params, n_jobs=-1, **options)),
        SAME: lambda: fit(GridSearchCV(mo.MLPClassifier(**given), params, **options)),
    }


def show_search(measured: dict[str, Any]) -> None:
    """A table with a row a peer."""
    grid, seconds, best, rows = Grid(**measured["grid"]), measured["seconds"], measured["best"], []
    for name, took in seconds.items():
        ratio = statistics.median(t / ours for t, ours in zip(took, seconds[OURS], strict=True))
        score = f"{best[name]['score']:.4f}", f"{best[name]['error']:.4f}"
        rows.append((name, f"{statistics.median(took):.2f}", f"{min(took):.2f}", f"{ratio:.1f}", *score))
    batches = " and ".join(map(str, grid.batches))
    pairs = zip(best[OURS]["scores"], best[SAME]["scores"], strict=True)
    gaps = [abs(a - b) for mine, other in pairs for a, b in zip(mine, other, strict=True)]
    show(
        f"{measured['fits']} fits on breast_cancer, batch_size {batches}, max_iter {grid.epochs}; {os.cpu_count()} cores",
        ("peer", "seconds", "min", "times ours", "best score", "std. error"),
        rows,
        f"the first call of {OURS}, which compiles: {measured['first']:.2f} s",
        f"of {len(gaps)} scores of a fold, GridSearchCV over ours has {sum(g == 0 for g in gaps)} alike, the others within {max(gaps):.4f}",
    )
