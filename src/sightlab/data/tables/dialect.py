"""Dialect detection of text tables: separator and comments, from the first lines."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.file_io import opened
from sightlab.data.tables.arff import heading_and_rows, is_arff
from sightlab.data.tables.encodings import encoding_of
from sightlab.data.tables.packed import is_packed
from sightlab.errors import DataError

HEAD_BYTES = 1 << 18
MOST_HEAD_BYTES = 1 << 24  # of lines so long that few lie in HEAD_BYTES
LEAST_LINES = 8
HEAD_ROWS = 200
HEAD_CHARACTERS = 1 << 14  # of the first rows, where they are long
LEAST_ROWS = 12
SEPARATORS = (",", ";", "\t", "|")
BLANK = " "  # stands for any run of white space
OTHERS = {mark: frozenset(SEPARATORS) - {mark} for mark in (*SEPARATORS, BLANK)}
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
LEAST_NUMBERS = 4  # in a cell that holds several
NUMBER_LINES, NUMBER_CELLS = 3, 50  # that tell whether a separator leaves numbers
PLAIN = re.compile(r"[^\s]*", re.ASCII)  # no blanks, which would have to be stripped
SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)

csv.field_size_limit(2**27)


@dataclass(frozen=True, eq=False)
class TextTable:
    """A text table with its first rows seen.

    file: where it is. encoding: of its text. separator: one character; a blank stands for any run of white space.
    records: (line number from 1, cells) of the first rows, a heading among them; comment lines and `sep=;` left out.
    whole: whether these are all rows.
    """

    file: DataFile
    encoding: str
    separator: str
    records: tuple[tuple[int, tuple[str, ...]], ...]
    whole: bool

    @property
    def width(self) -> int:
        """How many cells most of the first rows have."""
        counts = [len(row) for _, row in self.records]
        return max(set(counts), key=lambda n: (counts.count(n), n))


def text_table(file: DataFile, encoding: str | None = None) -> TextTable | None:
    """A file's dialect and first rows; None where it is no text, or has no rows.

    encoding: as the user gives it; None takes a byte order mark's, else UTF-8. Raises DataError for text in an
    encoding that is not said, and for a name of an encoding that there is none of.
    """
    with opened(file) as (stream, _):
        data, whole = head_of(stream)
    found = encoding_of(data, encoding, file, whole=whole)
    if found is None:
        return None
    decoder = codecs.getincrementaldecoder(found)("strict" if encoding is None else "replace")
    try:
        text = decoder.decode(data, final=whole)
    except UnicodeDecodeError as error:  # a byte order mark promises what the rest is not
        raise DataError(f"{file}: is not {found} text, as its first bytes say; save it as UTF-8") from error
    lines = list(io.StringIO(text, newline=""))  # `splitlines` also parts at marks that only text has
    if not whole:
        lines = lines[:-1]  # cut in the middle
    kept = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if kept and is_arff(kept):
        return arff_table(file, found, kept, whole)
    declared = SEP_LINE.fullmatch(kept[0][1].strip()) if kept else None
    if declared:
        kept = kept[1:]
    plain = [(n, line) for n, line in kept if not line.startswith("#")] or kept
    if not plain:
        return None
    shown = in_short([line for _, line in plain])
    separator = declared[1] if declared else separator_of(shown)
    if separator == BLANK and is_one_column(shown):
        separator = ""
    records = tuple(islice_records(kept, separator, len(plain) < len(kept)))
    return TextTable(file, found, separator, records, whole and len(records) == len(kept)) if records else None


def arff_table(file: DataFile, encoding: str, lines: Sequence[tuple[int, str]], whole: bool) -> TextTable | None:
    """An ARFF file as a table with a heading; None for one without rows, or with rows of another form."""
    parts = heading_and_rows(lines)
    if parts is None or not parts[2] or parts[2][0][1].startswith("{"):
        return None
    line, names, rows = parts
    records = tuple(islice_records(rows, ",", False))
    return TextTable(file, encoding, ",", ((line, names), *records), whole and len(records) == len(rows))


def head_of(stream: BinaryIO) -> tuple[bytes, bool]:
    """A file's first bytes, several whole lines where it has them, and whether they are all of it."""
    data = stream.read(HEAD_BYTES + 1)
    if len(data) <= HEAD_BYTES:
        return data, True
    while data.count(b"\n") < LEAST_LINES and len(data) < MOST_HEAD_BYTES:
        more = stream.read(len(data))
        if not more:
            return data, True
        data += more
    return data, False


