"""A trained model on disk: model.safetensors (layer1.W, layer1.b, layer2.W, ...) and model.json (everything else).

An ensemble is one model, too: its members' descriptions are a list in model.json, and member 2's first weights are
2.layer1.W. Nothing in either file is executed when it is read, and each is checked against a SHA-256 before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import polars as pl

from ..data.encode import Encoder
from ..errors import InputError
from ..model import MLP, Layer, Params
from ..train import check_dtype, predict_rows
from . import arrays, encoder_json, files

FORMAT = 2


@dataclass(frozen=True)
class TrainedModel:
    """A network with its encoder and names; `predict` takes rows as they come in the data.

    task: "multiclass", "binary", "multilabel" or "regression". targets: the names of what is predicted.
    about: metrics and provenance, plain JSON values.
    """

    model: MLP
    params: Params
    encoder: Encoder
    task: str
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    about: dict[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that `predict` reads."""
        return self.encoder.features

    def predict(self, X: Any) -> np.ndarray:
        """X as it comes, (n, features) numbers or a data frame -> probabilities (n, classes), of class 1 (n, 1) if
        binary, of each target (n, targets) if multilabel; or values (n, targets). float64.

        Columns of a data frame are found by name. A row's bits do not depend on the rows beside it.
        """
        return self._of_inputs(self._inputs(X))

    @property
    def _input_dtype(self) -> Any:
        return np.float64 if self.params[0].W.dtype == jnp.float64 else np.float32

    def _inputs(self, X: Any) -> np.ndarray:
        return self.encoder.X(X, self._input_dtype)

    def _of_inputs(self, rows: np.ndarray) -> np.ndarray:
        y_hat = predict_rows(self.model, self.params, rows)
        return self.encoder.values(y_hat) if self.task == "regression" else y_hat

    def table(self, X: Any) -> pl.DataFrame:
        """The predictions by name: see `predictions`."""
        return predictions(self, X)


@dataclass(frozen=True)
class Ensemble:
    """Several trained models that predict together: the mean of their probabilities or values."""

    members: tuple[TrainedModel, ...]
    about: dict[str, Any]

    @property
    def task(self) -> str:
        return self.members[0].task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.members[0].classes

    @property
    def targets(self) -> tuple[str, ...]:
        return self.members[0].targets

    @property
    def features(self) -> tuple[str, ...]:
        return self.members[0].features

    @property
    def encoder(self) -> Encoder:
        """The first member's; all read the same columns."""
        return self.members[0].encoder

    def predict(self, X: Any) -> np.ndarray:
        """As TrainedModel.predict. Rows are encoded once for all members that share an encoder."""
        alike: dict[Any, list[int]] = {}
        for i, member in enumerate(self.members):
            alike.setdefault((id(member.encoder), member._input_dtype), []).append(i)
        found: dict[int, np.ndarray] = {}
        for places in alike.values():
            rows = self.members[places[0]]._inputs(X)
            found |= {i: self.members[i]._of_inputs(rows) for i in places}
        return np.mean([found[i] for i in range(len(self.members))], axis=0)

    def table(self, X: Any) -> pl.DataFrame:
        """The predictions by name: see `predictions`."""
        return predictions(self, X)


def predictions(model: TrainedModel | Ensemble, X: Any) -> pl.DataFrame:
    """A row for each row of X: `prediction` (the class's name, or the value) and, for classes, their probabilities p_NAME.

    With several targets, a column prediction_NAME (and p_NAME) each.
    """
    y_hat = model.predict(X)
    names = ["prediction"] if len(model.targets) == 1 else [f"prediction_{t}" for t in model.targets]
    if model.task == "regression":
        return pl.DataFrame(dict(zip(names, y_hat.T, strict=True)))
    if model.task == "multilabel":
        likely = dict(zip(names, (y_hat > 0.5).T.astype(np.int8), strict=True))
        return pl.DataFrame(likely | {f"p_{t}": p for t, p in zip(model.targets, y_hat.T, strict=True)})
    chances = np.hstack([1 - y_hat, y_hat]) if model.task == "binary" else y_hat
    best = pl.Series([model.classes[i] for i in chances.argmax(axis=1)], dtype=pl.String)
    return pl.DataFrame({"prediction": best} | {f"p_{c}": p for c, p in zip(model.classes, chances.T, strict=True)})


