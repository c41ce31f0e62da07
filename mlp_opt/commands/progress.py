"""Progress on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..data.dataset import Dataset
from ..data.encode import Encoder

LINE_EVERY_S = 2.0


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function (done, total) to call as work goes on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = [time.monotonic()]

        def line(done: int, total: int) -> None:
            if time.monotonic() - last[0] >= LINE_EVERY_S:
                print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)
                last[0] = time.monotonic()

        yield line
        return
    with _bar(console) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def epochs(total: int) -> Iterator[Callable[[dict[str, np.ndarray]], None]]:
    """A function of the history so far, to call every few epochs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = [0.0]

        def line(history: dict[str, np.ndarray]) -> None:
            done = len(history["epoch"])
            if time.monotonic() - last[0] >= LINE_EVERY_S or done == total:
                print(f"epoch {done}/{total}  {summary(history)}", file=sys.stderr, flush=True)
                last[0] = time.monotonic()

        yield line
        return
    with _bar(console) as progress:
        task = progress.add_task("", total=total)

        def update(history: dict[str, np.ndarray]) -> None:
            progress.update(task, completed=len(history["epoch"]), description=f"epochs  {summary(history)}")

        yield update


def table(data: Dataset, encoder: Encoder) -> None:
    """What became of a table's columns, in a line or a few; nothing for arrays."""
    if data.kinds:
        classes = f" ({', '.join(data.classes[:6])}{', ...' if len(data.classes) > 6 else ''})" if data.classes else ""
        print(f"{data.name}: {len(data.y):,} rows; {encoder.plan()}; {data.task} of {', '.join(data.targets)}{classes}", file=sys.stderr)
        for note in data.notes:
            print(f"  {note}", file=sys.stderr)


def summary(history: dict[str, np.ndarray]) -> str:
    """The last epoch in words."""
    return "  ".join(f"{k.replace('_', ' ')} {v[-1]:.4f}" for k, v in history.items() if k != "epoch")


def _bar(console: Console) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)
