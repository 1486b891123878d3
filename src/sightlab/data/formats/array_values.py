"""Scaling of array values to bytes: one range for all splits, so that train and test are scaled alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.stored import Array
from sightlab.data.pictures.bit_depth import DARK, FULL, check_fits, depth_holding, scaled
from sightlab.errors import DataError

BLOCK_VALUES = 1 << 24
WHITE = 255
# Fractions from 0 to 255 are pictures that were resized; what stays below this is of another scale.
LEAST_OF_BYTES = 64
# Values scaled to -1..1 come near both ends; those from which a mean was taken seldom do.
NEAR_ENDS = 0.9


@dataclass(frozen=True)
class Values:
    """What the values of an array are. low, high: the least and the greatest; whole: all of them are whole numbers.

    off: how far a value is from one that stands for a byte, at most, in 255ths: on the scale 0..1, and on -1..1;
    0 where values lie outside these.
    """

    dtype: np.dtype[Any]
    low: float
    high: float
    whole: bool
    off: tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """How values become bytes: round(value * factor + offset), or `bits` of whole numbers. note: what to say of it."""

    factor: float = 1.0
    offset: float = 0.0
    bits: int = 8
    note: str = ""


def common_scale(arrays: Mapping[str, Array], bit_depth: int | None) -> Scale:
    """The one scale by which all these arrays become bytes. arrays: by what messages call them.

    uint8 stays as it is, so do whole numbers from 0 to 255 of any type; larger whole numbers use 10, 12, 14 or 16 bits,
    or bit_depth; truth values are black and white; 0..1 and -1..1 are stretched to 0..255. Raises DataError for values
    from which bytes cannot be had: standardised ones, NaN, and splits of different scales.
    """
    found = {where: values_of(where, array) for where, array in arrays.items()}
    seen = {where: values for where, values in found.items() if not is_blank(values)} or found
    first = next(iter(seen))
    joint = joined(list(seen.values()))
    other = next((where for where in seen if sort_of(seen[where]) != sort_of(seen[first])), first)
    if other != first and not ({sort_of(one) for one in seen.values()} == {"uint8", "large"} and joint.high <= WHITE):
        raise DataError(
            f"{first} is {kind_text(seen[first])}, {other} is {kind_text(seen[other])}; "
            "store the pictures of all splits on one scale"
        )
    return exact_scale(first, scale_of(first, joint), joint, bit_depth)


def joined(values: Sequence[Values]) -> Values:
    """What the values of several arrays are together."""
    floats = [one for one in values if one.dtype.kind == "f"] or [one for one in values if one.dtype != np.uint8]
    coarsest = max(floats or values, key=eps)
    return Values(
        coarsest.dtype,
        min(one.low for one in values),
        max(one.high for one in values),
        all(one.whole for one in values),
        (max(one.off[0] for one in values), max(one.off[1] for one in values)),
    )


def sort_of(values: Values) -> str:
    """What an array's own values look like; the splits of one set look alike."""
    if values.dtype.kind == "b":
        return "truth"
    if values.low < 0:
        return "signed"
    return "unit" if values.dtype.kind == "f" and values.high <= 1 else "uint8" if values.dtype == np.uint8 else "large"


def values_of(where: str, array: Array) -> Values:
    """The range of an array's values, a block at a time. Raises DataError for what is no number, or not finite."""
    if array.dtype == np.uint8 or array.dtype.kind == "b":
        return Values(array.dtype, 0, 255 if array.dtype == np.uint8 else 1, True, (0, 0))
    if array.dtype.kind not in "iuf":
        raise DataError(f"{where}: holds {array.dtype}; images are uint8, or other numbers that stand for bytes")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{where}: holds NaN or infinite values; images are uint8, or numbers from 0 to 1 or to 255")
    if array.dtype.kind in "iu":
        return Values(array.dtype, low, high, True, (0, 0))
    offs, whole, small = [0.0, 0.0], True, low >= -1 and high <= 1
    for block in blocks(array):
        whole = whole and bool((block == np.rint(block)).all())
        for place, (factor, offset) in enumerate(((WHITE, 0.0), (WHITE / 2, WHITE / 2)) if small else ()):
            values = block * factor + offset
            offs[place] = max(offs[place], float(np.abs(values - np.rint(values)).max()))
    return Values(array.dtype, low, high, whole, (offs[0], offs[1]))


