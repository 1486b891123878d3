"""Random boxes by area and aspect ratio, as random erasing and random resized crops draw them.

A box is (top, left, height, width) in pixels, int64 [B, 4] for a batch; one of height or width 0 is empty.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TRIES = 10


def draw_sides(
    drawn: NDArray[np.float64], area: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ten candidate sizes for each sample, int64 [B, 10] each; the first side is the longer when the ratio is above 1.

    drawn: uniform numbers [B, 20]. The share of the area is uniform on `scale`, the logarithm of the ratio of the
    sides on that of `ratio`.
    """
    shares = area * (scale[0] + (scale[1] - scale[0]) * drawn[:, :TRIES])
    low, high = np.log(ratio)
    shapes = np.exp(low + (high - low) * drawn[:, TRIES:])
    return np.rint(np.sqrt(shares * shapes)).astype(np.int64), np.rint(np.sqrt(shares / shapes)).astype(np.int64)


def place_first(
    fits: NDArray[np.bool_],
    heights: NDArray[np.int64],
    widths: NDArray[np.int64],
    corner: NDArray[np.float64],
    height: int,
    width: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Each sample's first candidate that fits, at a random position: (boxes [B, 4], found [B]).

    fits: bool [B, 10]. corner: uniform numbers [B, 2]; all positions at which the box is inside are equally likely.
    """
    first = fits.argmax(1)
    rows = np.arange(len(first))
    tall, wide = heights[rows, first], widths[rows, first]
    top = np.floor(corner[:, 0] * (height - tall + 1)).astype(np.int64)
    left = np.floor(corner[:, 1] * (width - wide + 1)).astype(np.int64)
    return np.stack((top, left, tall, wide), axis=1), fits[rows, first]


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Which pixels are in each image's box. boxes: int64 [B, 4]. Gives bool [B, H, W]."""
    top, left, tall, wide = boxes.unbind(1)
    rows = torch.arange(height, device=boxes.device)
    columns = torch.arange(width, device=boxes.device)
    down = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    across = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    return down[:, :, None] & across[:, None, :]
