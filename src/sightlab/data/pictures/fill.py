"""Labelled pictures -> Parts: one array a split, filled in place, broken pictures closed up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import Allocate, ImageSet, Parts, Progress
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.pipeline import Job, LeftOut, Pictures, pour, survey
from sightlab.errors import DataError

NAMED = 3
MOVED_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pictures whose labels are known and whose bytes can be streamed.

    source: what messages call it. labels: int64 [N] by split; the pictures' places count on through the splits in
    this order, while `pictures` may stream them in any order. notes: see `Parts`.
    """

    source: str
    classes: tuple[str, ...]
    numbered: bool
    labels: Mapping[str, NDArray[np.int64]]
    pictures: Pictures
    notes: tuple[str, ...] = ()


def fill(labelled: Labelled, decoding: Decoding, allocate: Allocate, progress: Progress | None) -> Parts:
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
    broken = pour(jobs(), total, seen, decoding, progress)
    kept = np.ones(total, bool)
    kept[[left.place for left in broken]] = False
    splits: dict[str, ImageSet] = {}
    for split, numbers in labelled.labels.items():
        mine, kept = kept[: len(numbers)], kept[len(numbers) :]
        for label in np.setdiff1d(numbers, numbers[mine])[:1]:
            raise DataError(
                f"{labelled.source}: every {split} picture of class `{labelled.classes[label]}` is broken; "
                "replace them, or remove the class"
            )
        splits[split] = ImageSet(closed_up(arrays[split], mine), numbers[mine], labelled.classes, labelled.numbered)
    return Parts(splits, (*labelled.notes, *broken_notes(broken)))


def broken_notes(broken: Sequence[LeftOut]) -> tuple[str, ...]:
    """The line that counts the broken pictures left out and names the first three; none when there are none."""
    if not broken:
        return ()
    names = ", ".join(left.name for left in broken[:NAMED]) + (", ..." if len(broken) > NAMED else "")
    return (f"{len(broken):,} broken {'picture' if len(broken) == 1 else 'pictures'} left out ({names})",)


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
