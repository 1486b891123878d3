"""Font faces: which characters each has, and the outlines of its glyphs."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.fonts.font_files import font_folders, font_paths

if TYPE_CHECKING:
    import uharfbuzz

# Characters of the default font, that of charts, in all of its versions: Latin, Greek, Cyrillic, their accents and
# punctuation, a few signs. It is Liberation Sans, which vl-convert ships.
DEFAULT_FONT = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u024f\u02c6-\u02dc\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u0490-\u04f9\u1e80-\u1e85\u1ea0-\u1ef9\u2013-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a"
    "\u2044\u20ac\u2116\u2122\u2190-\u2193\u2212\u221e\u2248\u2260\u2264\u2265]*"
)
# Only some versions have Hebrew, so other fonts are preferred for it.
DEFAULT_FONT_EXTRAS = re.compile("[\u05d0-\u05ea]*")

REGULAR = {"wght": 400.0}  # of a variable font; the default of some is the thinnest


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a font file.

    index: in its collection. characters: the code points that it has glyphs for.
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
        """Whether it has visible glyphs for all characters of the text."""
        return all(ord(character) in self.characters for character in text) and all(map(self._is_visible, text))

    def outline(self, glyph: int, x: float, y: float) -> str:
        """The outline of a glyph with its origin at (x, y), as an SVG path in font units, y upwards; may be empty."""
        parts: list[str] = []
        self.font.draw_glyph(glyph, _pen(), (parts, x, y))
        return "".join(parts)

    def bitmap(self, glyph: int) -> str | None:
        """The glyph as a PNG data URL, if the font has bitmaps instead of outlines."""
        png = self.font.get_glyph_color_png(glyph).data if self.font.face.has_color_png else b""
        return f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else None

    def _is_visible(self, character: str) -> bool:
        # Some fonts map characters to glyphs that are empty, or made of colour layers that outlines do not show.
        glyph = self.font.get_nominal_glyph(ord(character))
        return bool(glyph) and (character.isspace() or bool(self.outline(glyph, 0, 0)) or bool(self.bitmap(glyph)))


class FontList:
    """The faces of some font files; a file is opened only if no earlier face has the characters looked for."""

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
        """Whether the text, one character with its marks, can be drawn with the default font or another."""
        return in_default_font(text) or self.face_for(text) is not None or bool(DEFAULT_FONT_EXTRAS.fullmatch(text))

    def _faces(self) -> Iterator[Face]:
        yield from tuple(self._opened)
        for path in self._unopened:
            faces = list(_open_faces(path))
            self._opened += faces
            yield from faces


def in_default_font(text: str) -> bool:
    """Whether the default font, that of charts, has all characters of the text."""
    return DEFAULT_FONT.fullmatch(text) is not None


def installed_fonts() -> FontList:
    """The fonts in `font_folders()`, searched once per process."""
    return _fonts_in(font_folders())


@cache
def _fonts_in(folders: Sequence[Path]) -> FontList:
    return FontList(font_paths(folders))


def _open_faces(path: Path) -> Iterator[Face]:
    """The faces of a file; none if it is not a readable font."""
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
    """Appends a glyph to a list as an SVG path, moved by (x, y)."""
    import uharfbuzz

    def append(letter: str, points: Sequence[float], to: Drawing) -> None:
        parts, x, y = to
        moved = (f"{value + (y if index % 2 else x):g}" for index, value in enumerate(points))
        parts.append(letter + " ".join(moved))

    pen = uharfbuzz.DrawFuncs()
    pen.set_move_to_func(lambda *drawn: append("M", drawn[:-1], drawn[-1]))
    pen.set_line_to_func(lambda *drawn: append("L", drawn[:-1], drawn[-1]))
    pen.set_quadratic_to_func(lambda *drawn: append("Q", drawn[:-1], drawn[-1]))
    pen.set_cubic_to_func(lambda *drawn: append("C", drawn[:-1], drawn[-1]))
    pen.set_close_path_func(lambda to: to[0].append("Z"))
    return pen
