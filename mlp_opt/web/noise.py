"""The page's Noise tab, server side: gradient descent, SGD and minibatch SGD on a loss with two parameters. All numbers are JAX's.

The loss is that of a logistic regression of one column of a data set, see diagnose/batches.py. Every request names all it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..bound import Bound
from ..config import TrainConfig
from ..data import sources
from ..diagnose import batches, spread
from ..errors import check_name
from ..experiment import build_optimizer
from ..figures.looks import Look
from ..races.heights import Relief, relief
from ..schedules import SCHEDULES
from ..surfaces import Surface
from . import limits
from .messages import Reply, known, number, pair, text, whole
from .race import computing as computing

SETS = ("breast_cancer", "gaussians", "moons", "circle", "xor")  # binary, small, of numbers
DRAWS = ("replace", "reshuffle")  # each sample at random; or all of them once before any again
LOOKS = {"gd": Look("#000000", "-", "o"), "sgd": Look("#D55E00", "-", "^"), "minibatch": Look("#0072B2", "-", "s")}
COLUMNS = ("x", "y", "loss", "above", "samples")  # x is the weight, y the bias
LAND = ("dataset", "feature")
RUN = (*LAND, "start", "rate", "batch", "steps", "seed", "schedule", "draw")
RATE = (1e-4, 1e3)
MEANS = 300  # batches that are drawn at a point
FAR = 100.0  # how far off a point may be named


class Land(NamedTuple):
    """One column's loss: its samples, and what is drawn of it."""

    X: Any
    y: Any
    surface: Surface
    relief: Relief
    least: Any
    lowest: float
    curvature: list[float]


class Run(NamedTuple):
    """A request that has been read. rungs: the steps and batch of the program that computes it, cut afterwards."""

    land: Land
    start: Any
    rate: Any
    batch: int
    steps: int
    seed: int
    reshuffle: bool
    rungs: tuple[int, int]


@lru_cache(maxsize=64)
def land_of(dataset: str, feature: str) -> Land:
    """The loss on a square that holds its minimum and a start above the origin."""
    X, y = (jnp.asarray(a, float) for a in batches.column(dataset, feature))
    least = batches.minimum(X, y)
    w, b = (float(v) for v in least)
    side = max(1.15 * float(np.hypot(w, b)), 2.5)
    towards = 1.0 if w < 0 else -1.0  # the origin
    middle = w + 0.3 * towards * side, b + 0.2 * side
    wide, high = ((m - side, m + side) for m in middle)
    start = (w + 0.95 * towards * side, b + 0.8 * side)
    curvature = [float(v) for v in np.linalg.eigvalsh(jax.hessian(batches.full_loss)(least, X, y))]
    f = Bound(_height, X=X, y=y)
    surface = Surface(f"{dataset}, {feature}", f, "the mean over all samples of −log p(label)", "", wide, high, start, ((w, b),), 2.0)
    return Land(X, y, surface, relief(surface, limits.GRID), least, float(batches.full_loss(least, X, y)), curvature)


def _height(w: Any, b: Any, *, X: Any, y: Any) -> Any:
    return batches.losses_at(jnp.stack([w.ravel(), b.ravel()], axis=1), X, y).reshape(w.shape)


@lru_cache
def known_set(dataset: str) -> dict[str, Any]:
    """What a page is told of a data set."""
    data, source = sources.load(dataset), sources.SOURCES[dataset]
    return {"name": dataset, "about": source.about, "rows": source.rows, "features": data.features, "classes": data.classes}


def read_land(body: dict[str, Any]) -> Land:
    dataset = check_name("dataset", text(body.get("dataset", SETS[0]), "dataset", 40), SETS)
    columns = known_set(dataset)["features"]
    return land_of(dataset, check_name("feature", text(body.get("feature", columns[0]), "feature", 60), columns))


