"""Processes that train when told to, asked in turn and timed: the machinery that the benchmarks share.

A benchmark is a module of this folder with a NamedTuple `Shape` (what to train; it travels as JSON) and a dict `PEERS` of
those who train it. Each peer has a process of its own, so that thread pools do not mix and the peak memory is its own, and
they are asked in turn, so that the machine's drift hits all alike: trust the ratios, taken within a round, not the times.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

BENCH = Path(__file__).resolve().parent.parent / "bench"
OURS, BOUND = "mlp_opt", "matmul bound"
PAUSE_S = 0.1  # before each call: the threads of the peer before it (scikit-learn's OpenBLAS) spin for a while after the last
LEAST_S = 1.0  # shorter calls are repeated until this has passed, and their mean counts: the first finds caches full of others' data
STOP_S = 5


class Trained(NamedTuple):
    """What a call did. accuracy is asked for once, after the last call, so that it costs the timed ones nothing."""

    steps: int
    accuracy: Callable[[], float | None]
    about: dict[str, Any] | None = None  # what else is to be known, as JSON


Train = Callable[[], Trained]  # trains from new weights


class Peer(NamedTuple):
    """make: from (shape, X, y) what a worker calls again and again. package: the distribution that it needs."""

    make: Callable[[Any, Any, Any], Train]
    package: str


class Job(NamedTuple):
    """One worker: a peer and what it trains."""

    peer: str
    shape: Any


def share_right(labels: Any, y: Any) -> float:
    """Accuracy of predicted labels, from whatever kind of array."""
    import numpy as np

    return float(np.mean(np.asarray(labels) == np.asarray(y)))


def add_worker(commands: Any) -> None:
    """The hidden subcommand that `start` runs."""
    command = commands.add_parser("worker")
    for name in ("bench", "peer", "shape", "data"):
        command.add_argument(name)
    command.set_defaults(run=worker)


def worker(args: argparse.Namespace) -> None:
    """Train whenever stdin says "go S", for at least S seconds, sum up when it says "end", with a line of JSON each; else it sleeps."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not become an answer
    import numpy as np

    bench, data = importlib.import_module(f".{args.bench}", __package__), np.load(args.data)
    train = bench.PEERS[args.peer].make(bench.Shape(*json.loads(args.shape)), data["X"], data["y"])
    print(json.dumps({"baseline_mb": memory("VmRSS")}), file=answers, flush=True)
    for question in sys.stdin:
        if question.startswith("go"):
            start, calls, least = time.perf_counter(), 0, float(question.split()[1])
            while not calls or time.perf_counter() - start < least:
                trained, calls = train(), calls + 1
            seconds = (time.perf_counter() - start) / calls
            answer: dict[str, Any] = {"seconds": seconds, "steps": trained.steps, "about": trained.about}
        else:
            answer = {"peak_mb": memory("VmHWM"), "accuracy": trained.accuracy()}
        print(json.dumps(answer), file=answers, flush=True)


def memory(field: str) -> float:
    """MB resident now (VmRSS) or at most so far (VmHWM; getrusage's ru_maxrss would begin with the parent's).

    Of this process and all below it: joblib trains in children. Their libraries' pages are counted once for each.
    """
    kilobytes, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        except OSError:  # it has just ended
            continue
        pid = int(path.parent.name)
        kilobytes[pid], parents[pid] = int(lines.get(field, "0").split()[0]), int(lines["PPid"])
    family = [os.getpid()]
    for parent in family:  # grows as it goes
        family += [pid for pid, of in parents.items() if of == parent]
    return sum(kilobytes[pid] for pid in family) / 1024


def start(bench: str, job: Job, data: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(BENCH), "worker", bench, job.peer, json.dumps(job.shape), data]
    shared = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | os.environ  # or the first would take most of a GPU's memory
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=shared)


def ask(name: str, process: Any, question: str = "") -> dict[str, Any]:
    """Send a question, if there is one, and wait for the answer."""
    time.sleep(PAUSE_S)
    process.stdin.write(question)
    process.stdin.flush()
    return json.loads(process.stdout.readline() or sys.exit(f"bench: the worker of {name} died, see above"))


def stop(workers: Iterable[Any]) -> None:
    """Let them end by themselves, so that they end their own processes (joblib's), and kill those that do not."""
    for w in workers:
        with contextlib.suppress(OSError):  # it has died
            w.stdin.close()
    for w in workers:
        try:
            w.wait(STOP_S)
        except subprocess.TimeoutExpired:
            w.kill()
            w.wait()


