"""The theme of all charts: font, colours, margins, and names that fit."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sightlab.errors import one_line
from sightlab.fonts import clusters, escape_missing

# vl-convert carries Liberation Sans; Arial and Helvetica have its widths, so a browser lays the SVG out the same.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, QUIET, LINE, HAIRLINE = "#222222", "#5f6b76", "#9aa3ab", "#e4e7ea"

# Okabe & Ito 2008, "Color universal design", without the yellow that white paper swallows; from the eighth on five of
# the "muted" scheme of Tol 2021, "Colour schemes", dashed: distinguishable with any colour vision and in grey.
BLUE, VERMILION = "#0072b2", "#d55e00"
COLOURS = (
    BLUE, VERMILION, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK,
    "#332288", "#882255", "#999933", "#44aa99", "#777777",
)  # fmt: skip
OKABE_ITO = 7  # the colours that are drawn solid
DASHES = ([1, 0], [7, 3], [2, 2], [8, 2, 2, 2])

TEXT = {"labelFont": FONT, "titleFont": FONT, "labelColor": INK, "titleColor": INK, "titleFontWeight": "normal"}
TITLE = {
    "font": FONT, "fontSize": 14, "color": INK, "subtitleFont": FONT, "subtitleFontSize": 12, "subtitleColor": QUIET,
    "anchor": "start", "frame": "bounds", "offset": 12,
}  # fmt: skip
VEGA_CONFIG: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": TEXT
    | {"labelFontSize": 11, "titleFontSize": 12, "titlePadding": 8, "tickSize": 4}
    | {"gridColor": HAIRLINE, "domainColor": LINE, "tickColor": LINE},
    "legend": TEXT | {"labelFontSize": 11, "titleFontSize": 11},
    "title": TITLE,
}
"""Vega-Lite's configuration, set on each chart: no theme is enabled for the whole process."""

TOP_LEVEL: dict[str, Any] = {"background": "white", "padding": 14, "config": VEGA_CONFIG}
"""Top-level properties of every chart."""


def line_styles(count: int) -> tuple[list[str], list[list[int]]]:
    """A colour and a dash for each of `count` lines; the first 12 differ in colour, the others in dash too.

    >>> line_styles(2)
    (['#0072b2', '#d55e00'], [[1, 0], [1, 0]])
    """
    colours = [COLOURS[line % len(COLOURS)] for line in range(count)]
    dashes = [line // len(COLOURS) + (line % len(COLOURS) >= OKABE_ITO) for line in range(count)]
    return colours, [DASHES[dash % len(DASHES)] for dash in dashes]


def text_width(text: str, size: float) -> float:
    """The approximate width in pixels of a line of text in the charts' font at `size` pixels.

    Exact for ASCII; other letters count as 0.6 of the size, and the full-width ones of East Asia as the whole.

    >>> text_width("abc", 10)
    16.12
    """
    return size * sum(_em(character) for character in text) / 1000


def short_names(classes: Sequence[str], most: int = 22) -> list[str]:
    """The class names ready for an axis: printable, at most about `most` characters, and still distinct.

    A longer name loses its end or, where two would then be equal, its middle; the last resort is a number.

    >>> short_names(["cat", "a very long name: 1", "a very long name: 2"], most=12)
    ['cat', 'a very…me: 1', 'a very…me: 2']
    """
    texts = [printable(name) for name in classes]
    heads = [t if len(t) <= most else _shortened(t, most, back=0) for t in texts]
    middles = [t if len(t) <= most else _shortened(t, most, back=most - 1 - most // 2) for t in texts]
    seen = Counter(heads)
    names: list[str] = []
    taken: set[str] = set()
    for head, middle in zip(heads, middles, strict=True):
        draft = name = head if seen[head] == 1 else middle
        copies = 1
        while name in taken:
            copies += 1
            name = f"{draft} ({copies})"
        taken.add(name)
        names.append(name)
    return names


def printable(text: str) -> str:
    """The text on one line in drawable characters; others, and those that XML cannot hold, as codes like U+4E2D.

    >>> printable("a\\tb\\x00\\ud800")
    'a b U+0000 U+D800'
    """
    # Joiners, direction marks and variation selectors have no shape of their own and are dropped.
    kept = (c for c in one_line(text) if unicodedata.category(c) != "Cf" and not VARIANTS.match(c))
    return escape_missing(unicodedata.normalize("NFC", "".join(kept))) or "(no name)"


VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def _shortened(text: str, most: int, back: int) -> str:
    """The text with … for its end, or for its middle where `back` is above 0: at most `most` characters.

    back: how many of them are kept from the end. No character is separated from its marks, and no code is cut.
    """
    parts = clusters(text)
    start = "".join(_fitting(parts, most - 1 - back)).rstrip()
    end = "".join(reversed(_fitting(parts[::-1], back))).lstrip()
    return f"{start}…{end}"


def _fitting(parts: Sequence[str], most: int) -> list[str]:
    """As many of the first parts as have at most `most` characters together."""
    return [part for part, end in zip(parts, accumulate(map(len, parts)), strict=True) if end <= most]


# Widths of the characters from space to ~ in thousandths of the font's size: Adobe's metrics of Helvetica, which
# Liberation Sans and Arial share.
WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667,
    556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556,
    556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722,
    500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip


def _em(character: str) -> int:
    index = ord(character) - 32
    if 0 <= index < len(WIDTHS):
        return WIDTHS[index]
    return 1000 if unicodedata.east_asian_width(character) in "WF" or character == "…" else 600