def read(body: dict[str, Any], more: tuple[str, ...] = ()) -> Run:
    """The runs that a request names, bounded; `more`: keys that another reads. InputError for anything else."""
    known(body, "the request", RUN + more)
    steps = whole(body.get("steps", 100), "steps", 1, limits.NOISE_STEPS[-1])
    rate = number(body.get("rate", 2.0), "rate", *RATE)
    seed = whole(body.get("seed", 0), "seed", 0, 2**31 - 1)
    schedule = check_name("schedule", text(body.get("schedule", "constant"), "schedule", 40), SCHEDULES)
    draw = check_name("draw", text(body.get("draw", DRAWS[0]), "draw", 40), DRAWS)
    land = read_land(body)
    batch = _batch(body, land)
    start = pair(body["start"], "start") if body.get("start") is not None else land.surface.start
    _near(start, "start")
    optimizer = build_optimizer(TrainConfig(optimizer="sgd", learning_rate=rate, schedule=schedule), steps)
    rungs = next(n for n in limits.NOISE_STEPS if n >= steps), next(n for n in limits.NOISE_BATCHES if n >= batch)
    at = jnp.asarray(start, float)
    return Run(land, at, optimizer.update.traced["learning_rate"], batch, steps, seed, draw == "reshuffle", rungs)


def _batch(body: dict[str, Any], land: Land) -> int:
    return whole(body.get("batch", 32), "batch", 1, min(limits.NOISE_BATCHES[-1], len(land.X)))


def _near(point: tuple[float, float], where: str) -> None:
    for value in point:
        number(value, where, -FAR, FAR)


def about(body: dict[str, Any]) -> Reply:
    """What there is to choose from: data sets with their columns, methods with their looks, schedules, limits."""
    known(body, "the request", ())
    methods = {name: {"color": look.color, "line": look.line, "marker": look.marker} for name, look in LOOKS.items()}
    most = {"steps": limits.NOISE_STEPS[-1], "batch": limits.NOISE_BATCHES[-1], "rate": RATE}
    return Reply(
        {"sets": [known_set(name) for name in SETS], "methods": methods, "schedules": list(SCHEDULES), "draws": DRAWS, "limits": most}, {}
    )


def surface(body: dict[str, Any]) -> Reply:
    """The loss: `heights` (n, n) squeezed as in the pictures, rows from low bias to high, and where it is least."""
    known(body, "the request", LAND)
    land = read_land(body)
    own, drawn = land.surface, land.relief
    head = {
        "name": own.name,
        "formula": own.formula,
        "x": own.x,
        "y": own.y,
        "names": {"x": "w", "y": "b"},
        "start": own.start,
        "lowest": land.lowest,
    }
    head |= {"low": float(np.nanmin(drawn.t)), "high": float(np.nanmax(drawn.t)), "rows": len(land.X), "curvature": land.curvature}
    return Reply(head, {"heights": drawn.t, "minima": np.asarray(own.minima)})


def paths(body: dict[str, Any]) -> Reply:
    """`paths` (gd sgd minibatch, steps+1, columns), columns as in COLUMNS."""
    run = read(body)
    land, steps = run.land, run.rungs[0]
    descent = batches.paths(run.start, land.X, land.y, run.rate, batch=None, steps=steps)
    noisy = _runs(run, jnp.asarray([1, run.batch]), 1)[0]
    w = jnp.concatenate([descent, noisy])
    loss = np.asarray(batches.losses_at(w.reshape(-1, 2), land.X, land.y)).reshape(w.shape[:2])
    per = np.asarray([len(land.X), 1, run.batch], float)
    samples = per[:, None] * np.arange(steps + 1)
    table = np.stack([*np.moveaxis(np.asarray(w), -1, 0), loss, loss - land.lowest, samples], axis=-1)[:, : run.steps + 1]
    head = {"methods": list(LOOKS), "columns": COLUMNS, "steps": run.steps, "rates": {}, "start": [float(v) for v in run.start]}
    return Reply(head | {"batch": run.batch, "samples": dict(zip(LOOKS, per, strict=True))}, {"paths": table})


def _runs(run: Run, sizes: Any, seeds: int) -> Any:
    steps, most = run.rungs
    keys = jax.random.split(jax.random.key(run.seed), seeds)  # the first is the one that `paths` shows
    return spread.runs(run.start, run.land.X, run.land.y, run.rate, sizes, keys, most=most, steps=steps, reshuffle=run.reshuffle)


