"""Figures over images with their 95 % intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics import wilson_interval
from sightlab.records.analyses import Curve, Estimate


def share_of(hits: NDArray[np.float64]) -> Estimate:
    """The share of images that hit, with its Wilson interval. hits: [N], 1 or 0 each; NaN where one does not count.

    Raises ValueError where no image counts.
    """
    counted = hits[~np.isnan(hits)]
    hit = int(counted.sum())
    low, high = wilson_interval(hit, len(counted))
    return Estimate(hit / len(counted), low, high, len(counted), share=True)


def share_curve(name: str, x: NDArray[np.float64], hits: NDArray[np.float64]) -> Curve:
    """The share of images that hit at each x, with Wilson intervals. hits: [N, len(x)], NaN where one does not count.

    Places where no image counts are left out.
    """
    known = np.flatnonzero((~np.isnan(hits)).any(axis=0))
    found = [share_of(hits[:, place]) for place in known]
    return Curve(
        name,
        tuple(float(x[place]) for place in known),
        tuple(one.value for one in found),
        tuple(one.low or 0.0 for one in found),
        tuple(one.value if one.high is None else one.high for one in found),
    )
