"""Paired differences of figures: scipy's paired t interval, and images that do not count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_rel

from sightlab.comparison.paired_values import paired_difference

VALUES = arrays(np.float64, 12, elements=st.floats(-100, 100))


@given(VALUES, VALUES)
def test_it_is_the_paired_t_interval(first: np.ndarray, second: np.ndarray) -> None:
    found = paired_difference(first, second)
    assert found
    if np.ptp(second - first) > 1e-6:
        interval = ttest_rel(second, first).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert found.value == pytest.approx(second.mean() - first.mean(), abs=1e-9)


def test_images_that_do_not_count_for_one_count_for_neither() -> None:
    nan = float("nan")
    found = paired_difference(np.array([0.0, nan, 1, 0]), np.array([1.0, 5, nan, 0]))
    assert found
    assert (found.value, found.count) == (0.5, 2)
    assert paired_difference(np.array([0.0, nan]), np.array([nan, 1.0])) is None
    with pytest.raises(ValueError, match="same images"):
        paired_difference(np.zeros(3), np.zeros(4))
