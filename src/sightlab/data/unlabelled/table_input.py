"""Unlabelled pictures in Parquet and Arrow files and in pixel tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sightlab.data.arrow.arrow_columns import LABEL_NAMES, Columns, listed, picture_columns
from sightlab.data.arrow.arrow_files import Table, open_table
from sightlab.data.arrow.arrow_pixels import pixel_blocks, pixel_form
from sightlab.data.containers.base import DataFile
from sightlab.data.formats.csv import read_unlabelled_csv
from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.unlabelled.array_input import read_unlabelled_arrays
from sightlab.data.unlabelled.list_input import ID, left_columns
from sightlab.data.unlabelled.picture_input import Picture, Wanted, decoded
from sightlab.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_pictures(file: DataFile, wanted: Wanted) -> Iterator[Picture]:
    """The pictures of a Parquet or Arrow file, row by row; label columns are ignored and told. Raises DataError."""
    with open_table(file) as table:
        found = picture_columns(table.schema, str(file))
        if found is None or found[0] == "paths":
            raise DataError(f"{file}: no column of picture bytes or pixels; {listed(table.schema)}")
        kind, columns = found
        labels = [field.name for field in table.schema if field.name.casefold() in LABEL_NAMES]
        if note := left_columns(str(file), [name for name in labels if name not in columns]):
            wanted.on_note(note)
        ids, own_id = ids_of(table, columns)
    if kind == "bytes":
        yield from byte_pictures(file, columns[0], ids, own_id, wanted)
    else:
        yield from pixel_pictures(file, Columns(kind, columns, ""), ids, own_id, wanted)


def ids_of(table: Table, pictures: Sequence[str]) -> tuple[list[str], bool]:
    """Each row's id, and whether it is of the one column called so; else the row's number from 1."""
    names = [f.name for f in table.schema if ID.fullmatch(f.name) and f.name not in pictures]
    if len(names) != 1:
        return [str(number) for number in range(1, table.rows + 1)], False
    return [str(value) for value in table.column(names[0]).to_pylist()], True


def byte_pictures(file: DataFile, column: str, ids: Sequence[str], own_id: bool, wanted: Wanted) -> Iterator[Picture]:
    """The picture files in a column, decoded."""

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        with open_table(file) as table:
            place = 0
            for batch in table.batches([column]):
                for value in batch.column(0):
                    yield place, row_name(file, place), bytes_of(file, value, place)
                    place += 1

    named = ((row_name(file, place), own) for place, own in enumerate(ids))
    return decoded(pictures, named, wanted, own_id=own_id)


def row_name(file: DataFile, place: int) -> str:
    """What messages and answers call a row, counted from 0."""
    return f"{file}, row {place + 1}"


def bytes_of(file: DataFile, value: pa.Scalar, place: int) -> bytes:
    """A cell's picture. Raises DataError where it has none."""
    found = value.as_py()
    data = found.get("bytes") if isinstance(found, dict) else found
    if not isinstance(data, bytes):
        raise DataError(f"{row_name(file, place)}: has no picture bytes; remove the row")
    return data


def pixel_pictures(
    file: DataFile, columns: Columns, ids: Sequence[str], own_id: bool, wanted: Wanted
) -> Iterator[Picture]:
    """The pictures whose pixels are numbers in columns or lists."""
    with open_table(file) as table:
        flat = len(columns.pictures) == math.prod(wanted.shape)
        form = pixel_form(table, columns, wanted.stated or (wanted.shape if flat else ()))
        place = 0
        for block in pixel_blocks(table, columns, form):
            for pixels in block:
                yield Picture(row_name(file, place), pixels, ids[place], own_id)
                place += 1


def row_pictures(file: DataFile, wanted: Wanted) -> Iterator[Picture]:
    """The pictures of a text table of pixels, called by their ids where a column has them. Raises DataError."""
    found = read_unlabelled_csv(file, wanted.shape, encoding=wanted.encoding, bit_depth=wanted.decoding.bit_depth)
    for note in found.notes:
        wanted.on_note(f"{file}: {note}")
    ids = found.names or tuple(map(str, range(1, len(found.images) + 1)))
    for number, (pixels, own) in enumerate(zip(found.images, ids, strict=True), 1):
        yield Picture(f"{file}:{number}", pixels, own, bool(found.names))


def array_pictures(file: DataFile, wanted: Wanted) -> Iterator[Picture]:
    """The pictures of an array file, called by their places from 1. Raises DataError."""
    options = ReadOptions(decoding=wanted.decoding, shape=wanted.stated)
    names, pixels, notes = read_unlabelled_arrays(file, wanted.shape, options)
    for note in notes:
        wanted.on_note(note)
    for number, (name, picture) in enumerate(zip(names, pixels, strict=True), 1):
        yield Picture(name, picture, str(number))
