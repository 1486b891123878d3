"""Labelled images in the input shape of a model, for evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from sightlab.data.fit_shape import Shape, channel_note, fit_set, size_note
from sightlab.data.imageset import UNDIVIDED, ImageSet, Parts, Progress
from sightlab.data.load import examined, load_parts
from sightlab.data.read_options import ReadWords
from sightlab.data.unlabelled.file_input import ARRAYS, read_unlabelled
from sightlab.data.unlabelled.picture_input import Wanted
from sightlab.errors import DataError

FILE_CHANNELS = (1, 3)
ANSWERED = "`sightlab predict` answers pictures without labels"


def labelled_images(
    source: str | Path, shape: Shape, own: ReadWords, given: ReadWords, progress: Progress | None
) -> tuple[ImageSet, tuple[str, ...]]:
    """A source's images, those of its test split where it is divided, in this shape where that is possible; and notes.

    own: the words by which the model's own data were read; given: the user's, which win. Images of other sizes or
    channels are read at the model's. Raises DataError, also where there are no labels.
    """
    error: DataError | None = None
    first: tuple[ImageSet, tuple[str, ...]] | None = None
    for words in readings(own, given, shape):
        try:
            parts = load_parts(source, progress=progress, **words).parts
        except DataError as problem:
            error = problem
            continue
        images, notes = split_used(source, parts)
        if images.shape == shape:
            before = first[0] if first else images if error is None else None
            return images, (*notes, *fitting_notes(source, before, images))
        first = first or (images, notes)
    if first is not None:
        return first
    assert error is not None
    raise without_labels(source, shape, own, given, error) or error


def readings(own: ReadWords, given: ReadWords, shape: Shape) -> Iterator[ReadWords]:
    """The words to read by, one after the other until the images fit: as in training, then at the model's size.

    The training's own shape of flattened images is left out next where it may not be what stops the reading.
    """
    words: dict[str, Any] = {**own, **given, "one_class": True}
    yield cast("ReadWords", words)
    if "shape" in own and "shape" not in given:
        words = {key: value for key, value in words.items() if key != "shape"}
        yield cast("ReadWords", words)
    height, width, channels = shape
    wanted = {"size": height if height == width else None, "channels": channels if channels in FILE_CHANNELS else None}
    fitting = {key: value for key, value in wanted.items() if value is not None and words.get(key) is None}
    if fitting:
        yield cast("ReadWords", words | fitting)


def split_used(source: str | Path, parts: Parts) -> tuple[ImageSet, tuple[str, ...]]:
    """The images that a test is made on: the test split, or what comes nearest; and notes."""
    name = next(n for n in ("test", UNDIVIDED, "validation", "train") if n in parts.splits)
    images = parts.splits[name]
    if name == UNDIVIDED:
        return images, parts.notes
    return images, (*parts.notes, f"{source}: its {name} split is used ({len(images):,} images)")


def fitting_notes(source: str | Path, before: ImageSet | None, images: ImageSet) -> tuple[str, ...]:
    """What was changed in bringing images to a model's shape. before: as they are stored, None where sizes differ."""
    shape, count = images.shape, len(images)
    if before is None:
        line = f"images of different sizes resized and cropped to the model's {shape[0]} x {shape[1]}"
        return (f"{source}: {line}",)
    notes = []
    if before.shape[:2] != shape[:2]:
        notes.append(f"{source}: {size_note(Counter({before.shape[:2]: count}), shape, 'image')}")
    if before.shape[2] != shape[2]:
        notes.append(f"{source}: {channel_note(count, before.shape[2], 'image')}")
    return tuple(notes)


def without_labels(
    source: str | Path, shape: Shape, own: ReadWords, given: ReadWords, error: DataError
) -> DataError | None:
    """The error for pictures that nothing gives labels, which names `sightlab predict`; None for other mistakes.

    error: what reading them with labels came to.
    """
    try:
        found = examined(source, **cast("ReadWords", {**own, **given, "one_class": True}))
    except DataError:
        return None
    if found.inventory is None or "sightlab predict" in str(error):
        return None
    if found.inventory.pictures and not found.decision.claims:
        count = len(found.inventory.pictures)
        pictures = f"its {count:,} pictures have" if count > 1 else "its picture has"
        return DataError(f"{source}: {pictures} no labels; {ANSWERED}")
    if set(found.inventory.kinds) <= set(ARRAYS) and is_answered(found.found.path, shape):
        return DataError(f"{error}; {ANSWERED}")
    return None


def is_answered(path: Path, shape: Shape) -> bool:
    """Whether a lone file of arrays is one that `sightlab predict` takes."""
    try:
        return path.is_file() and next(read_unlabelled(path, Wanted(shape)), None) is not None
    except DataError:
        return False


def in_shape(images: ImageSet, shape: Shape) -> tuple[ImageSet, tuple[str, ...]]:
    """Images given from Python in a model's shape where that is possible; and notes."""
    height, width, channels = shape
    able = {images.shape[2], channels} <= set(FILE_CHANNELS) or images.shape[2] == channels
    if images.shape == shape or not able or (height != width and images.shape[:2] != (height, width)):
        return images, ()
    size = height if images.shape[:2] != (height, width) else None
    fitted = fit_set(images, size, channels)
    return fitted, fitting_notes("arrays", images, fitted)
