"""One figure over several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from sightlab.records import Spread


def spread(values: Sequence[float], low: float = -math.inf, high: float = math.inf) -> Spread:
    """Mean, sample standard deviation (n - 1) and 95 % t interval of values that came about independently.

    The interval is mean -+ t(n - 1, 0.975) deviation / sqrt(n): Student 1908, "The probable error of a mean". It is of
    the mean over seeds, on the data they were measured on. low, high: what the figure cannot leave, such as 0 and 1 of
    an accuracy. The interval is cut there; its coverage stays the same, as the mean is within them too.

    A single value has neither deviation nor interval. Equal values have no interval: with a deviation of 0 it would be
    a point, and a few seeds cannot be that certain. For two values t is 12.7 (one degree of freedom), so the interval
    is very wide: two seeds say hardly anything about the spread.

    Raises ValueError for no values.

    >>> one = spread([0.93, 0.94, 0.95])
    >>> f"{one.mean:.3f} {one.deviation:.3f} {one.interval[0]:.4f} {one.interval[1]:.4f}"
    '0.940 0.010 0.9152 0.9648'
    """
    from scipy.special import stdtrit

    if not values:
        raise ValueError("the spread of no values; at least one is needed")
    mean, count = statistics.mean(values), len(values)
    if count == 1:
        return Spread(mean, None, None, 1)
    deviation = statistics.stdev(values)
    if not deviation:
        return Spread(mean, 0.0, None, count)
    half = float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count)
    return Spread(mean, deviation, (max(low, mean - half), min(high, mean + half)), count)
