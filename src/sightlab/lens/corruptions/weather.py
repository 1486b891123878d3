"""Weather: snow, frost, fog, and a brighter day."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from sightlab.lens.corruptions.blur import trail
from sightlab.lens.corruptions.frost_textures import crops
from sightlab.lens.corruptions.operators import apply, zoom_matrices
from sightlab.lens.corruptions.severities import constants, to_bytes

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def snow(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """Flakes that fall along a slanted line, twice, and a whitened image.

    The constants: mean and sigma of a normal noise, its enlargement, from where on it is a flake; radius and sigma of
    the flakes' trail in pixels; the weight of the image against its whitened self.
    """
    mean, sigma, factor, least, radius, trail_sigma, weight = constants(
        images,
        severity,
        at_32=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        at_224=(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    )
    count, height, width, _ = images.shape
    noise = torch.randn(count, height, width, generator=generator).mul_(sigma).add_(mean)
    flakes = apply(noise, zoom_matrices(height, (factor,)), zoom_matrices(width, (factor,)))
    flakes = flakes.where(flakes >= least, 0.0).clamp_(0, 1)[..., None]
    degrees = torch.rand(count, generator=generator).mul_(90).sub_(135)
    fallen = trail(flakes, round(radius), trail_sigma, degrees).mul_(255).round_()
    values = images.float()
    grey = luma(values)
    whitened = torch.maximum(values, 1.5 * grey + 127.5)
    return to_bytes(values.mul_(weight) + whitened.mul_(1 - weight) + fallen + fallen.flip(1, 2))


def frost(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """A window with frost in front: the image and a crop of a texture of ice, weighted and added.

    The textures are sightlab's own, see `frost_textures`: photographs of frost as the authors took are none of ours.
    """
    weight, ice = constants(
        images,
        severity,
        at_32=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        at_224=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    )
    height, width = images.shape[1:3]
    texture = crops(len(images), height, width, generator)
    if images.shape[3] != 3:
        texture = luma(texture)
    return to_bytes(texture.mul_(ice).add(images, alpha=weight))


def fog(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """A fractal haze is added, and the whole darkened to the brightest value of the image.

    The constants: the strength of the haze, and how much smoother it gets from step to step.
    """
    strength, decay = constants(
        images,
        severity,
        at_32=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        at_224=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    )
    height, width = images.shape[1:3]
    haze = plasma(len(images), 1 << (max(height, width) - 1).bit_length(), decay, generator)
    values = images.float().add_(haze[:, :height, :width, None], alpha=255 * strength)
    brightest = images.amax((1, 2, 3), keepdim=True).float()
    return to_bytes(values.mul_(brightest / (brightest + 255 * strength)))


def brightness(images: Tensor, severity: int, _generator: Generator) -> Tensor:
    """Raises the value of HSV, the largest of the channels, by a share of the range; hue and saturation stay."""
    (more,) = constants(
        images,
        severity,
        at_32=((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        at_224=((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    )
    largest = images.amax(3, keepdim=True).float()
    raised = (largest + 255 * more).clamp_(max=255)
    # The channels keep their proportions; black has none and becomes grey.
    return to_bytes(torch.where(largest > 0, images * (raised / largest.clamp(min=1)), raised))


def plasma(count: int, side: int, decay: float, generator: Generator) -> Tensor:
    """Height maps of the diamond-square algorithm on a torus, each from 0 to 1: float32 [count, side, side].

    side: a power of two. decay: by how much the random part shrinks with each halving, before it is squared.
    Fournier, Fussell & Carpenter 1982, "Computer rendering of stochastic models".
    """
    heights = torch.zeros(count, side, side)
    step, swing = side, 100.0

    def middle(four: Tensor) -> Tensor:
        return torch.rand(four.shape, generator=generator).sub_(0.5).mul_(2 * swing * swing).add_(four, alpha=0.25)

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        centres = middle(pairs + pairs.roll(-1, 2))
        heights[:, half::step, half::step] = centres
        heights[:, ::step, half::step] = middle(centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        heights[:, half::step, ::step] = middle(centres + centres.roll(1, 2) + corners + corners.roll(-1, 1))
        step, swing = half, swing / decay
    heights -= heights.amin((1, 2), keepdim=True)
    return heights.div_(heights.amax((1, 2), keepdim=True))


def luma(values: Tensor) -> Tensor:
    """The grey level of each pixel: BT.601's of three channels, the mean of any other number. float [N, H, W, 1]."""
    if values.shape[3] == 3:
        return (values @ torch.tensor(LUMA))[..., None]
    return values.mean(3, keepdim=True)