def save(folder: Path, trained: TrainedModel | Ensemble) -> None:
    """Write model.safetensors and model.json into `folder`, each atomically."""
    if isinstance(trained, TrainedModel):
        weights, description = _weights(trained, ""), _describe(trained)
    else:
        weights = {k: v for i, member in enumerate(trained.members, 1) for k, v in _weights(member, f"{i}.").items()}
        description = {"ensemble": [_describe(member) for member in trained.members], "about": trained.about}
    data = arrays.dump(weights)
    description = {"format": FORMAT, "weights_sha256": hashlib.sha256(data).hexdigest()} | description
    files.write(folder / "model.safetensors", data)
    files.write(folder / "model.json", json.dumps(description | {"sha256": _digest(description)}, indent=1) + "\n")


def load(folder: str | Path) -> TrainedModel | Ensemble:
    """Read what `save` wrote. InputError names the file and what is wrong with it."""
    folder = Path(folder)
    where, weights = folder / "model.json", folder / "model.safetensors"
    with _described(where):
        description = _description(folder)
        found = arrays.load(weights, description["weights_sha256"])
        if "ensemble" not in description:
            return _restore(description, found, weights, "", {})
        if not description["ensemble"]:
            raise ValueError("the ensemble has no members")
        encoders: dict[str, Encoder] = {}
        models = tuple(_restore(member, found, weights, f"{i}.", encoders) for i, member in enumerate(description["ensemble"], 1))
        return Ensemble(models, description["about"])


def dtype_of(folder: str | Path) -> str:
    """The dtype of a saved model's parameters. InputError as in `load`."""
    with _described(Path(folder) / "model.json"):
        description = _description(Path(folder))
        return str((description["ensemble"][0] if "ensemble" in description else description)["dtype"])


def _description(folder: Path) -> dict[str, Any]:
    where = folder / "model.json"
    if not where.exists() and folder.is_dir():
        raise InputError(f"{folder} holds no model: there is no model.json")
    description = json.loads(files.read(where))
    if description["format"] != FORMAT:
        raise InputError(f"{where} has format {description['format']!r}; this version reads format {FORMAT}")
    if description.pop("sha256") != _digest(description):
        raise InputError(f"{where} does not match its checksum: it was changed or damaged after it was written")
    return description


@contextlib.contextmanager
def _described(where: Path) -> Iterator[None]:
    """What a description that is none raises, as one line."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise InputError(f"{where} is not a model description: {type(error).__name__} {error}") from error


def _digest(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def _weights(trained: TrainedModel, prefix: str) -> dict[str, Any]:
    return {f"{prefix}layer{l}.{k}": v for l, layer in enumerate(trained.params, 1) for k, v in layer._asdict().items()}


def _describe(trained: TrainedModel) -> dict[str, Any]:
    return {
        "model": asdict(trained.model),
        "dtype": str(trained.params[0].W.dtype),
        "task": trained.task,
        "classes": trained.classes,
        "targets": trained.targets,
        "encoder": encoder_json.dump(trained.encoder),
        "about": trained.about,
    }


def _restore(
    description: dict[str, Any], found: dict[str, np.ndarray], where: Path, prefix: str, encoders: dict[str, Encoder]
) -> TrainedModel:
    """encoders: those of other members, by what describes them; one that is described alike is the same object."""
    model = MLP(**description["model"])
    described = json.dumps(description["encoder"])
    encoder = encoders[described] = encoders.get(described) or encoder_json.load(description["encoder"])
    if encoder.width != model.sizes[0]:
        raise ValueError(f"the encoder's {encoder.width} inputs do not fit the sizes {model.sizes}")
    classes, targets = tuple(description["classes"]), tuple(description["targets"])
    outputs = len(classes) if description["task"] == "multiclass" else len(targets)
    if outputs != model.sizes[-1]:
        raise ValueError(f"{outputs} outputs do not fit the sizes {model.sizes}")
    dtype = jnp.dtype(description["dtype"])
    check_dtype(dtype.name)
    params = _params(found, where, model, dtype, prefix)
    return TrainedModel(model, params, encoder, description["task"], classes, targets, description["about"])


def _params(found: dict[str, np.ndarray], where: Path, model: MLP, dtype: Any, prefix: str) -> Params:
    layers = []
    for l in range(1, model.n_layers + 1):
        n_out, n_in = model.sizes[l], model.sizes[l - 1]
        for name, shape in ((f"{prefix}layer{l}.W", (n_out, n_in)), (f"{prefix}layer{l}.b", (n_out,))):
            if name not in found or found[name].shape != shape:
                instead = found[name].shape if name in found else "nothing"
                raise InputError(f"{where} does not fit model.json: {name} should have shape {shape}, found {instead}")
        W, b = (jnp.asarray(found[f"{prefix}layer{l}.{k}"], dtype) for k in "Wb")
        layers.append(Layer(W, b))
    return tuple(layers)
