"""ImageSet: labelled images as one byte array and one array of class indices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightlab.data.pixels import Groups, Held, Pixels, blocks
from sightlab.errors import DataError

SPLITS = ("train", "validation", "test")
UNDIVIDED = "all"


class ImageSet:
    """Labelled images of one size. Not changed once made.

    images: uint8 [N, H, W, C], in memory or memory-mapped, C order; or `Pixels` that are decoded when asked for.
    labels: int64 [N], each in [0, len(classes)).
    classes: the class names; a label is a place in this tuple. numbered: the source gave labels as whole numbers
    0, 1, ... in this order (idx files, CSV columns), so that a class may also be known by its number.
    rows: int64 [N], which images of a larger array are this set's; None takes all. A part of a set shares the
    array it came from: `gather` copies the rows a batch needs, `images` all of them.

    Raises DataError when the arrays do not have these types, or do not belong together.

    >>> images = np.zeros((2, 28, 28, 1), np.uint8)
    >>> ImageSet(images, np.array([0, 1]), ("cat", "dog"))
    ImageSet(2 images, 28 x 28 x 1, 2 classes)
    """

    def __init__(
        self,
        images: NDArray[np.uint8] | Pixels,
        labels: NDArray[np.int64],
        classes: tuple[str, ...],
        numbered: bool = False,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        if isinstance(images, np.ndarray) and (images.ndim != 4 or images.dtype != np.uint8):
            raise DataError(f"images are {images.dtype} {list(images.shape)}; an image set takes uint8 [N, H, W, C]")
        if labels.ndim != 1 or labels.dtype != np.int64:
            raise DataError(f"labels are {labels.dtype} {list(labels.shape)}; an image set takes int64 [N]")
        pixels: Pixels = Held(images) if isinstance(images, np.ndarray) else images
        count = pixels.shape[0] if rows is None else len(rows)
        if count != len(labels):
            raise DataError(f"{count} images have {len(labels)} labels; each needs one")
        if len(set(classes)) != len(classes):
            raise DataError("two classes have the same name; each class needs its own")
        if len(labels) and not (labels.min() >= 0 and labels.max() < len(classes)):
            raise DataError(f"labels run from {labels.min()} to {labels.max()}, but there are {len(classes)} classes")
        self._pixels = pixels
        self._rows = rows
        self.labels = labels
        self.classes = tuple(classes)
        self.numbered = numbered

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        height, width, channels = self.shape
        return f"ImageSet({len(self):,} images, {height} x {width} x {channels}, {len(self.classes)} classes)"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self._pixels.shape[1:]

    @property
    def images(self) -> NDArray[np.uint8]:
        """All images in one array, uint8 [N, H, W, C]. A copy when this set is a part of a larger one.

        Of pictures that are decoded when asked for, this decodes every one: use `blocks` for what may be large.
        """
        return self._pixels.all() if self._rows is None else self._pixels.gather(self._rows)

    @property
    def held(self) -> bool:
        """Whether the pixels lie in one array, in memory or memory-mapped; else they are decoded when asked for."""
        return isinstance(self._pixels, Held)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Each image's place among all that the source holds. int64 [N]."""
        return np.arange(len(self)) if self._rows is None else self._rows

    @property
    def groups(self) -> Groups | None:
        """How the images are stored together, which an epoch's order minds; None where each is had by itself."""
        return self._pixels.groups(self.rows)

    def gather(self, index: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images at these places, copied. index: int64 [M]. Gives uint8 [M, H, W, C]."""
        return self._pixels.gather(index if self._rows is None else self._rows[index])

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """All images in order, copied, as many at a time as lie in memory easily. uint8 [M, H, W, C] each."""
        for rows in blocks(self.rows, self._pixels.shape):
            yield self._pixels.gather(rows)

    def take(self, index: NDArray[np.int64]) -> ImageSet:
        """The images at these places, in this order, sharing this set's array. index: int64 [M]."""
        rows = index if self._rows is None else self._rows[index]
        return ImageSet(self._pixels, self.labels[index], self.classes, self.numbered, rows)

    def named(self, classes: tuple[str, ...]) -> ImageSet:
        """The same images and label numbers, the classes under these names."""
        return self.relabelled(self.labels, classes)

    def relabelled(self, labels: NDArray[np.int64], classes: tuple[str, ...]) -> ImageSet:
        """The same images under other labels. labels: int64 [N], numbers of these classes."""
        return ImageSet(self._pixels, labels, classes, True, self._rows)

    def counts(self) -> NDArray[np.int64]:
        """Images a class. int64 [len(classes)]."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation over all pixels, a channel each, of values in [0, 1]. Exact.

        Sums of bytes and of their squares are whole numbers, so neither order nor batch can change them.
        """
        count = len(self) * self.shape[0] * self.shape[1]
        if count == 0:
            raise DataError("no images to take the mean and the standard deviation of")
        of_values, of_squares = self._pixels.sums(self.rows)
        sums, squares = [int(s) for s in of_values], [int(s) for s in of_squares]
        deviations = (max(0, q * count - s * s) ** 0.5 / count / 255 for s, q in zip(sums, squares, strict=True))
        return tuple(s / count / 255 for s in sums), tuple(deviations)

    def fingerprints(self) -> NDArray[np.uint64]:
        """A 64-bit number for each image; equal images have equal numbers. uint64 [N]."""
        return self._pixels.fingerprints(self.rows)

    def identity(self, place: int) -> bytes:
        """128 bits that the image at a place has in common with its exact copies, and with no other image."""
        return self._pixels.identity(place if self._rows is None else int(self._rows[place]))


@dataclass(frozen=True, eq=False)
class Parts:
    """What a source holds, as it divides itself.

    splits: keys from train, validation and test; or the one key `all` where the source is not divided. All have
    the same classes and image shape. notes: what the reader has to say to the user, a line each. bit_depth: bits that
    its pictures of 16 bits were taken to use, None where it has none.
    """

    splits: Mapping[str, ImageSet]
    notes: tuple[str, ...] = field(default=())
    bit_depth: int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, the same for every split."""
        return next(iter(self.splits.values())).classes


def natural_key(name: str) -> tuple[Any, ...]:
    """Sorts names as a person would: `2` before `10`, `img9` before `img10`.

    >>> sorted(["10", "2", "b", "a10", "a9"], key=natural_key)
    ['2', '10', 'a9', 'a10', 'b']
    """
    pieces = re.split(r"(\d+)", name)
    return (*((0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in pieces if p), (2, 0, name))


def classes_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels in natural order, ready to be an ImageSet's classes.

    >>> classes_of(["dog", "10", "2", "dog"])
    ('2', '10', 'dog')
    """
    return tuple(sorted(set(labels), key=natural_key))


def split_name(text: str) -> str | None:
    """Which split a folder's or a file's name means, or None.

    >>> split_name("mnist_m_test_labels.txt"), split_name("val"), split_name("cats")
    ('test', 'validation', None)
    """
    words = re.split(r"[^a-z0-9]+", text.casefold())
    for word in words:
        for split, names in SPLIT_WORDS.items():
            if word in names:
                return split
    return None


SPLIT_WORDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "trainval"),
    "validation": ("val", "valid", "validation", "validate", "dev", "development", "eval", "evaluation", "publictest"),
    "test": ("test", "testing", "tst", "t10k", "holdout", "heldout", "privatetest"),
}


class Allocate(Protocol):
    """Gives a reader the array it writes a split's images into: in memory, or a file of the cache."""

    def __call__(self, split: str, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """A C-ordered uint8 array of this shape [N, H, W, C], its content undefined."""


def in_memory(split: str, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:  # noqa: ARG001
    """The allocation of a reader that is not cached."""
    return np.empty(shape, np.uint8)


Progress = Callable[[int, int], None]
"""Called as work goes on, with how many pictures are done and how many there are."""
