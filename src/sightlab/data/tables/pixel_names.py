"""Parsing the names of pixel columns: their order, and the shape of the picture."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

PIXEL = re.compile(r"pix|px|^p#|^#x#$|^#_#$|^(r|row)_?#_?(c|col|column)_?#$|^@_?#$|^image_?#|^img_?#")
ROWS_FIRST = re.compile(r"^(r|row)_?#_?(c|col|column)_?#")
CHANNEL = re.compile(r"(?<![^\W\d_])(red|green|blue|r|g|b)(?![^\W\d_])")
DIGITS = re.compile(r"\d+")
LONGEST_NUMBER = 7
LEAST = 4  # a picture of 2 x 2


@dataclass(frozen=True)
class PixelNames:
    """Columns that by their names are the pixels.

    columns: places in the table, in the order of the table. order: for each value of a picture, row by row and
    channels last, its place in `columns`; () where they lie in this order. shape: what the names tell, () where
    nothing. coloured: whether they tell the channels apart. sure: whether they are names that pixels have, and not just
    names of a row of numbers.
    """

    columns: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, ...]
    coloured: bool
    sure: bool


Key = tuple[tuple[int, ...], int]  # a name's numbers, and its channel: 0 to 2, or -1 for none


def pixel_names(header: Sequence[str]) -> PixelNames | None:
    """The largest group of columns whose names differ by numbers (and by red, green and blue) alone; None for none.

    >>> names = pixel_names(["label", "pixel0", "pixel1", "pixel10", "pixel2"])
    >>> names.columns, names.order, names.sure
    ((1, 2, 3, 4), (0, 1, 3, 2), True)
    """
    plain, coloured = groups(header)
    best = max((*coloured.items(), *plain.items()), key=lambda item: len(item[1]), default=None)
    if best is None or len(best[1]) < LEAST or len({key for _, key in best[1]}) < len(best[1]):
        return None
    pattern, members = best
    keys = [key for _, key in members]
    ranks, shape = in_picture(keys, pattern)
    order = tuple(sorted(range(len(keys)), key=ranks.__getitem__))
    in_order = order == tuple(range(len(keys)))
    return PixelNames(
        tuple(n for n, _ in members), () if in_order else order, shape, "@" in pattern, bool(PIXEL.search(pattern))
    )


def groups(header: Sequence[str]) -> tuple[dict[str, list[tuple[int, Key]]], dict[str, list[tuple[int, Key]]]]:
    """Columns with their keys by the pattern of their names: as they are, and with colours taken out of the names."""
    plain: dict[str, list[tuple[int, Key]]] = defaultdict(list)
    for place, name in enumerate(header):
        text = name.casefold()
        stem = text.rstrip("0123456789")
        if stem.isalpha() and 0 < len(text) - len(stem) <= LONGEST_NUMBER:  # what most are, told without patterns
            plain[f"{stem}#"].append((place, ((int(text[len(stem) :]),), -1)))
            continue
        pieces = DIGITS.findall(text.strip())
        if pieces and len(pieces) <= 3 and max(map(len, pieces)) <= LONGEST_NUMBER:
            plain[DIGITS.sub("#", text.strip())].append((place, (tuple(map(int, pieces)), -1)))
    coloured: dict[str, list[tuple[int, Key]]] = defaultdict(list)
    for pattern, members in plain.items():
        if found := CHANNEL.search(pattern):
            channel = "rgb".index(found[1][0])
            coloured[CHANNEL.sub("@", pattern, count=1)] += [(n, (numbers, channel)) for n, (numbers, _) in members]
    whole = {k: sorted(v) for k, v in coloured.items() if sorted({key[1] for _, key in v}) == [0, 1, 2]}
    return plain, whole


def in_picture(keys: Sequence[Key], pattern: str) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """What each name is to be sorted by, and the picture's shape where the names tell it, else ().

    Two numbers are a row and a column; where the table runs through the first of them faster, and the names do not
    say `row`, the second one is the row. Three are a row, a column and a channel, or a channel, a row and a column.
    """
    sizes = [len(set(axis)) for axis in zip(*(numbers for numbers, _ in keys), strict=True)]
    channels = 3 if keys[0][1] >= 0 else 1
    whole = len(keys) == channels * math.prod(sizes)
    plain = [(*numbers, channel) for numbers, channel in keys]
    if not whole or len(sizes) == 1:
        return plain, ()
    if len(sizes) == 2:
        if channels == 1 and keys[0][0][0] != keys[1][0][0] and not ROWS_FIRST.search(pattern):
            return [(b, a) for (a, b), _ in keys], (sizes[1], sizes[0], 1)
        return plain, (sizes[0], sizes[1], channels)
    if channels == 1 and sizes[0] in (1, 3) and sizes[2] not in (1, 3):
        return [(h, w, c) for (c, h, w), _ in keys], (sizes[1], sizes[2], sizes[0])
    return plain, (sizes[0], sizes[1], sizes[2]) if channels == 1 and sizes[2] in (1, 3) else ()
