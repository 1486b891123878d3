"""Random erasing, and mixing of pairs of samples: mixup and CutMix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.augment.boxes import TRIES, draw_sides, inside, place_first
from sightlab.augment.counter_rng import CounterRNG


def erase(images: Tensor, boxes: Tensor, noise: Tensor | None = None) -> Tensor:
    """Each image with its box black, or with noise in it: torchvision's erase, exactly.

    images: uint8 [B, H, W, C]. boxes: int64 [B, 4], see `boxes`; an empty one erases nothing. noise: uint8 of the
    images' shape, or None for black (Zhong et al. 2020, "Random Erasing Data Augmentation", section 3.2).
    """
    wiped = inside(boxes, *images.shape[1:3]).unsqueeze(3)
    return images.masked_fill(wiped, 0) if noise is None else torch.where(wiped, noise, images)


def draw_erasing(
    rng: CounterRNG,
    probability: float,
    height: int,
    width: int,
    scale: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
) -> NDArray[np.int64]:
    """Boxes as RandomErasing draws them: int64 [B, 4], empty for the images that stay whole.

    Ten tries of an area uniform on `scale` (shares of the image) and a height / width log-uniform on `ratio`; the
    first smaller than the image in both directions is placed anywhere. When none is, nothing is erased.
    """
    drawn = rng.uniform("erase", 2 * TRIES + 3)
    heights, widths = draw_sides(drawn[:, : 2 * TRIES], height * width, scale, ratio)
    fits = (heights < height) & (widths < width)
    boxes, found = place_first(fits, heights, widths, drawn[:, 2 * TRIES : 2 * TRIES + 2], height, width)
    boxes[~found | (drawn[:, -1] >= probability)] = 0
    return boxes


def draw_noise(rng: CounterRNG, rows: NDArray[np.int64], height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Bytes uniform on 0 to 255 for some of the samples. rows: int64 [M]. Gives uint8 [M, H, W, C]."""
    size = height * width * channels
    words = replace(rng, index=rng.index[rows]).words("noise", -(-size // 8))
    # Little-endian everywhere, so that the noise is the same on every machine.
    return words.astype("<u8").view(np.uint8)[:, :size].reshape(-1, height, width, channels)


def with_partners(places: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    """The indices that a share of a batch needs when its samples are mixed: int64 [stop - start + 1].

    Each sample's partner is the one before it in the whole batch, the first one's the last (batches are shuffled, so
    this is a random pairing, as in Zhang et al. 2018, section 3: one batch, mixed with itself). Pairs do not change
    with the number of processes. places: int64 [B], those of the whole batch. start, stop: this process's share.
    Images gathered and augmented at the places given here are `batch`; then `batch[1:]` are the share's own and
    `batch[:-1]` their partners.

    >>> with_partners(np.array([7, 5, 3, 1]), 0, 2).tolist(), with_partners(np.array([7, 5, 3, 1]), 2, 4).tolist()
    ([1, 7, 5], [5, 3, 1])
    """
    return places.take(np.arange(start - 1, stop), mode="wrap")


def beta(drawn: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Numbers distributed as Beta(alpha, alpha), in [0, 1], one from each pair of uniform numbers. float64 [B].

    drawn: float64 [B, 2]. alpha: above 0. With T Student-t of 2 alpha degrees of freedom, (1 + T / sqrt(2 alpha +
    T**2)) / 2 is Beta(alpha, alpha) (Devroye 1986, "Non-Uniform Random Variate Generation", chapter IX), and
    T = sqrt(2 alpha (U**(-1 / alpha) - 1)) cos(2 pi V) (Bailey 1994, "Polar generation of random variates with the
    t-distribution"). No rejection, so the counters a sample uses are known beforehand.
    """
    # U is in (0, 1]. T**2 / (2 alpha) stops at 1e299, which is as good as infinite.
    cosine = np.cos(2 * np.pi * drawn[:, 1])
    square = np.expm1(np.minimum(-np.log1p(-drawn[:, 0]) / alpha, 690.0)) * cosine**2
    # (1 - |T| / sqrt(2 alpha + T**2)) / 2 without the difference of nearly equal numbers.
    smaller: NDArray[np.float64] = 0.5 / ((1 + square) * (1 + np.sqrt(square / (1 + square))))
    return np.where(cosine < 0, smaller, 1 - smaller)


def mixup(images: Tensor, partners: Tensor, shares: Tensor) -> Tensor:
    """shares * images + (1 - shares) * partners (Zhang et al. 2018, "mixup", equation 1).

    images, partners: float32 [B, ...]. shares: float32 [B] in [0, 1]. Gives float32 [B, ...].
    """
    share = shares.view(-1, *[1] * (images.ndim - 1))
    return images.mul(share).add_(partners * (1 - share))


def cutmix(images: Tensor, partners: Tensor, boxes: Tensor) -> Tensor:
    """Each image with its partner's pixels in its box (Yun et al. 2019, "CutMix", equation 1).

    images, partners: uint8 [B, H, W, C]. boxes: int64 [B, 4], see `boxes`. Gives uint8 [B, H, W, C].
    """
    return torch.where(inside(boxes, *images.shape[1:3]).unsqueeze(3), partners, images)


def draw_cutmix(
    drawn: NDArray[np.float64], alpha: float, height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(boxes int64 [B, 4], the share of each image that stays float64 [B]) as torchvision's CutMix draws them.

    drawn: uniform numbers [B, 4]. The box has the image's shape and 1 - Beta(alpha, alpha) of its area; its centre
    is uniform over the image, and the box is clipped to it (Yun et al. 2019, equation 2).
    """
    half = 0.5 * np.sqrt(1 - beta(drawn[:, :2], alpha))
    sides = []
    for size, middle in ((height, drawn[:, 2]), (width, drawn[:, 3])):
        centre, reach = np.floor(middle * size).astype(np.int64), (half * size).astype(np.int64)
        low = np.maximum(centre - reach, 0)
        sides.append((low, np.minimum(centre + reach, size) - low))
    (top, tall), (left, wide) = sides
    return np.stack((top, left, tall, wide), axis=1), 1 - tall * wide / (height * width)


def soft_targets(labels: Tensor, partners: Tensor, shares: Tensor, classes: int) -> Tensor:
    """shares of each label's class, the rest of its partner's. Gives float32 [B, classes], rows sum to 1.

    labels, partners: int64 [B]. shares: float32 [B] in [0, 1].

    >>> soft_targets(torch.tensor([0, 1]), torch.tensor([2, 1]), torch.tensor([0.75, 0.5]), 3).tolist()
    [[0.75, 0.0, 0.25], [0.0, 1.0, 0.0]]
    """
    targets = torch.zeros(len(labels), classes, device=labels.device)
    targets.scatter_(1, labels[:, None], shares[:, None])
    return targets.scatter_add_(1, partners[:, None], 1 - shares[:, None])
