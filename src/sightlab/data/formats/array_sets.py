"""Reader of image and label arrays: pixels scaled to bytes, labels encoded under one class list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.array_classes import ClassWords, check_splits, classified, joined_labels
from sightlab.data.formats.array_labels import labels_of
from sightlab.data.formats.array_plan import Pair
from sightlab.data.formats.array_shapes import MOST_COLOURS, as_pictures
from sightlab.data.formats.array_values import Scale, as_bytes, common_scale, on_white
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.data.imageset import Allocate, ImageSet, Parts, Progress
from sightlab.data.pictures.decode import Decoding
from sightlab.data.tables.shapes import size_text
from sightlab.errors import DataError

BLOCK_PICTURES = 1024
# Channels with alpha -> channels once it is laid on white.
COLOURS_OF_ALPHA = {2: 1, MOST_COLOURS: 3}


@dataclass(frozen=True, eq=False)
class ArraySet:
    """Arrays of one data set, and how they are to be read.

    splits: pairs to be joined, by split. words: what is known of the classes. shape: see `as_pictures`. on_side:
    whether pictures are stored transposed, as EMNIST's. decoding: the size and bit depth asked for. notes: see `Parts`.
    """

    splits: Mapping[str, Sequence[Pair]]
    words: ClassWords
    shape: tuple[int, ...] = ()
    on_side: bool = False
    decoding: Decoding = field(default_factory=Decoding)
    notes: tuple[str, ...] = ()


def read_arrays(arrays: ArraySet, allocate: Allocate, progress: Progress | None = None) -> Parts:
    """The images and labels of a set of arrays. uint8 [N, H, W, C], int64 [N] by split.

    Raises DataError: arrays that do not belong together, values that are no bytes, labels that are no classes.
    """
    labels = {
        split: [labels_of(pair.labels.shown, pair.labels.load()) for pair in pairs]
        for split, pairs in arrays.splits.items()
    }
    coded = classified(arrays.words, {split: joined_labels(own) for split, own in labels.items()})
    check_splits(coded, {split: pairs[0].labels.shown for split, pairs in arrays.splits.items()})
    loaded = {
        split: [upright(arrays, pair, len(own)) for pair, own in zip(pairs, labels[split], strict=True)]
        for split, pairs in arrays.splits.items()
    }
    names = {
        pair.images.name: array
        for split, pairs in arrays.splits.items()
        for pair, array in zip(pairs, loaded[split], strict=True)
    }
    scale = checked(arrays, loaded)
    total, done, splits = sum(map(len, coded.numbers.values())), 0, {}
    for split, numbers in coded.numbers.items():
        keep = np.flatnonzero(numbers >= 0)
        images = converted(loaded.pop(split), keep, scale, split, allocate)
        done += len(numbers)
        if progress is not None:
            progress(done, total)
        if len(keep):
            splits[split] = ImageSet(images, numbers[keep], coded.classes, coded.numbered)
    return Parts(splits, (*arrays.notes, *picture_notes(names, scale), *coded.notes))


def upright(arrays: ArraySet, pair: Pair, count: int) -> Array:
    """The pictures of a pair, [N, H, W, C]."""
    images = pair.images
    found = as_pictures(images.shown, images.load(), count, arrays.shape, by_column=images.by_column)
    return found.transpose(0, 2, 1, 3) if arrays.on_side and not runs_down(images) else found


def runs_down(images: StoredArray) -> bool:
    """Whether pictures are rows that run down the columns, as MATLAB flattens them."""
    return images.by_column and len(images.shape) == 2


def checked(arrays: ArraySet, loaded: Mapping[str, Sequence[Array]]) -> Scale:
    """The scale of all pictures. Raises DataError where they have different shapes or scales."""
    pictures: dict[str, Array] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for split, pairs in arrays.splits.items():
        for pair, array in zip(pairs, loaded[split], strict=True):
            pictures[pair.images.shown] = array
            # Splits of different sizes are resized later where a size is asked for; within a split they never may.
            first = next(iter(pictures)) if arrays.decoding.size is None else pairs[0].images.shown
            own, others = array.shape[1:], shapes.setdefault(first, array.shape[1:])
            if own != others:
                raise DataError(
                    f"{pair.images.shown}: images are {size_text(own)}, those of {first} are {size_text(others)}; save "
                    f"them alike, or `size={min(others[:2])}` resizes them"
                )
    return common_scale(pictures, arrays.decoding.bit_depth)


def converted(
    pieces: Sequence[Array], keep: NDArray[np.int64], scale: Scale, split: str, allocate: Allocate
) -> NDArray[np.uint8]:
    """The kept pictures of one split as bytes, uint8 [N, H, W, C], an alpha channel laid on white."""
    count = sum(map(len, pieces))
    height, width, channels = (int(n) for n in pieces[0].shape[1:])
    if len(pieces) == 1 and len(keep) == count and pieces[0].dtype == np.uint8 and channels not in COLOURS_OF_ALPHA:
        return np.ascontiguousarray(pieces[0])
    target = allocate(split, (len(keep), height, width, COLOURS_OF_ALPHA.get(channels, channels)))
    start = offset = 0
    for piece in pieces:
        rows = keep[(keep >= offset) & (keep < offset + len(piece))] - offset
        for first in range(0, len(rows), BLOCK_PICTURES):
            block = as_pixels(piece[rows[first : first + BLOCK_PICTURES]], scale)
            target[start : start + len(block)] = block
            start += len(block)
        offset += len(piece)
    return target


def as_pixels(pictures: Array, scale: Scale) -> NDArray[np.uint8]:
    """Pictures [N, H, W, C] as bytes, an alpha channel laid on white."""
    block = as_bytes(pictures, scale)
    return on_white(block) if block.shape[3] in COLOURS_OF_ALPHA else block


def picture_notes(pictures: Mapping[str, Array], scale: Scale) -> tuple[str, ...]:
    """Notes on the pictures' values and channels. pictures: by what notes call them."""
    name, first = next(iter(pictures.items()))
    channels = first.shape[3]
    notes = [scale.note]
    if channels in COLOURS_OF_ALPHA:
        notes.append(f"the last of {channels} channels is taken for alpha: pictures are laid on white")
    if channels > MOST_COLOURS:
        notes.append(f"pictures have {channels} bands; `sightlab predict` takes arrays of as many, not picture files")
    return tuple(f"{name}: {text}" for text in notes if text)
