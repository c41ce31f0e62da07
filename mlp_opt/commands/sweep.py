"""`mlp-opt sweep`: run a sweep in its folder, show it, go on with it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import polars as pl
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..config import SweepConfig, TrainConfig, load_sweep_toml
from ..errors import InputError
from ..store import files, tensorboard
from ..store.sweep_folder import CONFIG
from . import progress
from .signals import asked_to_stop

LINE_EVERY_S = 5.0
LIVE_EVERY_S = 0.5


def main(
    config: TrainConfig, settings: SweepConfig, space: dict[str, Any], when: list[Any], out: Path | None, where: str,
    as_json: bool, to_tensorboard: bool = False,
) -> int:  # fmt: skip
    """Start a sweep. 0 when finished, 1 if every run diverged, 130 when interrupted (and resumable)."""
    if to_tensorboard:
        tensorboard.check()
    _precision(config)
    from ..sweeps import run, study

    made = study.make(config, settings, space, when, where=where)
    progress.table(made.data, made.folds[0][2])
    folder = files.new_folder(out or files.next_folder(Path("runs"), config.dataset, "-sweep"))
    run.start(made, space, when, folder)
    return _run(made, folder, as_json, to_tensorboard)


def resume(folder: Path, as_json: bool, to_tensorboard: bool = False) -> int:
    """Go on with an unfinished sweep."""
    if to_tensorboard:
        tensorboard.check()
    if (folder / "result.json").exists():
        raise InputError(f"{folder} holds no unfinished sweep: it is finished; look at it with: mlp-opt sweep show {folder}")
    _precision(TrainConfig(**load_sweep_toml(folder / CONFIG)[0]))
    from ..sweeps import study

    return _run(study.open_study(folder), folder, as_json, to_tensorboard)


def show(folder: Path, top: int, as_json: bool) -> int:
    """Print the leaderboard of a sweep, finished or under way."""
    from ..sweeps import table

    if as_json:
        frame = table.load_sweep(folder)
        print(frame.write_json())
        return 0
    console = _console()
    console.print(_board(table.leaderboard_of(folder, top), f"best trials in {folder}"))
    return 0


def _run(made: Any, folder: Path, as_json: bool, to_tensorboard: bool) -> int:
    from ..sweeps import results

    go_on = f"continue with: mlp-opt sweep --resume {folder}"
    try:
        found = _finished(made, folder, to_tensorboard)
    except OSError as error:  # a full disk, say
        raise OSError(f"{error}; what is done is kept, {go_on}") from error
    except KeyboardInterrupt:  # while the report is drawn, or twice before that
        print(f"interrupted; what is done is kept, {go_on}", file=sys.stderr)
        return 130
    if found is None:
        print(f"stopped; {go_on}", file=sys.stderr)
        return 130
    for line in found.damaged:
        print(f"{line}; it was done again if anything needed it", file=sys.stderr)
    result = results.summary(found)
    if as_json:
        print(json.dumps(result))
    else:
        _print(found, result, made, folder)
    if found.best is None:
        print("every run diverged: their objectives are not finite; try smaller learning rates", file=sys.stderr)
        return 1
    return 0


def _finished(made: Any, folder: Path, to_tensorboard: bool) -> Any:
    """The sweep, trained to its end and with all its files; None if it was stopped before."""
    from ..sweeps import results, run, table

    stop = threading.Event()
    with asked_to_stop(stop.set), _progress(made) as tell:
        found = run.run(made, folder, tell, stop)
    if found is not None:
        _report(found, made, folder)
        if to_tensorboard:
            tensorboard.write_sweep(folder, found.table, found.histories, table.names(made.dimensions))
        results.write_result(found, folder)
    return found


def _report(found: Any, made: Any, folder: Path) -> None:
    """report.html, and each of its figures as figures/NAME.png."""
    from ..figures import report
    from ..figures.curves import png
    from ..sweeps import table

    counted = found.table["status"].value_counts().sort("status").iter_rows()
    status = ", ".join(f"{count:,} {name}" for name, count in counted)
    varied, scales = table.names(made.dimensions), table.scales(made.dimensions)
    title = f"{_counted(len(found.table), 'network')} on {made.data.name}"
    figures = report.figures_of(found.table, found.rungs, found.histories, varied, scales, made.metric, found.seconds, made.data.name)
    facts = [
        f"{_counted(len(found.table), 'network')} ({status}) in {found.seconds:.1f} s",
        f"{_counted(int(found.table['epochs'].sum()), 'epoch')}, {_counted(len(found.tiles), 'compiled program')}",
        _scores(found, made),
    ]
    notes = [
        f"Trials are ranked by {made.config.monitor} on rows that were not trained on; the test part chose nothing."
        if made.has_validation
        else "There was no validation part: trials are ranked by what they were trained on.",
        "A diverged run is one whose objective was not finite; it is counted, and never ranked.",
        "The ensemble is the mean of the predictions of the best networks.",
    ]
    if made.config.dataset == "":
        title = title.replace(" on data", "")
    drawn = {name: png(figure) for name, figure in figures.items()}
    (folder / "figures").mkdir(exist_ok=True)
    for name, picture in drawn.items():
        files.write(folder / "figures" / f"{name}.png", picture)
    page = report.report(title, [fact for fact in facts if fact], found.leaderboard, figures, drawn, notes)
    files.write(folder / "report.html", page)


def _scores(found: Any, made: Any) -> str:
    """The test scores in a line; empty if there is no test part."""
    if found.best is None or made.test is None:
        return ""
    name = f"test_{made.metric}"
    ensemble = f"mean of the best {len(found.ensemble.members)}"
    both = {"best network": found.best, ensemble: found.ensemble}
    return f"test {made.metric}: " + ", ".join(f"{who} {m.about['metrics'][name]:.4f}" for who, m in both.items())


def _console() -> Console:
    """Wide where nobody says how wide it is."""
    return Console(width=None if Console().is_terminal else 120, highlight=False)


def _print(found: Any, result: dict[str, Any], made: Any, folder: Path) -> None:
    console = _console()
    diverged = result["status"].get("diverged", 0)
    spent = f"{_counted(result['epochs'], 'epoch')}, {_counted(len(result['tiles']), 'program')}"
    spent += f", {diverged} diverged" if diverged else ""
    console.print(f"[bold]{_counted(result['networks'], 'network')} in {found.seconds:.1f} s[/bold] ({spent})")
    ranked = "best trials, ranked on rows that were not trained on" if made.has_validation else "best trials"
    console.print(_board(found.leaderboard, ranked))
    models = "" if found.best is None else ", best/ and ensemble/"
    for line in filter(None, (_scores(found, made), f"report.html, trials.parquet{models} in {folder}")):
        console.print(line, soft_wrap=True)


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _board(frame: pl.DataFrame, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for name, kind in frame.schema.items():
        table.add_column(
            name.removeprefix("optimizer_options.").removeprefix("schedule_options."),
            justify="right" if kind.is_numeric() else "left",
            overflow="fold",
        )
    for row in frame.iter_rows():
        table.add_row(*("" if v is None else f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    return table


def _precision(config: TrainConfig) -> None:
    if config.dtype == "float64":
        jax.config.update("jax_enable_x64", True)


@contextmanager
def _progress(made: Any) -> Iterator[Callable[[Any], None]]:
    """A function of the engine: a live bar with the ten best on a terminal, a line now and then elsewhere."""
    console, last = Console(stderr=True), [time.monotonic()]
    if not console.is_terminal:

        def line(engine: Any) -> None:
            if time.monotonic() - last[0] >= LINE_EVERY_S:
                print(_said(engine, _top(engine, made, 1)), file=sys.stderr, flush=True)
                last[0] = time.monotonic()

        yield line
        return
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console)
    task = bar.add_task("sweep", total=None)
    with Live(Group(bar), console=console, refresh_per_second=4, transient=True) as live:

        def update(engine: Any) -> None:
            if time.monotonic() - last[0] >= LIVE_EVERY_S:
                p = engine.progress
                bar.update(task, total=p.epochs, completed=p.epochs_done, description=_said(engine, []))
                live.update(Group(bar, _best_so_far(_top(engine, made, 10), made)))
                last[0] = time.monotonic()

        yield update


def _said(engine: Any, best: list[tuple[float, int]]) -> str:
    p = engine.progress
    seconds = max(time.monotonic() - p.started, 1e-6)
    fresh, left = p.epochs_done - p.resumed_epochs, p.epochs - p.epochs_done
    rate = fresh / seconds / max(p.epochs / max(p.lanes, 1), 1e-9)
    line = f"{p.lanes_done:,}/{p.lanes:,} networks  {rate:.1f}/s"
    if best:
        line += f"  best {best[0][0]:.4g} (trial {best[0][1]})"
        line += f"  {left * seconds / fresh:.0f} s left" if fresh else ""
    return line


def _top(engine: Any, made: Any, n: int) -> list[tuple[float, int]]:
    """(value, trial) of the best lanes that have ended."""
    seen: dict[int, float] = {}
    for mean, _, lane in engine.pool.best:
        seen.setdefault(made.plan.identity(lane).trial, mean)
    return [(value, trial) for trial, value in list(seen.items())[:n]]


def _best_so_far(best: list[tuple[float, int]], made: Any) -> Table:
    from ..sweeps.plan import describe

    table = Table(box=None, header_style="bold")
    part = "validation" if made.has_validation else "training"
    for heading in ("trial", f"{part} {made.config.monitor}", "hyperparameters"):
        table.add_column(heading)
    for value, trial in best:
        table.add_row(str(trial), f"{value if made.config.monitor == 'loss' else -value:.4f}", describe(made.trials[trial]))
    return table
