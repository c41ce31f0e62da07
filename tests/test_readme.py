"""Every code block of the README runs, its tables are the code's, its pictures exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlp_opt import cli
from mlp_opt.optimizers.conventions import CONVENTIONS, LIBRARIES, UNREACHED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = "\n".join(code for language, code in BLOCKS if language == "python")
SHELL = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines() if line and not line.startswith("#")]
WARNINGS = ("-W", "error", "-W", "ignore:Error reading persistent compilation cache entry")  # as in pyproject.toml
BY_CI = ("scripts/demo", "scripts/test")  # .ci/run calls these themselves
BY_DEMO = ("mlp-opt check --quick",)  # and the demo these

pytestmark = pytest.mark.implicit_promotion


def test_there_are_blocks_and_no_unknown_kinds():
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
    assert len(SHELL) >= 6


def test_python_blocks_run_one_after_the_other(tmp_path):
    run = subprocess.run([sys.executable, *WARNINGS, "-c", PYTHON], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr


@pytest.mark.long
def test_the_commands_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    """In this process: what the commands import and compile alike is imported and compiled once."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    for line in SHELL:
        if line in BY_DEMO:
            assert f".venv/bin/{line}\n" in (ROOT / "scripts" / "demo").read_text()
        elif line.split()[0] == "mlp-opt":
            status = cli.main(shlex.split(line, comments=True)[1:])
            assert status == 0, f"{line}: {capsys.readouterr().err}"


@pytest.mark.long
def test_the_scripts_run_one_after_the_other(tmp_path):
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    for line in SHELL:
        words = shlex.split(line, comments=True)
        if words[0] in BY_CI:
            assert words[0] in (ROOT / ".ci" / "run").read_text()
        elif words[0] not in ("mlp-opt", "git", "cd", "pip"):
            assert words[0] == "scripts/bench", line
            words = [sys.executable, str(ROOT / words[0]), *words[1:], *([] if "--quick" in words else ["--quick"])]
            run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
            assert run.returncode == 0, f"{line}: {run.stderr}"


def test_paths_and_functions_that_it_names_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link
    table = README.split("## From the notes to the code")[1].split("\n## ")[0]
    named = re.findall(r"`([\w/]+\.py)`((?:,? ?`[\w.]+`)*)", table)
    assert len(named) >= 15
    for path, functions in named:
        source = (ROOT / "mlp_opt" / path).read_text()
        for function in re.findall(r"`([\w.]+)`", functions):
            assert re.search(rf"^(?:    )?(?:def|class) {function}\b|^{function}\b", source, re.MULTILINE), (path, function)


def test_the_convention_table_is_the_registry():
    rows = [f"| rule | {' | '.join(LIBRARIES)} |", "| --- " * (len(LIBRARIES) + 1) + "|"]
    for rule, row in CONVENTIONS.items():
        cells = []
        for library in LIBRARIES:
            if library in row:
                given = ", ".join(f"{k}={v!r}" for k, v in row[library].arguments.items())
                cells.append(f"`{row[library].rule}({', '.join(['a', *([given] if given else [])])})`")
            else:
                cells.append(UNREACHED.get((rule, library), ""))
        rows.append(f"| {rule} | {' | '.join(cells)} |")
    table = "\n".join(rows)
    assert table in README, f"put this into the README:\n{table}"
