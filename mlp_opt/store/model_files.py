"""A trained model on disk: model.safetensors (layer1.W, layer1.b, layer2.W, ...) and model.json (everything else).

An ensemble is one model, too: its members' descriptions are a list in model.json, and member 2's first weights are
2.layer1.W. Nothing in either file is executed when it is read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..data.split import Scaler
from ..errors import InputError
from ..model import MLP, Layer, Params, predict
from . import arrays, files

FORMAT = 1
_SCALER = ("x_shift", "x_scale", "y_shift", "y_scale")


@dataclass(frozen=True)
class TrainedModel:
    """A network with its scaling and names; `predict` takes rows as they come in the data.

    task: "multiclass", "binary" or "regression". about: metrics and provenance, plain JSON values.
    """

    model: MLP
    params: Params
    scaler: Scaler
    task: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    about: dict[str, Any]

    def predict(self, X: Any) -> np.ndarray:
        """X (n, features) unscaled -> probabilities (n, classes), of class 1 (n, 1) if binary, or values (n, 1)."""
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.model.sizes[0]:
            raise InputError(f"X of shape {X.shape} does not fit the model: give (rows, {self.model.sizes[0]})")
        rows = jnp.asarray(self.scaler.X(X), self.params[0].W.dtype)
        y_hat = np.asarray(predict(self.model, self.params, rows), np.float64)
        return self.scaler.values(y_hat) if self.task == "regression" else y_hat


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
    def features(self) -> tuple[str, ...]:
        return self.members[0].features

    def predict(self, X: Any) -> np.ndarray:
        """As TrainedModel.predict."""
        return np.mean([member.predict(X) for member in self.members], axis=0)


def save(folder: Path, trained: TrainedModel | Ensemble) -> None:
    """Write model.safetensors and model.json into `folder`, each atomically."""
    if isinstance(trained, TrainedModel):
        weights, description = _weights(trained, ""), _describe(trained)
    else:
        weights = {k: v for i, member in enumerate(trained.members, 1) for k, v in _weights(member, f"{i}.").items()}
        description = {"ensemble": [_describe(member) for member in trained.members], "about": trained.about}
    files.write(folder / "model.safetensors", arrays.dump(weights))
    files.write(folder / "model.json", json.dumps({"format": FORMAT} | description, indent=1) + "\n")


def load(folder: str | Path) -> TrainedModel | Ensemble:
    """Read what `save` wrote. InputError names the file and what is wrong with it."""
    folder = Path(folder)
    where = folder / "model.json"
    try:
        description = json.loads(files.read(where))
        if description["format"] != FORMAT:
            raise InputError(f"{where} has format {description['format']!r}; this version reads format {FORMAT}")
        members = description.get("ensemble")
        if members is None:
            return _restore(description, folder / "model.safetensors", "")
        if not members:
            raise ValueError("the ensemble has no members")
        weights = folder / "model.safetensors"
        return Ensemble(tuple(_restore(member, weights, f"{i}.") for i, member in enumerate(members, 1)), description["about"])
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where} is not a model description: {type(error).__name__} {error}") from error


def _weights(trained: TrainedModel, prefix: str) -> dict[str, Any]:
    return {f"{prefix}layer{l}.{k}": v for l, layer in enumerate(trained.params, 1) for k, v in layer._asdict().items()}


def _describe(trained: TrainedModel) -> dict[str, Any]:
    return {
        "model": asdict(trained.model),
        "dtype": str(trained.params[0].W.dtype),
        "task": trained.task,
        "classes": trained.classes,
        "features": trained.features,
        "scaling": {name: np.asarray(getattr(trained.scaler, name)).tolist() for name in _SCALER},
        "about": trained.about,
    }


def _restore(description: dict[str, Any], weights: Path, prefix: str) -> TrainedModel:
    model = MLP(**description["model"])
    scaler = Scaler(**{name: np.asarray(description["scaling"][name], np.float64) for name in _SCALER})
    rest = {name: tuple(description[name]) for name in ("classes", "features")}
    task, about, dtype = description["task"], description["about"], jnp.dtype(description["dtype"])
    if {scaler.x_shift.shape, scaler.x_scale.shape} != {(model.sizes[0],)} or scaler.y_shift.shape or scaler.y_scale.shape:
        raise ValueError("the scaling does not fit the sizes")
    return TrainedModel(model, _params(weights, model, dtype, prefix), scaler, task, about=about, **rest)


def _params(where: Path, model: MLP, dtype: Any, prefix: str) -> Params:
    found = arrays.load(where)
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
