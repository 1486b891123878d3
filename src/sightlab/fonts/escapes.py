"""Escapes for characters that no font has: codes like U+4E2D."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sightlab.fonts.faces import FontList, in_default_font, installed_fonts

CODE = re.compile(r"U\+[0-9A-F]{4,6}")
SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")


def escape_missing(text: str, fonts: FontList | None = None) -> str:
    """The text with the code, like U+4E2D, of each character that neither the default font nor another has.

    fonts: those installed if None. Codes stand apart from each other and from letters.

    >>> escape_missing("Ankle boot → café, кошка"), escape_missing("cat猫\\x00", FontList([]))
    ('Ankle boot → café, кошка', 'cat U+732B U+0000')
    """
    if in_default_font(text):
        return text
    known = fonts or installed_fonts()
    parts: list[str] = []
    for piece in clusters(text):
        parts += [piece] if piece.isprintable() and known.supports(piece) else _codes(piece, known)
    return _join(parts)


def clusters(text: str) -> list[str]:
    """The units at which a text may be cut: characters with their marks, and whole codes.

    >>> clusters("an U+4E2D")
    ['a', 'n', ' ', 'U+4E2D']
    """
    found: list[str] = []
    index = 0
    while index < len(text):
        code = CODE.match(text, index)
        piece = code[0] if code else text[index]
        index += len(piece)
        if found and not code and _is_mark(piece):
            found[-1] += piece
        else:
            found.append(piece)
    return found


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or SKIN_TONES.match(character) is not None


def _codes(piece: str, fonts: FontList) -> list[str]:
    """A character and its marks, each as itself if it can be drawn alone, else as its code."""
    return [
        one if one.isprintable() and not _is_mark(one) and fonts.supports(one) else f"U+{ord(one):04X}" for one in piece
    ]


def _join(parts: Iterable[str]) -> str:
    """The parts as one text, with a space between a code and an adjacent code, letter or digit."""
    text = before = ""
    for part in parts:
        adjacent = before[:1].isalnum() and part[0].isalnum()
        text += " " if adjacent and (CODE.fullmatch(before) or CODE.fullmatch(part)) else ""
        text += part
        before = part
    return text
