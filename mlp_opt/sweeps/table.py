"""The table of a sweep: one row a lane, as a polars data frame and as trials.parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ..config import load_sweep_toml
from ..errors import InputError
from ..store.sweep_folder import CONFIG, LOG, SweepFolder
from .plan import show
from .space import Dimension, listed, parse

TABLE = "trials.parquet"


def names(dimensions: tuple[Dimension, ...]) -> list[str]:
    """The varied fields that are columns of their own, each once (seed has its column anyway)."""
    return [name for name in dict.fromkeys(d.name for d in dimensions) if name != "seed"]


def scales(dimensions: tuple[Dimension, ...]) -> dict[str, str]:
    """Varied field -> "log", "linear" or "category"."""
    return {d.name: d.scale for d in reversed(dimensions)}


def cell(value: Any) -> Any:
    """A hyperparameter's value as a table holds it: sizes as 64-64, other lists likewise."""
    return show(value) if isinstance(value, tuple) else value


def rungs(folder: SweepFolder, varied: list[str], metric: str) -> pl.DataFrame:
    """All lines of the log, one a lane and rung, in the order of lanes and rungs; of a line done twice the last."""
    frame = pl.DataFrame(folder.rows(), schema_overrides=_types(metric), infer_schema_length=None)
    missing = [pl.lit(None).alias(name) for name in varied if name not in frame.columns]
    return frame.with_columns(missing).unique(["bracket", "rung", "lane"], keep="last").sort("lane", "rung")


def table(rungs: pl.DataFrame, varied: list[str], over: bool = True) -> pl.DataFrame:
    """One row a lane: its last rung. A lane that could have gone on but did not was halved, once the sweep is over."""
    first = ["trial", "fold", "repeat", "seed", *varied]
    status = pl.when(pl.col("status") == "running").then(pl.lit("halved" if over else "running")).otherwise("status")
    every = rungs.with_columns(pl.col("seconds").sum().over("lane"), status=status)
    return every.filter(pl.col("lane").is_last_distinct()).select(*first, pl.exclude(*first, "lane", "task"))


def leaderboard(table: pl.DataFrame, varied: list[str], metric: str, top: int = 10) -> pl.DataFrame:
    """The best trials by their mean value over folds and seeds (lower is better); a trial with a diverged lane has none.

    Those that a rung of a halving dropped come after those that went on to its last rung, of which `best` is one.

    Columns: rank, trial, the varied fields, lanes, val_loss and val_<metric> with their standard errors (over the folds,
    else over the seeds) where there is more than one lane (train_* where there is no validation part), epochs, status.
    """
    part = "val" if table["val_loss"].is_not_null().any() else "train"
    shown = [f"{part}_{metric}", f"{part}_loss"]
    means = [pl.col(c).mean() for c in (*shown, "epochs")]
    complete = pl.col("value").is_not_null().all()
    grouped = table.group_by("trial", maintain_order=True).agg(
        *(pl.col(c).first() for c in (*varied, "seed")), pl.len().alias("lanes"), *means,
        pl.when(complete).then(pl.col("value").mean()).alias("mean"), pl.col("status").unique().sort().str.join("+"),
        pl.col("bracket").first(), pl.col("rung").first(),
    ).with_columns(dropped=pl.col("rung") < pl.col("rung").max().over("bracket"))  # fmt: skip
    if (table["status"] == "running").any():  # nobody is yet
        grouped = grouped.with_columns(dropped=pl.lit(False))
    ranked = grouped.filter(pl.col("mean").is_not_null()).sort("dropped", "mean", "trial").head(top)
    if grouped["seed"].n_unique() == 1:  # it does not vary, or is that of the repeats
        ranked = ranked.drop("seed")
    folds, repeats = table["fold"].n_unique(), table["repeat"].n_unique()
    if folds * repeats == 1:
        ranked = ranked.drop("lanes")
    else:
        independent = "fold" if folds > 1 else "repeat"  # the seeds of a fold share its rows
        spread = table.group_by("trial", independent).agg(pl.col(c).mean() for c in shown).group_by("trial")
        errors = spread.agg((pl.col(c).std() / pl.len().sqrt()).alias(f"{c}_se") for c in shown)
        ranked = ranked.join(errors, on="trial", how="left", maintain_order="left")
    return ranked.drop("mean", "dropped", "bracket", "rung").with_row_index("rank", offset=1)


def load_sweep(folder: str | Path) -> pl.DataFrame:
    """The table of a sweep, finished or under way: one row a lane (trial, fold, seed).

    Columns: trial, fold, repeat, seed, the varied hyperparameters, status ("finished", "patience", "diverged", "halved",
    while the sweep is under way "running"), epochs, best_epoch, diverged_at (the step), value (what was ranked, lower is
    better), loss and score on the train, val and test parts (train and val at the best epoch), seconds. InputError if
    there is no sweep.
    """
    return opened(Path(folder)).table


def leaderboard_of(folder: Path, top: int = 10) -> pl.DataFrame:
    """The leaderboard of a sweep's folder."""
    if top < 1:
        raise InputError(f"--top must be a whole number >= 1, got {top}")
    found = opened(folder)
    return leaderboard(found.table, found.varied, found.metric, min(top, len(found.table)))


class Opened(NamedTuple):
    """A sweep's folder as its pictures want it: the table, the varied fields that are columns, their scales, the metric."""

    table: pl.DataFrame
    varied: list[str]
    scales: dict[str, str]
    metric: str


def described(folder: Path) -> tuple[dict[str, Any], dict[str, Any], Any, list[Any]]:
    """What the folder's config.toml says, as `load_sweep_toml` has it. InputError if it is not that of a sweep."""
    if not (folder / CONFIG).exists():
        raise InputError(f"{folder} holds no sweep: there is no {CONFIG}")
    config, settings, space, when = load_sweep_toml(folder / CONFIG)
    if not space and not when:
        raise InputError(f"{folder} holds no sweep but a run of train: its {CONFIG} has no space")
    return config, settings, space, when


def opened(folder: Path) -> Opened:
    """The sweep in a folder, finished or under way. InputError if there is none, or nothing in it yet."""
    _, _, space, when = described(folder)
    dimensions = listed(space)[0] if isinstance(space, list) else parse(space, when)
    varied = names(dimensions)
    log = SweepFolder(folder)
    finished = (folder / TABLE).exists()
    rows = [] if finished else log.rows()
    if not finished and not rows:
        raise InputError(f"the sweep in {folder} has finished no network yet")
    try:
        found = pl.read_parquet(folder / TABLE) if finished else None
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise InputError(f"{folder / TABLE} is damaged ({why}); delete it, and {LOG} beside it is read instead") from error
    columns = rows[0] if found is None else found.columns
    metric = next(name.removeprefix("train_") for name in columns if name.startswith("train_") and name != "train_loss")
    made = table(rungs(log, varied, metric), varied, over=False) if found is None else found
    return Opened(made, varied, scales(dimensions), metric)


def _types(metric: str) -> dict[str, Any]:
    scores = [f"{part}_{what}" for part in ("train", "val", "test") for what in ("loss", metric)]
    return dict.fromkeys(("value", "seconds", *scores), pl.Float64) | {"diverged_at": pl.Int64}
