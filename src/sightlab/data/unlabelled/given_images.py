"""Images given from Python: byte arrays and PIL images, alone or in lists, and paths."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sightlab.data.formats.array_values import on_white
from sightlab.data.imageset import ImageSet
from sightlab.data.unlabelled.file_input import read_unlabelled
from sightlab.data.unlabelled.picture_input import Picture, Wanted, decoded
from sightlab.errors import DataError

Given: TypeAlias = "str | Path | NDArray[np.uint8] | Image.Image"
TAKEN = "paths, uint8 arrays [N, H, W, C] or [H, W, C], and PIL images"
WITH_ALPHA = (2, 4)
ALL_CHANNELS = (1, 3, *WITH_ALPHA)
# The modes that a PNG keeps as they are.
PNG_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")


def given_pictures(given: Given | Sequence[Given], wanted: Wanted) -> Iterator[Picture]:
    """Every picture of what is given, in order. Arrays and images are called `array:1`, `image:1`, counted from 1.

    Raises DataError for other types, and as `read_unlabelled`.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str | bytes) else [given]
    first_array = first_image = 1
    for kind, group in groupby(several, kind_of):
        values: list[Any] = list(group)
        if kind == "path":
            for source in values:
                yield from read_unlabelled(source, wanted)
        elif kind == "array":
            for array in values:
                pictures = as_pictures(array, wanted.shape)
                for number, pixels in enumerate(pictures, first_array):
                    yield Picture(f"array:{number}", pixels, str(number))
                first_array += len(pictures)
        else:
            yield from image_pictures(values, first_image, wanted)
            first_image += len(values)


def kind_of(value: object) -> str:
    """What one given thing is. Raises DataError for what no picture can be had from."""
    for kind, types in (("path", (str, Path)), ("array", np.ndarray), ("image", Image.Image)):
        if isinstance(value, types):
            return kind
    hint = "; its pictures are `.images`" if isinstance(value, ImageSet) else ""
    raise DataError(f"predict cannot take a {type(value).__name__}; it takes {TAKEN}, or a list of these{hint}")


def as_pictures(array: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """An array as uint8 [N, H, W, C], alpha laid on white. shape: of the model's pictures.

    [H, W], [H, W, C] and [N, H, W] are taken too, where they can mean nothing else. Raises DataError.
    """
    form = f"{array.dtype} {list(array.shape)}"
    if array.dtype != np.uint8 or not 2 <= array.ndim <= 4 or not array.size:
        raise DataError(f"an array of {form} is no picture; predict takes uint8 [N, H, W, C] or [H, W, C]")
    channels = {*ALL_CHANNELS, shape[2]}
    if array.ndim == 2:
        array = array[None, :, :, None]
    elif array.ndim == 3 and array.shape[2] in channels:
        array = array[None]
    elif array.ndim == 3 and array.shape[0] not in channels - {1}:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in channels:
        raise DataError(f"an array of {form} does not end in channels; predict takes uint8 [N, H, W, C] or [H, W, C]")
    return on_white(array) if array.shape[3] in WITH_ALPHA and array.shape[3] != shape[2] else array


def image_pictures(images: Sequence[Image.Image], first: int, wanted: Wanted) -> Iterator[Picture]:
    """PIL images, read by the rules that files are: upright, on white, 16 bits scaled for all of them alike."""
    names = [f"image:{number}" for number in range(first, first + len(images))]

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for place, image in enumerate(images):
            yield place, names[place], as_file(image, names[place])

    return decoded(pictures, ((name, name.partition(":")[2]) for name in names), wanted)


def as_file(image: Image.Image, name: str) -> bytes:
    """An image as the bytes of a file that loses nothing of it. Raises DataError where it cannot be read."""
    stream = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("F", "I"):
            upright.save(stream, "TIFF")
        else:
            if upright.mode not in PNG_MODES:
                upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            upright.save(stream, "PNG", compress_level=1)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{name}: the PIL image cannot be read: {error}") from error
    return stream.getvalue()
