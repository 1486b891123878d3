"""From a recipe's augmentation to one function of (images, draws)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sightlab.augment.draws import Draws
from sightlab.augment.geometry import crop_and_flip

Augmentation = Callable[[Tensor, Draws], Tensor]


def augmentation(crop_padding: int = 0, flip: float = 0.0) -> Augmentation:
    """The training images' random changes: crop after padding, then a mirror image with probability `flip`.

    The function takes uint8 [B, H, W, C] and the batch's draws, and gives the same shape on the same device.
    """
    if not crop_padding and not flip:
        return unchanged

    def apply(images: Tensor, draws: Draws) -> Tensor:
        corners = torch.from_numpy(draws.integers("crop", 2 * crop_padding + 1, 2)).to(images.device)
        flipped = torch.from_numpy(draws.uniform("flip")[:, 0] < flip).to(images.device)
        return crop_and_flip(images, crop_padding, corners[:, 0], corners[:, 1], flipped)

    return apply


def unchanged(images: Tensor, draws: Draws) -> Tensor:  # noqa: ARG001 - the shape of every augmentation
    """No change at all."""
    return images
