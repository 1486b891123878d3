"""Linear maps of images as pairs of matrices, one for the rows and one for the columns, so that a batch takes one."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Matrix = NDArray[np.float64]

NEGLIGIBLE = 1e-7  # of the largest singular value


def planes_of(images: Tensor) -> Tensor:
    """uint8 [N, H, W, C] as float32 [N, C, H, W], contiguous."""
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def images_of(planes: Tensor) -> Tensor:
    """[N, C, H, W] as [N, H, W, C], contiguous."""
    return planes.permute(0, 2, 3, 1).contiguous()


def apply(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The sum over k of rows[k] X columns[k]^T for every plane X.

    planes: float32 [..., H, W]. rows: float32 [K, H', H]. columns: float32 [K, W', W]. Gives float32 [..., H', W'].
    """
    terms, across, width = columns.shape
    down, height = rows.shape[1:]
    first = planes.reshape(-1, width) @ columns.reshape(terms * across, width).T  # [... H, K W']
    left = rows.permute(1, 2, 0).reshape(down, height * terms)
    mapped = torch.matmul(left, first.view(-1, height * terms, across))
    return mapped.view(*planes.shape[:-2], down, across)


def filter_matrix(size: int, taps: Matrix, edge: str) -> Matrix:
    """Correlation along a line of `size` pixels as a matrix [size, size]. taps: of odd length. edge: as np.pad's."""
    reach = len(taps) // 2
    padded = np.pad(np.eye(size), ((reach, reach), (0, 0)), edge)  # type: ignore[call-overload]
    return np.asarray(sum(tap * padded[start : start + size] for start, tap in enumerate(taps)))


@lru_cache(maxsize=32)
def gaussian_matrix(size: int, sigma: float, edge: str, truncate: float) -> Tensor:
    """A Gaussian blur along a line as scipy's gaussian_filter1d, float32 [1, size, size].

    sigma: pixels; 0 changes nothing. edge: as np.pad's. truncate: where the Gaussian is cut, in sigmas.
    """
    reach = int(truncate * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2) if reach else np.ones(1)
    return _tensor([filter_matrix(size, taps / taps.sum(), edge)])


@lru_cache(maxsize=8)
def zoom_matrices(size: int, factors: tuple[float, ...]) -> Tensor:
    """The middle of a line, enlarged linearly to its whole length by each factor: float32 [factors, size, size].

    As the authors' clipped zoom: a crop of ceil(size / factor), the enlargement of scipy.ndimage.zoom (order 1), and
    the pixels that are too many cut off.
    """
    return _tensor([_zoom(size, factor) for factor in factors])


@lru_cache(maxsize=8)
def correlation(height: int, width: int, kernel: tuple[tuple[float, ...], ...]) -> tuple[Tensor, Tensor]:
    """A correlation in the plane with reflected edges (OpenCV's default) as (rows, columns) for `apply`.

    kernel: square, of odd side. Its singular value decomposition gives the terms: a disc has few.
    """
    left, values, right = np.linalg.svd(np.array(kernel))
    terms = [k for k, value in enumerate(values) if value > NEGLIGIBLE * values[0]]
    rows = [filter_matrix(height, left[:, k] * values[k], "reflect") for k in terms]
    columns = [filter_matrix(width, right[k], "reflect") for k in terms]
    return _tensor(rows), _tensor(columns)


@lru_cache(maxsize=32)
def box_matrix(size: int, small: int) -> Tensor:
    """Pillow's BOX reduction of a line from `size` to `small` pixels, float32 [small, size]."""
    reduced = Image.fromarray(np.eye(size, dtype=np.float32)).resize((size, small), Image.Resampling.BOX)
    return torch.from_numpy(np.array(reduced))


def _zoom(size: int, factor: float) -> Matrix:
    kept = math.ceil(size / factor)
    long = round(kept * factor)
    places = np.arange(long) * ((kept - 1) / (long - 1)) + (size - kept) // 2
    first = (long - size) // 2
    distances = np.abs(places[first : first + size, None] - np.arange(size))
    weights: Matrix = np.maximum(0.0, 1.0 - distances)
    return weights


def _tensor(matrices: list[Matrix]) -> Tensor:
    return torch.from_numpy(np.stack(matrices).astype(np.float32))
