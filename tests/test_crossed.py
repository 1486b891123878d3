"""Several seeds each: the variance is the stated one, and in the plain cases a test that scipy has."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sightlab.comparison.crossed import crossed

Right = NDArray[np.bool_]


def answers(seeds: int, images: int, seed: int, share: float = 0.8) -> Right:
    """What each seed's run has right: images differ in how hard they are."""
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(images).normal(size=images)
    return hard + rng.normal(size=(seeds, images)) < stats.norm.ppf(share, scale=math.sqrt(2))


def test_without_differences_between_images_it_is_welchs_test_of_the_seeds() -> None:
    # Each seed's run has the images of one kind right, and none of the others: nothing but seeds is left.
    rng = np.random.default_rng(0)
    a, b = (np.repeat(rng.integers(0, 2, (seeds, 1)).astype(bool), 50, axis=1) for seeds in (7, 9))
    theirs = stats.ttest_ind(b.mean(1), a.mean(1), equal_var=False)
    ours = crossed(a, b)
    assert (ours.p, ours.freedom) == pytest.approx((theirs.pvalue, theirs.df), rel=1e-9)
    ends = theirs.confidence_interval()
    assert ours.interval == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_without_differences_between_seeds_it_is_the_paired_test_of_the_images() -> None:
    a, b = answers(1, 400, 1), answers(1, 400, 2, share=0.87)
    theirs = stats.ttest_rel(b[0].astype(float), a[0].astype(float))
    for seeds in (1, 3):
        ours = crossed(np.repeat(a, seeds, axis=0), np.repeat(b, seeds, axis=0))
        assert (ours.p, ours.freedom) == pytest.approx((theirs.pvalue, 399), rel=1e-9)
        ends = theirs.confidence_interval()
        assert ours.interval == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_the_variance_is_the_one_that_is_stated() -> None:
    a, b = answers(3, 60, 3), answers(4, 60, 4, share=0.9)
    parts = {}
    for name, right in (("a", a), ("b", b)):
        x = right.astype(float)
        seeds, images = x.shape
        squares = sum(
            (x[s, i] - x[s].mean() - x[:, i].mean() + x.mean()) ** 2 for s in range(seeds) for i in range(images)
        )
        residual = squares / ((seeds - 1) * (images - 1)) / (seeds * images)
        parts[name] = (np.var(x.mean(1), ddof=1) / seeds, residual, seeds - 1)
    of_images = np.var(b.mean(0) - a.mean(0), ddof=1) / 60 - parts["a"][1] - parts["b"][1]
    assert of_images > 0
    variance = parts["a"][0] + parts["b"][0] + of_images
    below = sum(c**2 / df for c, _, df in parts.values()) + of_images**2 / 59
    freedom = variance**2 / below
    ours = crossed(a, b)
    assert ours.freedom == pytest.approx(freedom, rel=1e-9)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert ours.interval == pytest.approx((ours.difference - half, ours.difference + half), rel=1e-9)
    assert ours.p == pytest.approx(2 * stats.t.sf(abs(ours.difference) / math.sqrt(variance), freedom), rel=1e-9)


def test_a_variance_of_nothing_gives_neither_certainty_nor_a_warning() -> None:
    # Thirds add up unevenly in floating point: rounding must not pass for a variance.
    a = np.zeros((3, 30), bool)
    a[0] = True
    b = ~a
    for seeds_a, seeds_b in ((a, b), (a, a), (a[:2], a[:2]), (np.eye(3, dtype=bool), ~np.eye(3, dtype=bool))):
        one = crossed(seeds_a, seeds_b)
        low, high = one.interval
        assert low < one.difference < high or abs(one.difference) == 1
    same = crossed(np.eye(3, dtype=bool), np.eye(3, dtype=bool))
    assert (same.difference, same.p, same.freedom) == (0, 1, None)
    assert crossed(np.eye(3, dtype=bool), ~np.eye(3, dtype=bool)).p == 0.25  # three images of three: 2 / 2 ** 3
