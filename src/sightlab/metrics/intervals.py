"""The confidence interval of a proportion."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson_interval(correct: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, (low, high), both in [0, 1] and around correct / count.

    correct: of `count` predictions. The ends are exactly 0 and 1 where no prediction, and where every prediction, is
    correct. Wilson 1927; Brown, Cai & DasGupta 2001, "Interval estimation for a binomial proportion", section 3.1.1.

    Raises ValueError for a count below 1, correct outside [0, count], or confidence outside (0, 1).

    >>> low, high = wilson_interval(90, 100)
    >>> f"{low:.4f} {high:.4f}"
    '0.8256 0.9448'
    """
    if count < 1:
        raise ValueError(f"an interval needs at least one prediction, not {count}")
    if not 0 <= correct <= count:
        raise ValueError(f"{correct} correct predictions of {count}; must be from 0 to {count}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; must lie between 0 and 1, such as 0.95")
    z = -NormalDist().inv_cdf((1 - confidence) / 2)
    share = correct / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Algebra puts the share inside and the ends at 0 and 1; the limits guard against rounding errors.
    low = 0.0 if correct == 0 else min(share, max(0.0, centre - half))
    high = 1.0 if correct == count else max(share, min(1.0, centre + half))
    return low, high
