"""A difference in words."""

from __future__ import annotations

from sightlab.comparison.difference import mirrored
from sightlab.records import Difference


def sentence(one: Difference) -> str:
    """A difference in words, in percentage points.

    >>> one = Difference("v5", "v4", 0.0042, (0.0011, 0.0073), 0.008, 10_000, (1, 1), "exact McNemar test")
    >>> sentence(one)
    'v5 is better than v4 by 0.42 points, 95 % interval 0.11 to 0.73, p = 0.008, 10,000 images, 1 seed each'
    >>> sentence(mirrored(one))
    'v4 is worse than v5 by 0.42 points, 95 % interval 0.11 to 0.73, p = 0.008, 10,000 images, 1 seed each'
    """
    verb = "better" if one.difference > 0 else "worse"
    if one.significant:
        size = mirrored(one) if one.difference < 0 else one
        lead = f"{one.better} is {verb} than {one.worse} by {_points(size.difference)} points"
    else:
        size = one
        lead = f"{one.better} and {one.worse} do not differ significantly: difference {_points(size.difference)} points"
    low, high = size.interval
    return ", ".join(
        [
            lead,
            f"95 % interval {_points(low)} to {_points(high)}",
            _p(one),
            f"{one.images:,} image{'s' if one.images != 1 else ''}",
            _seeds(one),
        ]
    )


def _points(share: float) -> str:
    """A share in percentage points; never minus nothing."""
    return f"{round(100 * share, 2) + 0.0:.2f}"


def _p(one: Difference) -> str:
    """p with two digits, or as many as keep it on its side of 0.05."""
    p = one.p if one.adjusted is None else one.adjusted
    digits = 2
    while _side(float(f"{p:.{digits}g}")) != _side(p):
        digits += 1
    text = "p < 0.0001" if p < 0.0001 else f"p = {p:.{digits}g}"
    return text if one.adjusted is None else f"{text} after Holm's correction for {one.comparisons} comparisons"


def _side(p: float) -> tuple[bool, bool]:
    return p < 0.05, p > 0.05


def _seeds(one: Difference) -> str:
    better, worse = (f"{count} seed{'s' if count != 1 else ''}" for count in one.seeds)
    return f"{better} each" if better == worse else f"{better} of {one.better} and {worse} of {one.worse}"
