"""Images as grids of patches: shuffled, or with patches left out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GRIDS = (2, 4, 7, 8, 14)  # patches along a side, for shuffling
SMALLEST, FINEST = 2, 14  # pixels of a patch's side that is shuffled; patches along a side, some of which are dropped
DROPPED_SIDE = 4  # pixels, of the smallest patch that is dropped


def shuffle_grids(height: int, width: int) -> tuple[int, ...]:
    """The grids that images of this size are shuffled in, patches along a side: those of 2 x 2 pixels and more.

    >>> shuffle_grids(28, 28), shuffle_grids(8, 8)
    ((2, 4, 7, 8, 14), (2, 4))
    """
    return tuple(grid for grid in GRIDS if min(height, width) // grid >= SMALLEST)


def cells_of(side: int, grid: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of `grid` cells along a side begins, int64 [grid], and which cell each pixel is in, int64 [side].

    Where `grid` does not divide the side, cells differ by one pixel.

    >>> cells_of(5, 2)
    (array([0, 3]), array([0, 0, 0, 1, 1]))
    """
    cell = np.arange(side) * grid // side
    return np.searchsorted(cell, np.arange(grid)), cell


def permutations(count: int, patches: int, seed: int) -> NDArray[np.int64]:
    """A random order of so many patches for each of `count` images: int64 [N, P]."""
    return np.random.default_rng([seed, patches]).permuted(np.tile(np.arange(patches), (count, 1)), axis=1)


def shuffles(count: int, height: int, width: int, grid: int, seed: int) -> NDArray[np.int64]:
    """A random order of grid x grid patches for each of `count` images, int64 [N, grid * grid], row by row.

    Patches change places with those of their own size alone: with all where `grid` divides both sides, else with those
    of one of up to four sizes. So every pixel keeps its neighbours in the patch, and none is lost or repeated.
    """
    sizes = [np.bincount(cells_of(side, grid)[1]) for side in (height, width)]
    kinds = (sizes[0][:, None] * (max(height, width) + 1) + sizes[1][None, :]).reshape(-1)
    orders = np.tile(np.arange(grid * grid), (count, 1))
    generator = np.random.default_rng([seed, grid])
    for kind in np.unique(kinds):
        alike = np.flatnonzero(kinds == kind)
        orders[:, alike] = generator.permuted(np.tile(alike, (count, 1)), axis=1)
    return orders


def shuffled(images: Tensor, grid: int, orders: NDArray[np.int64]) -> Tensor:
    """Images with their patches in another order: patch k of the result is patch orders[k] of the image.

    images: [N, H, W, C]. orders: int64 [N, grid * grid], row by row, as `shuffles` gives them. Gives the same shape and
    type.
    """
    count, height, width, channels = images.shape
    (top, row), (left, column) = cells_of(height, grid), cells_of(width, grid)
    source = orders[:, patch_of(height, width, grid)]
    rows = top[source // grid] + (np.arange(height) - top[row])[:, None]
    columns = left[source % grid] + (np.arange(width) - left[column])[None, :]
    index = torch.from_numpy((rows * width + columns).reshape(count, -1)).to(images.device)
    flat = images.reshape(count, height * width, channels)
    return flat.gather(1, index[..., None].expand(-1, -1, channels)).reshape(images.shape)


def drop_grid(height: int, width: int) -> int:
    """Patches along a side of the grid from which patches are dropped: 14, fewer where they had under 4 pixels a side.

    >>> drop_grid(224, 224), drop_grid(28, 28), drop_grid(32, 32)
    (14, 7, 8)
    """
    return max(1, min(FINEST, min(height, width) // DROPPED_SIDE))


def patch_of(height: int, width: int, grid: int) -> NDArray[np.int64]:
    """Which patch each pixel is in, numbered row by row: int64 [H, W].

    Where `grid` does not divide a side, patches differ by one pixel, see `cells_of`.
    """
    rows, columns = cells_of(height, grid)[1], cells_of(width, grid)[1]
    return rows[:, None] * grid + columns[None, :]


def dropped(images: Tensor, patches: Tensor, drop: Tensor, fill: Tensor) -> Tensor:
    """Images with some patches replaced by a colour.

    images: uint8 or float [N, H, W, C]. patches: int64 [H, W], see `patch_of`. drop: bool [N, P], which go. fill:
    float [C], 0 to 255. Gives float32 [N, H, W, C].
    """
    gone = drop[:, patches]
    return torch.where(gone[..., None], fill, images.float())


def patch_sums(maps: Tensor, patches: Tensor) -> Tensor:
    """The sum over each patch. maps: float [N, H, W]. patches: int64 [H, W]. Gives float [N, P]."""
    flat = patches.reshape(-1)
    sums = maps.new_zeros(len(maps), int(patches.max()) + 1)
    return sums.index_add_(1, flat, maps.reshape(len(maps), -1))
