"""16-bit pictures: the range of values that a whole set uses, and its values as 8 bits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.pictures.tiff_header import BITS
from sightlab.errors import DataError

FULL = 16
DEPTHS = (8, 10, 12, 14, FULL)
"""The depths of cameras and scanners, of which a set takes the smallest that holds its values."""

DARK = 0.25
"""Floats below this use less than a quarter of 0..1: most likely they were divided by a white they do not reach."""

CODESTREAM = b"\xff\x4f\xff\x51"  # begins JPEG 2000's
PRECISION = 42  # how far behind it the bits of the first channel stand, less one


class Stored(NamedTuple):
    """How a picture of more than 8 bits is stored. bits: white is 2**bits - 1.

    declared: the file itself says so; else `bits` is 16, of which the values may use fewer.
    """

    bits: int
    declared: bool


@dataclass(frozen=True)
class Depth:
    """What a set's deep pictures use. count: those of 16 bits; largest: their largest value, 0 to 65,535.

    floats: how many are floating-point numbers; brightest: the largest of these, 0 to 1.
    """

    count: int = 0
    largest: int = 0
    floats: int = 0
    brightest: float = 0.0

    @property
    def bits(self) -> int:
        """The smallest of `DEPTHS` that holds the values; 16 where there are no pictures of 16 bits."""
        return depth_holding(self.largest) if self.count else FULL

    def notes(self, bit_depth: int | None) -> tuple[str, ...]:
        """The lines that tell the user of a range smaller than 16 bits that was not asked for, and of dark floats."""
        found = []
        if bit_depth is None and self.bits < FULL:
            pictures, use = ("picture", "uses") if self.count == 1 else ("pictures", "use")
            found.append(
                f"{self.count:,} {pictures} of 16 bits {use} {self.bits} bits (largest value {self.largest}): scaled "
                f"from 0..{(1 << self.bits) - 1}; `bit_depth=16` takes the full range"
            )
        if self.floats and self.brightest < DARK:
            found.append(
                f"floating-point pictures reach {self.brightest:.3g} of 0..1 at most, so they are dark; "
                "save them scaled to 0..1"
            )
        return tuple(found)


def depth_of(largest: Iterable[int], floats: Iterable[float] = ()) -> Depth:
    """The depth of a set, from the largest value of each picture of 16 bits, and of each of floating-point numbers.

    >>> depth_of([900, 4080]).bits, depth_of([]).bits
    (12, 16)
    """
    whole, broken = list(largest), list(floats)
    return Depth(len(whole), max(whole, default=0), len(broken), max(broken, default=0.0))


def depth_holding(largest: int) -> int:
    """The smallest of `DEPTHS` that holds a value from 0 to 65,535.

    >>> [depth_holding(value) for value in (255, 256, 4095, 4096, 65535)]
    [8, 10, 12, 14, 16]
    """
    return next(bits for bits in DEPTHS if largest < 1 << bits)


def check_bit_depth(bits: int | None) -> None:
    """Raises DataError unless 16-bit pictures can be read at this depth: 8 to 16, or None to look at their values."""
    if bits is not None and not 8 <= bits <= FULL:
        raise DataError(f"bit_depth is {bits}; it takes a whole number from 8 to 16")


def scaled(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """round(v * 255 / (2**bits - 1)), halves up: uint8 of the same shape. values: 0 to 2**bits - 1, bits at most 16.

    >>> scaled(np.array([0, 2047, 4095]), 12).tolist()
    [0, 127, 255]
    """
    top = (1 << bits) - 1
    wide: NDArray[np.uint32] = values.astype(np.uint32)
    return ((wide * 510 + top) // (2 * top)).astype(np.uint8)


def check_fits(largest: int, bits: int) -> None:
    """Raises ValueError for values that a depth given does not hold."""
    if largest >= 1 << bits:
        raise ValueError(
            f"its values reach {largest:,}, and `bit_depth={bits}` holds 0..{(1 << bits) - 1:,}; "
            f"`bit_depth={depth_holding(largest)}` would hold them"
        )


def stored(picture: Image.Image, data: bytes) -> Stored | None:
    """How a picture opened and not yet loaded is stored; None where a channel has 8 bits or fewer, or is a float.

    Formats that declare another white than 65,535 (JPEG 2000, PPM) come from Pillow stretched to 16 bits already, or
    to 8.
    """
    if picture.format == "PNG":
        return Stored(FULL, False) if data[24] == FULL else None
    if picture.format == "TIFF":
        return _stored_tiff(picture)
    if picture.format == "JPEG2000":
        precision = (data[data.find(CODESTREAM) + PRECISION] & 0x7F) + 1
        return Stored(FULL, False) if precision == FULL else _stretched(picture)
    if picture.format == "PPM":
        return Stored(FULL, False) if _largest_is_white(picture) else _stretched(picture)
    return _stretched(picture)


def _stored_tiff(picture: Image.Image) -> Stored | None:
    bits = max(getattr(picture, "tag_v2", {}).get(BITS) or (1,))
    if bits <= 8 or picture.mode in ("F", "CMYK"):
        return None
    return Stored(bits, True) if bits < FULL else Stored(FULL, False)


def _stretched(picture: Image.Image) -> Stored | None:
    return Stored(FULL, True) if picture.mode.startswith("I") else None


def _largest_is_white(picture: Image.Image) -> bool:
    """Whether a PPM declares 65,535 as its white."""
    tiles: list[Any] = getattr(picture, "tile", [])
    decoder, _, _, arguments = tiles[0]
    return bool(arguments == "I;16B" if decoder == "raw" else arguments[1] == 65535)
