"""Holm's correction is R's and the procedure's own, and a rank counts only what is beyond noise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.comparison import holm, mirrored, ranks
from sightlab.records import Difference


def test_holm_is_that_of_r() -> None:
    # From the tests of statsmodels: made with R's multtest, mt.rawp2adjp.
    raw = [0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238]
    raw += [0.177096952723, 5.23656777208e-05, 0.0202732688798, 0.00028140506198, 0.0149877310796]
    theirs = [1, 1, 1, 1, 1, 1, 5.23656777208e-04, 1.419128821586e-01, 2.53264555782e-03, 1.199018486368e-01]
    assert holm(raw) == pytest.approx(theirs, rel=1e-10)
    few = [0.001, 0.002, 0.003, 0.004, 0.005, 0.05, 0.06, 0.07, 0.08, 0.09]
    assert holm(few) == pytest.approx([0.01, 0.018, 0.024, 0.028, 0.03, 0.25, 0.25, 0.25, 0.25, 0.25])


@given(st.lists(st.integers(0, 1000).map(lambda n: n / 1000), max_size=12), st.integers(1, 999))
def test_holm_rejects_what_the_sequential_procedure_rejects(p_values: list[float], level: int) -> None:
    alpha = (level + 0.5) / 1000
    rejected: list[float] = []
    for p in sorted(p_values):
        if p * (len(p_values) - len(rejected)) > alpha:
            break
        rejected.append(p)
    adjusted = holm(p_values)
    assert sorted(p for p, q in zip(p_values, adjusted, strict=True) if q <= alpha) == rejected
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))


def test_what_is_no_p_is_refused() -> None:
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="must be from 0 to 1"):
            holm([0.5, p])


def test_a_rank_counts_those_that_are_better_beyond_noise() -> None:
    def pair(better: str, worse: str, difference: float, p: float) -> Difference:
        return Difference(better, worse, difference, (0, 0), p, 10_000, (1, 1), "", adjusted=p, comparisons=3)

    # c beats a; b is between them and differs significantly from neither.
    found = [pair("b", "a", 0.01, 0.2), pair("c", "a", 0.02, 0.01), pair("c", "b", 0.01, 0.3)]
    assert ranks(["a", "b", "c"], found) == [2, 1, 1]
    assert ranks(["a", "b", "c"], [mirrored(one) for one in found]) == [2, 1, 1]
    assert ranks(["a"], []) == [1]
    beaten = [pair("b", "a", 0.01, 0.01), pair("c", "a", 0.02, 0.01), pair("c", "b", 0.01, 0.01)]
    assert ranks(["a", "b", "c"], beaten) == [3, 2, 1]
