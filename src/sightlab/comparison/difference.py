"""How much better one model is than another on the same images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.crossed import crossed
from sightlab.comparison.paired import RESAMPLES, bootstrap_interval, mcnemar, parting
from sightlab.records import Difference

# The resamples of every comparison are drawn from this seed: the same answers have the same interval.
SEED = 0


def difference(name_a: str, right_a: NDArray[np.bool_], name_b: str, right_b: NDArray[np.bool_]) -> Difference:
    """How much better b is than a on the same images: accuracy of b less that of a, its interval, and p.

    right_a: bool [S_a, N]; right_b: bool [S_b, N]: whether each seed's run is right, of the same N images in the same
    order. The Gain has `better` b and `worse` a, whichever is; its difference is negative where a is better. One run
    each: exact McNemar test and paired bootstrap interval (`mcnemar`, `bootstrap_interval`). Several seeds on either
    side: seeds and images crossed (`crossed`). A side with one seed alone says nothing of its other seeds, and `method`
    says so. Two models that are right on the very same images have difference 0, p = 1, and an interval that is not
    empty: how far they may yet part on other images (`uniform_interval`).

    Raises ValueError for arrays that are not [S, N] with the same N, at least one seed and one image.

    >>> v4, v5 = np.zeros((1, 100), bool), np.zeros((1, 100), bool)
    >>> v4[:, :80], v5[:, 2:90] = True, True
    >>> one = difference("v4", v4, "v5", v5)
    >>> f"{one.difference:.2f} {one.p:.4f}"
    '0.08 0.0386'
    """
    _check(name_a, right_a)
    _check(name_b, right_b)
    images, seeds = right_a.shape[1], (len(right_a), len(right_b))
    if right_b.shape[1] != images:
        raise ValueError(f"{name_a} answered {images} images, {name_b} {right_b.shape[1]}; they must be the same")
    if seeds == (1, 1):
        counts = parting(right_a[0], right_b[0])
        interval = bootstrap_interval(*counts, images, np.random.default_rng(SEED))
        difference, p = (counts[1] - counts[0]) / images, mcnemar(*counts)
        method = f"exact McNemar test; paired bootstrap of the images, {RESAMPLES:,} resamples"
    else:
        found = crossed(right_a, right_b)
        difference, interval, p = found.difference, found.interval, found.p
        freedom = "the same difference on every image" if found.freedom is None else f"{found.freedom:,.1f} d.f."
        method = f"t test over seeds and images, crossed ({freedom})"
    # The record has `better` first.
    return Difference(
        name_b, name_a, difference, interval, p, images, seeds[::-1], method + _caveat(name_a, name_b, seeds)
    )


def mirrored(one: Difference) -> Difference:
    """The same gain told of the other side: the names exchanged, difference and interval turned about."""
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
    return f"; {who}: says nothing of other seeds" if lone else ""


def _check(name: str, right: NDArray[np.bool_]) -> None:
    if right.ndim != 2 or not right.size:
        raise ValueError(f"right answers of {name} have shape {list(right.shape)}; they must be [seeds, images]")
    if right.dtype != np.bool_:
        raise ValueError(f"right answers of {name} are {right.dtype}; they must be bool")
