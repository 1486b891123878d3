"""Pixel column detection, and the messages for tables of which the schema is unclear."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sightlab.data.tables.column_names import called
from sightlab.data.tables.roles import Wish
from sightlab.data.tables.shapes import Shape, nearest, size_text


@dataclass(frozen=True)
class Columns:
    """What the columns of a table of pixels are.

    header: the columns' names, () for none; mangled: whether it is a row of pixels that pandas took for names. width:
    columns. pixels: the fields that hold pixels, one if it is packed with all of a picture's. shape: height, width
    and channels. order: the place in a row's values of each value of a picture, () for the order they are in. labels:
    one field, or several that are one-hot, () for none. by_values: whether the label is told by its values alone.
    split, ids: fields, None for none. left: fields that are not used, and why. doubts: why it may be no pixels, a
    line each.
    """

    width: int
    header: tuple[str, ...]
    pixels: tuple[int, ...]
    shape: Shape
    order: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()
    by_values: bool = False
    split: int | None = None
    ids: int | None = None
    left: tuple[tuple[int, str], ...] = ()
    packed: bool = False
    mangled: bool = False
    doubts: tuple[str, ...] = ()


def either_end(base: Columns, shape: Shape, whole: Shape | None) -> str:
    """The line for a table whose first or last column may be the label, or, if `whole` is a shape, neither."""
    first, last = base.pixels[0], base.pixels[-1]
    if whole:
        return (
            f"its {len(base.pixels)} columns of numbers may be pictures of {size_text(whole)}, or a label and "
            f"{size_text(shape)}: say `label={first}`, `label={last}` or `shape={'x'.join(map(str, whole))}`"
        )
    return (
        f"has {len(base.pixels)} columns of numbers: {size_text(shape)} pixels and one more. Its first and its last "
        f"could both be the label: say `label={first}` or `label={last}`"
    )


def no_picture(base: Columns, count: int, wish: Wish) -> str:
    """The line for a number of values that makes no picture: what they lie beside, and what would be one."""
    beside = [called(base.header, n) for n in (*base.labels[:2], *(n for n, _ in base.left[:2]))]
    what = f"{count:,} numbers in {called(base.header, base.pixels[0])}" if base.packed else f"{count:,} pixel columns"
    if wish.shape:
        needs = f"; {size_text(wish.shape)} pictures need {math.prod(wish.shape):,}"
    else:
        side, depth = nearest(count)
        needs = (
            f", neither H x W nor H x W x 3 of a square; {side * side * depth:,} would be "
            f"{size_text((side, side, depth))}. Pictures that are not square need `shape=HxW`"
        )
    return f"has {what}" + (f" beside {', '.join(beside)}" if beside else "") + needs
