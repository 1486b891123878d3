"""Random resized crop: a box of each image, resized to one size."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.augment.boxes import TRIES, draw_sides, place_first
from sightlab.augment.counter_rng import CounterRNG

# Weights are whole numbers of 2**-14: products with bytes and their sums stay below 2**24, so float32 adds them
# exactly and the result does not depend on the order in which a device's matrix product adds.
FINE = 2**14


def resized_crop(images: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Crop each image to its box and resize the crop, bilinear with antialiasing.

    images: uint8 [B, H, W, C]. boxes: int64 [B, 4], (top, left, height, width) inside the image, none empty. Gives
    uint8 [B, height, width, C]. Equals torchvision's resized_crop to 1 grey level.
    """
    count, tall, wide, channels = images.shape
    down = filters(boxes[:, 0], boxes[:, 2], tall, height)
    across = filters(boxes[:, 1], boxes[:, 3], wide, width)
    # Columns first, then rows, with bytes in between: the order in which Pillow and torch resize bytes.
    pixels = images.permute(0, 2, 1, 3).reshape(count, wide, tall * channels).float()
    narrowed = as_bytes(across @ pixels).view(count, width, tall, channels)
    lines = narrowed.permute(0, 2, 1, 3).reshape(count, tall, width * channels)
    return as_bytes(down @ lines).to(torch.uint8).view(count, height, width, channels)


def as_bytes(sums: Tensor) -> Tensor:
    """Weighted sums back to levels 0 to 255, rounded; still float32."""
    return sums.mul_(1 / FINE).add_(0.5).floor_().clamp_(0, 255)


def filters(starts: Tensor, lengths: Tensor, size: int, results: int) -> Tensor:
    """The weight of each pixel of a line in each resized pixel: float32 [B, results, size], rows sum to FINE.

    The triangle filter of bilinear resizing, as wide as the pixels of the result where that is smaller than the
    part (antialiasing), cut at the part's ends. starts, lengths: int64 [B].
    """
    kind = torch.float32 if starts.device.type == "mps" else torch.float64
    ratio = lengths.to(kind) / results
    support = ratio.clamp(min=1)[:, None, None]
    middles = (torch.arange(results, device=starts.device) + 0.5).to(kind) * ratio[:, None]
    places = (torch.arange(size, device=starts.device) - starts[:, None]).to(kind)
    weights = (1 - (places[:, None, :] + 0.5 - middles[:, :, None]).abs() / support).clamp_(min=0)
    weights *= ((places >= 0) & (places < lengths[:, None]))[:, None, :]
    fine = (weights * (FINE / weights.sum(2, keepdim=True))).round_()
    # Rounding may leave a row a little off; its largest weight takes the difference, so that a flat part stays flat.
    heaviest = fine.argmax(2, keepdim=True)
    fine.scatter_add_(2, heaviest, FINE - fine.sum(2, keepdim=True))
    return fine.float()


def draw_resized_crop(
    rng: CounterRNG,
    height: int,
    width: int,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> NDArray[np.int64]:
    """Boxes as RandomResizedCrop draws them: int64 [B, 4].

    Ten tries of an area uniform on `scale` (shares of the image) and a width / height log-uniform on `ratio`; the
    first that fits is placed at random. If none fits: the largest central box whose aspect ratio is within `ratio`.
    """
    drawn = rng.uniform("resized crop", 2 * TRIES + 2)
    widths, heights = draw_sides(drawn[:, : 2 * TRIES], height * width, scale, ratio)
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    boxes, found = place_first(fits, heights, widths, drawn[:, 2 * TRIES :], height, width)
    wide = min(width, round(height * ratio[1])) if width / height > ratio[1] else width
    tall = min(height, round(width / ratio[0])) if width / height < ratio[0] else height
    boxes[~found] = ((height - tall) // 2, (width - wide) // 2, tall, wide)
    return boxes
