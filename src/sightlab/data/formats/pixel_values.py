"""Scaling of a pixel table's values to bytes, by the range that all of them have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightlab.errors import DataError

Numbers = NDArray[np.float64]
Place = Callable[[int, int], str]

BYTE = 255
NEAR = 0.02  # n/255 printed with four digits, times 255, is off by less
SLACK = 0.001  # over the ends of a range of fractions, as arithmetic leaves it
LEAST_OF_BYTES = 64  # fractions that end below are of another scale
ENOUGH = 64  # fewer values do not tell a range
MANY = 1000
SHARE = 0.01  # of values that are no bytes: fewer are mistakes
LOW_RANGES = (1, 3, 7, 15, 16)
EXACT_RANGES = (31, 63, 127)
DEEP_BITS = (10, 12, 14, 16)
WHOLE = "pixel values must be whole numbers from 0 to 255, or all of them fractions from 0 to 1"


@dataclass(frozen=True)
class Seen:
    """What a table's pixel values are like.

    count: how many. low, high: the least and the greatest. above: how many are over 255. fractions: how many are not
    whole. exact: whether all are n/255. places: where the first value is that is `above` 255, `below` 0 or a
    `fraction`, as the line that says so.
    """

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    above: int = 0
    fractions: int = 0
    exact: bool = True
    places: dict[str, str] = field(default_factory=dict)

    @property
    def are_bytes(self) -> bool:
        """Whether all are whole numbers from 0 to 255."""
        return self.low >= 0 and self.high <= BYTE and not self.fractions


def of_bytes(count: int, highest: int) -> Seen:
    """What so many bytes are like."""
    return Seen(count, 0.0, float(highest), exact=highest <= 1)


def with_values(seen: Seen, values: Numbers | NDArray[np.uint8], place: Place) -> Seen:
    """What was seen, and these values. values: [n, P]; place: says where the value of a row and a column is."""
    if values.dtype == np.uint8:
        return together([seen, of_bytes(values.size, int(values.max(initial=0)))])
    broken = values != np.floor(values)
    scaled = values * BYTE
    marks = {"above": values > BYTE, "below": values < 0, "fraction": broken}
    places = {name: place(*divmod(int(mark.argmax()), values.shape[1])) for name, mark in marks.items() if mark.any()}
    found = Seen(
        values.size,
        float(values.min()),
        float(values.max()),
        int(marks["above"].sum()),
        int(broken.sum()),
        bool((np.abs(scaled - np.rint(scaled)) <= NEAR).all()),
        places,
    )
    return together([seen, found])


def together(several: Iterable[Seen]) -> Seen:
    """What several tables hold together; places are those of the first that has them."""
    whole = Seen()
    for seen in several:
        whole = Seen(
            whole.count + seen.count,
            min(whole.low, seen.low),
            max(whole.high, seen.high),
            whole.above + seen.above,
            whole.fractions + seen.fractions,
            whole.exact and seen.exact,
            seen.places | whole.places,
        )
    return whole


@dataclass(frozen=True)
class Scale:
    """How values become bytes: `low` becomes 0, `high` 255, and what lies between is rounded. note: what to tell."""

    low: float = 0.0
    high: float = float(BYTE)
    note: str = ""

    @property
    def keeps(self) -> bool:
        """Whether bytes stay as they are."""
        return (self.low, self.high) == (0, BYTE)

    def apply(self, values: Numbers) -> NDArray[np.uint8]:
        """The values as bytes; none may lie outside of the range by more than a half."""
        return np.clip(np.rint((values - self.low) * (BYTE / (self.high - self.low))), 0, BYTE).astype(np.uint8)

    def change(self, pixels: NDArray[np.uint8]) -> None:
        """Scale bytes in place."""
        if not self.keeps:
            table = self.apply(np.arange(BYTE + 1, dtype=np.float64))
            for start in range(0, len(pixels), MANY):
                pixels[start : start + MANY] = table[pixels[start : start + MANY]]


def scale_of(seen: Seen, bit_depth: int | None = None) -> Scale:
    """How the values of a table, or of several that belong together, become bytes.

    bit_depth: as the user gives it. Raises DataError, with the line and the column, where a value is a mistake, or
    the range says nothing.
    """
    if bit_depth is not None:
        return by_depth(seen, bit_depth)
    if not seen.fractions:
        return of_negative(seen) if seen.low < 0 else of_deep(seen) if seen.high > BYTE else of_whole(seen)
    if seen.low >= -SLACK and seen.high <= 1 + SLACK:
        return Scale(0, 1, "" if seen.exact else "pixel values from 0 to 1 are multiplied by 255 and rounded")
    if seen.low < 0 and seen.high <= 1 + SLACK:
        return of_negative(seen)
    many = seen.count >= MANY and seen.fractions >= SHARE * seen.count
    if many and seen.low >= 0 and LEAST_OF_BYTES <= seen.high <= BYTE:
        return Scale(note="pixel values with fractions are rounded to whole numbers from 0 to 255")
    raise DataError(mistake(seen, "fraction", many=many))


def of_whole(seen: Seen) -> Scale:
    """The scale of whole numbers from 0 to 255: that of fewer bits where all are low enough."""
    top = next((top for top in LOW_RANGES if seen.high <= top), int(seen.high))
    if seen.count < ENOUGH or seen.high == 0 or seen.high > BYTE / 2:
        return Scale()
    if top in LOW_RANGES or top in EXACT_RANGES:
        note = f"pixel values from 0 to {top} are scaled to 0 to 255; `bit_depth=8` keeps them as they are"
        return Scale(0, top, note)
    return Scale(
        note=f"pixel values end at {seen.high:g} and are read as parts of 255: dark pictures, or another scale"
    )


def of_negative(seen: Seen) -> Scale:
    """The scale of values from -1 to 1. Raises DataError for other values below 0."""
    if seen.count >= ENOUGH and abs(seen.low + 1) <= 0.01 and seen.high <= 1 + SLACK:
        return Scale(-1, 1, "pixel values from -1 to 1 are scaled to 0 to 255")
    raise DataError(mistake(seen, "below", many=seen.count >= MANY and seen.fractions > SHARE * seen.count))


def of_deep(seen: Seen) -> Scale:
    """The scale of whole numbers over 255: that of 10, 12, 14 or 16 bits where many are, else one is a mistake."""
    bits = next((bits for bits in DEEP_BITS if seen.high < 2**bits), None)
    many = seen.count >= MANY and seen.above >= SHARE * seen.count
    if bits is None or not many:
        raise DataError(mistake(seen, "above", many=many))
    top = 2**bits - 1
    note = f"pixel values up to {seen.high:g} are taken for {bits} bits and scaled from 0 to {top} to 0 to 255"
    return Scale(0, top, f"{note}; `bit_depth=16` scales 0 to 65535" if bits < DEEP_BITS[-1] else note)


def by_depth(seen: Seen, bits: int) -> Scale:
    """The scale of whole numbers of so many bits. Raises DataError for values that are none."""
    top = 2**bits - 1
    for wrong, name in ((seen.low < 0, "below"), (bool(seen.fractions), "fraction"), (seen.high > top, "above")):
        if wrong:
            where = seen.places.get(name, f"a pixel value is {seen.high:g}")
            raise DataError(f"{where}; `bit_depth={bits}` takes whole numbers from 0 to {top}")
    return Scale(0, top, "" if bits == 8 else f"pixel values of {bits} bits, 0 to {top}, are scaled to 0 to 255")


def mistake(seen: Seen, name: str, *, many: bool) -> str:
    """The line for values that are no pixels: where the first is, or, where many are, their range."""
    where = seen.places[name]
    if many:
        file = where.partition(": line ")[0]
        return (
            f"{file}: pixel values from {seen.low:.6g} to {seen.high:.6g} have no range that is known (0 to 255, "
            "0 to 1, -1 to 1, 0 to 65535); save them before they are normalized"
        )
    hint = " (`bit_depth=16` takes 0 to 65535)" if name == "above" else ""
    return f"{where}; {WHOLE}{hint}"
