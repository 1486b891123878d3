"""Explanations as pictures: a map drawn over its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab.charts.colormap import interpolate
from sightlab.pictures import rgb, shown_size

# What speaks for the class, and what against it: weak to strong, bright on any image, apart for any colour vision.
FOR, AGAINST = ("#f7b267", "#f4652f", "#d7142a"), ("#8fc7f0", "#3f8fe0", "#1f4fd0")
STRONGEST = 0.995  # quantile of a map's absolute values that is drawn at full strength: one pixel does not dim the rest
OPACITY = 0.8
GAP = 4  # pixels between an image and its map


def scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map with its strongest values at 1 or -1, and 0 where it is. float32 [H, W]; a map of zeros stays.

    >>> scaled(np.array([[0.0, 2.0], [-1.0, 2.0]], np.float32)).tolist()
    [[0.0, 1.0], [-0.5, 1.0]]
    """
    strongest = float(np.quantile(np.abs(values), STRONGEST)) or float(np.abs(values).max())
    return np.clip(values / strongest, -1, 1) if strongest > 0 else values


def overlay(image: NDArray[np.uint8], values: NDArray[np.float32], longest: int) -> NDArray[np.uint8]:
    """An image in grey with its map over it: orange to red speaks for the class, blue against it.

    image: uint8 [H, W, C]. values: float32 [H, W]. longest: of the drawn sides, at most, pixels. Gives uint8 [h, w, 3].
    """
    width, height = shown_size(image.shape[1], image.shape[0], longest)
    grey = np.asarray(enlarged(rgb(image), (width, height)).convert("L"), np.float32)[:, :, None]
    weights = np.asarray(
        Image.fromarray(scaled(values)).resize((width, height), Image.Resampling.BILINEAR), np.float32
    )[:, :, None]
    colour = np.where(weights >= 0, colours(FOR)[shades(weights)], colours(AGAINST)[shades(weights)])
    opacity = OPACITY * np.sqrt(np.abs(weights))
    blended: NDArray[np.uint8] = np.rint(grey * (1 - opacity) + colour * opacity).clip(0, 255).astype(np.uint8)
    return blended


def side_by_side(image: NDArray[np.uint8], values: NDArray[np.float32], longest: int) -> NDArray[np.uint8]:
    """An image, and beside it the same with its map. longest: of each one's sides, at most. Gives uint8 [h, w, 3]."""
    width, height = shown_size(image.shape[1], image.shape[0], longest)
    plain = np.asarray(enlarged(rgb(image), (width, height)))
    return np.concatenate([plain, np.full((height, GAP, 3), 255, np.uint8), overlay(image, values, longest)], axis=1)


def enlarged(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture at its drawn size: pixels stay squares when it grows."""
    grows = size[0] >= picture.width and size[1] >= picture.height
    return picture.resize(size, Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS)


def shades(weights: NDArray[np.float32]) -> NDArray[np.int64]:
    """The place of each weight's strength in a table of colours. float32 [h, w, 1] in [-1, 1]. Gives int64 [h, w]."""
    places: NDArray[np.int64] = np.rint(255 * np.abs(weights[:, :, 0])).astype(np.int64)
    return places


def colours(colormap: tuple[str, str, str]) -> NDArray[np.float32]:
    """A colormap as a table, float32 [256, 3], values from 0 to 255."""
    return np.array([interpolate(colormap, place / 255) for place in range(256)], np.float32) * 255
