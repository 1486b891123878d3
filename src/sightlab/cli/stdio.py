"""Output to terminals and to programs: control characters escaped for the one, exact bytes for the other."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

from sightlab.cli.output import without_nan
from sightlab.errors import RunError

# Characters that change the direction of the text after them.
BIDI_CONTROLS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
# The surrogates that stand for bytes that are not UTF-8 (PEP 383).
SURROGATES = range(0xDC80, 0xDD00)


def printable(text: str) -> str:
    r"""The text with control characters, and characters that the terminal's encoding lacks, escaped.

    >>> printable("a\x1b[31m\u202e"), printable("caf\udce9.jpg")
    ('a\\x1b[31m\\u202e', 'caf\\xe9.jpg')
    """
    clean = "".join(map(escape, text)) if not text.isascii() or not text.isprintable() else text
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return clean.encode(encoding, "backslashreplace").decode(encoding)


def escape(character: str) -> str:
    """The character, escaped if a terminal would interpret it."""
    if character not in BIDI_CONTROLS and unicodedata.category(character) not in UNPRINTABLE:
        return character
    number = ord(character)
    if number in SURROGATES:
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def json_line(values: Any) -> str:
    """One JSON object as a line of text; NaN and infinities become null."""
    return json.dumps(without_nan(values), ensure_ascii=False, allow_nan=False) + "\n"


def json_bytes(text: str) -> bytes:
    r"""JSON as UTF-8, with JSON escapes for control characters and for bytes of names that are not UTF-8.

    >>> json_bytes('{"file": "caf\udce9\u202e"}')
    b'{"file": "caf\\udce9\\u202e"}'
    """
    return "".join(c if c == "\n" or escape(c) == c else f"\\u{ord(c):04x}" for c in text).encode()


def encode_names(text: str) -> bytes:
    """Text with file names as UTF-8; names that are not UTF-8 keep their bytes."""
    return text.encode("utf-8", "surrogateescape")


def write(content: bytes, path: Path | None) -> None:
    """Write bytes to a file atomically, or to stdout whatever its encoding if there is no path. Raises RunError."""
    from sightlab.files import write_bytes

    try:
        if path is not None:
            write_bytes(path, content)
        elif sys.stdout is not None:
            to_stdout(content)
    except OSError as error:
        raise RunError(f"{path or 'stdout'}: cannot be written: {error.strerror}") from error


def to_stdout(content: bytes) -> None:
    """Write bytes to stdout until its reader closes it. Raises OSError for anything but a closed pipe."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise
