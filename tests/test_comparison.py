"""One model against another: the numbers are scipy's, and the words say what the numbers say."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from sightlab.comparison import bootstrap_interval, difference, mcnemar, mirrored, sentence, spread
from sightlab.comparison.newcombe import difference_of_shares
from sightlab.comparison.paired import uniform_interval
from sightlab.records import Difference, Spread

Right = NDArray[np.bool_]


def answers(seeds: int, images: int, seed: int, share: float = 0.8) -> Right:
    """What each seed's run has right: images differ in how hard they are."""
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(images).normal(size=images)
    return hard + rng.normal(size=(seeds, images)) < stats.norm.ppf(share, scale=math.sqrt(2))


def difference_of(difference: float = 0.0042, p: float = 0.008, **other: object) -> Difference:
    ends = (difference - 0.0031, difference + 0.0031)
    return replace(Difference("v5", "v4", difference, ends, p, 10_000, (1, 1), ""), **other)  # type: ignore[arg-type]


# One figure over seeds


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_a_spread_is_scipys_t_interval(values: list[float]) -> None:
    one = spread(values)
    assert one.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert one.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    if one.deviation > 1e-9:
        theirs = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert one.interval == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    assert one.count == len(values)


def test_a_single_value_has_no_spread_and_none_is_refused() -> None:
    one = spread([0.93])
    assert (one.mean, one.deviation, one.interval, one.count) == (0.93, None, None, 1)
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_equal_values_have_no_deviation_and_no_interval() -> None:
    assert spread([0.1, 0.1, 0.1]) == Spread(0.1, 0.0, None, 3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_an_interval_is_cut_at_what_the_figure_cannot_leave(values: list[float]) -> None:
    whole, cut = spread(values), spread(values, 0.0, 1.0)
    assert (whole.mean, whole.deviation) == (cut.mean, cut.deviation)
    if whole.interval is None:
        assert cut.interval is None
    else:
        assert cut.interval == (max(0.0, whole.interval[0]), min(1.0, whole.interval[1]))


def test_two_seeds_leave_an_interval_that_says_how_little_is_known() -> None:
    # mean 0.925, standard error 0.025, t(1, 0.975) = 12.7062: 0.925 -+ 0.3177
    one = spread([0.90, 0.95], 0.0, 1.0)
    assert one.interval == (pytest.approx(0.925 - 12.706205 * 0.025, abs=1e-6), 1.0)


# McNemar's test


@given(st.integers(0, 3000), st.integers(0, 3000))
@settings(deadline=None)
def test_mcnemar_is_the_binomial_test_of_the_discordant_images(first: int, second: int) -> None:
    theirs = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(theirs, rel=1e-9)


def test_mcnemar_counts_the_ways_to_differ_so_unevenly() -> None:
    assert mcnemar(1, 9) == 2 * (1 + 10) / 2**10
    assert mcnemar(0, 6) == 2 / 2**6
    assert mcnemar(5, 5) == mcnemar(0, 0) == 1


def test_mcnemar_never_raises_a_false_alarm_more_often_than_it_says() -> None:
    for discordant in range(201):
        chance = [math.comb(discordant, k) for k in range(discordant + 1)]
        alarms = sum(n for k, n in enumerate(chance) if mcnemar(k, discordant - k) < 0.05)
        assert Fraction(alarms, 2**discordant) <= Fraction(1, 20)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="never below 0"):
        mcnemar(-1, 3)


# Two shares of different images


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_the_interval_of_a_difference_of_shares_is_the_published_one(
    first: tuple[int, int], second: tuple[int, int], ends: tuple[float, float]
) -> None:
    """Newcombe 1998, table II, method 10."""
    difference_, interval = difference_of_shares(first, second)
    assert difference_ == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert interval == pytest.approx(ends, abs=5e-5)


# The bootstrap