def blocks(array: Array) -> list[NDArray[np.float64]]:
    """The array's rows as float64, some at a time."""
    rows = max(1, BLOCK_VALUES // max(1, array[0].size))
    return [array[start : start + rows].astype(np.float64) for start in range(0, len(array), rows)]


def is_blank(values: Values) -> bool:
    """Whether all values are 0, which fits every scale."""
    return values.low == values.high == 0


def scale_of(where: str, values: Values) -> str:
    """The scale of values: `bytes`, `deep` (more than 8 bits), `truth`, `unit` (0..1), `signed` (-1..1).

    Raises DataError for values of no such scale.
    """
    if values.dtype.kind == "b":
        return "truth"
    if values.low < 0:
        return signed_scale(where, values)
    if values.dtype.kind == "f" and values.high <= 1:
        return "unit"
    if values.whole and values.high < 1 << FULL:
        return "bytes" if values.high <= WHITE else "deep"
    if LEAST_OF_BYTES <= values.high <= WHITE:
        return "bytes"
    raise no_bytes(where, values)


def signed_scale(where: str, values: Values) -> str:
    """`signed` for values from -1 to 1. Raises DataError for others below 0."""
    exact = values.off[1] <= WHITE * eps(values)
    both_ends = values.low <= -NEAR_ENDS and values.high >= NEAR_ENDS
    if values.dtype.kind == "f" and values.low >= -1 and values.high <= 1 and (exact or both_ends):
        return "signed"
    raise no_bytes(where, values)


def no_bytes(where: str, values: Values) -> DataError:
    """The line for values that were normalised, or are no pictures'."""
    return DataError(
        f"{where}: {values.dtype} values from {values.low:.4g} to {values.high:.4g} are no bytes, nor can bytes be had "
        "from them; save the pictures before they are normalised, as uint8, or scaled to 0..1"
    )


def eps(values: Values) -> float:
    """A float that stands for n/255 is off by at most half a unit in its last place."""
    return float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0


def exact_scale(where: str, kind: str, values: Values, bit_depth: int | None) -> Scale:
    """The scale with its note."""
    near, high = WHITE * eps(values), values.high
    if kind == "truth":
        return Scale(factor=WHITE)
    if kind == "signed":
        note = (
            f"values from {values.low:.4g} to {high:.4g} are scaled from -1..1 to 0..255{rounded(values.off[1], near)}"
        )
        return Scale(WHITE / 2, WHITE / 2, note=note)
    if kind == "unit":
        dark = f"; the greatest is {high:.3g}, so the pictures are dark" if high < DARK else ""
        note = f"values from 0 to {high:.4g} are scaled from 0..1 to 0..255{rounded(values.off[0], near)}{dark}"
        return Scale(WHITE, note=note if values.off[0] > near or dark else "")
    if values.whole:
        return whole_scale(where, values, bit_depth)
    return Scale(note=f"fractions to {high:.4g} are rounded to whole numbers, at most 0.5 of 255 off")


def rounded(off: float, near: float) -> str:
    """The words on the largest rounding error; none where there is none."""
    return f" and rounded, at most {off:.2g} of 255 off" if off > near else ""


def whole_scale(where: str, values: Values, bit_depth: int | None) -> Scale:
    """The scale of whole numbers. Raises DataError for those that a bit depth given does not hold."""
    high = int(values.high)
    if values.dtype == np.uint8:
        return Scale()
    if bit_depth is not None:
        try:
            check_fits(high, bit_depth)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
        return Scale(bits=bit_depth)
    bits = depth_holding(high)
    if bits == 8:
        dark = "the greatest value is 1 of 255, so the pictures are black; save 0..1 as floats, or as truth values"
        return Scale(note=dark if high == 1 else "")
    full = "" if bits == FULL else f"; `bit_depth={FULL}` takes the full range"
    return Scale(
        bits=bits, note=f"values to {high:,} use {bits} bits: scaled from 0..{(1 << bits) - 1} to 0..255{full}"
    )


def as_bytes(array: Array, scale: Scale) -> NDArray[np.uint8]:
    """An array's values as bytes by a scale, of the same shape."""
    if array.dtype == np.uint8:
        return array
    if scale.bits > 8:
        return scaled(array, scale.bits)
    return np.rint(array.astype(np.float64) * scale.factor + scale.offset).astype(np.uint8)


def kind_text(values: Values) -> str:
    """Values for a message: `float32 from 0 to 1`."""
    return f"{values.dtype} from {values.low:.4g} to {values.high:.4g}"


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [N, H, W, C + 1], alpha last, laid on white as pictures in files are: uint8 [N, H, W, C]."""
    colour, alpha = pixels[..., :-1].astype(np.uint32), pixels[..., -1:].astype(np.uint32)
    return ((colour * alpha + WHITE * (WHITE - alpha) + WHITE // 2) // WHITE).astype(np.uint8)
