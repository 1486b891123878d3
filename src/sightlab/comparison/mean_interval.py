"""The mean of a figure over images, with its interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sightlab.records.analyses import Estimate


def mean_of(values: NDArray[np.float64], *, share: bool = False) -> Estimate:
    """The mean over images with the interval of Student's t. values: [N]; NaN where an image does not count.

    share: whether the mean is a share of 1. One image alone has no interval. Raises ValueError where no image counts.
    """
    from scipy.special import stdtrit

    counted = values[~np.isnan(values)]
    count = len(counted)
    if not count:
        raise ValueError("a mean needs at least one image that counts")
    mean = float(counted.mean())
    if count == 1:
        return Estimate(mean, count=1, share=share)
    half = float(stdtrit(count - 1, 0.975) * counted.std(ddof=1) / math.sqrt(count))
    return Estimate(mean, mean - half, mean + half, count, share=share)
