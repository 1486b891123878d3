"""What is called a 95 % interval holds the truth in 95 % of the draws, and a 5 % test errs in no more than 5 %.

2,000 draws each, from a seed: a rate of 95 % shows as 94 to 96 %, so that 93 to 97 % leaves room for chance only.
"""

import functools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sightlab.comparison import bootstrap_interval, holm, mcnemar, spread
from sightlab.comparison.crossed import crossed
from sightlab.metrics import wilson_interval

DRAWS = 2000


@pytest.mark.parametrize(("count", "share"), [(100, 0.9), (1000, 0.935), (10_000, 0.99), (50, 0.5)])
def test_wilsons_interval_covers(count: int, share: float) -> None:
    rng = np.random.default_rng(count)
    ends = [wilson_interval(correct, count) for correct in rng.binomial(count, share, DRAWS).tolist()]
    assert 0.93 <= np.mean([low <= share <= high for low, high in ends]) <= 0.97


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_t_interval_covers(seeds: int) -> None:
    drawn = np.random.default_rng(seeds).normal(0.93, 0.002, (DRAWS, seeds))
    ends = [spread(values).interval or (0, 0) for values in drawn.tolist()]
    assert 0.93 <= np.mean([low <= 0.93 <= high for low, high in ends]) <= 0.97


@pytest.mark.parametrize(
    ("images", "first", "second"),
    [
        pytest.param(10_000, 0.02, 0.024, marks=pytest.mark.slow),
        (10_000, 0.0005, 0.0015),
        pytest.param(2000, 0.03, 0.04, marks=pytest.mark.slow),
        (200, 0.05, 0.08),
    ],
)
def test_the_paired_bootstrap_covers(images: int, first: float, second: float) -> None:
    rng = np.random.default_rng(images)

    @functools.cache
    def ends(only_first: int, only_second: int) -> tuple[float, float]:
        return bootstrap_interval(only_first, only_second, images, np.random.default_rng(0), 2000)

    drawn = rng.multinomial(images, [first, second, 1 - first - second], DRAWS)
    held = [low <= second - first <= high for low, high in (ends(int(a), int(b)) for a, b, _ in drawn)]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize(
    ("seeds", "of_seeds", "difference"),
    [
        ((3, 3), 0.03, 0.05),
        *(
            pytest.param(*more, marks=pytest.mark.slow)
            for more in (((3, 3), 0.0, 0.05), ((3, 3), 0.1, 0.0), ((5, 3), 0.05, 0.05))
        ),
    ],
)
def test_the_interval_over_seeds_and_images_covers(seeds: tuple[int, int], of_seeds: float, difference: float) -> None:
    # A run is right where skill + its seed's luck + image + image for this model + image for this seed is above 0. A
    # seed's luck of 0.03 moves its accuracy by 0.3 points (one deviation), which is much for a data set of any size.
    rng, images = np.random.default_rng(1), 500
    spreads = {"image": 1.0, "model": 0.5, "residual": 0.5}
    total = math.sqrt(sum(s**2 for s in spreads.values()) + of_seeds**2)
    shares = (0.93, float(stats.norm.cdf(stats.norm.ppf(0.93) + difference)))
    truth, held = shares[1] - shares[0], 0

    def drawn(share: float, count: int, image: NDArray[np.float64]) -> NDArray[np.bool_]:
        own = image + spreads["model"] * rng.normal(size=images) + of_seeds * rng.normal(size=(count, 1))
        residual = spreads["residual"] * rng.normal(size=(count, images))
        return stats.norm.ppf(share) * total + own + residual > 0

    for _ in range(DRAWS):
        image = rng.normal(size=images)
        low, high = crossed(drawn(shares[0], seeds[0], image), drawn(shares[1], seeds[1], image)).interval
        held += low <= truth <= high
    assert 0.93 <= held / DRAWS <= 0.97


def test_mcnemar_raises_few_false_alarms() -> None:
    drawn = np.random.default_rng(0).multinomial(10_000, [0.02, 0.02, 0.96], DRAWS)
    assert np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in drawn]) <= 0.05


def test_holm_keeps_the_errors_of_a_family_to_5_percent() -> None:
    # Five models that are equally good, each pair compared by McNemar's test on the same 2,000 images.
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(DRAWS):
        right = (rng.normal(size=2000) + 0.5 * rng.normal(size=(5, 2000)) < 1.6).astype(np.float32)
        both = right @ right.T
        alone = np.diag(both)[:, None] - both  # [i, j]: images on which i is right and j is not
        pairs = [mcnemar(int(alone[i, j]), int(alone[j, i])) for i in range(5) for j in range(i)]
        alarms += min(holm(pairs)) < 0.05
    assert alarms / DRAWS <= 0.05


def test_holm_wastes_little_of_the_5_percent() -> None:
    # Ten independent p: at least one below 0.005 in 1 - 0.995 ** 10 = 4.9 % of the draws.
    drawn = np.random.default_rng(0).random((DRAWS, 10))
    rate = np.mean([min(holm(p_values)) < 0.05 for p_values in drawn.tolist()])
    assert rate == pytest.approx(1 - 0.995**10, abs=0.012)
