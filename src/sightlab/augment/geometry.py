"""Moves of whole images: a crop after padding, a mirror image. Bytes in, the same bytes elsewhere out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def crop_and_flip(images: Tensor, padding: int, top: Tensor, left: Tensor, flipped: Tensor) -> Tensor:
    """Pad each image with black, crop its own size out of it, and mirror some left to right; one gather for all.

    images: uint8 [B, H, W, C]. top, left: int64 [B], the crop's corner in [0, 2 * padding]. flipped: bool [B].
    Gives uint8 [B, H, W, C]. The crop equals torchvision's RandomCrop(size, padding) at the same corner, the
    mirror its horizontal_flip, byte for byte.
    """
    count, height, width, channels = images.shape
    padded = pad(images, (0, 0, padding, padding, padding, padding)) if padding else images
    tall, wide = height + 2 * padding, width + 2 * padding
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device).expand(count, width)
    columns = left[:, None] + torch.where(flipped[:, None], width - 1 - columns, columns)
    first = torch.arange(count, device=images.device)[:, None] * tall
    places = ((first + rows) * wide)[:, :, None] + columns[:, None, :]
    pixels = padded.reshape(-1, channels)
    if channels == 1:
        return pixels.view(-1)[places].unsqueeze(3)
    return pixels[places]
