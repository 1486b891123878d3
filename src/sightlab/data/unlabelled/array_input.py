"""Unlabelled pictures in a file of arrays: npy, npz, idx, .mat, HDF5."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.containers.zips import ZIP_MAGIC
from sightlab.data.formats.array_names import IMAGES, array_name
from sightlab.data.formats.array_plan import could_be_images, listed
from sightlab.data.formats.array_sets import as_pixels, picture_notes, runs_down
from sightlab.data.formats.array_shapes import MOST_COLOURS, as_pictures
from sightlab.data.formats.array_values import common_scale
from sightlab.data.formats.file_io import opened
from sightlab.data.formats.hdf5 import hdf5_arrays
from sightlab.data.formats.idx import idx_array, is_idx
from sightlab.data.formats.mat import HDF5_HEAD, mat_arrays
from sightlab.data.formats.npy import npy_file, npz_arrays, without_suffix
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.layouts.emnist import NOTE, subset_of
from sightlab.errors import DataError

HDF5_MAGIC = b"\x89HDF"


def read_unlabelled_arrays(
    file: DataFile, shape: tuple[int, int, int], options: ReadOptions | None = None
) -> tuple[list[str], NDArray[np.uint8], tuple[str, ...]]:
    """The pictures of the one array of images in a file: their names, uint8 [N, H, W, C], and what to say of them.

    shape: height, width and channels of the model, by which rows of pixels and single pictures are told; pictures of
    another size or other channels keep theirs. options: `shape` of flattened rows, `decoding.bit_depth`. An array of
    labels is ignored. Names are the file's with the picture's number from 1. Raises DataError: no array of images,
    several, or one that cannot be read.
    """
    options = options or ReadOptions()
    stem = f"{without_suffix(file.name)}/"
    arrays = [replace(one, key=one.key.removeprefix(stem)) for one in arrays_of_file(file)]
    images = images_among(file, arrays)
    found = oriented(images, images.load(), shape, options.shape)
    notes = []
    if subset_of([stem + images.key]) is not None and not runs_down(images):
        found = found.transpose(0, 2, 1, 3)
        notes.append(NOTE)
    scale = common_scale({images.shown: found}, options.decoding.bit_depth)
    left = [one for one in arrays if one is not images]
    if left:
        notes.append(f"{file}: {listed(left)} ignored")
    pixels = np.ascontiguousarray(as_pixels(found, scale))
    return (
        [f"{file}:{n}" for n in range(1, len(pixels) + 1)],
        pixels,
        (*notes, *picture_notes({images.name: found}, scale)),
    )


def arrays_of_file(file: DataFile) -> list[StoredArray]:
    """The arrays of a file, its form told by its first bytes. Raises DataError for another file."""
    with opened(file) as (stream, _):
        head = stream.read(16)
    if head[:4] in ZIP_MAGIC:
        return npz_arrays(file)
    if head.startswith(b"\x93NUMPY"):
        return [npy_file(file)]
    if is_idx(head):
        return [idx_array(file)]
    if head.startswith((HDF5_MAGIC, HDF5_HEAD)):
        return hdf5_arrays(file)
    return mat_arrays(file)


def images_among(file: DataFile, arrays: list[StoredArray]) -> StoredArray:
    """The one array of images. Raises DataError where there is none, or several."""
    possible = [one for one in arrays if could_be_images(one) and len(one.shape) > 1]
    called = [one for one in possible if array_name(one.key).role == IMAGES]
    shaped = [one for one in possible if array_name(one.key).role == "" or len(arrays) == 1]
    found = called or [one for one in shaped if len(one.shape) > 2] or shaped
    if not found:
        raise DataError(f"{file}: holds no array of images; found {listed(arrays)}")
    if len(found) > 1:
        raise DataError(f"{file}: holds {len(found)} arrays of images ({listed(found)}); save the one to answer alone")
    return found[0]


def oriented(images: StoredArray, array: Array, shape: tuple[int, int, int], stated: tuple[int, ...]) -> Array:
    """The pictures as [N, H, W, C]: a single one, and one whose numbers run along the last axis, told by the shape."""
    height, width, channels = shape
    size = array.shape
    if len(size) == 2 and size == (height, width):
        array = array[None]
    elif len(size) == 2 and size[1] == height * width * channels and not stated:
        stated = (height, width) if channels in (1, 3) else shape
    elif len(size) == 2 and not stated:
        raise DataError(
            f"{images.shown}: has the shape {list(size)}, the model {height} x {width} x {channels}; save pictures as "
            "[N, H, W] or [N, H, W, C], or say `shape=HEIGHTxWIDTH`"
        )
    elif len(size) == 3 and size[1:] != (height, width) and (size[:2] == (height, width) or size[2] <= MOST_COLOURS):
        array = array[None] if size[2] <= MOST_COLOURS else np.moveaxis(array, -1, 0)
    elif len(size) == 4 and size[:3] == shape and size[1:] != shape:
        array = np.moveaxis(array, -1, 0)
    return as_pictures(images.shown, array, None, stated, by_column=images.by_column)