def save_data(shape: Any, path: str) -> str:
    """Write X and y for the workers, which must not pay for parsing them; returns what they are."""
    import numpy as np

    from mlp_opt.data.sources import load
    from mlp_opt.errors import InputError

    rng, name = np.random.default_rng(0), shape.data
    try:
        data = load(name)
        rows = rng.permutation(len(data.y))[: shape.rows]  # mnist5k comes sorted by label
        X, y = data.X[rows] / data.X.max(), data.y[rows]
    except InputError:
        X, name = rng.random((shape.rows, shape.sizes[0])), "random numbers, labelled by a linear map"
        y = np.argmax(X @ rng.standard_normal((shape.sizes[0], shape.sizes[-1])), axis=1)
    np.savez(path, X=X.astype(np.float32), y=y)
    return name


def measure(
    bench: str, jobs: dict[str, Job], rounds: int, least: float, tuned: Callable[[Any, dict[str, Any]], Any] | None = None
) -> dict[str, Any]:
    """Warm every job's worker up with one call, then time them in turn, `rounds` times, at least `least` seconds each. All train on
    the first job's data.

    The first job is warmed up before the others start: tuned(shape, its answer) is the shape that they get. Times are
    compared with the first job's by the step, for some do fewer: `check_steps` looks whether they did what they should.
    """
    first = next(iter(jobs))
    with tempfile.TemporaryDirectory() as folder:
        path, workers = f"{folder}/data.npz", {}
        data = save_data(jobs[first].shape, path)
        try:
            workers = {first: start(bench, jobs[first], path)}
            results, warm = {first: ask(first, workers[first])}, {first: ask(first, workers[first], "go 0\n")}
            if tuned:
                jobs = {name: job._replace(shape=tuned(job.shape, warm[first])) for name, job in jobs.items()}
            workers |= {name: start(bench, job, path) for name, job in jobs.items() if name != first}
            results |= {name: ask(name, w) for name, w in workers.items() if name != first}
            warm |= {name: ask(name, w, "go 0\n") for name, w in workers.items() if name != first}
            calls = [{name: ask(name, w, f"go {least}\n") for name, w in workers.items()} for _ in range(rounds)]
            results = {name: results[name] | ask(name, w, "end\n") for name, w in workers.items()}
        finally:
            stop(workers.values())
    for name, result in results.items():
        result |= {"first_seconds": warm[name]["seconds"], "steps": warm[name]["steps"], "about": warm[name]["about"]}
        result["seconds"] = [answers[name]["seconds"] for answers in calls]
        result["ratio"] = statistics.median(step_s(answers[name]) / step_s(answers[first]) for answers in calls)
    return {"shape": jobs[first].shape._asdict(), "data": data, "load": os.getloadavg()[0], "peers": results}


def step_s(answer: dict[str, Any]) -> float:
    return answer["seconds"] / answer["steps"]


def step_us(result: dict[str, Any]) -> list[float]:
    """Microseconds a step in each round."""
    return [s / result["steps"] * 1e6 for s in result["seconds"]]


def check_steps(measured: dict[str, Any], expected: dict[str, int]) -> None:
    """Exit where a job did more or fewer steps in a call than it should have: its times would mean nothing."""
    wrong = [f"{name} {r['steps']} for {expected[name]}" for name, r in measured["peers"].items() if r["steps"] != expected[name]]
    if wrong:
        sys.exit(f"bench: the peers did not do the same, in steps: {', '.join(wrong)}")


def installed(peers: dict[str, Peer], out: Any) -> tuple[list[str], dict[str, Any]]:
    """The peers whose package there is, and what to know of the machine. Says on `out` what these are and who is skipped."""
    have = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
    versions = {peer.package: have[peer.package] for peer in peers.values() if peer.package in have}
    machine = {"versions": versions, "cores": os.cpu_count(), "load": os.getloadavg()}
    print(*(f"{p} {v}," for p, v in versions.items()), f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}", file=out)
    for name in [name for name, peer in peers.items() if peer.package not in have]:
        print(f"{name}: skipped, not installed: pip install '.[bench]'", file=out)
    return [name for name, peer in peers.items() if peer.package in have], machine


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *notes: str) -> None:
    """A table, its first column text and the others numbers, and lines below it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    console.print(table)
    for note in notes:
        console.print(note)
    console.print()
