"""How much better one model is than another on the same images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.crossed import crossed
from sightlab.comparison.paired import RESAMPLES, bootstrap_interval, discordant, mcnemar
from sightlab.records import Difference

# The resamples of every comparison are drawn from this seed: the same predictions have the same interval.
SEED = 0


def difference(name_a: str, correct_a: NDArray[np.bool_], name_b: str, correct_b: NDArray[np.bool_]) -> Difference:
    """How much better b is than a on the same images: accuracy of b less that of a, its interval, and p.

    correct_a: bool [S_a, N]; correct_b: bool [S_b, N]: whether the run of each seed is correct, on the same N images in
    the same order. The Difference has `better` b and `worse` a, whichever is; it is negative where a is better. One run
    each: exact McNemar test and paired bootstrap interval (`mcnemar`, `bootstrap_interval`). Several seeds on either
    side: seeds and images crossed (`crossed`). A side with a single seed says nothing about its other seeds, and
    `method` says so. Two models that are correct on the very same images have difference 0, p = 1, and an interval that
    is not empty: how far they may yet differ on other images (`uniform_interval`).

    Raises ValueError for arrays that are not [S, N] with the same N, at least one seed and one image.

    >>> v4, v5 = np.zeros((1, 100), bool), np.zeros((1, 100), bool)
    >>> v4[:, :80], v5[:, 2:90] = True, True
    >>> one = difference("v4", v4, "v5", v5)
    >>> f"{one.difference:.2f} {one.p:.4f}"
    '0.08 0.0386'
    """
    _check(name_a, correct_a)
    _check(name_b, correct_b)
    images, seeds = correct_a.shape[1], (len(correct_a), len(correct_b))
    if correct_b.shape[1] != images:
        raise ValueError(f"{name_a} has {images} images, {name_b} {correct_b.shape[1]}; they must be the same")
    if seeds == (1, 1):
        counts = discordant(correct_a[0], correct_b[0])
        interval = bootstrap_interval(*counts, images, np.random.default_rng(SEED))
        difference, p = (counts[1] - counts[0]) / images, mcnemar(*counts)
        method = f"exact McNemar test; paired bootstrap of the images, {RESAMPLES:,} resamples"
    else:
        found = crossed(correct_a, correct_b)
        difference, interval, p = found.difference, found.interval, found.p
        freedom = "the same difference on every image" if found.freedom is None else f"{found.freedom:,.1f} d.f."
        method = f"t test over seeds and images, crossed ({freedom})"
    return Difference(
        name_b, name_a, difference, interval, p, images, seeds[::-1], method + _caveat(name_a, name_b, seeds)
    )


def mirrored(one: Difference) -> Difference:
    """The same difference seen from the other side: the names exchanged, difference and interval negated."""
    low, high = one.interval
    return replace(
        one,
        better=one.worse,
        worse=one.better,
        difference=-one.difference,
        interval=(-high, -low),
        seeds=one.seeds[::-1],
    )


def _caveat(name_a: str, name_b: str, seeds: tuple[int, int]) -> str:
    """What a single seed leaves open."""
    lone = [name for name, count in zip((name_a, name_b), seeds, strict=True) if count == 1]
    who = "1 seed each" if len(lone) == 2 else f"1 seed of {lone[0]}" if lone else ""
    return f"; {who}: says nothing about other seeds" if lone else ""


def _check(name: str, correct: NDArray[np.bool_]) -> None:
    if correct.ndim != 2 or not correct.size:
        raise ValueError(f"correct of {name} has shape {list(correct.shape)}; it must be [seeds, images]")
    if correct.dtype != np.bool_:
        raise ValueError(f"correct of {name} is {correct.dtype}; it must be bool")
