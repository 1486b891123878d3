"""The encoding of a text file: as the user names it, by its byte order mark, else UTF-8."""

from __future__ import annotations

import codecs

from sightlab.data.containers.base import DataFile
from sightlab.errors import DataError

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROLS = bytes((*range(1, 9), *range(14, 27), *range(28, 32), 127))
LEAST_PRINTABLE = 0.95


def encoding_named(name: str) -> str:
    """Python's own name of an encoding that the user has named. Raises DataError where there is none of it."""
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise DataError(f"unknown encoding {name!r}; `encoding=latin-1`, utf-16 or gbk would be") from error


def encoding_of(data: bytes, asked: str | None, file: DataFile, *, whole: bool) -> str | None:
    """The encoding of a text that begins with these bytes; None for what is no text. whole: whether they are all of it.

    Raises DataError for text in an encoding that is not stated.
    """
    if asked is not None:
        return encoding_named(asked)
    for mark, name in BOMS:
        if data.startswith(mark):
            return name
    if b"\0" in data:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError as error:
        if printable_share(data) < LEAST_PRINTABLE:
            return None
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{file}: line {line} is not UTF-8 text; save it as UTF-8, or say `encoding=latin-1`") from None
    return "utf-8" if printable_share(data) >= LEAST_PRINTABLE else None


def printable_share(data: bytes) -> float:
    """The share of bytes that are no control characters, as in text of any 8-bit encoding."""
    return len(data.translate(None, CONTROLS)) / max(1, len(data))
