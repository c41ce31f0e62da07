"""The house's rules: imports point upwards, the notes' files stay pure, importing starts no device."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mlp_opt

ROOT = Path(mlp_opt.__file__).parent
# A file imports only what stands in an earlier row or, in the same row, a file of its own package.
ORDER = [
    ["errors", "bound", "forms", "compiled"],
    ["activations"],
    ["losses", "initializers"],
    ["model"],
    ["backprop"],
    ["optimizers"],
    ["schedules"],
    ["expressions", "formulas"],
    ["surfaces"],
    ["races"],
    ["metrics"],
    ["lane"],
    ["train"],
    ["config"],
    ["data"],
    ["store"],
    ["experiment"],
    ["sweeps"],
    ["estimators", "export"],
    ["diagnose"],
    ["figures"],
    ["race_setup"],
    ["web"],
    ["__init__"],
    ["commands"],
    ["options"],
    ["cli"],
    ["__main__"],
]
RANK = {name: i for i, row in enumerate(ORDER) for name in row}
NOTES = ["forms", "activations", "losses", "model", "backprop", "initializers", "schedules", "optimizers"]
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported(path: Path) -> set[str]:
    """The rooms that a file imports, by relative imports at any depth of the file."""
    package = path.relative_to(ROOT).parts[:-1]
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [part for part in base if part]
            rooms |= {base[0]} if base else {alias.name for alias in node.names}
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_upwards(path):
    here = room(path)
    for other in imported(path):
        if other not in RANK:  # `from . import __version__`
            continue
        assert other == here or RANK[other] < RANK[here], other


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in NOTES], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_notes_files_do_no_io_and_compile_nothing(path):
    tree = ast.parse(path.read_text())
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not attributes & {"jit", "device_put", "callback", "pure_callback", "io_callback"}
    assert not names & {"open", "print", "input", "eval", "exec"}
    assert "compiled" not in imported(path)


def test_all_programs_are_compiled_in_one_way():
    assert [path.name for path in FILES if "jax.jit" in path.read_text()] == ["compiled.py"]


def test_files_are_of_a_size_to_read():
    assert {p.name: n for p in FILES if (n := len(p.read_text().splitlines())) > 320} == {}
    of_the_notes = ("activations", "losses", "model", "backprop", "base", "sgd", "adagrad", "rmsprop", "adam", "schedules")
    assert sum(len(p.read_text().splitlines()) for p in FILES if room(p) in NOTES and p.stem in of_the_notes) < 1300


def test_importing_the_package_starts_no_device():
    probe = "from mlp_opt import *; import mlp_opt.cli, jax; from jax._src import xla_bridge; print(xla_bridge.backends_are_initialized())"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert run.stdout == "False\n", run.stderr


def test_fit_loads_no_library_that_it_does_not_need():
    probe = "import mlp_opt as mo, sys; mo.fit, mo.adam; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "jax" in loaded, run.stderr
    assert not loaded & {"absl", "chex", "optax", "sklearn", "matplotlib", "polars", "tyro", "rich"}


def test_nothing_unpickles_or_evaluates():
    for path in FILES:
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert not names & {"eval", "exec", "pickle", "joblib"}, path


def test_every_public_name_is_there_and_listed_once():
    names = list(mlp_opt.__all__)
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(mlp_opt, name) is not None
        assert name == "schedules" or name not in RANK, "a public name must not hide the file of that name"
    assert set(mlp_opt.OPTIMIZERS) <= set(names)
