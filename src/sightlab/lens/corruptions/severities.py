"""The constants of the corruptions, as published for images of 32 and of 224 pixels, and the rule for other sizes."""

from __future__ import annotations

import math

from torch import Tensor

Published = tuple[tuple[float, ...], ...]
"""Five tuples of constants, one for each severity from 1 to 5."""

SMALL, LARGE = 32, 224


def constants(images: Tensor, severity: int, at_32: Published, at_224: Published) -> tuple[float, ...]:
    """The constants of a severity for images uint8 [N, H, W, C].

    at_32: those of CIFAR-10-C; at_224: those of ImageNet-C, both of Hendrycks & Dietterich 2019, "Benchmarking neural
    network robustness to common corruptions and perturbations" (their code; the package imagecorruptions has the
    second for every size). Images whose shorter side is at most 32 pixels get the first, from 224 on the second, and
    between each constant moves linearly with the logarithm of the side: for 64 pixels by 36 % of the way.
    """
    share = position(min(images.shape[1:3]))
    pairs = zip(at_32[severity - 1], at_224[severity - 1], strict=True)
    return tuple((1 - share) * small + share * large for small, large in pairs)


def position(side: int) -> float:
    """How far a side in pixels is from 32 to 224, in [0, 1], on a logarithmic scale.

    >>> position(28), position(224), round(position(64), 2)
    (0.0, 1.0, 0.36)
    """
    return min(1.0, max(0.0, math.log(side / SMALL) / math.log(LARGE / SMALL)))


def to_bytes(values: Tensor) -> Tensor:
    """Grey levels as bytes: clipped to [0, 255], and cut off as the authors' np.uint8 does. values: float."""
    # A thousandth of a level, so that a sum that is 199.99998 in float32 is the 200 that it stands for.
    return (values + 1e-3).clamp_(0, 255).byte()
