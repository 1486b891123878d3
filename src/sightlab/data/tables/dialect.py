"""The dialect of a text table: encoding, separator, heading, told from its first lines without reading the rest."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.opening import opened
from sightlab.errors import DataError, one_line

HEAD_BYTES = 1 << 18
HEAD_ROWS = 200
SEPARATORS = (",", ";", "\t", "|")
BLANK = " "  # stands for any run of white space
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
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

    encoding: as the user has said it; None takes a byte order mark's, else UTF-8. Raises DataError for text in an
    encoding that is not said, and for a name of an encoding that there is none of.
    """
    with opened(file) as (stream, _):
        data = stream.read(HEAD_BYTES + 1)
    found = encoding_of(data, encoding, file)
    if found is None:
        return None
    whole = len(data) <= HEAD_BYTES
    text = codecs.getincrementaldecoder(found)("strict" if encoding is None else "replace").decode(data, final=whole)
    lines = text.splitlines(keepends=True)
    if not whole and len(lines) > 1:
        lines = lines[:-1]  # cut in the middle
    kept = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not is_comment(line, lines)]
    declared = SEP_LINE.fullmatch(kept[0][1].strip()) if kept else None
    if declared:
        kept = kept[1:]
    if not kept:
        return None
    separator = declared[1] if declared else separator_of([line for _, line in kept[:HEAD_ROWS]])
    records = tuple(islice_records(kept, separator))
    return TextTable(file, found, separator, records, whole and len(records) < HEAD_ROWS) if records else None


def encoding_of(data: bytes, asked: str | None, file: DataFile) -> str | None:
    """The encoding of a text that begins with these bytes; None for what is no text. Raises DataError."""
    if asked is not None:
        try:
            return codecs.lookup(asked).name
        except LookupError as error:
            raise DataError(f"unknown encoding {asked!r}; `encoding=latin-1`, utf-16 or gbk would be") from error
    for mark, name in BOMS:
        if data.startswith(mark):
            return name
    if b"\0" in data:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=len(data) <= HEAD_BYTES)
    except UnicodeDecodeError as error:
        if printable_share(data) < 0.95:
            return None
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{file}: line {line} is not UTF-8 text; save it as UTF-8, or say `encoding=latin-1`") from None
    return "utf-8" if printable_share(data) >= 0.95 else None


def printable_share(data: bytes) -> float:
    """The share of bytes that are no control characters, as in text of any 8-bit encoding."""
    controls = sum(data.count(bytes([n])) for n in (*range(1, 9), *range(14, 27), *range(28, 32), 127))
    return 1 - controls / max(1, len(data))


def is_comment(line: str, lines: Sequence[str]) -> bool:
    """Whether a line is a comment: it begins with `#`, while not most lines do."""
    return line.startswith("#") and 2 * sum(other.startswith("#") for other in lines[:50]) <= len(lines[:50])


def separator_of(lines: Sequence[str]) -> str:
    """The separator that parts most of these lines into one number of fields; a blank for white space, "" for none.

    >>> separator_of(["a.jpg;cat", "b.jpg;dog"]), separator_of(["a.jpg cat", "b.jpg dog"]), separator_of(["a", "b"])
    (';', ' ', '')
    """
    best, most = "", 0.0
    for rank, mark in enumerate((*SEPARATORS, BLANK)):
        counts = [len(cells(line, mark)) for line in lines]
        usual = max(set(counts), key=lambda n: (counts.count(n), n))
        even = counts.count(usual) / len(counts)
        # A heading may have blanks in its names and a label commas, so a mark that parts nine lines of ten will do.
        score = even - 0.01 * rank if usual > 1 and even >= 0.6 else 0.0
        if mark == BLANK:
            score -= 0.3  # names of files and classes have blanks in them
        if score > most:
            best, most = mark, score
    return best


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
    try:
        row = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        row = text.split(separator)
    return [cell.strip() for cell in row]


def islice_records(lines: Sequence[tuple[int, str]], separator: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, cells) of the first rows that have anything in them."""
    for number, line in lines[:HEAD_ROWS]:
        row = tuple(cells(line, separator))
        if any(row):
            yield number, row


def all_records(table: TextTable, *, comments: bool = False) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line number, cells) of every row of a table, a heading among them. Cells may hold line ends in quotes.

    comments: whether rows that begin with `#` are among them. Raises DataError for text that is not of the table's
    encoding, naming the line.
    """
    with opened(table.file) as (stream, _):
        text = io.TextIOWrapper(stream, encoding=table.encoding, newline="")
        first = 1 if comments else table.records[0][0]
        try:
            yield from (record for record in parsed(text, table.separator, comments) if record[0] >= first)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{table.file}: is not {table.encoding} text: {one_line(error)[:80]}; save it as UTF-8, or say "
                "`encoding=latin-1`"
            ) from error
        except csv.Error as error:
            raise DataError(f"{table.file}: is not a table: {one_line(error)[:80]}") from error


def parsed(
    text: io.TextIOWrapper, separator: str, comments: bool = False
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line number, cells) of every row that has anything in it and, unless they are wanted, is no comment."""
    if separator in ("", BLANK):
        for number, line in enumerate(text, 1):
            if line.strip() and (comments or not line.startswith("#")):
                yield number, tuple(cells(line, separator))
        return
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
    for row in reader:
        stripped = tuple(cell.strip() for cell in row)
        if any(stripped) and (comments or not stripped[0].startswith("#")):
            yield reader.line_num, stripped
