"""The loss landscape that a configuration's training runs saw: recorded runs, the plane around them, the lines between their ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import experiment, train
from ..config import TrainConfig, load_toml
from ..errors import InputError, check_name
from ..metrics import METRICS
from ..model import MLP, Params
from ..optimizers import OPTIMIZERS
from ..store import model_files
from . import hessian, plane
from .trajectory import Trajectory, record

PLANES = ("pca", "random")
MARGIN = 0.25  # of the paths' width, left around them
RADIUS = 1.0  # of a random plane: each neuron moves by up to its own norm along each axis

# Where the papers and libraries start for standardized columns and small networks; nobody tuned them for a data set.
RATES = dict(
    sgd=0.1, momentum=0.02, adagrad=0.02, rmsprop=1e-3, adam=2e-3, adamw=2e-3, nadam=2e-3, amsgrad=2e-3, adamax=4e-3, adadelta=1.0,
    radam=2e-3, lion=3e-4, qhm=0.1, qhadam=2e-3,
)  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """Runs of one network on the same training rows, from the same initial weights, in the same order of samples.

    X, y: the training rows as the network sees them. paths and rates by optimizer. saved: a solution from a run's folder.
    """

    name: str
    model: MLP
    X: Any
    y: Any
    paths: Mapping[str, Trajectory]
    rates: Mapping[str, float]
    batch_size: int
    saved: Params | None = None

    def without_diverged(self) -> Runs:
        """The runs that did not diverge: one that did ends so far away that nothing else could be seen."""
        return replace(self, paths={name: path for name, path in self.paths.items() if path.run.stopped != "diverged"})

    @property
    def metric(self) -> str:
        return METRICS[self.model.loss]


class View(NamedTuple):
    """A plane with the paths on it. shares: of the paths' variance along each axis; None where the plane is not about paths."""

    title: str
    surface: plane.Surface
    shadows: dict[str, tuple[np.ndarray, plane.Shadow]]  # (epochs, shadow) by optimizer
    shares: np.ndarray | None
    marks: np.ndarray | None = None  # (points, 2), coordinates of a saved solution


def opened(folder: Path) -> tuple[TrainConfig, Params]:
    """The configuration and the weights that `mlp-opt train` left in a folder. InputError if it is no such folder."""
    where = folder / "config.toml"
    if not where.is_file() or not (folder / "model.json").is_file():
        raise InputError(f"{folder} is no run: it holds no {'model.json' if where.is_file() else 'config.toml'} of mlp-opt train")
    trained = model_files.load(folder)
    if isinstance(trained, model_files.Ensemble):
        raise InputError(f"{folder} holds an ensemble of {len(trained.members)} networks; give the folder of one")
    return TrainConfig(**load_toml(where)), trained.params


def prepared(config: TrainConfig, rates: Mapping[str, float]) -> dict[str, experiment.Experiment]:
    """The configuration with each of these optimizers (name -> learning rate), on the same data, checked.

    An optimizer other than the configuration's own takes its default options. InputError for what no run could have.
    """
    made = {}
    for name, rate in rates.items():
        options = config.optimizer_options if name == config.optimizer else {}
        made[name] = experiment.prepare(replace(config, optimizer=name, learning_rate=rate, optimizer_options=options))
    return made


def recorded(made: Mapping[str, experiment.Experiment], saved: Params | None = None, every: int = 1, on_run: Any = None) -> Runs:
    """Train what `prepared` made, recording after every `every` epochs. on_run(done, total) is called after each run.

    InputError where a saved solution does not fit the network.
    """
    first = next(iter(made.values()))
    if saved is not None and _shapes(saved) != list(pairwise(first.model.sizes)):
        raise InputError(f"the saved model does not fit its configuration of sizes {first.model.sizes}; was config.toml edited?")
    paths = {}
    for done, (name, one) in enumerate(made.items(), start=1):
        X, y = one.inputs(one.train)
        validation = None if one.validation is None else one.inputs(one.validation)
        lane = experiment.lane_options(one.config)
        paths[name] = record(one.model, one.optimizer, X, y, epochs=one.config.epochs, every=every, validation=validation, **lane)
        if on_run:
            on_run(done, len(made))
    X, y = train.check_data(first.model, *first.inputs(first.train), first.config.dtype)
    rates = {name: one.config.learning_rate for name, one in made.items()}
    return Runs(first.data.name, first.model, X, y, paths, rates, first.config.batch_size or len(X), saved)


