"""Selection bias: the best of many scores is too high, as it was selected for its noise too (winner's curse)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.newcombe import difference_of_shares

RESAMPLES, SEED = 1000, 0


@dataclass(frozen=True)
class Optimism:
    """How much better a winner looks on validation, which selected it, than on test.

    validation, test: accuracy in [0, 1], means over its runs. difference: of the two; interval: its 95 % interval.
    images: of validation and test.
    """

    validation: float
    test: float
    difference: float
    interval: tuple[float, float]
    images: tuple[int, int]


def optimism_of(validation: float, images: int, test: float, test_images: int) -> Optimism:
    """The optimism of a winner of these accuracies, in [0, 1], on so many images of validation and of test."""
    counts = (round(validation * images), images), (round(test * test_images), test_images)
    _, interval = difference_of_shares(*counts)
    return Optimism(validation, test, validation - test, interval, (images, test_images))


def out_of_bag(correct: NDArray[np.float64], resamples: int = RESAMPLES) -> float:
    """Expected accuracy, in [0, 1], of a winner selected like this one, on images that did not select it.

    correct: float64 [K, N], the share of each trial's runs that classify each validation image correctly. Images are
    resampled with replacement; the trial that is best on the sample is scored on the images left out, about N / e of
    them, and the scores are averaged: the bootstrap bias correction of Tsamardinos, Greasidou and Borboudakis 2018,
    "Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation". The winner's own score
    minus this is its selection bias, as far as images cause it; that of seeds is not included. Ties share their win.

    Raises ValueError for fewer than two images or no trial.

    >>> out_of_bag(np.array([[1.0, 1.0, 0.0, 1.0]] * 2)) < 1
    True
    """
    trials, images = correct.shape
    if trials < 1 or images < 2:
        raise ValueError(f"answers have shape {list(correct.shape)}; at least one trial and two images are needed")
    generator = np.random.default_rng(SEED)
    counts = generator.multinomial(images, np.full(images, 1 / images), size=resamples)
    scores = counts @ correct.T  # [resamples, K]
    best = scores >= scores.max(axis=1, keepdims=True) - 1e-9
    kept = (counts == 0).astype(np.float64)
    left_out = kept.sum(axis=1)
    outside = (kept @ correct.T) / np.maximum(left_out, 1.0)[:, None]
    each = (outside * best).sum(axis=1) / best.sum(axis=1)
    return float(each[left_out > 0].mean())
