"""What all charts share: font, colours, margins, and names that fit."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sightlab.errors import one_line

# vl-convert carries Liberation Sans; Arial and Helvetica have its widths, so a browser lays the SVG out the same.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, QUIET, LINE, HAIRLINE = "#222222", "#5f6b76", "#9aa3ab", "#e4e7ea"

TEXT = {"labelFont": FONT, "titleFont": FONT, "labelColor": INK, "titleColor": INK, "titleFontWeight": "normal"}
TITLE = {
    "font": FONT, "fontSize": 14, "color": INK, "subtitleFont": FONT, "subtitleFontSize": 12, "subtitleColor": QUIET,
    "anchor": "start", "frame": "bounds", "offset": 12,
}  # fmt: skip
LOOKS: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": TEXT
    | {"labelFontSize": 11, "titleFontSize": 12, "titlePadding": 8, "tickSize": 4}
    | {"gridColor": HAIRLINE, "domainColor": LINE, "tickColor": LINE},
    "legend": TEXT | {"labelFontSize": 11, "titleFontSize": 11},
    "title": TITLE,
}
"""Vega-Lite's configuration, set on each chart: no theme is enabled for the whole process."""

TOP_LEVEL: dict[str, Any] = {"background": "white", "padding": 14, "config": LOOKS}
"""Properties of every finished chart."""


def short_names(classes: Sequence[str], most: int = 22) -> list[str]:
    """The class names ready for an axis: printable, at most about `most` characters, and still all different.

    A longer name loses its end or, where two would then look alike, its middle; the last resort is a number.

    >>> short_names(["cat", "a very long name: 1", "a very long name: 2"], most=12)
    ['cat', 'a very…me: 1', 'a very…me: 2']
    """
    texts = [printable(name) for name in classes]
    front = most // 2
    back = most - 1 - front
    heads = [t if len(t) <= most else t[: most - 1].rstrip() + "…" for t in texts]
    middles = [t if len(t) <= most else t[:front].rstrip() + "…" + t[-back:].lstrip() for t in texts]
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
    """The text on one line, without what XML, JSON or a font cannot hold (control characters, lone surrogates).

    >>> printable("a\\tb\\x00\\ud800")
    'a b??'
    """
    # Format characters (joiners, direction marks) have no shape of their own, so they leave no trace.
    kept = "".join(c if c.isprintable() else "?" for c in one_line(text) if unicodedata.category(c) != "Cf")
    return kept or "(no name)"
