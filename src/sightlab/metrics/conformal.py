"""Conformal prediction: sets of classes that hold the true class with a chosen probability.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates 2023, "Conformal prediction: a gentle
introduction", section 1): every class of an image gets a score, small where the model believes in it; the threshold is
a quantile of the scores of the true classes of n calibration images; a set holds the classes that score no more. It
holds the true class with at least the chosen probability, over draws of calibration images and of a new image that are
exchangeable. The scores:

- lac: 1 - p. Sadinle, Lei & Wasserman 2019, "Least ambiguous set-valued classifiers with bounded error levels".
- aps: the probabilities of the classes before it, the most probable first, plus its own times (1 - u). Romano, Sesia &
  Candès 2020, "Classification with valid and adaptive coverage", equations 4 to 8.
- raps: that, plus a penalty for each place after the first few. Angelopoulos, Bates, Malik & Jordan 2021, "Uncertainty
  sets for image classifiers using conformal prediction", equation 4 and appendix E.

u is drawn uniformly in the papers. Sets of this module take u = 1, which keeps the guarantee: nothing is drawn, so
that equal images get equal sets, and the most probable class scores 0 and is in every set. For `lac` it is added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scores = Callable[[Floats], Floats]

PENALTIES = (0.001, 0.01, 0.1, 0.2, 0.5)  # of raps; Angelopoulos et al. 2021, appendix E
TUNING_SHARE = 5  # one in so many calibration images chooses penalty and places of raps, and is not calibrated on


def lac_scores(probabilities: Floats) -> Floats:
    """1 less the probability of each class, float64 [N, C]. probabilities: [N, C], rows that sum to 1."""
    return 1 - probabilities


def aps_scores(probabilities: Floats, u: float | Floats = 1.0) -> Floats:
    """The probability of the classes before each class and (1 - u) of its own, float64 [N, C].

    probabilities: [N, C], rows that sum to 1. u: in [0, 1], a number or [N]. Of equal classes the lower comes first.

    >>> aps_scores(np.array([[0.25, 0.5, 0.25]])).tolist(), aps_scores(np.array([[0.25, 0.5, 0.25]]), u=0).tolist()
    ([[0.5, 0.0, 0.75]], [[0.75, 0.5, 1.0]])
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    falling = np.take_along_axis(probabilities, order, axis=1)
    before = np.hstack([np.zeros((len(falling), 1)), np.cumsum(falling, axis=1)[:, :-1]])
    scores = np.empty_like(probabilities)
    np.put_along_axis(scores, order, before + (1 - np.reshape(u, (-1, 1))) * falling, axis=1)
    return scores


def raps_scores(probabilities: Floats, penalty: float, free: int, u: float | Floats = 1.0) -> Floats:
    """The scores of APS, plus `penalty` for each place of a class after the first `free`: float64 [N, C].

    probabilities: [N, C], rows that sum to 1. penalty: at least 0. free: from 1 to C. u: in [0, 1], a number or [N].
    """
    return aps_scores(probabilities, u) + penalty * np.maximum(0, ranks(probabilities) - free)


def ranks(probabilities: Floats) -> NDArray[np.int64]:
    """The place of each class of a row, 1 for the most probable: int64 [N, C].

    >>> ranks(np.array([[0.25, 0.5, 0.25]])).tolist()
    [[2, 1, 3]]
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable") + 1


@dataclass(frozen=True)
class ConformalSets:
    """How sets are made. count: images that the threshold is from. about: the choices made for this method, in words.

    scores: of all classes of some images, float64 [N, C].
    """

    method: str
    coverage: float
    threshold: float
    count: int
    scores: Scores
    about: str = ""

    def members(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Which classes are in each image's set, bool [N, C]; the most probable one always is.

        probabilities: float64 [N, C], rows that sum to 1.
        """
        inside = self.scores(probabilities) <= self.threshold
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return inside


def calibrated_sets(
    method: str, probabilities: Floats, labels: NDArray[np.int64], coverage: float, seed: int = 0
) -> ConformalSets:
    """Sets that hold the true class with the probability `coverage`, calibrated on labelled images.

    method: of SETS. probabilities: float64 [N, C], rows that sum to 1, of images that the model was not fitted on.
    labels: int64 [N]. seed: of the images that raps is tuned on. Raises ValueError for an unknown method, a coverage
    outside (0, 1), and fewer images than `least_count`.

    >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]])
    >>> calibrated_sets("lac", probabilities, np.array([0, 1, 0]), 0.5).threshold  # the second smallest of three
    0.30000000000000004
    """
    if method not in SETS:
        raise ValueError(f"unknown method {method!r}; there are {', '.join(SETS)}")
    return SETS[method](probabilities, labels, coverage, seed)


