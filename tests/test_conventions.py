import json
from pathlib import Path

import numpy as np
import optax
import pytest

import mlp_opt as mo
from mlp_opt.diagnose.parity import FORMULAS, RATE, gap, gradients, path, twin
from mlp_opt.optimizers.conventions import CONVENTIONS, UNREACHED, make

pytestmark = pytest.mark.implicit_promotion

GOLDEN = json.loads((Path(__file__).parent / "golden" / "conventions.json").read_text())
GRADIENTS = np.array(GOLDEN["gradients"])
REACHED = [row for row in GOLDEN["rows"] if row["library"] in CONVENTIONS[row["rule"]]]
NOT_REACHED = [row for row in GOLDEN["rows"] if row["library"] not in CONVENTIONS[row["rule"]]]


def _gap(optimizer, row) -> float:
    found = path(optimizer, GRADIENTS)
    return gap(found, np.concatenate([found[:-1], [row["weights"]]]))  # relative to the largest weight on the way


@pytest.mark.parametrize("row", REACHED, ids=lambda r: f"{r['library']}-{r['rule']}-{r['epsilon']}")
def test_reproduces_torch_and_keras(row, x64):
    assert _gap(make(row["rule"], row["library"], GOLDEN["learning_rate"], row["epsilon"]), row) <= 1e-14


@pytest.mark.parametrize("row", NOT_REACHED, ids=lambda r: f"{r['library']}-{r['rule']}-{r['epsilon']}")
def test_what_is_called_out_of_reach_is_really_different(row, x64):
    assert (row["rule"], row["library"]) in UNREACHED
    assert _gap(make(row["rule"], "optax", GOLDEN["learning_rate"], row["epsilon"]), row) > 1e-6
    with pytest.raises(mo.InputError, match=f"no arguments make {row['rule']}"):
        make(row["rule"], row["library"], RATE)


def test_every_row_for_torch_and_keras_has_golden_numbers():
    golden = {(row["rule"], row["library"]) for row in GOLDEN["rows"]}
    rows = {(rule, library) for rule, row in CONVENTIONS.items() for library in row if library in ("torch", "keras")}
    assert rows <= golden
    assert {key for key in golden if key not in rows} == set(UNREACHED)


@pytest.mark.parametrize("rule", [r for r in CONVENTIONS if "optax" in CONVENTIONS[r]])
def test_optax_rows_are_optax_with_its_defaults(rule, x64):
    g = gradients(200)
    theirs = {"momentum": lambda r: optax.sgd(r, 0.9), "nesterov": lambda r: optax.sgd(r, 0.9, nesterov=True)}.get(rule) or twin(rule)
    assert gap(path(make(rule, "optax", RATE), g), path(theirs(RATE), g)) <= 1e-14


@pytest.mark.parametrize("rule", [r for r in CONVENTIONS if "notes" in CONVENTIONS[r]])
def test_notes_rows_are_the_literal_formulas(rule, x64):
    g = gradients(200)
    formula = FORMULAS[rule][0][1]  # the first has the row's epsilon, 1e-8
    assert gap(path(make(rule, "notes", RATE), g), formula(g, lambda t: RATE)) <= 1e-14
    if len(FORMULAS[rule]) > 1 and CONVENTIONS[rule]["notes"].epsilon:
        formula = FORMULAS[rule][1][1]
        assert gap(path(make(rule, "notes", RATE, epsilon=1e-3), g), formula(g, lambda t: RATE)) <= 1e-14


def test_what_does_not_exist_is_refused():
    with pytest.raises(mo.InputError, match="did you mean 'adam'"):
        make("adm", "notes", RATE)
    with pytest.raises(mo.InputError, match="has no such rule"):
        make("lion", "torch", RATE)
    with pytest.raises(mo.InputError, match="has no epsilon"):
        make("sgd", "notes", RATE, epsilon=1.0)