@pytest.mark.parametrize(("first", "second", "images"), [(30, 60, 1000), (200, 180, 10_000), (3, 0, 500), (5, 5, 40)])
def test_the_bootstrap_is_scipys(first: int, second: int, images: int) -> None:
    each = np.repeat([-1, 1, 0], [first, second, images - first - second])
    theirs = stats.bootstrap(
        (each,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1), batch=500
    ).confidence_interval
    ours = bootstrap_interval(first, second, images, np.random.default_rng(0))
    # Both are drawn: the ends agree up to the resamples' own noise and the grain of an image.
    noise = 0.08 * each.std() / math.sqrt(images) + 1 / images
    assert ours == pytest.approx((theirs.low, theirs.high), abs=noise)


counts = st.integers(1, 500).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.just(n)).flatmap(
        lambda two: st.tuples(st.just(two[0]), st.integers(0, two[1] - two[0]), st.just(two[1]))
    )
)


@given(counts)
@settings(deadline=None)
def test_the_bootstrap_holds_the_difference_and_is_mirrored_by_an_exchange(drawn: tuple[int, int, int]) -> None:
    first, second, images = drawn
    low, high = bootstrap_interval(first, second, images, np.random.default_rng(0), 500)
    assert -1 <= low <= (second - first) / images <= high <= 1
    assert low < high
    assert bootstrap_interval(second, first, images, np.random.default_rng(0), 500) == (-high, -low)


def test_the_bootstrap_is_the_same_for_the_same_generator() -> None:
    ends = {bootstrap_interval(30, 60, 1000, np.random.default_rng(7)) for _ in range(3)}
    assert len(ends) == 1


def test_models_that_never_differ_are_not_known_to_be_the_same() -> None:
    # The rule of three says 3 / n with one end; with z^2 for the 3, Wilson's interval of 0 of n.
    low, high = bootstrap_interval(0, 0, 10_000, np.random.default_rng(0))
    assert high == pytest.approx(stats.binomtest(0, 10_000).proportion_ci(method="wilson").high, rel=1e-9)
    assert low == -high
    assert uniform_interval(1.0, 100) == (pytest.approx(1 - 3.8415 / 103.8415, abs=1e-6), 1.0)
    assert bootstrap_interval(100, 0, 100, np.random.default_rng(0))[0] == -1.0


@pytest.mark.parametrize(("first", "second", "images"), [(0, 0, 0), (3, 3, 5), (-1, 0, 5)])
def test_counts_that_do_not_fit_are_refused(first: int, second: int, images: int) -> None:
    with pytest.raises(ValueError, match="images"):
        bootstrap_interval(first, second, images, np.random.default_rng(0))


# A difference, and its sentence


@pytest.mark.parametrize("seeds", [(1, 1), (3, 3), (1, 3), (3, 1), (2, 5)])
def test_a_difference_is_mirrored_exactly_by_an_exchange(seeds: tuple[int, int]) -> None:
    a, b = answers(seeds[0], 300, 1), answers(seeds[1], 300, 2, share=0.85)
    there, back = difference("a", a, "b", b), difference("b", b, "a", a)
    assert (there.better, there.worse, there.seeds) == ("b", "a", seeds[::-1])
    assert there.difference == pytest.approx(b.mean() - a.mean())
    assert mirrored(mirrored(there)) == there
    turned = replace(mirrored(there), method=back.method)
    assert turned == back
    assert there.interval[0] <= there.difference <= there.interval[1]


def test_one_run_each_takes_the_exact_test_and_the_bootstrap() -> None:
    a, b = answers(1, 500, 1), answers(1, 500, 2, share=0.88)
    first, second = int((a & ~b).sum()), int((b & ~a).sum())
    one = difference("a", a, "b", b)
    assert one.p == pytest.approx(stats.binomtest(first, first + second).pvalue)
    assert one.interval == bootstrap_interval(first, second, 500, np.random.default_rng(0))
    assert "exact McNemar" in one.method
    assert "paired bootstrap" in one.method


