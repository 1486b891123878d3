"""Textures of ice on a window, computed: blades of crystals, each patch with its own direction.

They stand for the photographs of Hendrycks & Dietterich 2019: as many (they draw from five), each with the mean colour
and about the contrast of one of theirs. Blades and veins are of another shape than real ones.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree
from torch import Generator, Tensor

from sightlab.lens.corruptions.severities import position

Floats = NDArray[np.float32]

SIDE = 480  # pixels of a texture before it is scaled
DIRECTIONS = 10
# Mean red, green and blue, and standard deviation, of each of the published textures, measured; two are the same file.
TONES = (
    ((78, 149, 166), 18),
    ((201, 205, 214), 22),
    ((201, 205, 214), 22),
    ((138, 153, 165), 29),
    ((112, 123, 135), 43),
)


def crops(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """A random place of a random texture for each image, float32 [count, H, W, 3] with values from 0 to 255.

    A texture is seen at 0.2 of its size for images of 32 pixels and at 1.1 for images of 224, as the authors have it,
    and larger where an image is larger than that.
    """
    large = position(min(height, width))
    shown = textures(max(round(SIDE * 0.2 ** (1 - large) * 1.1**large), height + 1, width + 1))
    which = torch.randint(0, len(shown), (count,), generator=generator).numpy()
    down = torch.randint(0, shown.shape[1] - height, (count,), generator=generator).numpy()
    across = torch.randint(0, shown.shape[2] - width, (count,), generator=generator).numpy()
    texture, row, pixel, value = shown.strides
    shape = (len(shown), shown.shape[1] - height, shown.shape[2] - width, height, 3 * width)
    places = as_strided(shown, shape, (texture, row, pixel, row, value), writeable=False)
    return torch.from_numpy(places[which, down, across].reshape(count, height, width, 3)).float()


@lru_cache(maxsize=2)
def textures(side: int) -> NDArray[np.uint8]:
    """The five textures, uint8 [5, side, side, 3]; always the same."""
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in _whole()]
    )


@lru_cache(maxsize=1)
def _whole() -> tuple[NDArray[np.uint8], ...]:
    rng = np.random.default_rng(1982)
    needles = [_needles(rng, np.pi * direction / DIRECTIONS) for direction in range(DIRECTIONS)]
    return tuple(_tinted(_ice(rng, needles), colour, contrast) for colour, contrast in TONES)


def _tinted(ice: Floats, colour: tuple[int, int, int], contrast: float) -> NDArray[np.uint8]:
    """Grey levels with mean 0 and deviation 1 as a picture of that colour; what is bright is whiter."""
    values = np.asarray(colour, np.float32) + contrast * ice[..., None]
    return np.clip(values, 0, 255).round().astype(np.uint8)


def _ice(rng: np.random.Generator, needles: list[Floats]) -> Floats:
    """Patches of needles, a direction each: float32 [SIDE, SIDE], mean 0, standard deviation 1."""
    spots = rng.uniform(0, SIDE, (rng.integers(100, 250), 2))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    warp = [9 * _cloud(rng, 2.5) for _ in range(2)]  # so that the patches have no straight borders
    near, patch = cKDTree(spots).query(np.stack([rows + warp[0], columns + warp[1]], 2), k=2)
    directions = rng.integers(0, DIRECTIONS, len(spots))[patch[..., 0]]
    moved = [np.roll(field, rng.integers(0, SIDE, 2), (0, 1)) for field in needles]  # another part in each texture
    blades = np.choose(directions, moved)
    edges = np.exp(-(near[..., 1] - near[..., 0]) / 2.0)  # bright veins between patches
    shade = rng.normal(0, 0.5, len(spots))[patch[..., 0]]
    return _standard(blades + 0.9 * edges + shade + 0.8 * _cloud(rng, 2.5))


def _needles(rng: np.random.Generator, angle: float) -> Floats:
    """Noise drawn out along one direction and sharp across it, ridges bright."""
    down, across = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    along = np.cos(angle) * across + np.sin(angle) * down
    beyond = np.cos(angle) * down - np.sin(angle) * across
    weight = np.exp(-((along / 0.02) ** 2)) / (0.02 + np.abs(beyond))
    field = _standard(np.fft.irfft2(weight * np.fft.rfft2(rng.standard_normal((SIDE, SIDE))), (SIDE, SIDE)))
    return _standard(-(np.abs(field) ** 0.7))


def _cloud(rng: np.random.Generator, slope: float) -> Floats:
    """Noise whose power falls with the frequency to the `slope`; mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
    return _standard(np.fft.irfft2(noise * frequency ** (-slope / 2), (SIDE, SIDE)))


def _standard(values: NDArray[np.floating]) -> Floats:
    standard: Floats = ((values - values.mean()) / values.std()).astype(np.float32)
    return standard
