"""The difference of two shares that were counted on different images."""

from __future__ import annotations

import math

from sightlab.metrics import wilson_interval


def difference_of_shares(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """The difference of two independent shares, and its 95 % interval, in [-1, 1].

    first, second: (correct, count). Newcombe 1998, "Interval estimation for the difference between independent
    proportions", method 10: from the two Wilson intervals. Raises ValueError as `wilson_interval` does.

    >>> difference, (low, high) = difference_of_shares((56, 70), (48, 80))
    >>> f"{difference:.4f} {low:.4f} {high:.4f}"
    '0.2000 0.0524 0.3339'
    """
    (a, n), (b, m) = first, second
    (low_a, high_a), (low_b, high_b) = wilson_interval(a, n), wilson_interval(b, m)
    p, q = a / n, b / m
    low = p - q - math.hypot(p - low_a, high_b - q)
    high = p - q + math.hypot(high_a - p, q - low_b)
    return p - q, (max(-1.0, low), min(1.0, high))
