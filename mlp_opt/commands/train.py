"""`mlp-opt train`: one run, its folder, its picture."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from ..config import TrainConfig, dump_toml, load_sweep_toml, load_toml
from ..figures.curves import curves, png
from ..lane import LaneState
from ..store import files, model_files, run_folder, tensorboard
from . import progress
from .signals import asked_to_stop

CHECKPOINT_EVERY_S = 30.0


def main(config: TrainConfig, out: Path | None, resume: Path | None, as_json: bool, to_tensorboard: bool = False) -> int:
    """Train and save. 0 when finished, 1 when the run diverged, 130 when interrupted (and resumable)."""
    if to_tensorboard:
        tensorboard.check()
    if resume is not None:
        config = TrainConfig(**load_toml(resume / "config.toml"))
    if config.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    from .. import experiment as ex
    from ..train import init_lane, prepare

    experiment = ex.prepare(config)
    progress.table(experiment.data, experiment.encoder)
    state = history = None
    if resume is not None:
        spec, hparams, _ = prepare(
            experiment.model, experiment.optimizer, *experiment.inputs(experiment.train),
            validation=None, sample_weight=None, **ex.lane_options(config),
        )  # fmt: skip
        folder = resume
        if run_folder.resumable(folder):
            state, history = run_folder.load_checkpoint(folder, init_lane(spec, hparams), experiment.data.digest)
    else:
        folder = files.new_folder(out or files.next_folder(Path("runs"), config.dataset))
        files.write(folder / "config.toml", dump_toml(config))

    scalars = tensorboard.Scalars(folder / tensorboard.FOLDER) if to_tensorboard else None
    started = time.perf_counter()
    asked: list[bool] = []
    with asked_to_stop(lambda: asked.append(True)), progress.epochs(config.epochs) as show:
        saved = time.monotonic()

        def on_epochs(history: dict[str, Any], state: LaneState) -> bool:
            nonlocal saved
            show(history)
            if scalars is not None:
                scalars.write(history)
            if time.monotonic() - saved >= CHECKPOINT_EVERY_S:
                run_folder.save_checkpoint(folder, state, history, experiment.data.digest)
                saved = time.monotonic()
            return bool(asked)

        run = ex.run(experiment, on_epochs, state, history)
    seconds = time.perf_counter() - started
    if scalars is not None:
        scalars.close()
    if run.stopped == "interrupted" and run.state is not None:
        run_folder.save_checkpoint(folder, run.state, run.history, experiment.data.digest)
        done = len(run.history["epoch"])
        print(f"stopped after epoch {done}; continue with: mlp-opt train --resume {folder}", file=sys.stderr)
        return 130
    return _finish(experiment, run, folder, seconds, as_json)


def again(sweep: Path, lane: tuple[int, int, int], out: Path | None, as_json: bool, to_tensorboard: bool = False) -> int:
    """Train a lane (trial, fold, repeat) of a sweep once more, to the same bits, and save it as `main` does."""
    from ..sweeps import replay

    if to_tensorboard:
        tensorboard.check()
    if load_sweep_toml(sweep / "config.toml")[0].get("dtype") == "float64":
        jax.config.update("jax_enable_x64", True)
    experiment, go = replay.prepare(sweep, lane)
    folder = files.new_folder(out or files.next_folder(Path("runs"), experiment.config.dataset or "data", f"-trial-{lane[0]}"))
    files.write(folder / "config.toml", dump_toml(experiment.config))
    started = time.perf_counter()
    run = go()
    seconds = time.perf_counter() - started
    if to_tensorboard:
        scalars = tensorboard.Scalars(folder / tensorboard.FOLDER)
        scalars.write(run.history)
        scalars.close()
    return _finish(experiment, run, folder, seconds, as_json)


def _finish(experiment: Any, run: Any, folder: Path, seconds: float, as_json: bool) -> int:
    from .. import experiment as ex

    trained = ex.finish(experiment, run)
    config, scores = experiment.config, trained.about["metrics"]
    run_folder.save_history(folder, run.history)
    model_files.save(folder, trained)
    title = f"{config.dataset}: {'-'.join(map(str, trained.model.sizes))}, {config.optimizer}, learning rate {config.learning_rate:g}"
    best = run.best_epoch if experiment.validation is not None else 0
    files.write(folder / "curves.png", png(curves(run.history, title, best)))
    (folder / run_folder.CHECKPOINT).unlink(missing_ok=True)
    result = {"out": str(folder), "seconds": round(seconds, 3)}
    result |= {k: trained.about[k] for k in ("stopped", "epochs", "best_epoch", "diverged_at")} | scores
    result = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in result.items()}  # JSON has no NaN
    files.write(folder / "result.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    if as_json:
        print(json.dumps(result))
    else:
        _print(experiment, trained, folder, seconds)
    if run.stopped == "diverged":
        advice = f"diverged at step {run.diverged_at}: the objective is not finite; try --learning-rate {config.learning_rate / 10:g}"
        print(advice, file=sys.stderr)
        return 1
    return 0


def _print(experiment: Any, trained: Any, folder: Path, seconds: float) -> None:
    about, console = trained.about, Console()
    rows = {"train": experiment.train, "validation": experiment.validation, "test": experiment.test}
    for name, part in rows.items():
        if part is not None:
            scores = "  ".join(f"{k.removeprefix(name + '_')} {v:.4f}" for k, v in about["metrics"].items() if k.startswith(name + "_"))
            console.print(f"{name:>10}  {scores}  ({len(part.y):,} rows)", highlight=False, soft_wrap=True)
    kept = f"best of {about['epochs']} epochs: {about['best_epoch']}" if experiment.validation is not None else f"{about['epochs']} epochs"
    console.print(f"{'':>10}  {kept}; {seconds:.1f} s; model, history and curves.png in {folder}", highlight=False, soft_wrap=True)
