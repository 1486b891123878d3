"""How many seeds and images it takes to see a difference of accuracies of a given size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL, POWER = 0.05, 0.8  # two-sided error of the first kind; chance of seeing a difference that is there
MOST_SEEDS = 100
FAR = 5.0  # standard errors


@dataclass(frozen=True)
class Noise:
    """What makes the difference of two models' accuracies vary, as variances of single draws.

    seeds: of a model's accuracy over seeds, on all images there could be. images: of an image's mean difference between
    the models, over images. rest: of a single answer, right or wrong, beyond both. freedom: from how many degrees of
    freedom `seeds` was estimated.

    >>> noise = Noise(seeds=0.004**2, images=0.05, rest=0.08, freedom=6)
    >>> noise.variance(seeds=3, images=2500) < noise.variance(seeds=2, images=2500)
    True
    """

    seeds: float
    images: float
    rest: float
    freedom: int

    def variance(self, seeds: int, images: int) -> float:
        """Variance of the difference of two models with so many seeds each, on so many images."""
        return 2 * self.seeds / seeds + self.images / images + 2 * self.rest / (seeds * images)

    def degrees(self, seeds: int, images: int) -> float:
        """Satterthwaite's degrees of freedom of that variance, as `crossed` has them: infinite for one seed."""
        of_seeds = (self.seeds + self.rest / images) / seeds
        of_images = max(self.variance(seeds, images) - 2 * of_seeds, 0.0)
        below = of_images**2 / max(images - 1, 1)
        below += 2 * of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0
        return self.variance(seeds, images) ** 2 / below if below else math.inf


def noise_of(pairs: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> Noise:
    """The noise seen in pairs of models at hand. pairs: whether each seed's run is right on each of the same images,
    bool [S_a, N] and bool [S_b, N].

    Per model the two-way analysis of variance of seeds x images: E MS(seeds) = rest + N seeds, E MS(residual) = rest
    (Searle, Casella & McCulloch 1992, "Variance components", section 4.3); per pair the variance over images of the
    difference of the means over seeds, less what `rest` adds to it. Components are means over models and pairs, and not
    below 0. Raises ValueError where no model has two seeds, or there is no pair.
    """
    if not pairs:
        raise ValueError("noise is estimated from one pair of models at least")
    models = {id(one): one for pair in pairs for one in pair if len(one) > 1}
    if not models:
        raise ValueError("noise over seeds is estimated from a model with two seeds at least")
    parts = [_components(correct) for correct in models.values()]
    rest = float(np.mean([residual for _, residual in parts]))
    seeds = max(0.0, float(np.mean([over_seeds for over_seeds, _ in parts])))
    of_images = []
    for a, b in pairs:
        difference = b.mean(axis=0) - a.mean(axis=0)
        of_images.append(difference.var(ddof=1) - rest * (1 / len(a) + 1 / len(b)))
    freedom = sum(len(correct) - 1 for correct in models.values())
    return Noise(seeds, max(0.0, float(np.mean(of_images))), rest, freedom)


def power(noise: Noise, difference: float, seeds: int, images: int, comparisons: int = 1) -> float:
    """The chance that a difference of accuracies this large is significant at 5 %, in [0, 1].

    difference: in [0, 1]. comparisons: that share the 5 % (Bonferroni, which bounds Holm's first step). The t test of
    `crossed` with a noncentral t distribution (Johnson, Kotz & Balakrishnan 1995, "Continuous univariate
    distributions", volume 2, chapter 31).
    """
    from scipy.special import nctdtr, stdtrit

    freedom = min(noise.degrees(seeds, images), 1e6)
    limit = float(stdtrit(freedom, 1 - LEVEL / (2 * comparisons)))
    shift = difference / math.sqrt(noise.variance(seeds, images))
    # The chance of a significant difference the wrong way, which far from 0 is nothing, and not a number in scipy.
    wrong_way = float(nctdtr(freedom, shift, -limit)) if shift < FAR else 0.0
    return 1 - float(nctdtr(freedom, shift, limit)) + wrong_way if shift < limit + FAR else 1.0


def seeds_needed(
    noise: Noise, difference: float, images: int, comparisons: int = 1, most: int = MOST_SEEDS
) -> int | None:
    """The fewest seeds, two or more, with which such a difference is seen in four of five studies; None above `most`.

    >>> seeds_needed(Noise(0.004**2, 0.05, 0.08, 6), 0.02, 2500)
    4
    """
    return next((n for n in range(2, most + 1) if power(noise, difference, n, images, comparisons) >= POWER), None)


def detectable(noise: Noise, seeds: int, images: int, comparisons: int = 1) -> float:
    """The smallest difference that is seen in four of five studies, in [0, 1]; to a hundredth of a point."""
    low, high = 0.0, 1.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        low, high = (low, middle) if power(noise, middle, seeds, images, comparisons) >= POWER else (middle, high)
    return high


def _components(correct: NDArray[np.bool_]) -> tuple[float, float]:
    """Variance over seeds and of the residual, of one model. correct: bool [S, N], S above 1."""
    values = correct.astype(np.float64)
    seeds, images = values.shape
    of_seeds, of_images, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    between = images * of_seeds.var(ddof=1)
    residual = values - of_seeds[:, None] - of_images[None] + mean
    within = float((residual**2).sum()) / ((seeds - 1) * max(images - 1, 1))
    return (between - within) / images, within
