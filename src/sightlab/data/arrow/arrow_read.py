"""Reader of Parquet and Arrow tables: encoded images go to the decoder, raw pixels are copied."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightlab.data.arrow.arrow_columns import Columns
from sightlab.data.arrow.arrow_files import Table, open_table
from sightlab.data.arrow.arrow_labels import Labels, Piece
from sightlab.data.arrow.arrow_pixels import Form, pixel_blocks
from sightlab.data.containers.base import check_size
from sightlab.data.imageset import Allocate, ImageSet, Parts, Progress
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import Read
from sightlab.data.messages import shortened
from sightlab.data.pictures.assemble import Labelled, assemble
from sightlab.data.pictures.decode import Decoding
from sightlab.errors import DataError


@dataclass(frozen=True, eq=False)
class Source:
    """What is read: tables of an inventory, by these columns and labels. form: of pixels, where they are no files."""

    inventory: Inventory
    decoding: Decoding
    columns: Columns
    form: Form | None
    labels: Labels
    notes: tuple[str, ...]


def reader(source: Source) -> Read:
    """What reads a source."""

    def read(allocate: Allocate, progress: Progress | None) -> Parts:
        if source.form is None:
            labels = source.labels
            labelled = Labelled(
                source.inventory.label,
                labels.classes,
                labels.numbered,
                labels.numbers,
                lambda: pictures(source),
                source.notes,
            )
            return assemble(labelled, source.decoding, allocate, progress)
        return copied(source, source.form, allocate, progress)

    return read


def pictures(source: Source) -> Iterator[tuple[int, str, bytes]]:
    """Each picture's place among all, what messages call it, and its file's bytes."""
    place = 0
    for pieces in source.labels.pieces.values():
        for piece in pieces:
            with open_table(piece.file) as table:
                for row, data in picture_bytes(source, table, piece):
                    yield place, f"{piece.file}, row {row + 1}", data
                    place += 1


def picture_bytes(source: Source, table: Table, piece: Piece) -> Iterator[tuple[int, bytes]]:
    """(row, picture's bytes) of the rows wanted of one table. Raises DataError for a row without any."""
    (column,) = source.columns.pictures
    wanted = wanted_rows(table, piece)
    start = 0
    for batch in table.batches([column]):
        rows = np.flatnonzero(wanted[start : start + batch.num_rows])
        for row, value in zip(rows.tolist(), batch.column(0).take(rows).to_pylist(), strict=True):
            yield start + row, data_of(source, piece, start + row, value)
        start += batch.num_rows


def wanted_rows(table: Table, piece: Piece) -> Any:
    """Which rows of a table are read. bool [rows]."""
    wanted = np.zeros(table.rows, bool)
    wanted[piece.rows] = True
    return wanted


def data_of(source: Source, piece: Piece, row: int, value: Any) -> bytes:
    """A row's picture file: its bytes, or those of the file in the source that it names. Raises DataError."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return data
    path = value.get("path") if isinstance(value, dict) else None
    found = picture_path(source.inventory, piece.file.name, path) if path else None
    if found is not None:
        file = source.inventory.file(found)
        check_size(file.shown, file.size)
        return file.head(file.size)
    if source.decoding.skip_broken:
        return b""
    column = source.columns.pictures[0]
    if path:
        raise DataError(
            f"{piece.file}: row {row + 1} holds no picture, only the path `{shortened(str(path))}`, which is not in "
            "the source; save the table with the pictures in it"
        )
    raise DataError(f"{piece.file}: row {row + 1} has no picture bytes in column `{column}`")


def picture_path(inventory: Inventory, table: str, path: str) -> str | None:
    """The file of a source that a table's path means, from the table's folder or the source's; None for none.

    It never leads out of the source.
    """
    sizes = inventory.container.sizes
    for folder in (posixpath.dirname(table), ""):
        name = posixpath.normpath(posixpath.join(folder, path.replace("\\", "/")))
        if name in sizes and not path.startswith("/"):
            return name
    return None


def copied(source: Source, form: Form, allocate: Allocate, progress: Progress | None) -> Parts:
    """The pictures of pixels that lie in tables as numbers."""
    labels = source.labels
    total, done = sum(map(len, labels.numbers.values())), 0
    splits = {}
    for split, numbers in labels.numbers.items():
        images = allocate(split, (len(numbers), *form.shape))
        place = 0
        for piece in labels.pieces[split]:
            with open_table(piece.file) as table:
                wanted, start = wanted_rows(table, piece), 0
                for block in pixel_blocks(table, source.columns, form):
                    some = block[wanted[start : start + len(block)]]
                    images[place : place + len(some)] = some
                    place, start, done = place + len(some), start + len(block), done + len(some)
                    if progress is not None:
                        progress(done, total)
        splits[split] = ImageSet(images, numbers, labels.classes, labels.numbered)
    return Parts(splits, source.notes)
