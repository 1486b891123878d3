"""Faces: which font has which characters, and what a glyph looks like."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.fonts.font_files import font_files, font_folders

if TYPE_CHECKING:
    import uharfbuzz

# What the default font, that of charts, has in every version: Latin, Greek, Cyrillic, their accents and punctuation, a
# few signs. It is Liberation Sans, which vl-convert carries.
DEFAULT_FONT = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u024f\u02c6-\u02dc\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u0490-\u04f9\u1e80-\u1e85\u1ea0-\u1ef9\u2013-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a"
    "\u2044\u20ac\u2116\u2122\u2190-\u2193\u2212\u221e\u2248\u2260\u2264\u2265]*"
)
# Only some versions have Hebrew, so another font comes first.
DEFAULT_FONT_EXTRAS = re.compile("[\u05d0-\u05ea]*")

REGULAR = {"wght": 400.0}  # of a font whose weight varies; the default of some is the thinnest


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a font file, ready to be drawn from.

    index: its place in a collection. characters: the code points that it has a glyph for.
    """

    path: Path
    index: int
    font: uharfbuzz.Font = field(repr=False)
    characters: uharfbuzz.Set = field(repr=False)

    @property
    def units(self) -> int:
        """Font units for the font's size: the scale of all lengths."""
        return int(self.font.face.upem)

    def has(self, text: str) -> bool:
        """Whether it has all characters of the text, and draws something for each."""
        return all(ord(character) in self.characters for character in text) and all(map(self._inked, text))

    def outline(self, glyph: int, x: float, y: float) -> str:
        """The outline of a glyph with its origin at (x, y), as an SVG path in font units, y upwards; may be empty."""
        parts: list[str] = []
        self.font.draw_glyph(glyph, _pen(), (parts, x, y))
        return "".join(parts)

    def picture(self, glyph: int) -> str | None:
        """The glyph as a PNG, written as a data URL, where the font holds pictures in place of outlines."""
        png = self.font.get_glyph_color_png(glyph).data if self.font.face.has_color_png else b""
        return f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else None

    def _inked(self, character: str) -> bool:
        # Some fonts map characters to glyphs that are empty, or made of colours that outlines do not show.
        glyph = self.font.get_nominal_glyph(ord(character))
        return bool(glyph) and (character.isspace() or bool(self.outline(glyph, 0, 0)) or bool(self.picture(glyph)))


class FontList:
    """The faces of some font files; each is opened when no face before it has what is looked for."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._unopened = iter(tuple(files))
        self._opened: list[Face] = []
        self._found: dict[str, Face | None] = {}

    def face_for(self, text: str) -> Face | None:
        """The first face that has all characters of the text, None where there is none."""
        if text not in self._found:
            self._found[text] = next((face for face in self._faces() if face.has(text)), None)
        return self._found[text]

    def supports(self, text: str) -> bool:
        """Whether the text, one character with its marks, can be drawn: by the default font or another."""
        return in_default_font(text) or self.face_for(text) is not None or bool(DEFAULT_FONT_EXTRAS.fullmatch(text))

    def _faces(self) -> Iterator[Face]:
        yield from tuple(self._opened)
        for path in self._unopened:
            faces = list(_opened(path))
            self._opened += faces
            yield from faces


def in_default_font(text: str) -> bool:
    """Whether the default font, that of charts, has all characters of the text."""
    return DEFAULT_FONT.fullmatch(text) is not None


def installed_fonts() -> FontList:
    """The fonts in `font_folders()`, searched once a process."""
    return _fonts_in(font_folders())


@cache
def _fonts_in(folders: Sequence[Path]) -> FontList:
    return FontList(font_files(folders))


def _opened(path: Path) -> Iterator[Face]:
    """The faces of a file; none where it is not a font that can be read."""
    import uharfbuzz

    try:
        blob = uharfbuzz.Blob.from_file_path(str(path))
    except (uharfbuzz.HarfBuzzError, OSError):
        return
    for index in range(uharfbuzz.Face(blob).count):
        face = uharfbuzz.Face(blob, index)
        if len(face.unicodes):
            font = uharfbuzz.Font(face)
            font.set_variations(REGULAR)
            yield Face(path, index, font, face.unicodes)


Drawing = tuple[list[str], float, float]


@cache
def _pen() -> uharfbuzz.DrawFuncs:
    """Writes a glyph as an SVG path into a list, moved by (x, y)."""
    import uharfbuzz

    def put(letter: str, points: Sequence[float], to: Drawing) -> None:
        parts, x, y = to
        moved = (f"{value + (y if place % 2 else x):g}" for place, value in enumerate(points))
        parts.append(letter + " ".join(moved))

    pen = uharfbuzz.DrawFuncs()
    pen.set_move_to_func(lambda *drawn: put("M", drawn[:-1], drawn[-1]))
    pen.set_line_to_func(lambda *drawn: put("L", drawn[:-1], drawn[-1]))
    pen.set_quadratic_to_func(lambda *drawn: put("Q", drawn[:-1], drawn[-1]))
    pen.set_cubic_to_func(lambda *drawn: put("C", drawn[:-1], drawn[-1]))
    pen.set_close_path_func(lambda to: to[0].append("Z"))
    return pen
