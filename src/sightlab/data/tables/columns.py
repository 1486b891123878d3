"""Schema detection of pixel tables: from the first rows to pixel, label, split and id columns."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sightlab.data.tables.column_names import called, is_id, is_label, is_split
from sightlab.data.tables.evidence import end_of, is_running, looks_four_channelled, looks_planar, one_hot_at, probed
from sightlab.data.tables.grid import Grid, numbers_of
from sightlab.data.tables.headings import MOST_BESIDE_PACKED
from sightlab.data.tables.packed import nested_shape, packed_numbers
from sightlab.data.tables.pixel_columns import Columns, either_end, no_picture
from sightlab.data.tables.pixel_names import PixelNames, pixel_names
from sightlab.data.tables.roles import Roles, UnclearError, Wish, roles_of
from sightlab.data.tables.shapes import Shape, is_planar, plane_order, shape_of

LEAST_UNNAMED = 64  # fewer columns without names that pixels have may hold any measurements
LEAST_NAMED = 4
LEAST_VALUES = 256  # that tell a range
HIGHEST = 65535  # of 16 bits
LEAST_OF_FRACTIONS = 64  # fractions that end between this and 1 are no pixels
SEEN_ROWS, SEEN_VALUES = 16, 1 << 12  # whose values tell how pictures lie in a row


def columns_of(grid: Grid, wish: Wish) -> Columns | None:
    """What a table's columns are; None where it is no table of pixels. Raises UnclearError where it is, and unclear."""
    packed = [n for n in range(grid.width) if grid.kind(n) == "packed"] if grid.width <= MOST_BESIDE_PACKED else []
    if packed:
        return packed_columns(grid, wish, packed)
    names = None if grid.mangled else pixel_names(grid.header)
    if names and not names.sure and len(names.columns) < LEAST_UNNAMED:
        names = None
    pixels = list(names.columns) if names else unnamed_pixels(grid)
    asked = wish.given or bool(wish.shape) or (wish.label is not None and not grid.header)
    if len(pixels) < LEAST_NAMED or not (names or asked or len(pixels) >= LEAST_UNNAMED):
        return None
    inside = frozenset(pixels)
    roles = roles_of(grid, [n for n in range(grid.width) if n not in inside], wish)
    taken = {*roles.labels, roles.split}
    found = within([n for n in pixels if n not in taken], roles, grid, names, wish)
    if not (names and names.sure) and not asked:
        check_values(grid.numbers(found.pixels, grid.rows[:SEEN_ROWS]))
    return replace(found, doubts=doubts_of(found, wish)) if not names else found


