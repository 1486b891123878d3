"""What stands in for pixels that are taken out of an image. Each gives float32 [N, H, W, C], values from 0 to 255."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from sightlab.lens.saliency.target import Target

Background = Callable[[Target], Tensor]
BLUR = 0.2  # standard deviation of the blur, as a share of the shorter side


def mean_colour(target: Target) -> Tensor:
    """Each image's own mean colour, everywhere.

    It keeps the brightness and has no edges. Attributions are blind to pixels of the background's own colour
    (Sturmfels, Lundberg & Lee 2020, "Visualizing the impact of feature attribution baselines"): to black ones with
    `black`, half of an image of handwriting, and with this one to few.
    """
    images = target.images.float()
    return images.mean((1, 2), keepdim=True).expand_as(images)


def black(target: Target) -> Tensor:
    """Black everywhere."""
    return torch.zeros_like(target.images, dtype=torch.float32)


def training_mean(target: Target) -> Tensor:
    """The mean colour of the images that the network was trained on: zeros, once normalised."""
    images = target.images
    return target.classifier.mean.view(1, 1, 1, -1).expand(images.shape).to(images.device)


def blurred(target: Target) -> Tensor:
    """Each image through a Gaussian blur so wide that no shape is left: deviation a fifth of its shorter side."""
    images = target.images.float().permute(0, 3, 1, 2)
    shorter = min(images.shape[2:])
    sigma = BLUR * shorter
    radius = min(math.ceil(2 * sigma), shorter - 1)
    smooth: Tensor = gaussian_blur(images, [2 * radius + 1] * 2, [sigma] * 2)
    return smooth.permute(0, 2, 3, 1).contiguous()
