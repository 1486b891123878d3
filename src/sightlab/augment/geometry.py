"""Geometry in whole pixels: random crop after padding, horizontal flip, translation. Pixel values do not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from sightlab.augment.counter_rng import CounterRNG
from sightlab.errors import RecipeError


def crop_and_flip(
    images: Tensor, padding: int, top: Tensor, left: Tensor, flipped: Tensor, mode: str = "black"
) -> Tensor:
    """Pad each image, crop it back to its size, and flip some horizontally.

    images: uint8 [B, H, W, C]. top, left: int64 [B], the crop's corner in [0, 2 * padding]. flipped: bool [B].
    mode: what the padding holds, see `fill_frame`. Gives uint8 [B, H, W, C]. The crop equals torchvision's
    RandomCrop(size, padding) at the same corner, the flip its horizontal_flip, byte for byte.
    """
    if images.device.type == "cpu":
        # Through numpy: its gather copies row by row where torch's goes byte by byte (ten times slower), and it never
        # waits for threads: a barrier costs milliseconds when another process is using the cores.
        return torch.from_numpy(
            cropped_on_cpu(images.numpy(), padding, top.numpy(), left.numpy(), flipped.numpy(), mode)
        )
    return cropped(images, padding, top, left, flipped, mode)


def cropped(images: Tensor, padding: int, top: Tensor, left: Tensor, flipped: Tensor, mode: str) -> Tensor:
    """`crop_and_flip` on any device: every possible crop is a view, and one gather takes one of each image."""
    count, height, width, channels = images.shape
    wide = pad(images, (0, 0, padding, padding, padding, padding)).contiguous()
    fill_frame(wide, padding, mode)
    windows = wide.as_strided(*windows_of(wide.shape, padding))
    taken = windows[torch.arange(count, device=wide.device), top, left].view(count, height, width, channels)
    return torch.where(flipped[:, None, None, None], taken.flip(2), taken)


def cropped_on_cpu(
    images: NDArray[np.uint8],
    padding: int,
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    flipped: NDArray[np.bool_],
    mode: str,
) -> NDArray[np.uint8]:
    """The same as `cropped`, byte for byte, through numpy."""
    count, height, width, channels = images.shape
    wide = np.zeros((count, height + 2 * padding, width + 2 * padding, channels), np.uint8)
    wide[:, padding : padding + height, padding : padding + width] = images
    fill_frame(wide, padding, mode)
    windows = np.lib.stride_tricks.as_strided(wide, *windows_of(wide.shape, padding))
    taken: NDArray[np.uint8] = windows[np.arange(count), top, left]
    crops = taken.reshape(count, height, width, channels)
    if flipped.any():
        crops[flipped] = torch.from_numpy(crops[flipped]).flip(2).numpy()
    return crops


def windows_of(shape: Sequence[int], padding: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape [B, tops, lefts, H, W * C] and strides of a view of every crop of contiguous padded bytes."""
    count, tall, wide, channels = shape
    corners, row = 2 * padding + 1, wide * channels
    sizes = (count, corners, corners, tall - 2 * padding, row - 2 * padding * channels)
    return sizes, (tall * row, row, channels, row, 1)


def fill_frame(framed: Any, padding: int, mode: str) -> None:
    """Fill the frame around padded images, in place: left and right, then whole rows.

    framed: a uint8 tensor or array [B, H + 2 * padding, W + 2 * padding, C], the same code serves both.
    mode: `black` leaves zeros, `reflect` mirrors the image at its outermost pixels, which are not repeated (numpy's
    and torchvision's mode of that name). Raises RecipeError when a reflection would need more pixels than the image
    has, or for another mode.
    """
    if mode == "black":
        return
    if mode != "reflect":
        raise RecipeError(f"augment.crop_mode is {mode!r}; black and reflect work")
    tall, wide = framed.shape[1:3]
    smaller = min(tall, wide) - 2 * padding
    if padding >= smaller:
        raise RecipeError(
            f"augment.crop_padding is {padding}; images of {smaller} pixels reflect at most {smaller - 1}"
        )
    for step in range(padding):
        framed[:, :, padding - 1 - step] = framed[:, :, padding + 1 + step]
        framed[:, :, wide - padding + step] = framed[:, :, wide - padding - 2 - step]
    for step in range(padding):
        framed[:, padding - 1 - step] = framed[:, padding + 1 + step]
        framed[:, tall - padding + step] = framed[:, tall - padding - 2 - step]


def translate(images: Tensor, across: Tensor, down: Tensor, largest: int) -> Tensor:
    """Shift each image by whole pixels; what is uncovered becomes black.

    images: uint8 [B, H, W, C]. across, down: int64 [B], to the right and to the bottom, in [-largest, largest].
    Gives uint8 [B, H, W, C]: torchvision's affine with this translate and nothing else, byte for byte.
    """
    still = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    return crop_and_flip(images, largest, largest - down, largest - across, still)


def draw_crop(rng: CounterRNG, padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The crops' corners, uniform on [0, 2 * padding], as RandomCrop draws them. (top, left), int64 [B] each."""
    corners = rng.integers("crop", 2 * padding + 1, 2)
    return corners[:, 0], corners[:, 1]


def draw_flip(rng: CounterRNG, probability: float) -> NDArray[np.bool_]:
    """Which images are flipped, each with this probability. bool [B]."""
    return rng.uniform("flip")[:, 0] < probability


def draw_alternating_flip(rng: CounterRNG) -> NDArray[np.bool_]:
    """Which images are flipped in this epoch: those that were not in the epoch before. bool [B].

    A hash of the sample decides for the first epoch, then each alternates, so that any two consecutive epochs show
    both orientations of every image (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", the
    section on alternating flip).
    """
    first = replace(rng, epoch=0).integers("alternating flip", 2)[:, 0]
    flipped: NDArray[np.bool_] = (first + rng.epoch) % 2 == 1
    return flipped


def draw_translation(rng: CounterRNG, largest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shifts (across, down), int64 [B] each, as RandomAffine(translate=) draws them.

    A uniform number in [-largest, largest], rounded: the two outermost shifts are half as likely as the others.
    """
    shifts = np.rint((2 * rng.uniform("translate", 2) - 1) * largest).astype(np.int64)
    return shifts[:, 0], shifts[:, 1]
