"""A trained model on disk: model.safetensors (layer1.W, layer1.b, layer2.W, ...) and model.json (everything else).

Nothing in either is executed when it is read.
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


def save(folder: Path, trained: TrainedModel) -> None:
    """Write model.safetensors and model.json into `folder`, each atomically."""
    weights = {f"layer{l}.{k}": v for l, layer in enumerate(trained.params, 1) for k, v in layer._asdict().items()}
    description = {
        "format": FORMAT,
        "model": asdict(trained.model),
        "dtype": str(trained.params[0].W.dtype),
        "task": trained.task,
        "classes": trained.classes,
        "features": trained.features,
        "scaling": {name: np.asarray(getattr(trained.scaler, name)).tolist() for name in _SCALER},
        "about": trained.about,
    }
    files.write(folder / "model.safetensors", arrays.dump(weights))
    files.write(folder / "model.json", json.dumps(description, indent=1) + "\n")


def load(folder: str | Path) -> TrainedModel:
    """Read what `save` wrote. InputError names the file and what is wrong with it."""
    folder = Path(folder)
    where = folder / "model.json"
    try:
        description = json.loads(files.read(where))
        if description["format"] != FORMAT:
            raise InputError(f"{where} has format {description['format']!r}; this version reads format {FORMAT}")
        model = MLP(**description["model"])
        scaler = Scaler(**{name: np.asarray(description["scaling"][name], np.float64) for name in _SCALER})
        rest = {name: tuple(description[name]) for name in ("classes", "features")}
        task, about, dtype = description["task"], description["about"], jnp.dtype(description["dtype"])
        if {scaler.x_shift.shape, scaler.x_scale.shape} != {(model.sizes[0],)} or scaler.y_shift.shape or scaler.y_scale.shape:
            raise ValueError("the scaling does not fit the sizes")
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} is not a model description: {type(error).__name__} {error}") from error
    params = _params(folder / "model.safetensors", model, dtype)
    return TrainedModel(model, params, scaler, task, about=about, **rest)


def _params(where: Path, model: MLP, dtype: Any) -> Params:
    found = arrays.load(where)
    layers = []
    for l in range(1, model.n_layers + 1):
        n_out, n_in = model.sizes[l], model.sizes[l - 1]
        for name, shape in ((f"layer{l}.W", (n_out, n_in)), (f"layer{l}.b", (n_out,))):
            if name not in found or found[name].shape != shape:
                instead = found[name].shape if name in found else "nothing"
                raise InputError(f"{where} does not fit model.json: {name} should have shape {shape}, found {instead}")
        W, b = (jnp.asarray(found[f"layer{l}.{k}"], dtype) for k in "Wb")
        layers.append(Layer(W, b))
    return tuple(layers)
