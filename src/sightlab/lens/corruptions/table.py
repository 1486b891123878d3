"""The 15 corruptions by name, and images through them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from sightlab.augment.chunks import one_thread
from sightlab.errors import DataError, suggestion
from sightlab.lens.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from sightlab.lens.corruptions.digital import contrast, elastic_transform, jpeg_compression, pixelate
from sightlab.lens.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from sightlab.lens.corruptions.weather import brightness, fog, frost, snow

Corruption = Callable[[Tensor, int, Generator], Tensor]
"""(images uint8 [N, H, W, C] on the CPU, severity 1 to 5, generator) -> the same shape; the input is unchanged."""

CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}
"""In the order of the paper: noise, blur, weather, digital."""

SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST = 28  # pixels of a side
AT_ONCE = 2**18  # values: what is in work then stays in the cache


def corrupt(images: Tensor, name: str, severity: int, generator: Generator) -> Tensor:
    """The images corrupted, each with random numbers of its own. uint8 [N, H, W, C].

    images: uint8 [N, H, W, C] on the CPU, from 28 x 28 pixels on; the published corruptions are for C = 3, and for one
    channel they are those of a grey picture. generator: of the CPU. The same generator and images give the same
    result. Raises DataError for a name, a severity or a size that there is not.

    >>> images = torch.full((2, 32, 32, 3), 100, dtype=torch.uint8)
    >>> corrupt(images, "brightness", 1, torch.Generator())[0, 0, 0].tolist()
    [112, 112, 112]
    """
    known(name, severity)
    height, width = images.shape[1:3]
    if min(height, width) < SMALLEST:
        raise DataError(too_small(height, width))
    some = max(1, AT_ONCE // images.shape[1:].numel())
    with one_thread(images[:some]):  # threads that wait for each other cost more than such parts
        parts = [images[start : start + some] for start in range(0, len(images), some)]
        return torch.cat([CORRUPTIONS[name](part, severity, generator) for part in parts])


def known(name: str, severity: int) -> None:
    """Raises DataError for a corruption or a severity that there is not."""
    if name not in CORRUPTIONS:
        raise DataError(f"unknown corruption '{name}'; {suggestion(name, CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise DataError(f"severity {severity} of {name}; severities are 1 to 5")


def too_small(height: int, width: int) -> str:
    """What to say of images that the corruptions are not defined for."""
    return f"images of {height} x {width} pixels; the corruptions are for images from {SMALLEST} x {SMALLEST} on"