def views(runs: Runs, kind: str, grid: int, seed: int = 0) -> list[View]:
    """The planes to look at: with "pca" the one nearest to all paths, with "random" one around each solution.

    grid: points on a side. InputError for a kind of plane that there is none of.
    """
    check_name("plane", kind, PLANES)
    if kind == "random":
        ends = {name: path.last for name, path in runs.paths.items()} if runs.saved is None else {"saved model": runs.saved}
        along = np.linspace(-RADIUS, RADIUS, grid)
        planes = {name: plane.random_plane(end, jax.random.key(seed)) for name, end in ends.items()}
        return [View(name, plane.surface(runs.model, p, runs.X, runs.y, along, along), {}, None) for name, p in planes.items()]
    everything = jax.tree.map(lambda *x: np.concatenate(x), *(path.snapshots for path in runs.paths.values()))
    nearest = plane.principal_plane(everything)
    shadows = {name: (path.epochs, plane.shadow(runs.model, nearest, runs.X, runs.y, path.snapshots)) for name, path in runs.paths.items()}
    marks = None if runs.saved is None else plane.coordinates(nearest, jax.tree.map(lambda x: np.asarray(x)[None], runs.saved))
    at = np.concatenate([s.at for _, s in shadows.values()] + ([] if marks is None else [marks]))
    low, high = at.min(axis=0), at.max(axis=0)
    xs, ys = (np.linspace(a - MARGIN * (b - a), b + MARGIN * (b - a), grid) for a, b in zip(low, high, strict=True))
    surface = plane.surface(runs.model, nearest, runs.X, runs.y, xs, ys)
    return [View("", surface, shadows, plane.explained(nearest, everything), marks)]


def lines(runs: Runs, points: int = 51) -> tuple[dict[str, plane.Line], dict[tuple[str, str], plane.Line]]:
    """(from the initial weights to each solution, between each pair of solutions), both a little beyond their ends."""
    t = np.linspace(-0.25, 1.25, points)
    ends = {name: path.last for name, path in runs.paths.items()}
    starts = {name: jax.tree.map(lambda x: x[0], path.snapshots) for name, path in runs.paths.items()}
    grown = {name: plane.line(runs.model, starts[name], end, runs.X, runs.y, t) for name, end in ends.items()}
    between = {(a, b): plane.line(runs.model, ends[a], ends[b], runs.X, runs.y, t) for a, b in combinations(ends, 2)}
    return grown, between


def sharpness(runs: Runs, rows: int, k: int = 1, points: int = 11) -> dict[str, tuple[np.ndarray, hessian.Eigenvalues]]:
    """(epochs, eigenvalues) along each path, at up to so many of its points, of the loss on the first `rows` training rows."""
    found = {}
    for name, path in runs.paths.items():
        thin = path.thinned(points)
        found[name] = thin.epochs, hessian.eigenvalues(runs.model, thin.snapshots, runs.X[:rows], runs.y[:rows], k=k)
    return found


def stable_below(optimizer: str, rate: float, options: Mapping[str, Any]) -> float | None:
    """The curvature above which full-batch steps of this optimizer diverge: 2/a, with momentum mu 2 (1 + mu)/a; None if there is no one
    such number (the step's size adapts)."""
    if optimizer == "momentum" or (optimizer == "sgd" and "momentum" in options):
        nesterov = bool(options.get("nesterov", False))
        mu = float(options.get("momentum", 0.9))
        return None if nesterov else 2 * (1 + mu) / rate
    return 2 / rate if optimizer == "sgd" else None


def rates_of(optimizers: Sequence[str], given: Mapping[str, Any]) -> dict[str, float]:
    """The learning rate of each optimizer: as given, else RATES. InputError for unknown names and rates that are not above 0."""
    for name in (*optimizers, *given):
        check_name("optimizer", name, OPTIMIZERS)
    for name, rate in given.items():
        if name not in optimizers:
            raise InputError(f"--learning-rates gives one for {name!r}, which --optimizers does not name: {', '.join(optimizers)}")
        if isinstance(rate, bool) or not 0 < rate < float("inf"):
            raise InputError(f"the learning rate of {name} must be a number > 0, got {rate!r}")
    return {name: float(given.get(name, RATES[name])) for name in optimizers}


def _shapes(params: Params) -> list[tuple[int, ...]]:
    return [layer.W.shape[::-1] for layer in params]
