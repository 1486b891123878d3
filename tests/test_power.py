"""The power of a study: against simulated studies that are judged by `crossed` itself, and against closed forms."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_ind_from_stats

from sightlab.comparison.crossed import crossed
from sightlab.comparison.power import Noise, detectable, noise_of, power, seeds_needed

Answers = NDArray[np.bool_]
SEEDS_DEVIATION, IMAGES = 0.01, 1000


def drawn(rng: np.random.Generator, seeds: int, images: int, gain: float) -> tuple[Answers, Answers]:
    """Two models of such a difference on the same images: each image has its chance, each seed its own luck."""
    chance = rng.beta(2, 1, images)
    own = rng.normal(0, 0.1, images)

    def model(shift: NDArray[np.float64]) -> Answers:
        luck = rng.normal(0, SEEDS_DEVIATION, (seeds, 1))
        return np.asarray(rng.random((seeds, images)) < np.clip(chance + shift + luck, 0, 1))

    return model(-own - gain / 2), model(own + gain / 2)


def test_the_noise_of_a_simulated_study_is_found_again() -> None:
    rng = np.random.default_rng(1)
    found = [noise_of([drawn(rng, 5, IMAGES, 0.0)]) for _ in range(60)]
    assert np.mean([one.seeds for one in found]) == pytest.approx(SEEDS_DEVIATION**2, rel=0.4)
    assert np.mean([one.images for one in found]) == pytest.approx(4 * 0.1**2, rel=0.2)
    # The residual of a right-or-wrong answer: the mean of p (1 - p) over the images, here without the clipped tails.
    assert np.mean([one.rest for one in found]) == pytest.approx(2 / 12, rel=0.12)


@pytest.mark.parametrize(("seeds", "gain"), [(3, 0.03), (5, 0.02)])
def test_studies_are_significant_as_often_as_foretold(seeds: int, gain: float) -> None:
    rng = np.random.default_rng(2)
    noise = noise_of([drawn(rng, 200, IMAGES, gain)])
    studies = [crossed(*drawn(rng, seeds, IMAGES, gain)) for _ in range(400)]
    real = np.mean([study.p < 0.05 for study in studies])
    shift = np.mean([study.difference for study in studies])  # clipped chances make it a little smaller than the gain
    assert real == pytest.approx(power(noise, float(shift), seeds, IMAGES), abs=0.08)


def test_without_images_noise_it_is_the_power_of_students_t_test() -> None:
    """Seeds alone: power of the two-sample t test, counted over samples that scipy judges."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, (4000, 4)), rng.normal(2, 1, (4000, 4))
    p = ttest_ind_from_stats(a.mean(1), a.std(1, ddof=1), 4, b.mean(1), b.std(1, ddof=1), 4).pvalue
    found = power(Noise(0.01**2, 0, 0, 6), 0.02, 4, 10**9)
    assert found == pytest.approx(np.mean(p < 0.05), abs=0.02)


def test_more_seeds_more_images_and_fewer_comparisons_see_more() -> None:
    noise = Noise(0.004**2, 0.05, 0.08, 6)
    assert detectable(noise, 5, 2500) < detectable(noise, 3, 2500) < detectable(noise, 3, 2500, comparisons=4)
    assert detectable(noise, 3, 10_000) < detectable(noise, 3, 2500)
    needed = seeds_needed(noise, 0.02, 2500)
    assert needed is not None
    assert detectable(noise, needed, 2500) <= 0.02 < detectable(noise, needed - 1, 2500)
    assert power(noise, detectable(noise, 4, 2500), 4, 2500) == pytest.approx(0.8, abs=0.01)


def test_images_bound_what_seeds_can_do() -> None:
    """With endless seeds the images are left: 2.8 standard errors of their difference, of which no seed takes any."""
    noise = Noise(0.001**2, 0.05, 0.0, 6)
    assert seeds_needed(noise, 0.005, 2500) is None
    limit = (1.959964 + 0.841621) * math.sqrt(0.05 / 2500)
    assert detectable(noise, 100, 2500) == pytest.approx(limit, rel=0.02)


def test_noise_needs_a_pair_and_two_seeds() -> None:
    one = np.ones((1, 5), bool)
    with pytest.raises(ValueError, match="one pair"):
        noise_of([])
    with pytest.raises(ValueError, match="two seeds"):
        noise_of([(one, one)])
