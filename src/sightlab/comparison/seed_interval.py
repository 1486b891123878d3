"""One figure over several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from sightlab.records import Spread


def spread(values: Sequence[float]) -> Spread:
    """Mean, sample standard deviation (n - 1) and 95 % t interval of values that came about independently.

    The interval is mean -+ t(n - 1, 0.975) deviation / sqrt(n): Student 1908, "The probable error of a mean". A single
    value has neither deviation nor interval. The interval is of the mean over seeds, on the data they were measured on.

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
    half = float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count)
    return Spread(mean, deviation, (mean - half, mean + half), count)
