"""The options of every command, as tyro reads them: one class a command. Imports neither jax nor scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from .config import Options, RaceConfig, SweepConfig, TrainConfig


@dataclass(frozen=True)
class Train:
    """Train one network; save it with its history and a picture of its curves."""

    run: Annotated[TrainConfig, tyro.conf.arg(name="")]
    config: Path | None = None
    """TOML file with any of the options below (with _ for -); flags given here win."""
    out: Path | None = None
    """New folder for the run; default: runs/DATASET-1, -2, ..."""
    resume: Path | None = None
    """Folder of an interrupted run to continue, with its own configuration."""
    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Folder of a sweep: train one of its trials again, exactly."""
    trial: int = 0
    """With --from: the trial's number."""
    fold: int = 0
    """With --from: the fold, of a cross-validated sweep."""
    repeat: int = 0
    """With --from: which of the trial's seeds, from 0."""
    tensorboard: bool = False
    """Write the losses and scores of each epoch for TensorBoard, too, into DIR/tensorboard (needs tensorboardX)."""
    json: bool = False
    """Print the result as one JSON object."""


@dataclass(frozen=True)
class Sweep:
    """Train every trial of a space of configurations, hundreds at once; save a table, a report and the best model.

    What varies is told by [space] in the TOML file or by --space; every other option holds for all trials.
    """

    sweep: Annotated[SweepConfig, tyro.conf.arg(name="")]
    run: Annotated[TrainConfig, tyro.conf.arg(name="")]
    space: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """One field that varies, as TOML: 'learning_rate = {log_uniform = [1e-4, 1.0]}', 'optimizer = ["sgd", "adam"]',
    'hidden = [[32], [64, 64]]', 'dropout = {uniform = [0, 0.5]}'; repeat the option for more. Without any space:
    optimizers, learning rates and widths that are worth a try."""
    config: Path | None = None
    """TOML file with any of the options below (with _ for -), [sweep], [space] and [[when]]; flags given here win."""
    out: Path | None = None
    """New folder for the sweep; default: runs/DATASET-sweep-1, -2, ..."""
    resume: Path | None = None
    """Folder of an interrupted sweep to continue, with its own configuration."""
    tensorboard: bool = False
    """Write the best trials for TensorBoard, too: epochs, hyperparameters and scores, into DIR/tensorboard (needs tensorboardX)."""
    json: bool = False
    """Print the result as one JSON object."""


@dataclass(frozen=True)
class Show:
    """Print the best trials of a sweep, finished or under way."""

    folder: tyro.conf.Positional[Path]
    """The sweep's folder."""
    top: int = 10
    """How many trials."""
    json: bool = False
    """Print the whole table as JSON, a row a network."""


@dataclass(frozen=True)
class Predict:
    """Predict with a saved model, for each row of a table; files larger than memory are read a piece at a time.

    Columns are found by name. Where the table holds what is predicted, the score is told.
    """

    model: tyro.conf.Positional[Path]
    """Folder of a run, of a sweep (its best model) or of a model."""
    data: tyro.conf.Positional[str]
    """The table: a file .csv, .csv.gz, .tsv, .parquet or .npz."""
    out: Path | None = None
    """New file for the predictions, .parquet or .csv; default: CSV on standard output."""
    keep: tuple[str, ...] = ()
    """Columns of the table to copy beside the predictions, as id,name."""


@dataclass(frozen=True)
class Export:
    """Write a saved model as ONNX, its encoder included: columns as they come in, predictions in the data's units out."""

    model: tyro.conf.Positional[Path]
    """Folder of a run, of a sweep (its best model) or of a model."""
    out: Path | None = None
    """New file, .onnx; needed."""
    bare: bool = False
    """The network alone: it reads encoded rows X, and its outputs are not scaled back."""


@dataclass(frozen=True)
class Race:
    """Race optimizers on a surface: pictures, an animation, the paths as a table, all in one page.

    Without --rates each optimizer has a learning rate that makes a clear picture; --fair finds each one's best.
    """

    race: Annotated[RaceConfig, tyro.conf.arg(name="")]
    out: Path | None = None
    """New folder; default: runs/race-SURFACE-1, -2, ..."""
    html: Path | None = None
    """Instead of the folder, one file: the live page with this race in it, which works without a network."""
    json: bool = False
    """Print the result as one JSON object."""


@dataclass(frozen=True)
class Landscape:
    """Train a network with several optimizers from the same weights; draw the loss on a plane with their paths, on lines
    between their solutions, and the Hessian's largest eigenvalue along the runs. Saves pictures, numbers and a report."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")]
    optimizers: tuple[str, ...] = ()
    """Optimizers to compare, as sgd,momentum,adam; default: --optimizer alone, with --learning-rate and --optimizer-options."""
    learning_rates: Options = field(default_factory=dict)
    """Their learning rates, as sgd=0.1,adam=1e-3; those not given are the usual ones (not --learning-rate), untuned."""
    plane: str = "pca"
    """pca (the plane nearest to all paths) or random (a plane around each solution, normalized by neuron)."""
    grid: int = 51
    """Points on a side of the plane, 5 to 201."""
    hessian_rows: int = 1000
    """Training rows whose loss the eigenvalues are of; 0: no eigenvalues."""
    run: Path | None = None
    """Folder of mlp-opt train: take its configuration and data, train it again, and mark its saved model."""
    config: Path | None = None
    """TOML file with any of train's options (with _ for -); flags given here win."""
    out: Path | None = None
    """New folder for the results; default: runs/DATASET-landscape-1, -2, ..."""
    json: bool = False
    """Print the result as one JSON object."""


@dataclass(frozen=True)
class Serve:
    """Open the live page: drag the start, and every optimizer's path follows. Ctrl-C stops it.

    Needs `pip install 'mlp-opt[web]'`.
    """

    host: str = "127.0.0.1"
    """Address to listen at. Anyone who can reach another than this machine's own may use the page."""
    port: int | None = None
    """Port; default: 8765 or, if that is taken, any free one."""
    open: bool = False
    """Open the page in the browser."""
    runs: Path = Path("runs")
    """Folder of runs that the page may look at: those of train, sweep and landscape directly in it."""
    export: Path | None = None
    """Do not serve: write the page into this file, with one race in it, and end. It works without a network."""


@dataclass(frozen=True)
class Check:
    """Compare hand-written gradients with jax.grad and finite differences, optimizers with optax and the notes.

    Exit status 1 if a difference is over its bound.
    """

    quick: bool = False
    """A small part of the cross, in seconds."""
    json: bool = False
    """Print the report as JSON."""


@dataclass(frozen=True)
class Figures:
    """Make the pictures of the notes from real computations, and a page that shows them."""

    out: Path | None = None
    """New folder for the pictures and index.html; default: runs/figures-1, -2, ..."""
    only: tuple[str, ...] = ()
    """Make only these pictures."""
    list_: Annotated[bool, tyro.conf.arg(name="list")] = False
    """List the pictures and make none."""
    json: bool = False
    """Print what was made (or the list) as JSON."""


@dataclass(frozen=True)
class Datasets:
    """List the data sets that need no download; or write one of them as a table."""

    name: tyro.conf.Positional[str] = ""
    """Of a data set to write; none: list them."""
    out: Path | None = None
    """New file for it, .csv or .parquet."""

    json: bool = False
    """Print the list as JSON."""
