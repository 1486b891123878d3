"""Iterating over the rows of a text table in its dialect."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from sightlab.data.formats.file_io import opened
from sightlab.data.tables.dialect import BLANK, TextTable, as_heading, cells
from sightlab.errors import DataError, one_line


def all_records(table: TextTable) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line number, cells) of every row of a table, a heading among them. Cells may hold line ends in quotes.

    Raises DataError for text that is not of the table's encoding, naming the line.
    """
    first, width = table.records[0][0], table.width
    for number, cells_as_written in raw_records(table):
        row = tuple(cell.strip() for cell in cells_as_written)
        if not row[0].startswith("#"):
            yield number, row
        elif len(row) == width:
            yield number, as_heading(row, table.separator) if number == first else row


def raw_records(table: TextTable) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells with the blanks around them) of every row from the first one on that has anything in it.

    Comments are among them. Raises DataError as `all_records` does.
    """
    number, first = 0, table.records[0][0]
    with opened(table.file) as (stream, _):
        text = io.TextIOWrapper(stream, encoding=table.encoding, newline="")
        try:
            for number, row in parsed(text, table.separator):
                if number >= first:
                    yield number, row
        except UnicodeDecodeError as error:
            raise DataError(not_of_encoding(table, number)) from error
        except csv.Error as error:
            raise DataError(f"{table.file}: is not a table after line {number}: {one_line(error)[:80]}") from error
        finally:
            text.detach()  # the stream is closed where it was opened


def not_of_encoding(table: TextTable, read: int) -> str:
    """The line that says where a text is not of its table's encoding. read: the last line that could be read."""
    where = f"after line {read}"
    if not table.encoding.startswith(("utf-16", "utf-32")):
        with opened(table.file) as (stream, _):
            wrong = (n for n, line in enumerate(stream, 1) if not is_text(line, table.encoding))
            where = f"in line {next(wrong, read)}"
    if table.encoding.startswith("utf-8"):
        return f"{table.file}: is not UTF-8 text {where}; save it as UTF-8, or say `encoding=latin-1`"
    return f"{table.file}: is not {table.encoding} text {where}; say another `encoding=`, or save it as UTF-8"


def is_text(line: bytes, encoding: str) -> bool:
    """Whether a line can be decoded."""
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def parsed(text: io.TextIOWrapper, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every row that has anything in it."""
    if separator in ("", BLANK):
        for number, line in enumerate(text, 1):
            if line.strip():
                yield number, cells(line, separator)
        return
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
    for row in reader:
        if row and (row[0] or any(map(str.strip, row))):
            yield reader.line_num, row
