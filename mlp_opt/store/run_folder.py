"""The run directory of `train`: config.toml, history.csv, checkpoint.safetensors, model files, curves.png.

It is the only thing that passes between training and showing.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import InputError
from ..lane import LaneState
from . import arrays, files

CHECKPOINT = "checkpoint.safetensors"


def save_history(folder: Path, history: dict[str, np.ndarray]) -> None:
    """history.csv: a row an epoch; numbers in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(history)
    writer.writerows(zip(*(column.tolist() for column in history.values()), strict=True))
    files.write(folder / "history.csv", text.getvalue())


def load_history(folder: Path) -> dict[str, np.ndarray]:
    """What save_history wrote."""
    content = files.read(folder / "history.csv")
    try:
        rows = list(csv.reader(io.StringIO(content.decode())))
        rows[0].index("epoch")
        columns = np.array(rows[1:], np.float64).reshape(-1, len(rows[0])).T
    except (ValueError, IndexError) as error:
        raise InputError(f"{folder / 'history.csv'} is damaged: {error}") from error
    return dict(zip(rows[0], columns, strict=True))


def save_checkpoint(folder: Path, state: LaneState, history: dict[str, np.ndarray], data: str) -> None:
    """The whole state of the lane, and its history, so that the run can go on. data: a digest of the samples."""
    save_history(folder, history)
    files.write(folder / CHECKPOINT, arrays.dump(dict(_named(state)), {"data": data}))


def resumable(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from; without one a run that was killed starts again. InputError if it is finished."""
    if (folder / CHECKPOINT).exists():
        return True
    if (folder / "result.json").exists():  # written last
        raise InputError(f"{folder} holds no unfinished run: it is finished")
    return False


def load_checkpoint(folder: Path, like: LaneState, data: str) -> tuple[LaneState, dict[str, np.ndarray]]:
    """(state, history) of a run to continue; `like` gives structure, shapes and dtypes. InputError if the data were changed."""
    where = folder / CHECKPOINT
    content = files.read(where)
    saved = arrays.parsed(content, where)
    if arrays.metadata(content).get("data") != data:
        raise InputError(f"the data are not those that the run in {folder} began with; train anew in another folder")
    leaves = []
    for name, leaf in _named(like):
        found = saved.get(name)
        if found is None or found.shape != leaf.shape or found.dtype != leaf.dtype:
            raise InputError(f"{where} does not fit {folder / 'config.toml'}: {name} differs; was the file edited?")
        leaves.append(jnp.asarray(found))
    state = jax.tree.unflatten(jax.tree.structure(like), leaves)
    history = load_history(folder)
    done = int(state.epoch)  # the history is written first, so it may be ahead of the state, never behind
    if len(history["epoch"]) < done:
        raise InputError(f"{folder / 'history.csv'} holds {len(history['epoch'])} epochs of the {done} done")
    return state, {name: column[:done] for name, column in history.items()}


def _named(state: LaneState) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state)]