def cloud(body: dict[str, Any]) -> Reply:
    """The samples' gradients at a point: `each` (n, 2) and their `label` (n,), `full` (2,), `means` of MEANS batches, and `axes`
    (2, 2), the root of the covariance that theory gives those; in the header the noise scale, and a batch's error, expected and found."""
    known(body, "the request", (*LAND, "at", "batch", "seed", "draw"))
    land = read_land(body)
    at = pair(body.get("at"), "at")
    _near(at, "at")
    batch = _batch(body, land)
    seed = whole(body.get("seed", 0), "seed", 0, 2**31 - 1)
    reshuffle = check_name("draw", text(body.get("draw", DRAWS[0]), "draw", 40), DRAWS) == "reshuffle"
    found = spread.cloud(jnp.asarray(at, float), land.X, land.y)
    n = len(land.X)
    most = next(size for size in limits.NOISE_BATCHES if size >= batch)
    drawn = spread.means(found.each, batch, jax.random.key(seed), most=most, count=MEANS, reshuffle=reshuffle)
    each, full, covariance, drawn = (np.asarray(a) for a in (*found, drawn))
    noise = covariance / batch * ((n - batch) / (n - 1) if reshuffle else 1.0)
    square, trace = float(np.sum(full**2)), float(np.trace(covariance))
    measured = float(np.mean(np.sum((drawn - full) ** 2, axis=1)))
    gap = float(np.max(np.abs(each.mean(axis=0) - full)))
    head = {"at": at, "batch": batch, "rows": n, "trace": trace, "square": square, "gap": gap}
    with np.errstate(divide="ignore", invalid="ignore"):  # at a minimum there is no signal
        ratios = np.asarray([trace, np.trace(noise), measured]) / square
    head |= dict(zip(("scale", "expected", "measured"), (float(v) for v in ratios), strict=True))
    return Reply(head, {"each": each, "label": np.asarray(land.y), "full": full, "means": drawn, "axes": roots(noise)})


def bundle(body: dict[str, Any]) -> Reply:
    """Many seeds' runs of one batch size: `runs` (seeds, steps+1, 2), their mean `centre`, and at each step the square root of their
    covariance `measured` and of what theory says `theory` (steps+1, 2, 2); `radius` (2, steps+1): root mean square distances of both."""
    run = read(body)
    land = run.land
    seeds = limits.NOISE_SEEDS if run.rungs[1] == limits.NOISE_BATCHES[0] else limits.NOISE_SEEDS // 3
    found = _runs(run, jnp.asarray([run.batch]), seeds)[:, 0, : run.steps + 1]
    centre, measured = (np.asarray(a) for a in spread.spread(found))
    path = batches.paths(run.start, land.X, land.y, run.rate, batch=None, steps=run.rungs[0])[0]
    count = jnp.arange(run.rungs[0])
    rates = jax.vmap(run.rate)(count) if callable(run.rate) else jnp.full(count.shape, run.rate, float)
    theory = np.asarray(spread.predicted(path, land.X, land.y, rates, run.batch))[: run.steps + 1]
    radius = np.sqrt(np.stack([np.trace(C, axis1=1, axis2=2) for C in (measured, theory)]))
    end = np.nan if callable(run.rate) else float(np.sqrt(np.trace(spread.ball(land.least, land.X, land.y, run.rate, run.batch))))
    head = {
        "batch": run.batch,
        "seeds": seeds,
        "end": end,
        "constant": not callable(run.rate),
        "steps": run.steps,
        "reshuffle": run.reshuffle,
    }
    return Reply(
        head, {"runs": np.asarray(found), "centre": centre, "measured": roots(measured), "theory": roots(theory), "radius": radius}
    )


def roots(covariance: Any) -> np.ndarray:
    """F with F F^T = C (..., 2, 2): F times the unit circle is the ellipse of one standard deviation. NaN where C is not finite."""
    C = np.asarray(covariance)
    fine = np.isfinite(C).all(axis=(-1, -2), keepdims=True)
    values, basis = np.linalg.eigh(np.where(fine, C, 0.0))
    return np.where(fine, basis * np.sqrt(np.maximum(values, 0))[..., None, :], np.nan)


QUICK: dict[str, Callable[[dict[str, Any]], Reply]] = {
    "noise/about": about, "noise/surface": surface, "noise/paths": paths, "noise/cloud": cloud,
}  # fmt: skip
SLOW: dict[str, Callable[[dict[str, Any]], Reply]] = {"noise/bundle": bundle}


def warm() -> None:
    """Compile what the tab opens with."""
    with computing():
        surface({})
        paths({})
        cloud({"at": [0.0, 0.0]})
        bundle({})
