"""The page's run folders, server side: the list of them, and the curves of what `mlp-opt train` left in one."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..errors import InputError
from . import folders, limits
from .messages import Reply, known

# What reading a damaged file may raise.
DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, StopIteration, TypeError, ValueError)


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """The CPU in single precision, where sweeps are trained."""
    with jax.enable_x64(False), jax.default_device(jax.devices("cpu")[0]):
        yield


@contextlib.contextmanager
def reading(folder: folders.Folder) -> Iterator[None]:
    """What goes wrong with a damaged or vanished folder becomes one line."""
    import polars as pl

    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {folder.path}: {error.strerror or error}") from error
    except (pl.exceptions.PolarsError, *DAMAGE) as error:
        said = f"{type(error).__name__} {error}".splitlines()[0][:120]
        raise InputError(f"{folder.path} is damaged and cannot be shown: {said}") from error


def listing(body: dict[str, Any]) -> Reply:
    """The runs below the folder, the last changed first."""
    known(body, "the request", ())
    rows = [{"name": f.name, "kind": f.kind, "finished": f.finished} for f in folders.listed()]
    return Reply({"where": str(folders.where()), "folders": rows, "commands": folders.COMMANDS}, {})


def unchanged(folder: folders.Folder, body: dict[str, Any]) -> Reply | None:
    """The short answer to a page that has seen the folder as it is."""
    if body.get("seen") != folder.stamp:
        return None
    return Reply({"same": True, "name": folder.name, "finished": folder.finished, "age": folder.age}, {})


def result_of(folder: folders.Folder) -> dict[str, Any]:
    """What result.json holds; empty while the run is under way."""
    path = folder.path / "result.json"
    found = json.loads(path.read_bytes()) if path.is_file() else {}
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged: it holds no object")
    return found


def about(folder: folders.Folder) -> dict[str, Any]:
    """What every answer about a folder says of it."""
    return {"name": folder.name, "where": str(folder.path), "stamp": folder.stamp, "finished": folder.finished, "age": folder.age}


def config_of(path: Path) -> Any:
    """The TrainConfig in config.toml, of `mlp-opt train` or landscape."""
    from ..config import TrainConfig, load_toml

    return TrainConfig(**load_toml(path / "config.toml"))


def curves(history: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, arrays) of a history: `epoch`, `train_loss`, ...; of a long one evenly chosen epochs."""
    n = len(history["epoch"])
    rows = np.unique(np.linspace(0, n - 1, min(n, limits.CURVE)).round().astype(int)) if n else np.arange(0)
    metric = next(name.removeprefix("train_") for name in history if name.startswith("train_") and name != "train_loss")
    kept = ["epoch", *(f"{part}_{what}" for part in ("train", "val") for what in ("loss", metric))]
    return {"metric": metric, "epochs": n}, {name: np.asarray(history[name], float)[rows] for name in kept if name in history}


def train(body: dict[str, Any]) -> Reply:
    """The curves of one network; in the header what it was and how it ended."""
    known(body, "the request", ("name", "seen"))
    folder = folders.opened(body, "train")
    if (same := unchanged(folder, body)) is not None:
        return same
    from ..store.run_folder import load_history

    with reading(folder):
        config, result = config_of(folder.path), result_of(folder)
        head, arrays = curves(load_history(folder.path))
        scores = {name: value for name, value in result.items() if isinstance(value, float) and "_" in name and math.isfinite(value)}
        shape = "-".join(map(str, config.hidden)) or "none"
        head |= {"dataset": config.dataset, "hidden": shape, "optimizer": config.optimizer, "rate": config.learning_rate, "scores": scores}
        head |= {key: result.get(key) for key in ("seconds", "stopped", "best_epoch", "diverged_at")}
    return Reply(about(folder) | head, arrays)


QUICK: dict[str, Callable[[dict[str, Any]], Reply]] = {"runs/list": listing, "runs/train": train}
SLOW: dict[str, Callable[[dict[str, Any]], Reply]] = {}
