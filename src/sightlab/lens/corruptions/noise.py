"""Noise: Gaussian, shot and impulse noise, drawn for every value by itself."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import pdtr
from torch import Generator, Tensor

from sightlab.lens.corruptions.severities import Published, constants, to_bytes

LEVELS = 2**16  # of the 16 random bits that a value of shot or impulse noise is drawn with


def gaussian_noise(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Adds normal noise; its standard deviation is a share of the whole range of grey levels."""
    (sigma,) = constants(
        images,
        severity,
        at_32=((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
        at_224=((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    )
    return to_bytes(torch.randn(images.shape, generator=generator).mul_(255 * sigma).add_(images))


def shot_noise(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Counts photons: Poisson numbers with a mean of so many for white, white where there are more.

    Between the published sizes it is the number's logarithm that moves, since noise is a matter of ratios.
    """
    (photons,) = constants(
        images, severity, at_32=_logarithms(500, 250, 100, 75, 50), at_224=_logarithms(60, 25, 12, 5, 3)
    )
    places = images.numpy().astype(np.int32) * LEVELS + _bits(images, generator)
    return torch.from_numpy(_quantiles(round(math.exp(photons))).take(places))


def impulse_noise(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Salt and pepper: a share of the values becomes 0 or 255, either as often."""
    (share,) = constants(
        images,
        severity,
        at_32=((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        at_224=((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    )
    bits = _bits(images, generator)
    changed = images.numpy().copy()
    changed[bits < round(share / 2 * LEVELS)] = 0
    changed[bits >= LEVELS - round(share / 2 * LEVELS)] = 255
    return torch.from_numpy(changed)


def _logarithms(*counts: int) -> Published:
    return tuple((math.log(count),) for count in counts)


def _bits(images: Tensor, generator: Generator) -> NDArray[np.uint16]:
    """16 random bits for every value: four from one drawn number, which is the cost."""
    drawn = torch.empty(-(-images.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    return drawn.numpy().view(np.uint16)[: images.numel()].reshape(images.shape)


@lru_cache(maxsize=5)  # 16 MiB each
def _quantiles(photons: int) -> NDArray[np.uint8]:
    """The grey level of every quantile of the Poisson distribution of every grey level, uint8 [256 * LEVELS].

    An image has 256 levels only, so that a look into a table stands for a draw, at a fraction of its cost.
    Probabilities are right to 1 / LEVELS.
    """
    counts = np.arange(photons + 1)
    levels = np.append(np.floor(counts * (255 / photons) + 1e-6), 255).astype(np.uint8)  # the last: more than white
    means = np.arange(256)[:, None] * (photons / 255)
    ends = np.rint(pdtr(counts, means) * LEVELS).astype(np.int64)
    shares = np.diff(ends, prepend=0, append=LEVELS, axis=1)
    return np.concatenate([np.repeat(levels, share) for share in shares])
