"""Blur: out of focus, through frosted glass, by motion and by zooming."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Generator, Tensor

from sightlab.lens.corruptions.operators import (
    apply,
    correlation,
    gaussian_matrix,
    images_of,
    planes_of,
    zoom_matrices,
)
from sightlab.lens.corruptions.severities import constants, to_bytes

NEGLIGIBLE = 2e-4  # of the weight of a motion's trail: a twentieth of a grey level


def defocus_blur(images: Tensor, severity: int, _generator: Generator) -> Tensor:
    """Correlation with a disc whose edge is smoothed. The constants: its radius and the smoothing's sigma in pixels."""
    radius, smoothing = constants(
        images,
        severity,
        at_32=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        at_224=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    )
    height, width = images.shape[1:3]
    kernel = disc(radius, smoothing)
    rows, columns = correlation(height, width, tuple(map(tuple, kernel.tolist())))
    return images_of(to_bytes(apply(planes_of(images), rows, columns)))


def glass_blur(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """A slight blur, pixels taken from near by, and the blur again. The constants: sigma, farthest, rounds.

    The authors mean to swap pixels, but their line of numpy copies the far one to the near one, from the lower right
    to the upper left; the published images are made so, and so are these.
    """
    sigma, farthest, rounds = constants(
        images,
        severity,
        at_32=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        at_224=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    )
    height, width = images.shape[1:3]
    rows, columns = (gaussian_matrix(side, sigma, "edge", 4.0) for side in (height, width))
    blurred = images_of(to_bytes(apply(planes_of(images), rows, columns))).flatten(1, 2)
    for _ in range(round(rounds)):
        sources = _near_by(len(images), height, width, round(farthest), generator)
        blurred = blurred.gather(1, sources[..., None].expand_as(blurred))
    return images_of(to_bytes(apply(planes_of(blurred.view(images.shape)), rows, columns)))


def motion_blur(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """A trail that fades like half a Gaussian, in a direction within 45 degrees of the rows; its own for each image.

    The constants: radius and sigma of the trail, in pixels.
    """
    radius, sigma = constants(
        images,
        severity,
        at_32=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        at_224=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    )
    degrees = torch.rand(len(images), generator=generator).mul_(90).sub_(45)
    return to_bytes(trail(images, round(radius), sigma, degrees))


def zoom_blur(images: Tensor, severity: int, _generator: Generator) -> Tensor:
    """The mean of the image and its enlargements. The constants: where the factors from 1 on end, and their step."""
    stop, step = constants(
        images,
        severity,
        at_32=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        at_224=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    )
    height, width = images.shape[1:3]
    factors = tuple(np.arange(1, stop, step).tolist())
    planes = planes_of(images)
    zoomed = apply(planes, zoom_matrices(height, factors), zoom_matrices(width, factors))
    return images_of(to_bytes(zoomed.add_(planes).div_(len(factors) + 1)))


def disc(radius: float, smoothing: float) -> NDArray[np.float64]:
    """A disc of weights that add up to 1, blurred by a Gaussian of 3 taps, or of 5 for a radius above 8."""
    reach = 8 if radius <= 8 else math.ceil(radius)
    across = np.arange(-reach, reach + 1)
    inside = (across[:, None] ** 2 + across**2 <= radius**2).astype(np.float64)
    near = 1 if radius <= 8 else 2
    taps = np.exp(-0.5 * (np.arange(-near, near + 1) / smoothing) ** 2)
    padded = np.pad(inside / inside.sum(), near, "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * near + 1, 2 * near + 1))
    smoothed = np.einsum("xyij,i,j->xy", windows, taps, taps) / taps.sum() ** 2
    used = min(reach, math.floor(radius) + near)
    return np.asarray(smoothed[reach - used : reach + used + 1, reach - used : reach + used + 1])


def trail(images: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """A motion blur of each image in its own direction, edges repeated, as the package imagecorruptions has it.

    images: [N, H, W, C] of any dtype. degrees: [N], from the rows. Gives float32 [N, H, W, C].
    """
    count, height, width, channels = images.shape
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights.sum()
    steps = steps[: 1 + np.flatnonzero(weights[::-1].cumsum()[::-1] > NEGLIGIBLE)[-1]]
    angles = np.deg2rad(degrees.numpy().astype(np.float64))[:, None]
    down, across = (-np.ceil(steps * part(angles) - 0.5).astype(np.int64) for part in (np.sin, np.cos))
    inside = np.logical_and.accumulate((np.abs(down) < height) & (np.abs(across) < width), axis=1)
    down, across = down * inside, across * inside
    reach = max(int(np.abs(down).max()), int(np.abs(across).max()))
    padded = np.pad(images.numpy(), ((0, 0), (reach, reach), (reach, reach), (0, 0)), "edge")
    image, row, pixel, value = padded.strides
    # Every shift of every image as a view: taking one copies whole rows.
    shape = (count, 2 * reach + 1, 2 * reach + 1, height, width * channels)
    shifts = as_strided(padded, shape, (image, row, pixel, row, value), writeable=False)
    blurred = np.zeros((count, height, width * channels), np.float32)
    places = np.arange(count)
    for step in steps:
        shifted = shifts[places, reach - down[:, step], reach - across[:, step]]
        blurred += (weights[step] * inside[:, step, None, None]).astype(np.float32) * shifted
    return torch.from_numpy(blurred.reshape(images.shape))


def _near_by(count: int, height: int, width: int, farthest: int, generator: Generator) -> Tensor:
    """Where each pixel of the glass is taken from, as places in the flat image: int64 [count, H * W].

    Pixels change one after the other, from the last to the first, so one that takes from a later pixel gets what that
    one took: the chain is followed to its end, in doubled steps.
    """
    moves = torch.randint(-farthest, farthest, (2, count, height, width), generator=generator)
    moved = torch.zeros(height, width, dtype=torch.bool)
    moved[farthest + 1 : height - farthest + 1, farthest + 1 : width - farthest + 1] = True
    shifts = (moves[0] * width + moves[1]).mul_(moved).flatten(1)
    places = torch.arange(height * width)
    sources = places + shifts
    last = (shifts <= 0) | ~moved.flatten()[sources]  # that take an original pixel
    while not last.all():
        following = torch.where(last, places, sources)
        sources, last = sources.gather(1, following), last.gather(1, following)
    return sources
