"""CSV fields: which of them hold pixels, and stripping the others from plain lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Table:
    """A CSV file's layout.

    reopen: gives its bytes anew. size: how many. start: where the first row begins. columns: fields of a row. pixels:
    numbers of a picture. words: the fields that hold no pixels, ascending; used: those of them that are read. inner:
    what parts the numbers of the one field that holds all pixels, "" where each has its own. verbatim: whether used
    fields are wanted as they are written, `007` not as 7.
    """

    reopen: Callable[[], BinaryIO]
    size: int
    start: int
    crlf: bool
    delimiter: str
    columns: int
    pixels: int
    words: tuple[int, ...]
    used: tuple[int, ...]
    inner: str = ""
    verbatim: bool = False
    encoding: str = "utf-8"

    @property
    def span(self) -> int:
        """Numbers in a row, or more."""
        return max(self.columns, self.pixels)


def take_words(lines: list[bytes], table: Table) -> tuple[list[list[str]], list[bytes]] | None:
    """The cells of each used field, and the lines without the fields that hold no pixels; None if they are not plain.

    Only what lies before the last such field of the front half, and after the first of the back half, is taken apart.
    """
    delimiter = table.delimiter.encode()
    ahead = max((n + 1 for n in table.words if 2 * n < table.columns), default=0)
    behind = max((table.columns - n for n in table.words if 2 * n >= table.columns), default=0)
    kept = [n for n in (*range(ahead), *range(table.columns - behind, table.columns)) if n not in table.words]
    split_at = sum(n < ahead for n in kept)
    known: dict[bytes, str] = {}
    found: list[list[str]] = [[] for _ in table.used]
    rest = []
    for line in lines:
        cells = line.split(delimiter, ahead)
        if len(cells) != ahead + 1:
            return None
        middle = cells.pop()
        if behind:
            middle, *last = middle.rsplit(delimiter, behind)
            cells += last
        if len(cells) != ahead + behind:
            return None
        for column, column_cells in zip(table.used, found, strict=True):
            raw = cells[column if column < ahead else column - table.columns]
            if raw not in known:
                known[raw] = plain_word(raw, table.encoding)
            if not known[raw]:
                return None
            column_cells.append(known[raw])
        if table.inner:
            middle = inner_numbers(middle, table)
        elif kept:
            sides = [cells[n if n < ahead else n - table.columns] for n in kept]
            middle = delimiter.join([*sides[:split_at], middle, *sides[split_at:]])
        rest.append(middle)
    return found, rest


def inner_numbers(cell: bytes, table: Table) -> bytes:
    """The numbers in the one field that holds all pixels, without quotes and brackets; b"" where it is not plain."""
    text = cell.strip()
    if len(text) > 1 and text[:1] == text[-1:] == b'"':
        text = text[1:-1]
    elif table.inner == table.delimiter:
        return b""  # without quotes they would be fields of their own
    text = text.strip(b"[]() ")
    return text.replace(b", ", b",") if table.inner == "," else text


def plain_word(raw: bytes, encoding: str) -> str:
    """A cell's text; "" where it is missing or where quotes ask for a closer look."""
    try:
        text = raw.decode(encoding).strip()
    except UnicodeDecodeError:
        return ""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return "" if '"' in text or "\r" in text else text
