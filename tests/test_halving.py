"""Rungs and brackets: pure functions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp_opt.sweeps.halving import brackets, ladder, survivors


@pytest.mark.parametrize(
    ("epochs", "least", "eta", "rungs"),
    [
        (27, 0, 3, (3, 9, 27)),
        (27, 1, 3, (1, 3, 9, 27)),
        (100, 10, 2, (12, 25, 50, 100)),
        (5, 0, 3, (2, 5)),
        (10, 0, 3, (1, 3, 10)),  # no multiple of eta^2, and three rungs all the same
        (50, 0, 3, (6, 17, 50)),
        (27, 0, 4, (2, 7, 27)),
        (1, 0, 3, (1,)),
        (9, 9, 3, (9,)),
    ],
)
def test_the_ladder_climbs_by_eta_and_ends_at_the_end(epochs, least, eta, rungs):
    assert ladder(epochs, least, eta) == rungs


@given(st.integers(1, 300), st.integers(0, 50), st.integers(2, 5))
def test_any_ladder_rises_to_the_epochs(epochs, least, eta):
    rungs = ladder(epochs, least, eta)
    assert rungs[-1] == epochs
    assert list(rungs) == sorted(set(rungs))
    assert rungs[0] >= 1


def test_no_halving_is_one_rung_and_hyperband_deals_all_trials():
    assert brackets(5, 27, False, 1, 0, 3, 0)[0].rungs == (27,)
    dealt = brackets(100, 27, True, 3, 1, 3, 0)
    assert [b.rungs for b in dealt] == [(1, 3, 9, 27), (3, 9, 27), (9, 27)]
    assert sorted(t for b in dealt for t in b.trials) == list(range(100))
    assert len(dealt[0].trials) > len(dealt[1].trials) > len(dealt[2].trials)
    assert dealt == brackets(100, 27, True, 3, 1, 3, 0)


def test_only_finite_values_survive_and_ties_go_to_the_lower_number():
    values = np.array([0.5, np.nan, 0.1, np.inf, 0.1, 0.1])
    assert survivors([0, 1, 2, 3, 4, 5], values, 3) == [2, 4]
    assert survivors([1, 3], values, 3) == []
    assert survivors([0, 1], values, 3) == [0]
