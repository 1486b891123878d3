"""Storage of an image set's pixels: one array, in memory or memory-mapped, or decoded on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 2**24
BLOCK_IMAGES = 4096

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """What an epoch's order has to mind where images are stored together and one cannot be had without the others.

    of: the store that each image is in, int64 [N]. sizes: bytes of each store, int64 [stores]. window_bytes: stores of
    so many bytes in all, or one store where that is larger, are in use at a time.
    """

    of: NDArray[np.int64]
    sizes: NDArray[np.int64]
    window_bytes: int


class Pixels(Protocol):
    """Images of one size. Rows are places among them, int64 [M]."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """[N, H, W, C] of all images."""

    def all(self) -> NDArray[np.uint8]:
        """All images, uint8 [N, H, W, C]."""

    def gather(self, rows: Rows) -> NDArray[np.uint8]:
        """The images of these rows, copied. uint8 [M, H, W, C]."""

    def fingerprints(self, rows: Rows) -> NDArray[np.uint64]:
        """A 64-bit number an image; equal images have equal numbers. uint64 [M]."""

    def sums(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sum of the pixels' values and of their squares over these images, a channel each. int64 [C] twice."""

    def identity(self, row: int) -> bytes:
        """128 bits that an image has in common with its exact copies, and with no other image (see `digests_of`)."""

    def groups(self, rows: Rows) -> Groups | None:
        """How these images are stored together; None where each can be had by itself."""


class Held:
    """Pixels in one array, in memory or memory-mapped."""

    def __init__(self, array: NDArray[np.uint8]) -> None:
        self.array = array

    def __reduce__(self) -> tuple[type[Held], tuple[NDArray[np.uint8]]]:
        # A file that is mapped here need not be there where the pickle is opened: what goes is what is in it.
        return Held, (np.asarray(self.array),)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """See `Pixels`."""
        count, height, width, channels = self.array.shape
        return count, height, width, channels

    def all(self) -> NDArray[np.uint8]:
        """See `Pixels`; the array itself."""
        return self.array

    def gather(self, rows: Rows) -> NDArray[np.uint8]:
        """See `Pixels`."""
        return np.take(self.array, rows, axis=0)

    def fingerprints(self, rows: Rows) -> NDArray[np.uint64]:
        """See `Pixels`."""
        found = [fingerprints_of(self.gather(block)) for block in blocks(rows, self.shape)]
        return np.concatenate([np.empty(0, np.uint64), *found])

    def sums(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Pixels`."""
        channels = self.shape[3]
        histogram = np.zeros((channels, 256), np.int64)
        for block in blocks(rows, self.shape):
            images = self.gather(block)
            for channel in range(channels):
                histogram[channel] += np.bincount(images[..., channel].ravel(), minlength=256)
        values = np.arange(256)
        return (histogram * values).sum(1), (histogram * values**2).sum(1)

    def identity(self, row: int) -> bytes:
        """See `Pixels`."""
        return digests_of(self.array[row : row + 1]).tobytes()

    def groups(self, rows: Rows) -> Groups | None:  # noqa: ARG002
        """See `Pixels`."""
        return None


def blocks(rows: Rows, shape: tuple[int, int, int, int]) -> Iterator[Rows]:
    """The rows, a part of them at a time whose images of this shape lie in memory easily.

    >>> [len(block) for block in blocks(np.arange(10), (10, 1024, 1024, 4))]
    [4, 4, 2]
    """
    size = max(1, min(BLOCK_IMAGES, BLOCK_BYTES // max(1, int(np.prod(shape[1:])))))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def fingerprints_of(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """A 64-bit number for each image; equal images have equal numbers. uint8 [N, H, W, C] -> uint64 [N]."""
    length = int(np.prod(images.shape[1:]))
    padded = -length % 8
    factors = np.random.default_rng(0).integers(1, 2**63, (length + padded) // 8, dtype=np.uint64) * 2 + 1
    flat = images.reshape(len(images), length)
    if padded:
        flat = np.pad(flat, ((0, 0), (0, padded)))
    words = np.ascontiguousarray(flat).view(np.uint64)
    mixed = (words ^ (words >> np.uint64(29))) * factors
    prints: NDArray[np.uint64] = (mixed ^ (mixed >> np.uint64(32))).sum(1, dtype=np.uint64)
    return prints


def sums_of(images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each image's sum of values and of their squares, a channel each: int64 [N, C] twice.

    >>> sums_of(np.full((1, 2, 2, 1), 3, np.uint8))
    (array([[12]]), array([[36]]))
    """
    count, height, width, channels = images.shape
    values = images.reshape(count, height * width, channels).astype(np.uint16)  # the square of 255 fits
    return values.sum(1, dtype=np.int64), (values * values).sum(1, dtype=np.int64)


def digests_of(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """128 bits an image, from BLAKE2b: those of different images differ for all practical purposes. uint64 [N, 2]."""
    digests = b"".join(hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.frombuffer(bytearray(digests), np.uint64).reshape(-1, 2)
