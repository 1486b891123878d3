"""A figure that is a mean over images, of two networks on the same images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.mean_interval import mean_of
from sightlab.records.analyses import Estimate


def paired_difference(first: NDArray[np.float64], second: NDArray[np.float64], share: bool = False) -> Estimate | None:
    """Mean of the second less the first over the images that count for both, with Student's 95 % interval.

    first, second: float [N], of the same images in the same order; NaN for images that do not count. share: whether the
    values are shares of 1. None where fewer than two images count for both. Raises ValueError for other shapes.

    >>> found = paired_difference(np.array([0.0, 1, 0, 1]), np.array([1.0, 1, 1, 1]))
    >>> found.value, found.count, round(found.low, 3), round(found.high, 3)
    (0.5, 4, -0.419, 1.419)
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"values of {first.shape} and {second.shape} images; they must be of the same images")
    gains = second - first
    return mean_of(gains, share=share) if np.count_nonzero(~np.isnan(gains)) >= 2 else None
