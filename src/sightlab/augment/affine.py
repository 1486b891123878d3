"""Affine transforms: rotation, scale, shear and translation as one matrix and one resampling for each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from sightlab.augment.counter_rng import CounterRNG

Numbers = NDArray[np.float64] | float


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine transform of each image, in the terms of torchvision's affine. Numbers, or float64 [B] each.

    angle: degrees, clockwise. across, down: shift in pixels. scale: factor, above 0. shear_x, shear_y: degrees.
    centre_x, centre_y: the fixed point of rotation, scale and shear, in pixels from the image's centre.
    torchvision's rotate(degrees) is angle=-degrees.
    """

    angle: Numbers = 0.0
    across: Numbers = 0.0
    down: Numbers = 0.0
    scale: Numbers = 1.0
    shear_x: Numbers = 0.0
    shear_y: Numbers = 0.0
    centre_x: Numbers = 0.0
    centre_y: Numbers = 0.0

    def sources(self, count: int) -> NDArray[np.float64]:
        """The map from a pixel of the result to its position in the source, float64 [count, 2, 3], around the centre.

        The forward map rotates, scales and shears around the centre, then translates:
        R(angle) scale Y(shear_y) X(shear_x) with X = [[1, -tan], [0, 1]] and Y = [[1, 0], [-tan, 1]]. This is its
        inverse.
        """
        turn, x, y = (np.deg2rad(np.asarray(degrees)) for degrees in (self.angle, self.shear_x, self.shear_y))
        a = np.cos(turn - y) / np.cos(y)
        c = np.sin(turn - y) / np.cos(y)
        b = -(a * np.tan(x) + np.sin(turn))
        d = np.cos(turn) - c * np.tan(x)
        # R, X and Y keep areas, so the determinant of the four is 1 and the inverse needs no division but by scale.
        entries = [[d / self.scale, -b / self.scale], [-c / self.scale, a / self.scale]]
        from_x = np.asarray(self.centre_x) + self.across
        from_y = np.asarray(self.centre_y) + self.down
        matrices = np.empty((count, 2, 3))
        for row, centre in enumerate((self.centre_x, self.centre_y)):
            first, second = entries[row]
            matrices[:, row, 0], matrices[:, row, 1] = first, second
            matrices[:, row, 2] = centre - first * from_x - second * from_y
        return matrices


def resample(images: Tensor, sources: Tensor, interpolation: str = "nearest") -> Tensor:
    """Resample each image: every pixel of the result from its position in the source; black from outside.

    images: uint8 [B, H, W, C]. sources: float32 [B, 2, 3], see `Affine.sources`. interpolation: nearest or
    bilinear. Gives uint8 [B, H, W, C].
    Equals torchvision's affine and rotate without a fill (fill=0 darkens their edges twice): with nearest, wherever
    the position is not within 0.001 pixel of the line between two pixels (there either may be taken); with bilinear to
    1 grey level.
    """
    height, width = images.shape[1:3]
    xs = torch.arange(width, device=images.device, dtype=torch.float32) - (width - 1) / 2
    ys = torch.arange(height, device=images.device, dtype=torch.float32) - (height - 1) / 2
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=images.device)
    # A sum of a part that depends on the column and one that depends on the row: one addition a pixel.
    along = sources[:, :, 0, None] * xs
    beyond = sources[:, :, 1, None] * ys + (sources[:, :, 2] + middle)[:, :, None]
    columns = along[:, 0, None, :] + beyond[:, 0, :, None]
    rows = along[:, 1, None, :] + beyond[:, 1, :, None]
    return nearest(images, columns, rows) if interpolation == "nearest" else bilinear(images, columns, rows)


def nearest(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """The pixel nearest to each position. columns, rows: float32 [B, H, W], in pixels; overwritten."""
    count, height, width, channels = images.shape
    framed = pad(images, (0, 0, 1, 1, 1, 1))
    # Positions outside are moved into a black frame of one pixel, which saves four comparisons and a mask.
    area = (height + 2) * (width + 2)
    kind = torch.int32 if count * area < 2**31 else torch.int64
    right = columns.round_().clamp_(-1, width).to(kind)
    first = torch.arange(count, device=images.device, dtype=kind) * area + width + 3
    places = rows.round_().clamp_(-1, height).to(kind).mul_(width + 2).add_(right).add_(first[:, None, None])
    return framed.view(-1, channels).index_select(0, places.view(-1)).view(images.shape)


def bilinear(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Bilinear interpolation of the four pixels around each position. columns, rows: float32 [B, H, W], in pixels."""
    height, width = images.shape[1:3]
    grid = torch.stack(((2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1), dim=3)
    mixed = grid_sample(images.permute(0, 3, 1, 2).float(), grid, mode="bilinear", align_corners=False)
    return mixed.round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def draw_affine(rng: CounterRNG, degrees: float = 0.0, scale: float = 0.0, shear: float = 0.0) -> Affine:
    """RandomAffine's draws: angle uniform on +-degrees, scale on 1 +- scale, shear_x on +-shear (degrees)."""
    angle, size, slant = (2 * rng.uniform("affine", 3) - 1).T
    return Affine(angle=angle * degrees, scale=1 + size * scale, shear_x=slant * shear)
