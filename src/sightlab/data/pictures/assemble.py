"""Labelled pictures decoded into image sets: one array per split, filled in place, broken pictures left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import Allocate, ImageSet, Parts, Progress
from sightlab.data.pictures.bit_depth import FULL
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.decode_pipeline import Job, Pictures, decode_all, survey
from sightlab.errors import DataError

NAMED = 3
MOVED_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures whose labels are known and whose bytes can be streamed.

    source: what messages call it; the names of the pictures begin with it. labels: int64 [N] by split; the pictures'
    places count on through the splits in this order, while `pictures` may stream them in any order. notes: see `Parts`.
    """

    source: str
    classes: tuple[str, ...]
    numbered: bool
    labels: Mapping[str, NDArray[np.int64]]
    pictures: Pictures
    notes: tuple[str, ...] = ()


def assemble(labelled: Labelled, decoding: Decoding, allocate: Allocate, progress: Progress | None) -> Parts:
    """Decodes all pictures into arrays from `allocate`, uint8 [N, H, W, C] a split.

    Raises DataError for broken pictures (unless skipped), a class left empty by skipping, and sizes that differ
    without `decoding.size`.
    """
    seen = survey(labelled.pictures, decoding)
    arrays = {split: allocate(split, (len(numbers), *seen.shape)) for split, numbers in labelled.labels.items()}

    def jobs() -> Iterator[Job]:
        for place, name, data in labelled.pictures():
            yield Job(name, data, place, _row(arrays, place))

    total = sum(len(numbers) for numbers in labelled.labels.values())
    outcome = decode_all(jobs(), total, seen, decoding, progress)
    left, depth = outcome.left, outcome.depth
    if decoding.bit_depth is None and depth.bits < FULL:  # known only now that all are decoded
        again = (job for job in jobs() if job.place in outcome.deep)
        exact = replace(decoding, bit_depth=depth.bits)
        left = [*left, *decode_all(again, len(outcome.deep), seen, exact, progress).left]
    kept = np.ones(total, bool)
    kept[[one.place for one in left]] = False
    names = [relative_name(one.name, labelled.source) for one in left]
    notes = (*labelled.notes, *depth.notes(decoding.bit_depth), *broken_notes(names))
    bits = (decoding.bit_depth or depth.bits) if depth.count else None
    return Parts(_kept_splits(labelled, arrays, kept), notes, bits)


def _kept_splits(
    labelled: Labelled, arrays: Mapping[str, NDArray[np.uint8]], kept: NDArray[np.bool_]
) -> dict[str, ImageSet]:
    """The image sets of the pictures kept, bool [N] over all splits. Raises DataError for a class without any."""
    splits: dict[str, ImageSet] = {}
    for split, numbers in labelled.labels.items():
        mine, kept = kept[: len(numbers)], kept[len(numbers) :]
        for label in np.setdiff1d(numbers, numbers[mine])[:1]:
            raise DataError(
                f"{labelled.source}: every {split} picture of class `{labelled.classes[label]}` is broken; "
                "replace them, or remove the class"
            )
        splits[split] = ImageSet(closed_up(arrays[split], mine), numbers[mine], labelled.classes, labelled.numbered)
    return splits


def relative_name(name: str, source: str) -> str:
    """A picture's name below its source: notes are kept in the cache, and shown to callers of other paths.

    >>> relative_name("pets/cat/1.png", "pets"), relative_name("my/pets.zip: cat/1.png", "my/pets.zip")
    ('cat/1.png', 'cat/1.png')
    >>> relative_name("my/pets.parquet, row 3", "my/pets.parquet")
    'pets.parquet, row 3'
    """
    for start in (f"{source}/", f"{source}: "):
        if name.startswith(start):
            return name.removeprefix(start)
    return PurePath(source).name + name.removeprefix(source) if name.startswith(source) else name


def broken_notes(names: Sequence[str]) -> tuple[str, ...]:
    """The line that counts the broken pictures left out and names the first three; none when there are none."""
    if not names:
        return ()
    first = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return (f"{len(names):,} broken {'picture' if len(names) == 1 else 'pictures'} left out ({first})",)


def closed_up(images: NDArray[np.uint8], kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The kept rows, moved up in place: a leading view of the array. kept: bool [N].

    >>> closed_up(np.arange(4, dtype=np.uint8), np.array([True, False, False, True])).tolist()
    [0, 3]
    """
    if kept.all():
        return images
    rows = np.flatnonzero(kept)
    for start in range(0, len(rows), MOVED_ROWS):  # rows only move up, so none is overwritten before it has moved
        block = rows[start : start + MOVED_ROWS]
        images[start : start + len(block)] = images[block]
    return images[: len(rows)]


def _row(arrays: Mapping[str, NDArray[np.uint8]], place: int) -> NDArray[np.uint8]:
    for array in arrays.values():
        if place < len(array):
            row: NDArray[np.uint8] = array[place]
            return row
        place -= len(array)
    raise IndexError(place)