def test_a_single_seed_says_nothing_about_others() -> None:
    one, three = answers(1, 100, 1), answers(3, 100, 2)
    assert difference("v4", one, "v5", one).method.endswith("; 1 seed each: says nothing about other seeds")
    assert difference("v4", one, "v5", three).method.endswith("; 1 seed of v4: says nothing about other seeds")
    assert difference("v4", three, "v5", one).method.endswith("; 1 seed of v5: says nothing about other seeds")
    assert "nothing about" not in difference("v4", three, "v5", three).method


def test_the_same_answers_have_no_difference_and_an_interval_that_is_not_empty() -> None:
    for seeds in (1, 3):
        right = np.repeat(answers(1, 1000, 1), seeds, axis=0)
        one = difference("a", right, "b", right)
        assert (one.difference, one.p, one.significant) == (0, 1, False)
        assert one.interval == pytest.approx((-0.003827, 0.003827), abs=1e-6)
        assert sentence(one).startswith(
            "b and a do not differ significantly: difference 0.00 points, 95 % interval -0.38 to "
        )


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(0, 10**6))
@settings(deadline=None)
def test_however_few_the_images_the_numbers_are_numbers(first: int, second: int, images: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = difference("a", rng.random((first, images)) < 0.5, "b", rng.random((second, images)) < 0.5)
    low, high = one.interval
    assert -1 <= low <= one.difference <= high <= 1
    assert 0 <= one.p <= 1
    assert low < high
    sentence(one)


def test_answers_that_do_not_fit_are_refused() -> None:
    right = answers(2, 10, 0)
    with pytest.raises(ValueError, match="a has 10 images, b 9; they must be the same"):
        difference("a", right, "b", right[:, :9])
    with pytest.raises(ValueError, match=r"correct of a has shape \[10\]; it must be \[seeds, images\]"):
        difference("a", right[0], "b", right)
    with pytest.raises(ValueError, match="must be bool"):
        difference("a", right, "b", right.astype(float))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        difference("a", right[:, :0], "b", right[:, :0])


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (difference_of(), "v5 is better than v4 by 0.42 points, 95 % interval 0.11 to 0.73, p = 0.008, 10,000 images"),
        (
            difference_of(-0.0042),
            "v5 is worse than v4 by 0.42 points, 95 % interval 0.11 to 0.73, p = 0.008, 10,000 images",
        ),
        (
            difference_of(0.0005, 0.71),
            "v5 and v4 do not differ significantly: difference 0.05 points, 95 % interval -0.26 to 0.36, ",
        ),
        (
            difference_of(-0.0005, 0.71),
            "v5 and v4 do not differ significantly: difference -0.05 points, 95 % interval -0.36 to 0.26, ",
        ),
        (difference_of(-0.00001, 0.71), "difference 0.00 points"),
        (difference_of(p=0.00001), "p < 0.0001, "),
        (difference_of(p=0.0001), "p = 0.0001, "),
        (difference_of(p=0.0499), "v5 is better than v4"),
        (difference_of(p=0.0499), "p = 0.0499, "),
        (difference_of(p=0.0501), "do not differ significantly"),
        (difference_of(p=0.0501), "p = 0.0501, "),
        (difference_of(p=1.0), "p = 1, "),
        (
            difference_of(adjusted=0.008, comparisons=15, p=0.001),
            "p = 0.008 after Holm's correction for 15 comparisons, ",
        ),
        (difference_of(adjusted=0.08, comparisons=15), "v5 and v4 do not differ significantly"),
        (difference_of(), "10,000 images, 1 seed each"),
        (difference_of(seeds=(3, 3)), "10,000 images, 3 seeds each"),
        (difference_of(seeds=(3, 1)), "10,000 images, 3 seeds of v5 and 1 seed of v4"),
        (difference_of(images=1), "1 image, 1 seed each"),
    ],
)
def test_the_sentence_says_what_the_difference_says(one: Difference, says: str) -> None:
    assert says in sentence(one)