def check_values(numbers: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    """Raises UnclearError where columns that nothing calls pixels hold numbers that no pixels have. numbers: [N, P]."""
    if numbers.size < LEAST_VALUES:
        return
    low, high = float(numbers.min()), float(numbers.max())
    whole = bool((numbers == np.floor(numbers)).all())
    if low < -1.01 or high > HIGHEST or (not whole and 1.01 < high < LEAST_OF_FRACTIONS):
        raise UnclearError(
            f"its {numbers.shape[1]:,} columns of numbers run from {low:.4g} to {high:.4g} in the first rows: no "
            "pixels, or normalized ones; pixels are whole numbers from 0 to 255, or fractions from 0 to 1 or -1 to 1"
        )


def unnamed_pixels(grid: Grid) -> list[int]:
    """Columns of numbers that are not called by another role."""
    named = grid.header if not grid.mangled else ()
    return [
        n
        for n in range(grid.width)
        if grid.kind(n) == "number" and not (named and (is_label(named[n]) or is_id(named[n]) or is_split(named[n])))
    ]


def within(pixels: Sequence[int], roles: Roles, grid: Grid, names: PixelNames | None, wish: Wish) -> Columns:
    """The columns, once it is found which of these are pixels and which is, at an end, a label or an id."""
    header = () if grid.mangled else grid.header
    left = dict(roles.left)
    pixels, ids = without_running(pixels, grid, wish, names, left)
    base = Columns(
        grid.width,
        header,
        tuple(pixels),
        (0, 0, 0),
        labels=roles.labels,
        split=roles.split,
        ids=roles.ids if roles.ids is not None else ids,
        left=tuple(sorted(left.items())),
        mangled=grid.mangled,
    )
    shape = shape_of(len(pixels), wish.shape, names.shape if names and len(names.columns) == len(pixels) else ())
    if shape and not (names is None and not roles.labels and shape_of(len(pixels) - 1, wish.shape)):
        return laid_out(base, shape, names, grid, wish)
    if roles.labels:
        raise UnclearError(no_picture(base, len(pixels), wish))
    return with_label_inside(base, grid, wish, shape)


def without_running(
    pixels: Sequence[int], grid: Grid, wish: Wish, names: PixelNames | None, left: dict[int, str]
) -> tuple[list[int], int | None]:
    """The columns without those at the ends that count the rows, which are added to `left`; and one of these."""
    kept, found = list(pixels), None
    if names is not None and shape_of(len(kept), wish.shape, names.shape):
        return kept, None
    for end in (0, -1):
        if len(kept) > LEAST_NAMED and is_running(grid.numbers([kept[end]], grid.rows)[:, 0]):
            found = kept.pop(end)
            left[found] = "an id"
    return kept, found


def laid_out(base: Columns, shape: Shape, names: PixelNames | None, grid: Grid, wish: Wish) -> Columns:
    """The columns with the shape of a picture and the order of its values."""
    if names and len(names.columns) != len(base.pixels):  # one of these columns is the label
        names = pixel_names([base.header[n] for n in base.pixels])
    if names and len(names.columns) == len(base.pixels) and (names.order or names.shape or names.coloured):
        return replace(base, shape=shape, order=names.order)
    planes = is_planar(wish.shape)
    if shape[2] == 3 and (not wish.shape or wish.unlabelled):
        planes = looks_planar(pixel_numbers(base, grid, shape), shape[0], shape[1])
        if planes and not wish.shape:
            height, width, _ = shape
            raise UnclearError(
                f"its {height * width * 3:,} values a picture look like three planes, all red, then green, then blue: "
                f"`shape=3x{height}x{width}` reads them so, `shape={height}x{width}x3` pixel after pixel"
            )
    elif not wish.shape and shape[0] == shape[1] and looks_four_channelled(pixel_numbers(base, grid, shape), shape[0]):
        half = shape[0] // 2
        raise UnclearError(
            f"its {shape[0] * shape[1]:,} values a picture look like {half} x {half} pixels of red, green, blue and "
            f"alpha: `shape={half}x{half}x4` reads them so, `shape={shape[0]}x{shape[1]}` as one grey picture"
        )
    return replace(base, shape=shape, order=plane_order(shape) if planes and shape[2] > 1 else ())


def pixel_numbers(base: Columns, grid: Grid, shape: Shape) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The values of some pictures, [N, values]."""
    some = grid.rows[: min(SEEN_ROWS, max(4, SEEN_VALUES // math.prod(shape)))]
    if not base.packed:
        return grid.numbers(base.pixels, some)
    cells = [packed_numbers(row[base.pixels[0]]) for row in some]
    rows = [numbers_of(row, range(len(row))) for row in cells if len(row) == math.prod(shape)]
    return np.array([row for row in rows if row is not None], np.float64).reshape(-1, math.prod(shape))


def with_label_inside(base: Columns, grid: Grid, wish: Wish, whole: Shape | None) -> Columns:
    """The columns where a label at one of the ends must be told by its values. Raises UnclearError.

    whole: the shape of the pictures if there is no label.
    """
    pixels = list(base.pixels)
    shape = shape_of(len(pixels) - 1, wish.shape)
    if shape:
        some = probed(len(pixels))
        values = grid.numbers([pixels[n] for n in some])
        end = end_of(dict(zip(some, values.T, strict=True)), len(pixels))
        if end and not whole:
            label = pixels.pop(0 if end == "first" else -1)
            found = replace(base, pixels=tuple(pixels), labels=(label,), by_values=True)
            return laid_out(found, shape, None, grid, wish)
        raise UnclearError(either_end(base, shape, whole))
    one_hot = one_hot_columns(base, grid, wish)
    if one_hot is None:
        raise UnclearError(no_picture(base, len(pixels), wish))
    return one_hot


def one_hot_columns(base: Columns, grid: Grid, wish: Wish) -> Columns | None:
    """The columns where several at one end are one-hot labels; None where there are none."""
    pixels = base.pixels
    numbers = grid.numbers(pixels)
    for front in (True, False):
        count = one_hot_at(numbers, front=front)
        shape = shape_of(len(pixels) - count, wish.shape) if count else None
        if shape:
            labels = pixels[:count] if front else pixels[-count:]
            rest = pixels[count:] if front else pixels[:-count]
            return laid_out(replace(base, pixels=rest, labels=labels), shape, None, grid, wish)
    return None


def doubts_of(found: Columns, wish: Wish) -> tuple[str, ...]:
    """Why columns with names of their own may be no pixels, a line each."""
    words = [n for n in found.pixels if found.header and not re.search(r"\d", found.header[n])]
    if 2 * len(words) <= len(found.pixels) or wish.given or wish.shape:
        return ()
    height, width, depth = found.shape
    shape = f"{height}x{width}" if depth == 1 else f"{height}x{width}x{depth}"
    return (
        f"its {len(found.pixels)} columns of numbers have names ({called(found.header, words[0])}, "
        f"{called(found.header, words[1])}, ...) as measurements have; `shape={shape}` reads them as pixels",
    )


def packed_columns(grid: Grid, wish: Wish, packed: Sequence[int]) -> Columns:
    """The columns of a table with all pixels of a picture in one. Raises UnclearError."""
    if len(packed) > 1:
        one, two = (called(grid.header, n) for n in packed[:2])
        raise UnclearError(f"{one} and {two} both hold rows of numbers; a table of pictures has one such column")
    roles = roles_of(grid, [n for n in range(grid.width) if n != packed[0]], wish)
    cells = [row[packed[0]] for row in grid.rows]
    if any("..." in cell for cell in cells):
        raise UnclearError(f"{called(grid.header, packed[0])} was cut to `...` when it was saved; save all numbers")
    counts = [len(packed_numbers(cell)) for cell in cells]
    count = max(set(counts), key=lambda n: (counts.count(n), n))
    base = Columns(
        grid.width,
        grid.header,
        (packed[0],),
        (0, 0, 0),
        labels=roles.labels,
        split=roles.split,
        ids=roles.ids,
        left=roles.left,
        packed=True,
    )
    shape = shape_of(count, wish.shape, nested_shape(cells[0]))
    if shape is None:
        raise UnclearError(no_picture(base, count, wish))
    return laid_out(base, shape, None, grid, wish)
