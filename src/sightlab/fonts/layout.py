"""Text layout: a line as an SVG fragment, as text where the default font has it, else as shapes."""

from __future__ import annotations

import io
import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from html import escape
from typing import NamedTuple

from sightlab.fonts.bidi import levels, mirrored, visual_order
from sightlab.fonts.escapes import clusters, escape_missing
from sightlab.fonts.faces import Face, FontList, in_default_font, installed_fonts

MEASURED = 200  # pixels: the size at which the default font is measured


class TextLine(NamedTuple):
    """A line of text for an SVG.

    width: in pixels. svg: elements that begin at x = 0 on the baseline y = 0, in the colour of their parent group.
    """

    width: float
    svg: str


class Run(NamedTuple):
    """Adjacent characters of one face, or of the default font (None), and of one level (see `bidi`)."""

    text: str
    face: Face | None
    level: int


def layout_text(text: str, size: float, family: str, weight: str = "normal") -> TextLine:
    """The text at `size` pixels; characters that no font has as codes (see `escape_missing`).

    family: a CSS list of families that begins with the default font; weight: normal or bold, for that font alone.
    """
    return _cached_layout(text, size, family, weight, installed_fonts())


@lru_cache(maxsize=4096)
def _cached_layout(text: str, size: float, family: str, weight: str, fonts: FontList) -> TextLine:
    drawn, at = "", 0.0
    for run in _runs(escape_missing(text, fonts), fonts):
        width, svg = _glyphs(run, run.face, size) if run.face else _default_text(run.text, size, family, weight)
        drawn += f'<g transform="translate({at:.3f},0)">{svg}</g>'
        at += width
    return TextLine(at, drawn)


def _runs(text: str, fonts: FontList) -> list[Run]:
    """The runs of a text, from left to right."""
    parts = clusters(text)
    marked = zip(parts, levels(parts), _scripts(parts), strict=True)
    runs: list[Run] = []
    for (level, script), group in itertools.groupby(marked, key=lambda one: one[1:]):
        own = [part for part, _, _ in group]
        if script:
            runs += _by_face(own, level, fonts)
        else:
            runs.append(Run(mirrored("".join(own)) if level % 2 else "".join(own), None, level))
    return visual_order(runs, [run.level for run in runs])


def _scripts(parts: Iterable[str]) -> Iterator[str]:
    """The script of each character by its Unicode name, "" for the default font; signs take the script before them.

    HarfBuzz shapes one script at a time.
    """
    script = ""
    for part in parts:
        if in_default_font(part):
            script = ""
        elif part[0].isalpha() or not script:
            script = unicodedata.name(part[0], "SIGN").split()[0]
        yield script


def _by_face(parts: Sequence[str], level: int, fonts: FontList) -> Iterator[Run]:
    """Runs of one script; a single run if one face has all characters."""
    whole = fonts.face_for("".join(parts))
    faces = [whole or fonts.face_for(part) for part in parts]
    for face, group in itertools.groupby(zip(faces, parts, strict=True), key=lambda one: one[0]):
        yield Run("".join(part for _, part in group), face, level)


def _glyphs(run: Run, face: Face, size: float) -> TextLine:
    """A run shaped by HarfBuzz: outlines, and bitmaps of glyphs without an outline."""
    import uharfbuzz

    buffer = uharfbuzz.Buffer()
    buffer.add_str(run.text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if run.level % 2 else "ltr"
    uharfbuzz.shape(face.font, buffer)
    outlines, bitmaps, at = "", "", 0
    for glyph, moved in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        x, y = at + moved.x_offset, moved.y_offset
        outline = face.outline(glyph.codepoint, x, y)
        outlines += outline
        bitmaps += "" if outline else _bitmap(face, glyph.codepoint, x, y)
        at += moved.x_advance
    scale = size / face.units
    path = f'<path d="{outlines}"/>' if outlines else ""
    return TextLine(at * scale, f'<g transform="scale({scale:.6f},{-scale:.6f})">{path}{bitmaps}</g>')


def _bitmap(face: Face, glyph: int, x: float, y: float) -> str:
    data, box = face.bitmap(glyph), face.font.get_glyph_extents(glyph)
    if not data or not box:
        return ""
    size = f'width="{box.width}" height="{-box.height}" preserveAspectRatio="none"'
    top = f"translate({x + box.x_bearing},{y + box.y_bearing}) scale(1,-1)"  # bitmaps have y downwards
    return f'<image {size} transform="{top}" xlink:href="{data}"/>'


def _default_text(text: str, size: float, family: str, weight: str) -> TextLine:
    """A run in the default font."""
    width = size * sum(_advance(character, family, weight) for character in text)
    look = f'font-family="{escape(family)}" font-size="{size:g}px" font-weight="{escape(weight)}"'
    return TextLine(width, f'<text text-anchor="start" xml:space="preserve" {look}>{escape(text)}</text>')


@cache
def _advance(character: str, family: str, weight: str) -> float:
    """The advance width of a character in the default font, per unit of its size."""
    between, touching = (_extent(f"|{text}|", family, weight) for text in (character, ""))
    return (between - touching) / MEASURED


@cache
def _extent(text: str, family: str, weight: str) -> int:
    """The width of the rendered text, from its first pixel to its last."""
    import vl_convert
    from PIL import Image

    look = f'font-family="{escape(family)}" font-size="{MEASURED}px" font-weight="{escape(weight)}"'
    words = f'<text x="{MEASURED}" y="{MEASURED}" xml:space="preserve" {look}>{escape(text)}</text>'
    box = f'width="{MEASURED * (len(text) + 2)}" height="{MEASURED * 2}"'
    png = vl_convert.svg_to_png(f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{words}</svg>')
    with Image.open(io.BytesIO(png)) as drawn:
        ink = drawn.getchannel("A").getbbox()
    return ink[2] - ink[0] if ink else 0
