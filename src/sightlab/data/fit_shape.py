"""Resizing and recolouring images to a given shape, one by one or as a set, with notes on what was changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import ImageSet
from sightlab.data.pictures.decode import fit
from sightlab.errors import DataError
from sightlab.records.phrases import counted

Shape = tuple[int, int, int]
LUMA = (19595, 38470, 7471)  # ITU-R 601 in the fixed-point form of Pillow's "L"


@dataclass
class Fitting:
    """Brings pictures to a model's shape [H, W, C] one by one, and counts what it changed.

    >>> fitting = Fitting((28, 28, 1))
    >>> fitting.fitted("a.png", np.zeros((56, 56, 3), np.uint8)).shape
    (28, 28, 1)
    >>> for note in fitting.notes():
    ...     print(note)
    1 picture resized from 56 x 56 to the model's 28 x 28
    1 colour picture turned to grey, which the model takes
    """

    shape: Shape
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)

    def fitted(self, name: str, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture, uint8 [h, w, c], in the model's shape: shorter side resized, centre cropped, recoloured.

        Raises DataError where its channels, or a model's size that is no square, do not allow it.
        """
        height, width, channels = self.shape
        own = picture.shape[2]
        if own != channels:
            if not {own, channels} <= {1, 3}:
                raise DataError(f"{name}: has {own} channels; the model was trained on {channels}")
            self.channels[own] += 1
            picture = recoloured(picture, channels)
        if picture.shape[:2] == (height, width):
            return picture
        if height != width:
            shown = f"{picture.shape[0]} x {picture.shape[1]}"
            raise DataError(f"{name}: is {shown} pixels (height x width); the model takes {height} x {width} alone")
        self.sizes[picture.shape[:2]] += 1
        return fit(picture, height)

    def notes(self) -> tuple[str, ...]:
        """What was changed, a line each."""
        found = []
        if self.sizes:
            found.append(size_note(self.sizes, self.shape))
        for own, count in self.channels.items():
            found.append(channel_note(count, own))
        return tuple(found)


def size_note(sizes: Counter[tuple[int, int]], shape: Shape, noun: str = "picture") -> str:
    """The line on pictures that were resized. sizes: how many of each (height, width).

    >>> size_note(Counter({(480, 640): 2}), (32, 32, 3))
    "2 pictures resized and cropped from 480 x 640 to the model's 32 x 32"
    """
    count, several = sizes.total(), len(sizes) > 1
    cropped = " and cropped" if any(height != width for height, width in sizes) else ""
    height, width = next(iter(sizes))
    origin = f"of {len(sizes):,} sizes resized{cropped}" if several else f"resized{cropped} from {height} x {width}"
    return f"{counted(count, noun)} {origin} to the model's {shape[0]} x {shape[1]}"


def channel_note(count: int, own: int, noun: str = "picture") -> str:
    """The line on pictures whose channels were changed. own: the channels they have, 1 or 3.

    >>> channel_note(3, 1)
    '3 grey pictures repeated in 3 channels, which the model takes'
    """
    if own == 3:
        return f"{counted(count, f'colour {noun}')} turned to grey, which the model takes"
    return f"{counted(count, f'grey {noun}')} repeated in 3 channels, which the model takes"


def recoloured(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """uint8 [..., 1 or 3] with 1 or 3 channels: grey repeated, colour as its luma (ITU-R 601)."""
    own = pixels.shape[-1]
    if channels == own:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    luma: NDArray[np.int64] = pixels.astype(np.int64) @ np.array(LUMA)
    return ((luma + 0x8000) >> 16).astype(np.uint8)[..., None]


def fit_set(images: ImageSet, size: int | None, channels: int | None) -> ImageSet:
    """A set of size x size pixels (shorter side resized, then centre crop, antialiased) with 1 or 3 channels.

    None keeps the images' own. Raises DataError for channels that these images cannot be had in.
    """
    own = images.shape[2]
    if channels not in (None, own) and not {channels, own} <= {1, 3}:
        raise DataError(f"images have {own} channels; channels={channels} can only be had from 1 or 3 channels")
    if channels in (None, own) and (size is None or images.shape[:2] == (size, size)):
        return images
    pixels = recoloured(images.images, channels or own)
    if size is not None and pixels.shape[1:3] != (size, size):
        pixels = np.stack([fit(picture, size) for picture in pixels])
    return ImageSet(pixels, images.labels, images.classes, images.numbered)
