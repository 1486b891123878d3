"""Two models, several seeds each, on the same images: seeds and images are both drawn at random, and both count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.paired import mcnemar, uniform_interval


@dataclass(frozen=True)
class Crossed:
    """A difference of accuracies, over seeds and images.

    difference: of the second model less the first, in [-1, 1]; interval: its 95 % t interval; p: of the two-sided t
    test of no difference; freedom: degrees of freedom, None where every image shows the same difference.
    """

    difference: float
    interval: tuple[float, float]
    p: float
    freedom: float | None


def crossed(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> Crossed:
    """Accuracy of b less that of a, for other seeds and other images than those at hand.

    correct_a: bool [S_a, N]; correct_b: bool [S_b, N]: whether each seed's run is correct on each of the same N images.
    Each model's seeds are crossed with the images: correct = mean + image + seed + residual. With D the mean over all
    of b less that over all of a, its variance is

        V = C_a + C_b + max(0, C_I - R_a - R_b)

    C_m = s^2(accuracy of each seed) / S_m: what the seeds of model m bring, for these images.
    C_I = s^2(mean over b's seeds - mean over a's seeds, of each image) / N: what the images bring, for these seeds.
    R_m = MS(residual of m) / (S_m N), with MS = sum (x_si - x_s. - x_.i + x_..)^2 / ((S_m - 1)(N - 1)): it is in both
    C_m and C_I, and must not count twice. s^2 have n - 1 below. Without the limit at 0, V is unbiased.

    The degrees of freedom are Satterthwaite's, with each part's own:

        V^2 / (C_a^2 / (S_a - 1) + C_b^2 / (S_b - 1) + max(0, C_I - R_a - R_b)^2 / (N - 1))

    This is the analysis of readers and cases for two models whose readers differ (Obuchowski & Rockette 1995, with the
    limit and the degrees of freedom of Hillis 2007, "A comparison of denominator degrees of freedom methods for
    multiple observer ROC analysis"; cf. Gallas 2006, "One-shot estimate of MRMC variance: AUC"). In simulations with 2
    to 10 seeds it covers the truth in 93.5 to 96 % of the draws; with the limit at the seeds' part instead, 93.5 to 97.

    A model with a single seed has C = R = 0: its spread over seeds is unknown, and the result is about that run alone.
    Should V be 0, as on a handful of images, it is C_I. Should that be 0 too, each image shows the same difference:
    the interval is `uniform_interval`, and p of the sign test over the images.

    >>> a = np.array([[1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 0]], bool)
    >>> b = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1]], bool)
    >>> found = crossed(a, b)
    >>> f"{found.difference:.3f} {found.p:.3f} {found.freedom:.1f}"
    '0.333 0.102 5.0'
    """
    votes, difference = _votes(correct_a, correct_b)
    images = len(votes)
    seeds = [(_of_seeds(correct), len(correct)) for correct in (correct_a, correct_b)]
    spread_of_images = _of_images(votes, len(correct_a) * len(correct_b))
    beyond = max(Fraction(0), spread_of_images - _residual(correct_a) - _residual(correct_b))
    variance = sum((part for part, _ in seeds), beyond)
    if not variance:
        variance = beyond = spread_of_images
    if not variance:
        signs = int((votes < 0).sum()), int((votes > 0).sum())
        return Crossed(difference, uniform_interval(difference, images), mcnemar(*signs), None)
    parts = [part**2 / max(count - 1, 1) for part, count in seeds]
    return _t_test(difference, float(variance), float(variance**2 / sum(parts, beyond**2 / max(images - 1, 1))))


def _t_test(difference: float, variance: float, freedom: float) -> Crossed:
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(variance)
    half = float(stdtrit(freedom, 0.975)) * error
    interval = max(-1.0, difference - half), min(1.0, difference + half)
    return Crossed(difference, interval, 2 * float(stdtr(freedom, -abs(difference) / error)), freedom)


# What follows is counted in whole numbers, so that a variance of nothing is nothing, and not what rounding leaves.


def _votes(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> tuple[NDArray[np.int64], float]:
    """The difference of each image times S_a S_b, int64 [N], and the mean difference. Both arguments: bool [S, N]."""
    votes = correct_b.sum(axis=0) * len(correct_a) - correct_a.sum(axis=0) * len(correct_b)
    return votes, int(votes.sum()) / (len(correct_a) * len(correct_b) * len(votes))


def _of_images(votes: NDArray[np.int64], scale: int) -> Fraction:
    """C_I: variance of the mean of votes / scale, as images come and go; 0 for a single image. votes: int64 [N]."""
    images, total, squares = len(votes), int(votes.sum()), int((votes**2).sum())
    return Fraction(images * squares - total**2, images**2 * max(images - 1, 1) * scale**2)


def _of_seeds(correct: NDArray[np.bool_]) -> Fraction:
    """C_m: variance of a model's accuracy as seeds come and go; 0 for a single seed. correct: bool [S, N]."""
    seeds, images = correct.shape
    hits = [int(count) for count in correct.sum(axis=1)]
    return Fraction(seeds * sum(n * n for n in hits) - sum(hits) ** 2, seeds**2 * max(seeds - 1, 1) * images**2)


def _residual(correct: NDArray[np.bool_]) -> Fraction:
    """R_m: what of that variance is neither seeds nor images; 0 for one seed or image. correct: bool [S, N]."""
    seeds, images = correct.shape
    if seeds == 1 or images == 1:
        return Fraction(0)
    of_seeds, of_images, total = correct.sum(axis=1), correct.sum(axis=0), int(correct.sum())
    # The sum of squares of the residuals, times S N: the square of 0 and 1 is the value itself.
    squares = seeds * images * total - seeds * int((of_seeds**2).sum()) - images * int((of_images**2).sum()) + total**2
    return Fraction(squares, (seeds * images) ** 2 * (seeds - 1) * (images - 1))
