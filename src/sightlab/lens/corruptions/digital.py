"""Digital: less contrast, elastic deformation, coarse pixels and JPEG compression."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Generator, Tensor
from torch.nn.functional import grid_sample

from sightlab.lens.corruptions.operators import apply, box_matrix, gaussian_matrix, images_of, planes_of
from sightlab.lens.corruptions.severities import constants, to_bytes
from sightlab.machine import cores


def contrast(images: Tensor, severity: int, _generator: Generator) -> Tensor:
    """Moves every value toward the mean of its channel in the image; the constant is the share that is left."""
    (share,) = constants(
        images,
        severity,
        at_32=((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
        at_224=((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    )
    values = images.float()
    means = values.mean((1, 2), keepdim=True)
    return to_bytes(values.mul_(share).add_(means, alpha=1 - share))


def elastic_transform(images: Tensor, severity: int, generator: Generator) -> Tensor:
    """A random affine map of the corners, then a random smooth displacement of every pixel.

    The constants are shares of the side: largest displacement before smoothing, sigma of the smoothing, farthest move
    of a corner. At 224 pixels they are those of the package imagecorruptions, which leaves the affine map out.
    """
    largest, sigma, corner = constants(
        images,
        severity,
        at_32=((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        at_224=((0.0625, 0.01, 0), (0.08125, 0.01, 0), (0.10625, 0.01, 0), (0.125, 0.01, 0), (0.15, 0.01, 0)),
    )
    count, height, width, _ = images.shape
    planes = planes_of(images)
    grid = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), 2).float()
    size = torch.tensor([width, height])
    if corner:
        maps = _affine(count, height, width, corner * min(height, width), generator)
        places = grid @ maps[:, None, :2] + maps[:, None, 2:]  # [N, H, W, 2]
        planes = grid_sample(planes, 2 * places / (size - 1) - 1, padding_mode="reflection", align_corners=True)
    if largest:
        moves = torch.rand(2, count, height, width, generator=generator).mul_(2).sub_(1).mul_(largest * height)
        smooth = (gaussian_matrix(side, sigma * side, "symmetric", 3.0) for side in (height, width))
        places = grid + apply(moves, *smooth).movedim(0, 3)
        planes = grid_sample(planes, (2 * places + 1) / size - 1, padding_mode="reflection", align_corners=False)
    return images_of(to_bytes(planes))


def pixelate(images: Tensor, severity: int, _generator: Generator) -> Tensor:
    """Reduces to a share of the side by Pillow's BOX, in whole grey levels as Pillow, and enlarges by repetition."""
    (share,) = constants(
        images,
        severity,
        at_32=((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
        at_224=((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    )
    height, width = images.shape[1:3]
    down, across = int(height * share), int(width * share)
    narrow = (planes_of(images) @ box_matrix(width, across).T).add_(0.5).floor_()
    small = (box_matrix(height, down) @ narrow).add_(0.5).byte()
    rows, columns = _nearest(height, down), _nearest(width, across)
    return images_of(small[:, :, rows[:, None], columns])


def jpeg_compression(images: Tensor, severity: int, _generator: Generator) -> Tensor:
    """Encoded and decoded by libjpeg; the constant is the quality. One channel, or two or four, each as grey."""
    (quality,) = constants(
        images,
        severity,
        at_32=((80,), (65,), (58,), (50,), (40,)),
        at_224=((25,), (18,), (15,), (10,), (7,)),
    )
    colour = images.shape[3] == 3
    pictures = images.numpy() if colour else images.permute(0, 3, 1, 2).flatten(0, 1).numpy()

    def compressed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=round(quality))
        with Image.open(stream) as decoded:
            return np.asarray(decoded)

    with ThreadPoolExecutor(cores()) as pool:  # libjpeg works without the interpreter's lock
        found = torch.from_numpy(np.stack(list(pool.map(compressed, pictures))))
    return found if colour else images_of(found.view(len(images), -1, *images.shape[1:3]))


def _affine(count: int, height: int, width: int, farthest: float, generator: Generator) -> Tensor:
    """Maps from a pixel of the result, (x, y, 1), to its place in the image: float32 [count, 3, 2].

    Three corners of a square around the middle, two thirds of the side long, move by up to `farthest` pixels each way.
    """
    across, down, reach = width // 2, height // 2, min(height, width) // 3
    corners = torch.tensor(
        [[across + reach, down + reach], [across + reach, down - reach], [across - reach, down - reach]]
    )
    moved = corners + torch.rand(count, 3, 2, generator=generator).mul_(2 * farthest).sub_(farthest)
    ones = torch.ones(count, 3, 1)
    maps: Tensor = torch.linalg.solve(torch.cat([moved, ones], 2), corners.float().expand(count, 3, 2))
    return maps


def _nearest(size: int, small: int) -> Tensor:
    """For each of `size` pixels the one of `small` that it shows."""
    return ((2 * torch.arange(size) + 1) * small).div(2 * size, rounding_mode="floor")