def least_count(method: str, coverage: float) -> int:
    """The fewest images that sets of this coverage can be calibrated on: 1 / (1 - coverage) - 1, more for raps.

    Raises ValueError for a coverage outside (0, 1).

    >>> least_count("lac", 0.95), least_count("raps", 0.95)
    (19, 23)
    """
    least = math.ceil(1 / (1 - exact(coverage))) - 1
    return least + (least - 1) // (TUNING_SHARE - 1) if method == "raps" else least


def exact(coverage: float) -> Fraction:
    """The coverage as it is written. Raises ValueError where it is not between 0 and 1."""
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage:g}; must lie between 0 and 1, such as 0.95")
    return Fraction(repr(float(coverage)))


def threshold_of(scores: Floats, coverage: float) -> float:
    """The ceil((n + 1) coverage)-th smallest of n scores: what a further one exceeds with 1 - coverage at most.

    scores: [n], of the true classes. Raises ValueError for a coverage outside (0, 1), or too few scores for it.
    """
    place = math.ceil((len(scores) + 1) * exact(coverage))
    if place > len(scores):
        raise ValueError(f"{len(scores)} images; sets of coverage {coverage:g} need {least_count('lac', coverage)}")
    return float(np.partition(scores, place - 1)[place - 1])


def own(values: Floats, labels: NDArray[np.int64]) -> Floats:
    """The values of the true classes, [N]. values: [N, C]. labels: int64 [N]."""
    return np.take_along_axis(values, labels[:, None], axis=1)[:, 0]


def lac(probabilities: Floats, labels: NDArray[np.int64], coverage: float, _seed: int) -> ConformalSets:
    """Least ambiguous sets: the smallest on average."""
    threshold = threshold_of(own(lac_scores(probabilities), labels), coverage)
    return ConformalSets("lac", coverage, threshold, len(labels), lac_scores)


def aps(probabilities: Floats, labels: NDArray[np.int64], coverage: float, _seed: int) -> ConformalSets:
    """Adaptive sets: larger for images that the model finds hard."""
    threshold = threshold_of(own(aps_scores(probabilities), labels), coverage)
    return ConformalSets("aps", coverage, threshold, len(labels), aps_scores)


def raps(probabilities: Floats, labels: NDArray[np.int64], coverage: float, seed: int) -> ConformalSets:
    """Regularised adaptive sets, tuned on a fifth of the images and calibrated on the rest.

    Free places: the quantile of the true classes' places; penalty: the one of PENALTIES with the smallest sets on the
    fifth (Angelopoulos et al. 2021, appendix E).
    """
    exact(coverage)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    tuning, rest = np.sort(shuffled[: len(labels) // TUNING_SHARE]), np.sort(shuffled[len(labels) // TUNING_SHARE :])
    free, penalty = tuned(probabilities[tuning], labels[tuning], coverage)

    def scores(shares: Floats) -> Floats:
        return raps_scores(shares, penalty, free)

    threshold = threshold_of(own(scores(probabilities[rest]), labels[rest]), coverage)
    about = f"penalty {penalty:g} from place {free + 1} on, chosen on {len(tuning):,} images"
    return ConformalSets("raps", coverage, threshold, len(rest), scores, about)


def tuned(probabilities: Floats, labels: NDArray[np.int64], coverage: float) -> tuple[int, float]:
    """Free places and penalty of raps. Where there are too few images for the quantile, the largest counts as it."""
    count = len(labels)
    if not count:
        return 1, PENALTIES[0]
    place = min(count, math.ceil((count + 1) * exact(coverage))) - 1
    places, plain = ranks(probabilities), aps_scores(probabilities)
    free = int(np.sort(places[np.arange(count), labels])[place])
    over = np.maximum(0, places - free)

    def mean_size(penalty: float) -> float:
        scores = plain + penalty * over
        return float((scores <= np.sort(own(scores, labels))[place]).sum(axis=1).mean())

    return free, min(PENALTIES, key=mean_size)


Calibrate = Callable[[Floats, NDArray[np.int64], float, int], ConformalSets]
SETS: dict[str, Calibrate] = {"lac": lac, "aps": aps, "raps": raps}
