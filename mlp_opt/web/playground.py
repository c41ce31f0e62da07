"""The page's Playground tab, server side: small networks in training. All numbers are JAX's, the training is the library's lane.

A training (a Run) is kept under a name that the page invents. It is begun by `playground/begin`, which says all that
makes it, and goes on by `playground/train`. The ones used last are kept; of another, the page is told that it is lost
and begins it again: the same configuration trains to the same weights.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import race_setup
from ..activations import ACTIVATIONS
from ..config import RaceConfig
from ..errors import InputError, check_name
from ..figures.looks import LOOKS
from ..initializers import INITIALIZERS
from ..lane import Data, HParams, LaneState
from ..model import MLP, Layer
from ..races.paths import RULES, SEVEN
from ..schedules import SCHEDULES
from ..train import prepare_lane
from . import limits
from . import playground_data as points
from . import playground_lane as programs
from .messages import Reply, known, number, text, whole
from .programs import remember
from .race import KNOBS, read_method

NETWORK = (
    "data", "own", "noise", "share", "data_seed", "features", "hidden", "activation", "init", "residual",
    "batch", "seed", "schedule", "horizon",
)  # fmt: skip
NUMBERS = ("methods", "l1", "l2", "dropout")
RATES = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "adagrad": 0.1, "adadelta": 3.0, "lion": 0.003, "qhm": 0.1}  # the others: 0.01
LOSSES = {"classification": "bce", "regression": "mse"}
SAMPLES = 120  # points of a set's picture on its button
_runs: dict[str, Run] = {}
_lock = threading.Lock()


class Run:
    """A training: its data, its network, and the state of each optimizer's lane."""

    def __init__(self, body: dict[str, Any]):
        self.points, self.features, model = _network(body)
        self.batch = whole(body.get("batch", 10), "batch", 0, limits.OWN_ROWS)
        self.seed = whole(body.get("seed", 0), "seed", 0, 2**32 - 1)
        self.schedule = check_name("schedule", body.get("schedule", "constant"), SCHEDULES)
        self.horizon = whole(body.get("horizon", 200), "horizon", 1, limits.MOST_EPOCHS)
        n = self.points.train
        self.batch = min(self.batch or n, n)  # 0: all
        self.steps = -(-n // self.batch)  # of an epoch
        X, y = points.features(self.features, jnp.asarray(self.points.xy)), jnp.asarray(self.points.y)
        self.data = Data(X[:n], y[:n], None, X[n:], y[n:])
        self.model, self.names = model, [name for name, _ in self.rules(body)]
        self.lock = threading.Lock()
        lanes = self.lanes(body)
        params = programs.draw(model, "float32", np.uint32(self.seed))  # the same for all
        self.states: list[LaneState] = [programs.begin(hparams, params) for _, hparams in lanes]
        self.epoch = 0

    def rules(self, body: dict[str, Any]) -> list[tuple[str, Any]]:
        """The optimizers that a request gives, by name; the schedule spans `horizon` epochs."""
        given = body.get("methods", [{"name": "sgd"}])
        if not isinstance(given, list) or not 1 <= len(given) <= limits.RULES:
            raise InputError(f"methods must be a list of 1 to {limits.RULES}")
        found = []
        for method in given:
            rates: dict[str, float] = {}
            options: dict[str, float] = {}
            name = read_method(method, rates, options)
            config = RaceConfig(optimizer_options=options, schedule=self.schedule, steps=self.horizon * self.steps)
            found.append((name, race_setup.build(config, name, rates.get(name, RATES.get(name, 0.01)))))
        return found

    def lanes(self, body: dict[str, Any]) -> list[tuple[Any, HParams]]:
        """Each optimizer's lane with the numbers of a request: those may change while it trains."""
        rules = self.rules(body)
        if [name for name, _ in rules] != self.names:
            raise InputError("the optimizers have changed: begin again")
        numbers = {key: number(body.get(key, 0.0), key, 0.0, most) for key, most in (("l1", 10.0), ("l2", 10.0), ("dropout", 0.9))}
        options: dict[str, Any] = dict(
            batch_size=self.batch, seed=self.seed, data_seed=None, label_smoothing=0.0, init_scale=1.0, patience=None, monitor="loss",
            dtype="float32", traced=frozenset(("l1", "l2")), **numbers,
        )  # fmt: skip
        lanes = [prepare_lane(self.model, rule, self.points.train, **options) for _, rule in rules]
        for spec, hparams in lanes:
            remember((spec, self.features, jax.tree.structure(hparams), self.data.X.shape))
        return lanes

    def go(self, body: dict[str, Any], epochs: int) -> Reply:
        """Train all lanes by as many epochs as a request may ask for, and say how they stand."""
        shown = whole(body.get("shown", 0), "shown", 0, len(self.names) - 1)
        hidden = sum(self.model.sizes[1:])
        unit = whole(body.get("unit", hidden - 1), "unit", 0, hidden - 1)
        epochs = min(epochs, max(1, limits.EPOCH_STEPS // self.steps), limits.MOST_EPOCHS - self.epoch)
        lanes = self.lanes(body)
        done = [programs.train(spec, state, hparams, self.data, epochs) for (spec, hparams), state in zip(lanes, self.states, strict=True)]
        self.states = [state for state, _ in done]
        self.epoch += epochs
        measured = jax.device_get([found for _, found in done])
        arrays = {
            "curve": np.stack([found.curve[:epochs] for found in measured]),
            "now": np.stack([found.now for found in measured]),
            "norms": np.stack([found.norms for found in measured]),
        }
        arrays |= programs.drawn(self.model, self.features, self.states[shown].params, unit)
        lost = [int(state.diverged_at) or None for state in self.states]
        head = {"epoch": self.epoch, "epochs": epochs, "steps": self.steps, "diverged": lost, "shown": shown, "unit": unit}
        return Reply(head | {"sizes": list(self.model.sizes)}, arrays)


def _network(body: dict[str, Any]) -> tuple[points.Points, tuple[str, ...], MLP]:
    """The data, the features and the network that a request names, bounded."""
    noise, share = number(body.get("noise", 0.0), "noise", 0.0, 0.5), number(body.get("share", 0.5), "share", 0.1, 0.9)
    data_seed, name = whole(body.get("data_seed", 0), "data_seed", 0, 2**32 - 1), text(body.get("data", "circle"), "data", 40)
    if name == points.OWN:
        data = points.own(text(body.get("own"), "own data", limits.OWN_TEXT), share, data_seed)
    else:
        data = points.made(name, noise, share, data_seed)
    names = body.get("features", ["x", "y"])
    if not isinstance(names, list) or not 1 <= len(names) <= len(points.FEATURES) or len({str(n) for n in names}) < len(names):
        raise InputError(f"features must be a list of 1 to {len(points.FEATURES)} different names")
    hidden, (layers, units) = body.get("hidden", [4, 2]), limits.HIDDEN
    if not isinstance(hidden, list) or len(hidden) > layers:
        raise InputError(f"hidden must be a list of at most {layers} layers")
    if type(body.get("residual", False)) is not bool:
        raise InputError("residual must be true or false")
    sizes = (len(names), *(whole(n, "units of a hidden layer", 1, units) for n in hidden), 1)
    chosen = tuple(check_name("feature", n, points.FEATURES) for n in names)
    activation = check_name("activation", body.get("activation", "tanh"), [name for name in ACTIVATIONS if name != "step"])
    init = check_name("initializer", body.get("init", "glorot_normal"), INITIALIZERS)
    return data, chosen, MLP(sizes, activation, LOSSES[data.task], body.get("residual", False), init)


def _name(body: dict[str, Any]) -> str:
    name = body.get("run")
    if not isinstance(name, str) or not re.fullmatch(r"[0-9a-f]{8,32}", name):
        raise InputError("run must be a name of 8 to 32 characters 0-9 and a-f")
    return name


def begin(body: dict[str, Any]) -> Reply:
    """A new training under the name `run`, at epoch 0: its points (n, 3), the first `train` of them trained on, and all that `go` tells."""
    known(body, "the request", ("run", "shown", "unit", *NETWORK, *NUMBERS))
    name, run = _name(body), Run(body)
    with run.lock:
        reply = run.go(body, 0)
    with _lock:
        _runs.pop(name, None)
        _runs[name] = run
        while len(_runs) > limits.RUNS:
            _runs.pop(next(iter(_runs)))
    data = run.points
    head = {"train": data.train, "task": data.task, "ranges": data.ranges, "names": data.names, "classes": data.classes}
    head |= {"loss": run.model.loss, "skips": list(run.model.skips)}
    arrays = {"points": np.column_stack([data.xy, data.y]), "features": programs.feature_maps(points.grid())}
    return Reply(reply.header | head, {**reply.arrays, **arrays})


def _kept(body: dict[str, Any]) -> Run | None:
    name = _name(body)
    with _lock:
        run = _runs.pop(name, None)
        if run is not None:
            _runs[name] = run  # the latest used
    return run


def train(body: dict[str, Any]) -> Reply:
    """Go on from epoch `from` by `epochs`. A request that comes twice (a lost connection) trains once."""
    known(body, "the request", ("run", "from", "epochs", "shown", "unit", *NUMBERS))
    first, epochs = whole(body.get("from", 0), "from", 0, limits.MOST_EPOCHS), whole(body.get("epochs", 0), "epochs", 0, limits.EPOCHS)
    run = _kept(body)
    if run is None:
        return Reply({"lost": True}, {})
    with run.lock:
        return run.go(body, epochs if run.epoch == first else 0)


def edit(body: dict[str, Any]) -> Reply:
    """Set one weight of the shown optimizer's network, or a bias (`input` null); layers, units and inputs count from 0."""
    known(body, "the request", ("run", "shown", "unit", "layer", "to", "input", "value", *NUMBERS))
    value = number(body.get("value"), "value", -1e6, 1e6)
    run = _kept(body)
    if run is None:
        return Reply({"lost": True}, {})
    with run.lock:
        sizes, shown = run.model.sizes, whole(body.get("shown", 0), "shown", 0, len(run.names) - 1)
        layer = whole(body.get("layer"), "layer", 0, len(sizes) - 2)
        to = whole(body.get("to"), "to", 0, sizes[layer + 1] - 1)
        params = [[np.array(part) for part in both] for both in run.states[shown].params]
        if body.get("input") is None:
            params[layer][1][to] = value
        else:
            params[layer][0][to, whole(body["input"], "input", 0, sizes[layer] - 1)] = value
        made = tuple(Layer(*(jnp.asarray(part) for part in both)) for both in params)
        run.states[shown] = run.states[shown]._replace(params=made)
        return run.go(body, 0)


def about(body: dict[str, Any]) -> Reply:
    """What there is to choose from; `samples` (sets, SAMPLES, 3): points of every set."""
    known(body, "the request", ())
    order = sorted(RULES, key=lambda name: (name not in SEVEN, SEVEN.index(name) if name in SEVEN else name))
    methods = {
        name: {
            "color": LOOKS[name].color, "line": LOOKS[name].line, "marker": LOOKS[name].marker, "rate": RATES.get(name, 0.01),
            "knobs": [dict(zip(("name", "default", "low", "high", "scale"), knob, strict=True)) for knob in KNOBS.get(name, ())],
        }
        for name in order
    }  # fmt: skip
    most = {
        "layers": limits.HIDDEN[0],
        "units": limits.HIDDEN[1],
        "methods": limits.RULES,
        "rows": limits.OWN_ROWS,
        "text": limits.OWN_TEXT,
    }
    head = {
        "data": {name: made.task for name, made in points.SETS.items()}, "features": list(points.FEATURES), "methods": methods,
        "activations": [name for name in ACTIVATIONS if name != "step"], "initializers": list(INITIALIZERS), "schedules": list(SCHEDULES),
        "limits": most | {"epochs": limits.EPOCHS, "run": limits.MOST_EPOCHS},
    }  # fmt: skip
    samples = [points.made(name, 0.0, 0.5, 0) for name in points.SETS]
    return Reply(head, {"samples": np.stack([np.column_stack([made.xy, made.y])[:SAMPLES] for made in samples])})


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """float32 on the CPU, where networks of this size belong, even beside a GPU."""
    with jax.enable_x64(False), jax.default_device(jax.devices("cpu")[0]):
        yield


QUICK: dict[str, Callable[[dict[str, Any]], Reply]] = {"playground/about": about, "playground/train": train, "playground/edit": edit}
SLOW: dict[str, Callable[[dict[str, Any]], Reply]] = {"playground/begin": begin}


def warm() -> None:
    """Compile the programs of the network that the tab opens with."""
    with computing():
        begin({"run": "0" * 8})