def in_short(lines: Sequence[str]) -> list[str]:
    """The first of these lines: as many as are not too long together, and a few at least."""
    kept: list[str] = []
    room = HEAD_CHARACTERS // 2
    for line in lines[:HEAD_ROWS]:
        if room < 0 and len(kept) >= LEAST_LINES:
            break
        kept.append(line)
        room -= len(line)
    return kept


def is_one_column(lines: Sequence[str]) -> bool:
    """Whether lines of several numbers are one column: the heading over them is one word.

    >>> is_one_column(["pixels", "0 255 0 3"]), is_one_column(["labels", "a.jpg 3"])
    (True, False)
    """
    heading, *rows = (line.split() for line in lines)
    numbers = [row for row in rows if len(row) >= LEAST_NUMBERS and all(map(NUMBER.fullmatch, row))]
    return len(heading) == 1 and NUMBER.fullmatch(heading[0]) is None and len(numbers) == len(rows) > 0


def separator_of(lines: Sequence[str]) -> str:
    """The separator that parts most of these lines into one number of fields; a blank for white space, "" for none.

    >>> separator_of(["a.jpg;cat", "b.jpg;dog"]), separator_of(["a.jpg cat", "b.jpg dog"]), separator_of(["a", "b"])
    (';', ' ', '')
    """
    best, most = "", 0.0
    for rank, mark in enumerate((*SEPARATORS, BLANK)):
        score = evenness(lines, mark) - 0.01 * rank
        if score > most:
            best, most = mark, score
    return best


def evenness(lines: Sequence[str], mark: str) -> float:
    """How well a separator parts these lines into one number of fields, better with the heading, or numbers."""
    if mark != BLANK and 2 * sum(mark in line for line in lines) < len(lines):
        return 0.0
    parted = [cells(line, mark) for line in lines]
    counts = [len(row) for row in parted]
    usual = max(set(counts), key=lambda n: (counts.count(n), n))
    even = counts.count(usual) / len(counts)
    # A heading may have blanks in its names and a label commas, so a mark that parts six lines of ten will do.
    if usual < 2 or even < 0.6:
        return 0.0
    # In `5;0,25;0,5` the comma parts as evenly as the semicolon, which alone leaves numbers; and in a heading over such
    # lines there is no comma.
    some = [cell for row in parted[:NUMBER_LINES] for cell in row[:NUMBER_CELLS]]
    mixed = 0.06 if any(set(cell) & OTHERS[mark] and not is_packed(cell) for cell in some) else 0.0
    numbers = sum(NUMBER.fullmatch(cell) is not None for cell in some) / len(some)
    whole = 0.1 if counts[0] == usual else 0.0
    return even + whole + 0.05 * numbers - mixed - (0.3 if mark == BLANK else 0.0)  # names have blanks in them


def cells(line: str, separator: str) -> list[str]:
    """The cells of one line, stripped; quotes are minded.

    >>> cells('"a, b.jpg", cat', ","), cells("a.jpg   cat", " ")
    (['a, b.jpg', 'cat'], ['a.jpg', 'cat'])
    """
    if separator == "":
        return [line.strip().strip('"')]
    if separator == BLANK and '"' not in line:
        return line.split()
    text = line.strip("\r\n") if separator != BLANK else line.strip()
    if '"' not in text:
        return [cell.strip() for cell in text.split(separator)] if not PLAIN.fullmatch(text) else text.split(separator)
    try:
        row = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        row = text.split(separator)
    return [cell.strip() for cell in row]


def islice_records(
    lines: Sequence[tuple[int, str]], separator: str, comments: bool
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, cells) of the first rows that have anything in them. comments: whether some lines may be comments.

    A line that begins with `#` is a comment unless it has as many fields as the others: then it is a heading as numpy
    writes it, or a row whose first field begins so.
    """
    room = HEAD_CHARACTERS
    width = len(cells(next(line for _, line in lines if not line.startswith("#")), separator)) if comments else 0
    for place, (number, line) in enumerate(lines[:HEAD_ROWS]):
        if room < 0 and place >= LEAST_ROWS:
            return
        room -= len(line)
        row = tuple(cells(line, separator))
        if comments and row[0].startswith("#"):
            row = as_heading(row, separator)
            if len(row) != width:
                continue
        if any(row):
            yield number, row


def as_heading(row: tuple[str, ...], separator: str) -> tuple[str, ...]:
    """A row without the `#` that stands before a heading as numpy writes it.

    >>> as_heading(("# label", "p0"), ","), as_heading(("#", "label", "p0"), " "), as_heading(("#1", "7"), ",")
    (('label', 'p0'), ('label', 'p0'), ('#1', '7'))
    """
    if separator == BLANK and row[0] == "#":
        return row[1:]
    return (row[0].removeprefix("#").strip(), *row[1:]) if row[0].startswith("# ") else row
