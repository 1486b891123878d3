"""Moves by whole pixels: a crop after padding, a mirror image, a shift. Bytes in, the same bytes elsewhere out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from sightlab.augment.draws import Draws
from sightlab.errors import RecipeError


def crop_and_flip(
    images: Tensor, padding: int, top: Tensor, left: Tensor, flipped: Tensor, mode: str = "black"
) -> Tensor:
    """Pad each image, crop its own size out of it, and mirror some left to right.

    images: uint8 [B, H, W, C]. top, left: int64 [B], the crop's corner in [0, 2 * padding]. flipped: bool [B].
    mode: what the padding holds, see `padded`. Gives uint8 [B, H, W, C]. The crop equals torchvision's
    RandomCrop(size, padding) at the same corner, the mirror its horizontal_flip, byte for byte.
    """
    wide = padded(images, padding, mode)
    if images.device.type == "cpu":
        return torch.from_numpy(cropped_on_cpu(wide.numpy(), padding, top.numpy(), left.numpy(), flipped.numpy()))
    return cropped(wide, padding, top, left, flipped)


def cropped(wide: Tensor, padding: int, top: Tensor, left: Tensor, flipped: Tensor) -> Tensor:
    """The crops of padded images, on any device: every possible crop is a view, and one gather takes one of each.

    wide: uint8 [B, H + 2 * padding, W + 2 * padding, C], contiguous. The rest as in `crop_and_flip`.
    """
    count, tall, broad, channels = wide.shape
    height, width, corners = tall - 2 * padding, broad - 2 * padding, 2 * padding + 1
    row = broad * channels
    windows = wide.as_strided((count, corners, corners, height, width * channels), (tall * row, row, channels, row, 1))
    taken = windows[torch.arange(count, device=wide.device), top, left].view(count, height, width, channels)
    return torch.where(flipped[:, None, None, None], taken.flip(2), taken)


def cropped_on_cpu(
    wide: NDArray[np.uint8],
    padding: int,
    top: NDArray[np.int64],
    left: NDArray[np.int64],
    flipped: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The same as `cropped`, through numpy.

    Its gather copies row by row where torch's goes byte by byte (ten times slower), and it never waits for
    threads: a barrier costs milliseconds when another process is using the cores.
    """
    count, tall, broad, channels = wide.shape
    height, width, corners = tall - 2 * padding, broad - 2 * padding, 2 * padding + 1
    row = broad * channels
    windows = np.lib.stride_tricks.as_strided(
        wide, (count, corners, corners, height, width * channels), (tall * row, row, channels, row, 1)
    )
    taken: NDArray[np.uint8] = windows[np.arange(count), top, left]
    if flipped.any():
        backwards = (np.arange(width)[::-1, None] * channels + np.arange(channels)).ravel()
        taken[flipped] = taken[flipped].take(backwards, axis=2)
    return taken.reshape(count, height, width, channels)


def padded(images: Tensor, padding: int, mode: str) -> Tensor:
    """The images with a frame around them. uint8 [B, H + 2 * padding, W + 2 * padding, C], contiguous.

    mode: `black` (zeros), or `reflect` (the image mirrored at its outermost pixels, which are not repeated: numpy's
    and torchvision's padding mode of that name). Raises RecipeError when a reflection would need more pixels than
    the image has, or for another mode.
    """
    if padding == 0:
        return images.contiguous()
    framed = pad(images, (0, 0, padding, padding, padding, padding))
    if mode == "reflect":
        reflect_frame(framed, padding)
    elif mode != "black":
        raise RecipeError(f"augment.crop_mode is {mode!r}; black and reflect work")
    return framed


def reflect_frame(framed: Tensor, padding: int) -> None:
    """Fill the frame around padded images with their mirror image, in place: left and right, then whole rows."""
    tall, broad = framed.shape[1:3]
    if padding >= min(tall, broad) - 2 * padding:
        smaller = min(tall, broad) - 2 * padding
        raise RecipeError(
            f"augment.crop_padding is {padding}, but images of {smaller} pixels reflect at most {smaller - 1}"
        )
    framed[:, :, :padding] = framed[:, :, padding + 1 : 2 * padding + 1].flip(2)
    framed[:, :, broad - padding :] = framed[:, :, broad - 2 * padding - 1 : broad - padding - 1].flip(2)
    framed[:, :padding] = framed[:, padding + 1 : 2 * padding + 1].flip(1)
    framed[:, tall - padding :] = framed[:, tall - 2 * padding - 1 : tall - padding - 1].flip(1)


def translate(images: Tensor, across: Tensor, down: Tensor, largest: int) -> Tensor:
    """Shift each image by whole pixels; black comes in.

    images: uint8 [B, H, W, C]. across, down: int64 [B], to the right and to the bottom, in [-largest, largest].
    Gives uint8 [B, H, W, C]: torchvision's affine with this translate and nothing else, byte for byte.
    """
    still = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    return crop_and_flip(images, largest, largest - down, largest - across, still)


def draw_crop(draws: Draws, padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The crops' corners, uniform on [0, 2 * padding], as RandomCrop draws them. (top, left), int64 [B] each."""
    corners = draws.integers("crop", 2 * padding + 1, 2)
    return corners[:, 0], corners[:, 1]


def draw_flip(draws: Draws, probability: float) -> NDArray[np.bool_]:
    """Which images are mirrored, each with this probability. bool [B]."""
    return draws.uniform("flip")[:, 0] < probability


def draw_alternating_flip(draws: Draws) -> NDArray[np.bool_]:
    """Which images are mirrored in this epoch: those that were not in the epoch before. bool [B].

    A hash of the sample decides for the first epoch, then each alternates, so that any two epochs in a row show
    both sides of every image (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.6).
    """
    first = replace(draws, epoch=0).integers("alternating flip", 2)[:, 0]
    return (first + draws.epoch) % 2 == 1


def draw_translation(draws: Draws, largest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shifts (across, down), int64 [B] each, as RandomAffine(translate=) draws them.

    A uniform number in [-largest, largest], rounded: the two outermost shifts are half as likely as the others.
    """
    shifts = np.rint((2 * draws.uniform("translate", 2) - 1) * largest).astype(np.int64)
    return shifts[:, 0], shifts[:, 1]
