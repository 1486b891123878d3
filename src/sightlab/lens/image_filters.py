"""Images as sums of waves: ideal low-pass and high-pass filters, and the Fourier basis.

A frequency is in cycles per image, counted along the shorter side: f = hypot(fy / H, fx / W) * min(H, W), with fy and
fx whole periods over the height H and the width W. The Nyquist frequency, along an axis, is min(H, W) / 2; the corners
of the plane reach sqrt(2) times that.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WHITE = 255.0
FINE_SIDE, COARSE_HALF = 40, 8


def nyquist(height: int, width: int) -> float:
    """The highest frequency along an axis, in cycles per image."""
    return min(height, width) / 2


def frequency_of(rows: NDArray[np.int64], columns: NDArray[np.int64], height: int, width: int) -> NDArray[np.float64]:
    """Cycles per image of waves with these whole periods over the height and the width."""
    cycles: NDArray[np.float64] = np.hypot(rows / height, columns / width) * min(height, width)
    return cycles


def spectrum_of(images: Tensor) -> Tensor:
    """The half of the discrete Fourier transform that determines the rest. images: float or uint8 [N, H, W, C].

    Gives complex64 [N, H, W // 2 + 1, C].
    """
    spectrum: Tensor = torch.fft.rfft2(images.float(), dim=(1, 2))
    return spectrum


def low_passed(spectrum: Tensor, radius: float, size: tuple[int, int]) -> Tensor:
    """The images of a spectrum without the frequencies above `radius` cycles per image, float32 [N, H, W, C].

    An ideal filter: a disc in the plane of frequencies, the mean at its centre. size: (H, W). Values may leave 0..255.
    """
    height, width = size
    rows = np.rint(np.fft.fftfreq(height) * height).astype(np.int64)[:, None]
    columns = np.arange(width // 2 + 1)[None, :]
    disc = torch.from_numpy(frequency_of(rows, columns, height, width) <= radius + 1e-9).to(spectrum.device)
    images: Tensor = torch.fft.irfft2(spectrum * disc[None, :, :, None], s=size, dim=(1, 2))
    return images


def low_pass(images: Tensor, radius: float) -> Tensor:
    """Images without the frequencies above `radius` cycles per image. images: float or uint8 [N, H, W, C].

    Gives float32 [N, H, W, C]; nothing is clipped.
    """
    return low_passed(spectrum_of(images), radius, (images.shape[1], images.shape[2]))


def high_pass(images: Tensor, radius: float) -> Tensor:
    """Images without the frequencies from above 0 up to `radius` cycles per image: each channel keeps its mean.

    images: float or uint8 [N, H, W, C]. Gives float32 [N, H, W, C]; nothing is clipped.
    """
    images = images.float()
    return images - low_pass(images, radius) + images.mean((1, 2), keepdim=True)


def hybrid(low: Tensor, high: Tensor, radius: float) -> Tensor:
    """The frequencies up to `radius` of one batch of images, with those above it of another.

    low, high: float or uint8 [N, H, W, C]. Gives float32 [N, H, W, C]; nothing is clipped. Oliva, Torralba & Schyns
    2006, "Hybrid images", with ideal filters.
    """
    return low_pass(low, radius) + high.float() - low_pass(high, radius)


def clipped(images: Tensor) -> tuple[Tensor, int]:
    """The images with values limited to 0..255, and how many values that changed by half a grey level or more."""
    inside = images.clamp(0, WHITE)
    return inside, int(((inside - images).abs() >= 0.5).sum())


def radii(height: int, width: int, most: int = 12) -> tuple[float, ...]:
    """Whole radii for a sweep, about evenly spaced on a log scale from 1 cycle per image to the Nyquist frequency.

    A quarter of the Nyquist frequency, see `headline_radius`, is always among them.

    >>> radii(28, 28)
    (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0, 11.0, 14.0)
    """
    top = max(1.0, nyquist(height, width))
    spaced = {float(max(1, round(radius))) for radius in np.geomspace(1, top, most) if round(radius) <= top}
    return tuple(sorted(spaced | {headline_radius(height, width)}))


def headline_radius(height: int, width: int) -> float:
    """A quarter of the Nyquist frequency in whole cycles per image, halves rounded up, at least 1.

    >>> headline_radius(28, 28), headline_radius(224, 224)
    (4.0, 28.0)
    """
    return float(max(1, math.floor(nyquist(height, width) / 4 + 0.5)))


def grid_step(side: int) -> int:
    """Along an axis of so many pixels, every how manieth frequency the Fourier map takes.

    Every one up to 40 pixels; for larger images as many as leave about 8 on either side of 0.

    >>> grid_step(28), grid_step(64), grid_step(224)
    (1, 4, 14)
    """
    return 1 if side <= FINE_SIDE else max(1, round(side / (2 * COARSE_HALF)))


def axis_frequencies(side: int, step: int) -> NDArray[np.int64]:
    """The multiples of `step` that an axis of so many pixels tells apart, in order: from -side/2 to below side/2.

    >>> axis_frequencies(6, 1), axis_frequencies(5, 1)
    (array([-3, -2, -1,  0,  1,  2]), array([-2, -1,  0,  1,  2]))
    """
    return np.arange(-(side // 2 // step), (side - 1) // 2 // step + 1, dtype=np.int64) * step


def half_plane(height: int, width: int, steps: tuple[int, int] = (1, 1)) -> NDArray[np.int64]:
    """One of each pair of frequencies (i, j) and (-i, -j), whose waves are the same. int64 [V, 2], in [0, H) x [0, W).

    steps: every how manieth frequency is taken along the height and the width.

    >>> len(half_plane(28, 28)) == (28 * 28 + 4) // 2  # four are their own mirror image
    True
    """
    rows, columns = axis_frequencies(height, steps[0]) % height, axis_frequencies(width, steps[1]) % width
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.unique(canonical(grid, height, width), axis=0)


def canonical(frequencies: NDArray[np.int64], height: int, width: int) -> NDArray[np.int64]:
    """Of each frequency and its mirror image the one with the smaller place in the plane. int64 [V, 2] each."""
    size = np.array([height, width])
    here, mirrored = frequencies % size, -frequencies % size
    first = here @ [width, 1] <= mirrored @ [width, 1]
    chosen: NDArray[np.int64] = np.where(first[:, None], here, mirrored)
    return chosen


def fourier_basis(frequencies: NDArray[np.int64], height: int, width: int) -> Tensor:
    """The real Fourier basis vector of each frequency, of L2 norm 1: a cosine with its crest at the first pixel.

    Its transform is 0 but at the frequency and at its mirror image (Yin et al. 2019, section 2). frequencies: int64
    [V, 2], whole periods over the height and the width. Gives float32 [V, H, W].
    """
    rows, columns = np.arange(height) / height, np.arange(width) / width
    phase = frequencies[:, :1, None] * rows[None, :, None] + frequencies[:, 1:, None] * columns[None, None, :]
    waves = np.cos(2 * np.pi * phase)
    return torch.from_numpy((waves / np.sqrt((waves**2).sum((1, 2), keepdims=True))).astype(np.float32))
