"""What goes to a terminal, and what goes to a program: text that cannot steer the one, bytes that the other reads."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

from sightlab.cli.output import without_nan
from sightlab.errors import RunError

# Characters that turn the direction of the text after them.
TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTED = ("Cc", "Cs", "Zl", "Zp")
# Python's stand-ins for bytes that are no UTF-8.
LONE_BYTES = range(0xDC80, 0xDD00)


def printable(text: str) -> str:
    r"""The text with control characters, and what the terminal's encoding lacks, as escapes.

    >>> printable("a\x1b[31m\u202e"), printable("caf\udce9.jpg")
    ('a\\x1b[31m\\u202e', 'caf\\xe9.jpg')
    """
    shown = "".join(map(escaped, text)) if not text.isascii() or not text.isprintable() else text
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def escaped(character: str) -> str:
    """The character, or its escape where a terminal would obey it."""
    if character not in TURNING and unicodedata.category(character) not in UNPRINTED:
        return character
    number = ord(character)
    if number in LONE_BYTES:
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def dumped(values: Any) -> str:
    """One JSON object as a line of text; numbers that are no numbers become null."""
    return json.dumps(without_nan(values), ensure_ascii=False, allow_nan=False) + "\n"


def json_bytes(text: str) -> bytes:
    r"""JSON as UTF-8, with the escapes of JSON for control characters and for bytes of names that are no UTF-8.

    >>> json_bytes('{"file": "caf\udce9\u202e"}')
    b'{"file": "caf\\udce9\\u202e"}'
    """
    return "".join(c if c == "\n" or escaped(c) == c else f"\\u{ord(c):04x}" for c in text).encode()


def name_bytes(text: str) -> bytes:
    """Text with names of files as UTF-8, names that are no UTF-8 byte for byte."""
    return text.encode("utf-8", "surrogateescape")


def write(content: bytes, path: Path | None) -> None:
    """Write bytes to a file, whole or not at all; without one to stdout, whatever its encoding. Raises RunError."""
    from sightlab.files import write_bytes

    try:
        if path is not None:
            write_bytes(path, content)
        elif sys.stdout is not None:
            to_stdout(content)
    except OSError as error:
        raise RunError(f"{path or 'stdout'}: cannot be written: {error.strerror}") from error


def to_stdout(content: bytes) -> None:
    """Write bytes to stdout, as much as its reader wants. Raises OSError, after which the process ends quietly."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise
