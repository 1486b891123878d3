"""Decoding of pixels that Parquet and Arrow tables hold as numbers: one column each, or one list per row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightlab.data.arrow.arrow_columns import Columns
from sightlab.data.arrow.arrow_files import Table
from sightlab.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

CHANNELS = (1, 3)
MOST_ROWS = 2048
MOST_PIXELS = 2**22


@dataclass(frozen=True)
class Form:
    """How one row's numbers make a picture: height, width, channels; whether a channel's numbers stand together."""

    shape: tuple[int, int, int]
    channels_first: bool = False


def pixel_form(table: Table, columns: Columns, asked: tuple[int, ...]) -> Form:
    """The form of a table's pictures, from its columns or its first row. Raises DataError.

    asked: the shape that the user gives, () for none. Values in one row lie in row order, channels last, unless lists
    say otherwise.
    """
    inner = (len(columns.pictures),) if columns.kind == "pixels" else first_shape(table, columns.pictures[0])
    count = math.prod(inner)
    if asked:
        height, width, *rest = asked
        depth = rest[0] if rest else max(1, count // (height * width))
        if height * width * depth != count:
            given = "x".join(map(str, asked))
            raise DataError(f"{table.file}: has {count:,} pixels a row; `shape={given}` says another number")
        return Form((height, width, depth))
    if len(inner) == 1:
        return Form(square_shape(table, count))
    if len(inner) == 2:
        return Form((inner[0], inner[1], 1))
    if len(inner) == 3 and inner[2] in CHANNELS:
        return Form((inner[0], inner[1], inner[2]))
    if len(inner) == 3 and inner[0] in CHANNELS:
        return Form((inner[1], inner[2], inner[0]), channels_first=True)
    raise DataError(
        f"{table.file}: column `{columns.pictures[0]}` holds lists of {' x '.join(map(str, inner))} numbers; pictures "
        "are height x width, or have 1 or 3 channels first or last"
    )


def square_shape(table: Table, count: int) -> tuple[int, int, int]:
    """The shape of square pictures of so many numbers. Raises DataError where there is none."""
    for depth in CHANNELS:
        side = math.isqrt(count // depth)
        if side and side * side * depth == count:
            return side, side, depth
    raise DataError(
        f"{table.file}: has {count:,} pixels a row, which is neither H*W nor H*W*3 of a square picture; "
        "`shape=HEIGHTxWIDTH` says what they are"
    )


def first_shape(table: Table, column: str) -> tuple[int, ...]:
    """The lengths of the lists in a column's first row. Raises DataError where there is none, or they differ."""
    batch = next((batch for batch in table.batches([column]) if batch.num_rows), None)
    if batch is None:
        raise DataError(f"{table.file}: holds no rows")
    value: Any = batch.column(0).slice(0, 1).to_pylist()[0]
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    if not shape or not math.prod(shape):
        raise DataError(f"{table.file}: row 1 has no pixels in column `{column}`; remove the row")
    return tuple(shape)


def pixel_blocks(table: Table, columns: Columns, form: Form) -> Iterator[NDArray[np.uint8]]:
    """The pictures, some at a time, uint8 [rows, H, W, C]. Raises DataError for values that are no bytes."""
    height, width, channels = form.shape
    length = height * width * channels
    row, rows = 0, max(1, min(MOST_ROWS, MOST_PIXELS // length))
    for batch in table.batches(columns.pictures, rows):
        values = wide(batch) if columns.kind == "pixels" else flat_lists(batch.column(0), table, row, length)
        data = as_bytes(values.reshape(batch.num_rows, length), table, row)
        if form.channels_first:
            yield data.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        else:
            yield data.reshape(-1, height, width, channels)
        row += batch.num_rows


def wide(batch: pa.RecordBatch) -> NDArray[Any]:
    """Pixel columns as [rows, pixels]; null becomes NaN."""
    return np.stack([batch.column(n).to_numpy(zero_copy_only=False) for n in range(batch.num_columns)], axis=1)


def flat_lists(values: pa.Array, table: Table, row: int, length: int) -> NDArray[Any]:
    """A column of lists as one array of numbers. Raises DataError for a row of another length."""
    import pyarrow as pa

    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    rows = len(values)
    inner, owners = values, np.arange(rows)
    while pa.types.is_list(inner.type) or pa.types.is_large_list(inner.type) or pa.types.is_fixed_size_list(inner.type):
        lengths = np.array(
            inner.value_lengths().fill_null(0)
            if hasattr(inner, "value_lengths")
            else [inner.type.list_size] * len(inner),
            np.int64,
        )
        owners, inner = np.repeat(owners, lengths), inner.flatten()
    counts = np.bincount(owners, minlength=rows)
    wrong = np.flatnonzero(counts != length)
    if len(wrong):
        raise DataError(
            f"{table.file}: row {row + wrong[0] + 1} has {counts[wrong[0]]:,} pixels, the first row {length:,}; "
            "all need one size"
        )
    return np.asarray(inner.to_numpy(zero_copy_only=False))


def as_bytes(values: NDArray[Any], table: Table, row: int) -> NDArray[np.uint8]:
    """Numbers as bytes. values: [rows, pixels]. Raises DataError for the first that is no whole number 0 to 255."""
    if values.dtype == np.uint8:
        return values
    wrong = ~((values >= 0) & (values <= 255))
    if values.dtype.kind == "f":
        wrong |= values != np.floor(values)
    if wrong.any():
        place, pixel = (int(n[0]) for n in np.nonzero(wrong))
        found = values[place, pixel]
        hint = "; multiply values from 0 to 1 by 255 first" if values.dtype.kind == "f" and 0 <= found <= 1 else ""
        raise DataError(
            f"{table.file}: row {row + place + 1}, pixel {pixel + 1} is {found:g}; "
            f"pixels are whole numbers from 0 to 255{hint}"
        )
    return values.astype(np.uint8)
