"""Axis detection of image arrays: any axis order, or flattened, becomes [N, H, W, C]."""

from __future__ import annotations

import math

import numpy as np

from sightlab.data.formats.stored import Array
from sightlab.errors import DataError

MOST_COLOURS = 4  # channels that pictures have; more are bands
FORMS = "images are [N, H, W], [N, H, W, C], [N, C, H, W] or flattened rows [N, H*W]"
# A colour order is told from pixels only where it makes neighbours this much more alike than the other order does.
CLEARLY = 0.8
SAMPLE = 256


def as_pictures(
    where: str, array: Array, count: int | None, shape: tuple[int, ...] = (), *, by_column: bool = False
) -> Array:
    """An array's pictures as [N, H, W, C], a view where that is possible; its type stays.

    count: how many pictures there are, where labels say so. shape: height, width and, if need be, channels of each, as
    the user gives; `3x32x32` has its channels first. by_column: whether flattened pictures run down the columns, as
    MATLAB's do. Raises DataError where the shape is no pictures', or can be read in two ways.
    """
    array = pictures_first(where, array, count)
    if array.size == 0:
        raise DataError(f"{where}: holds no images; its shape is {list(array.shape)}")
    if array.ndim == 3 and not shape and 1 in array.shape[1:] and max(array.shape[1:]) > MOST_COLOURS:
        array = array.reshape(len(array), -1)
    if array.ndim == 2:
        return from_rows(where, array, shape, by_column)
    if array.ndim == 3:
        return stated(where, array[..., None], shape)
    return stated(where, array, shape) if shape else channels_last(where, array)


def pictures_first(where: str, array: Array, count: int | None) -> Array:
    """The array with its pictures along the first axis; the last one's is it where there are as many labels."""
    if array.ndim not in (2, 3, 4):
        raise DataError(f"{where}: has the shape {list(array.shape)}; {FORMS}")
    if count is None or array.shape[0] == count:
        return array
    if array.shape[-1] == count:
        return array.T if array.ndim == 2 else np.moveaxis(array, -1, 0)
    raise DataError(f"{where}: has the shape {list(array.shape)}, and there are {count:,} labels; each image needs one")


def channels_last(where: str, array: Array) -> Array:
    """[N, H, W, C] from itself or [N, C, H, W]: channels are few, or beside two equal sides."""
    first, middle, last = array.shape[1:]
    if last <= MOST_COLOURS:
        return array
    if first <= MOST_COLOURS:
        return array.transpose(0, 2, 3, 1)
    if first == middle != last:
        return array
    if middle == last != first:
        return array.transpose(0, 2, 3, 1)
    raise DataError(
        f"{where}: has the shape {list(array.shape)}, which has no axis that is surely the channels'; say "
        f"`shape={first}x{middle}x{last}` (height, width, channels) or save it as [N, H, W, C]"
    )


def stated(where: str, array: Array, shape: tuple[int, ...]) -> Array:
    """[N, H, W, C] from an array of four axes, of the shape that the user gives. Raises DataError."""
    if not shape:
        return array
    own = array.shape[1:]
    if first_is_channels(shape):
        shape = (shape[1], shape[2], shape[0])
        order = (own[1:] == shape[:2], own[:2] == shape[:2])
    else:
        order = (own[:2] != shape[:2] and own[1:] == shape[:2], own[:2] == shape[:2])
    channels = own[0] if order[0] else own[2]
    if any(order) and shape[2:] in ((), (channels,)):
        return array.transpose(0, 2, 3, 1) if order[0] else array
    raise DataError(f"{where}: has pictures of {by(own)}, which `shape={by(shape)}` does not fit; leave it out")


def from_rows(where: str, array: Array, shape: tuple[int, ...], by_column: bool) -> Array:
    """[N, H, W, C] from flattened pictures [N, H*W*C]. Raises DataError where the shape cannot be told."""
    pixels = array.shape[1]
    if shape and pixels % math.prod(shape):
        raise DataError(f"{where}: has rows of {pixels:,} values, which `shape={by(shape)}` does not fit")
    if not shape:
        shape = square(where, pixels)
    if len(shape) == 2:
        channels = pixels // math.prod(shape)
        if channels not in (1, 3):
            raise DataError(
                f"{where}: has rows of {pixels:,} values, {channels} times {by(shape)}; say the channels too, as in "
                f"`shape={by(shape)}x{channels}`"
            )
        if channels == 3:
            return in_colour(where, array, shape[0], shape[1], by_column)
        shape = (*shape, 1)
    if first_is_channels(shape):
        return unrolled(array, (shape[1], shape[2], shape[0]), True, by_column)
    return unrolled(array, shape, False, by_column)


def unrolled(array: Array, shape: tuple[int, ...], channels_come_first: bool, by_column: bool) -> Array:
    """[N, H, W, C] from rows, their order known. shape: (height, width, channels)."""
    height, width, channels = shape
    if by_column:  # MATLAB's reshape: the first axis of a picture is the fastest, and channels are the slowest
        return array.reshape(-1, channels, width, height).transpose(0, 3, 2, 1)
    if channels_come_first:
        return array.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    return array.reshape(-1, height, width, channels)


def square(where: str, pixels: int) -> tuple[int, ...]:
    """The sides of a square picture of so many grey pixels, or so many colour values. Raises DataError."""
    for side, rest in ((math.isqrt(pixels), 1), (math.isqrt(pixels // 3), 3)):
        if side * side * rest == pixels and side > 1:
            return (side, side)
    raise DataError(
        f"{where}: has rows of {pixels:,} values, which is neither H*W nor H*W*3 of a square picture; say "
        "`shape=HEIGHTxWIDTH`, as in `shape=28x20`"
    )


def in_colour(where: str, array: Array, height: int, width: int, by_column: bool) -> Array:
    """Flattened colour pictures, their channels' order told by which one makes neighbouring pixels alike."""
    if by_column:
        return unrolled(array, (height, width, 3), True, True)
    places = np.linspace(0, len(array) - 1, min(len(array), SAMPLE)).astype(np.int64)
    sample = array[places].astype(np.float32)
    last, first = (roughness(unrolled(sample, (height, width, 3), order, False)) for order in (False, True))
    if min(last, first) >= CLEARLY * max(last, first):
        raise DataError(
            f"{where}: has rows of {array.shape[1]:,} values, colours whose channels may come first or last; say "
            f"`shape=3x{height}x{width}` (all red values first, as CIFAR's) or `shape={height}x{width}x3`"
        )
    return unrolled(array, (height, width, 3), first < last, False)


def roughness(pictures: Array) -> float:
    """The mean difference of neighbouring pixels, across and down. pictures: float32 [N, H, W, C]."""
    axes = [axis for axis in (1, 2) if pictures.shape[axis] > 1]
    return float(sum(np.abs(np.diff(pictures, axis=axis)).mean() for axis in axes))


def first_is_channels(shape: tuple[int, ...]) -> bool:
    """Whether a shape of three numbers has its channels first: `3x32x32`.

    >>> first_is_channels((3, 32, 32)), first_is_channels((32, 32, 3)), first_is_channels((3, 3, 3))
    (True, False, False)
    """
    return len(shape) == 3 and shape[0] <= MOST_COLOURS < shape[2]


def by(shape: tuple[int, ...]) -> str:
    """A shape as the user writes it.

    >>> by((28, 28))
    '28x28'
    """
    return "x".join(str(n) for n in shape)
