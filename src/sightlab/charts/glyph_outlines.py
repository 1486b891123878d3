"""Text to outlines: names in scripts that the charts' font lacks become shapes before an SVG is rendered as PNG or PDF.

vl-convert has a font fallback too, but picks any weight, shapes names of two scripts wrongly, cannot put emoji into a
PDF, and draws boxes where it finds no font.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from sightlab.charts.theme import FONT
from sightlab.fonts import in_default_font, layout_text

SVG = "http://www.w3.org/2000/svg"
SPACES = f'xmlns="{SVG}" xmlns:xlink="http://www.w3.org/1999/xlink"'
WORDS = re.compile(r">([^<>]*)<")

# Attributes that a group takes over from the text it replaces.
KEPT = ("transform", "fill", "opacity", "fill-opacity", "style", "class")


def outline_text(svg: str) -> str:
    """The SVG with each text that the charts' font cannot draw in full as shapes; others stay as they are."""
    if all(in_default_font(words.strip()) for words in WORDS.findall(svg)):
        return svg
    root = ElementTree.fromstring(svg)  # noqa: S314  the SVG is our own
    for parent in list(root.iter()):
        for index, child in enumerate(parent):
            if child.tag == f"{{{SVG}}}text" and not in_default_font("".join(child.itertext())):
                parent[index] = _group(child)
    return ElementTree.tostring(root, encoding="unicode")


def _group(text: ElementTree.Element) -> ElementTree.Element:
    """A group of shapes that replaces a text element and the lines (tspan) in it."""
    size = float(text.get("font-size", "16").removesuffix("px"))
    family, weight = text.get("font-family", FONT), text.get("font-weight", "normal")
    x, y = float(text.get("x", 0)), float(text.get("y", 0))
    shapes = ""
    for line in [text, *text]:
        y += float(line.get("dy", 0))
        width, drawn = layout_text(line.text or "", size, family, weight)
        left = x - width * {"middle": 0.5, "end": 1.0}.get(text.get("text-anchor", "start"), 0)
        shapes += f'<g transform="translate({left:.3f},{y:g})">{drawn}</g>'
    group = ElementTree.fromstring(f"<g {SPACES}>{shapes}</g>")  # noqa: S314  the shapes are our own
    group.attrib.update({name: text.attrib[name] for name in KEPT if name in text.attrib})
    group.tail = text.tail
    return group
