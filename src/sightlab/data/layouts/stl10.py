"""Layout: STL-10 in its binary version, train_X.bin and train_y.bin of 96 x 96 pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.file_io import reading
from sightlab.data.imageset import Allocate, ImageSet, Parts, Progress
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, can_honour
from sightlab.data.layouts.known_files import UnreadableError, folder_of, known_form, lines_of, together
from sightlab.errors import DataError

NAME = "stl10"
SIDE = 96
PIXELS = 3 * SIDE * SIDE
SPLITS = ("train", "test")
OBJECTS = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
BLOCK = 256


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The labelled pictures; those of unlabeled_X.bin are ignored."""
    folder = together(inventory, "train_x.bin", "train_y.bin")
    if folder is None or not can_honour(options, NAME):
        return None
    files = {
        name.rpartition("/")[2].casefold(): name for name in inventory.container.sizes if folder_of(name) == folder
    }
    classes = tuple(lines_of(inventory, files["class_names.txt"])) if "class_names.txt" in files else OBJECTS
    found = {split: pair_of(inventory, files, split) for split in SPLITS if f"{split}_x.bin" in files}
    notes = list(inventory.notes)
    if "unlabeled_x.bin" in files:
        count = inventory.file(files["unlabeled_x.bin"]).size // PIXELS
        notes.append(f"{count:,} pictures of {files['unlabeled_x.bin']} have no labels: ignored")

    def read(allocate: Allocate, progress: Progress | None) -> Parts:  # noqa: ARG001 - the shape of a Read
        return Parts({split: image_set(*pair, allocate, split, classes) for split, pair in found.items()}, tuple(notes))

    return Claim(
        NAME,
        read,
        KNOWN,
        {split: labels.size for split, (_, labels) in found.items()},
        "train_y.bin and test_y.bin",
        classes,
        notes=tuple(notes),
        identity={"folder": folder, "classes": list(classes)},
    )


def pair_of(inventory: Inventory, files: Mapping[str, str], split: str) -> tuple[DataFile, DataFile]:
    """The files of a split's pictures and labels. Raises UnreadableError where they do not go together."""
    if f"{split}_y.bin" not in files:
        raise UnreadableError(
            f"{inventory.label}: there is {split}_X.bin and no {split}_y.bin, which has its labels; fetch it too"
        )
    pictures, labels = (inventory.file(files[f"{split}_{part}.bin"]) for part in "xy")
    if pictures.size != labels.size * PIXELS or not labels.size:
        raise UnreadableError(
            f"{pictures}: has {pictures.size:,} bytes, and {labels.name} has {labels.size:,} labels; a picture has "
            f"{PIXELS:,} bytes (3 x 96 x 96); fetch both again"
        )
    return pictures, labels


def image_set(
    pictures: DataFile, labels: DataFile, allocate: Allocate, split: str, classes: tuple[str, ...]
) -> ImageSet:
    """One split. The file holds channels, then columns, then rows. Raises DataError."""
    numbers: NDArray[np.int64] = np.frombuffer(labels.head(labels.size), np.uint8).astype(np.int64) - 1
    if numbers.min() < 0 or numbers.max() >= len(classes):
        raise DataError(
            f"{labels}: labels run from {numbers.min() + 1} to {numbers.max() + 1}; there are {len(classes)} classes"
        )
    images = allocate(split, (len(numbers), SIDE, SIDE, 3))
    with reading(pictures), pictures.open() as stream:
        for start in range(0, len(numbers), BLOCK):
            count = min(BLOCK, len(numbers) - start)
            block = np.frombuffer(stream.read(count * PIXELS), np.uint8).reshape(count, 3, SIDE, SIDE)
            images[start : start + count] = block.transpose(0, 3, 2, 1)
    return ImageSet(images, numbers, classes)


LAYOUT = Layout(
    NAME,
    "STL-10 in its binary version",
    """
    stl10_binary/
      train_X.bin  train_y.bin  test_X.bin  test_y.bin
      class_names.txt  unlabeled_X.bin
    """,
    known_form(NAME, matches),
)
