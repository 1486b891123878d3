"""The exact road from CSV text to bytes: row by row, with quotes, spaces and floats, and every mistake by its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.digits import Table
from sightlab.data.formats.labels import label_text
from sightlab.errors import DataError, one_line

SHOWN_CHARACTERS = 40


def as_text(stream: BinaryIO) -> TextIO:
    """A stream's UTF-8 text, its line ends as they are. Closing it closes the stream."""
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def records(path: Path, text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with their line numbers from 1. Raises DataError: not UTF-8, or not CSV."""
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if len(row) > 1 or (row and row[0].strip()):
                yield reader.line_num, row
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text (after line {reader.line_num}); save it as UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV: {one_line(error)}") from error


def read_rows(path: Path, table: Table, header: tuple[str, ...]) -> tuple[NDArray[np.uint8], list[str]]:
    """The pixels uint8 [N, P] and the labels of a file, read row by row. header: its column names, () for none.

    Raises DataError with the line and the column: a ragged row, a missing label, a pixel that is no whole number
    from 0 to 255, no rows.
    """
    pixels, labels = bytearray(), []
    rows = 0
    with as_text(table.reopen()) as text:
        lines = records(path, text, table.delimiter)
        first = next(lines)[0] if header else 0
        for line, row in lines:
            first = first or line
            if len(row) != table.columns:
                raise DataError(f"{path}: line {line} has {len(row)} fields, line {first} has {table.columns}")
            if table.label is not None:
                label = label_text(row.pop(table.label))
                if not label:
                    column = column_name(header, table.label)
                    raise DataError(f"{path}: line {line}, {column}: the label is missing")
                labels.append(label)
            pixels += row_bytes(row) or b""
            rows += 1
            if len(pixels) != rows * len(row):
                raise DataError(f"{path}: line {line}, {pixel_fault(row, table, header)}")
    if not rows:
        raise DataError(f"{path}: holds a header and no rows" if header else f"{path}: holds no rows")
    return np.frombuffer(pixels, np.uint8).reshape(rows, table.pixels), labels


def row_bytes(cells: list[str]) -> bytes | None:
    """The pixels of a row; None where one is no whole number from 0 to 255.

    >>> row_bytes(["0", " 007", "12.0"]), row_bytes(["256"])
    (b'\\x00\\x07\\x0c', None)
    """
    joined = "".join(cells)
    if "_" in joined or not joined.isascii():
        return None  # Python's own numbers may have underscores and the digits of any script
    try:
        return bytes(map(int, cells))
    except ValueError:
        pass
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    whole = (values >= 0) & (values <= 255) & (values == np.floor(values))
    return values.astype(np.uint8).tobytes() if whole.all() else None


def pixel_fault(cells: list[str], table: Table, header: tuple[str, ...]) -> str:
    """Which of a row's pixels is wrong, and how."""
    place = next(n for n, cell in enumerate(cells) if row_bytes([cell]) is None)
    column = place + (table.label is not None and place >= table.label)
    text = cells[place].strip()
    found = repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...") if text else "nothing"
    return f"{column_name(header, column)}: found {found}; pixel values must be whole numbers from 0 to 255"


def column_name(header: tuple[str, ...], column: int) -> str:
    """What to call a column: by its name, else by its number from 0."""
    name = header[column].strip() if column < len(header) else ""
    return f"column {name}" if name else f"column {column} (from 0)"
