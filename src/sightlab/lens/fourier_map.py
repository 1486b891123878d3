"""The Fourier heat map: the error that each Fourier basis vector causes when it is added to images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sightlab.data.imageset import ImageSet
from sightlab.lens.answers import batch_size, batches, right, silent
from sightlab.lens.image_filters import (
    WHITE,
    axis_frequencies,
    canonical,
    clipped,
    fourier_basis,
    frequency_of,
    grid_step,
    half_plane,
)
from sightlab.lens.subject import Tick
from sightlab.models.classifier import Classifier

NORM, NORM_SIDE = 4.0, 32  # Yin et al. 2019: L2 norm 4 on the 32 x 32 pixels of CIFAR-10, white being 1
PER_VECTOR = 150


@dataclass(frozen=True, eq=False)
class FourierMap:
    """What each Fourier basis vector does to answers.

    frequencies: int64 [V, 2], of each vector: whole periods over the height and the width, one of each pair of mirror
    images. wrong: float64 [N, V], 1 where the answer to the image with the vector added is wrong, 0 where it is right,
    NaN where the two did not meet. size: (H, W). clipped: the share of values that left 0..255.
    """

    frequencies: NDArray[np.int64]
    wrong: NDArray[np.float64]
    size: tuple[int, int]
    clipped: float

    @property
    def axes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The frequencies of the plane's rows and columns, in periods over the height and the width, in order."""
        height, width = self.size
        return axis_frequencies(height, grid_step(height)), axis_frequencies(width, grid_step(width))

    @property
    def plane(self) -> NDArray[np.float64]:
        """The share of wrong answers at each frequency, mirror images filled in: float64 [rows, columns]."""
        rows, columns = self.axes
        grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        error = dict(zip(map(tuple, self.frequencies.tolist()), np.nanmean(self.wrong, axis=0), strict=True))
        found = [error[tuple(one)] for one in canonical(grid, *self.size).tolist()]
        return np.array(found).reshape(len(rows), len(columns))

    @property
    def radius(self) -> NDArray[np.float64]:
        """Cycles per image of each vector, float64 [V]."""
        half = np.array(self.size) // 2
        rows, columns = ((self.frequencies + half) % self.size - half).T
        return frequency_of(rows, columns, *self.size)


def fourier_map(
    classifier: Classifier,
    images: ImageSet,
    device: torch.device,
    tick: Tick = silent,
    *,
    norm: float = NORM,
    per_vector: int = PER_VECTOR,
    seed: int = 0,
) -> FourierMap:
    """Whether answers are wrong with r v U added to an image: U a Fourier basis vector of L2 norm 1, r a random sign.

    Yin, Gontijo Lopes, Shlens, Cubuk & Gilmer 2019, "A Fourier perspective on model robustness in computer vision",
    section 2. norm: v for images of 32 x 32 where white is 1; for others it grows with the square root of the number of
    pixels, so that a wave is as strong in every image. Every channel gets the wave, with a sign of its own. Sums are
    clipped to 0..255. Mirror images in the plane of frequencies have the same wave and are computed once; images of
    over 40 pixels a side have a coarser grid, see `grid_step`. per_vector: about so many images meet each vector, and
    each image a random share of the vectors, the same number for all images but for 1; with as many as there are
    images, every vector meets every image. seed: of the signs and of who meets whom.
    """
    height, width, channels = images.shape
    frequencies = frequencies_for(height, width)
    waves = fourier_basis(frequencies, height, width).to(device).mul_(WHITE * strength(norm, height, width))
    generator = np.random.default_rng(seed)
    groups = groups_of(len(images), per_vector)
    of_image = generator.permutation(len(images)) % groups
    of_vector = generator.permutation(len(frequencies)) % groups
    signs = generator.choice(np.array([-1, 1], np.int8), (len(images), len(frequencies), channels))
    wrong = np.full((len(images), len(frequencies)), np.nan)
    total = int((of_image[:, None] == of_vector).sum())
    outside = done = 0
    for rows, block, labels in batches(images, device):
        here, vectors = np.nonzero(of_image[rows][:, None] == of_vector)
        for start in range(0, len(here), batch_size(height, width)):
            pair = slice(start, start + batch_size(height, width))
            places, added = here[pair], vectors[pair]
            chosen = torch.from_numpy(places).to(device)
            sign = torch.from_numpy(signs[rows[places], added]).to(device)
            wave = waves[torch.from_numpy(added).to(device), :, :, None] * sign[:, None, None, :]
            shown, count = clipped(wave.add_(block[chosen]))
            wrong[rows[places], added] = 1 - right(classifier, shown, labels[chosen])
            outside += count
            done += len(places)
            tick(done, total)
    return FourierMap(frequencies, wrong, (height, width), outside / (total * height * width * channels))


def frequencies_for(height: int, width: int) -> NDArray[np.int64]:
    """The frequencies in the map of images of this size, int64 [V, 2]."""
    return half_plane(height, width, (grid_step(height), grid_step(width)))


def groups_of(count: int, per_vector: int) -> int:
    """Into how many groups images and vectors are dealt, so that about `per_vector` images meet each vector."""
    return max(1, round(count / per_vector))


def strength(norm: float, height: int, width: int) -> float:
    """The L2 norm of what is added to a channel of an image of this size, white being 1.

    >>> strength(4.0, 32, 32), strength(4.0, 64, 64)
    (4.0, 8.0)
    """
    return float(norm * (height * width) ** 0.5 / NORM_SIDE)
