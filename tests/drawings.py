"""What a drawn chart shows: its words and where they stand, its marks and their colours."""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import islice

import altair as alt

from sightlab.charts import svg_of
from sightlab.charts.point_labels import Box
from sightlab.charts.theme import text_width

SVG = "{http://www.w3.org/2000/svg}"


def drawing(chart: alt.TopLevelMixin) -> ET.Element:
    """The chart checked against Vega-Lite's schema, drawn and read."""
    chart.to_dict()
    return read(svg_of(chart))


def read(svg: str) -> ET.Element:
    """A drawn chart, parsed; it has size and holds no NaN."""
    assert "NaN" not in svg
    assert "undefined" not in svg
    root = ET.fromstring(svg)
    assert float(root.attrib["width"]) > 50 < float(root.attrib["height"])
    return root


def texts(svg: ET.Element) -> list[str]:
    return ["".join(element.itertext()) for element in svg.iter(f"{SVG}text")]


def boxes(svg: ET.Element) -> list[tuple[str, Box]]:
    """Every upright line of text and the rectangle that it covers; what is turned stands in its own rectangle."""
    found = dict.fromkeys(_boxes(svg, (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)))
    return list(found)


def overlaps(svg: ET.Element, shared: float = 0.15) -> list[tuple[str, str]]:
    """Texts printed over each other: which share more than a part of the smaller one's area."""
    ordered = sorted(boxes(svg), key=lambda found: found[1].top)
    found = []
    for place, (upper, one) in enumerate(ordered):
        for lower, two in islice(ordered, place + 1, None):
            if two.top >= one.bottom:
                break
            if one.overlap(two) > shared * min(_area(one), _area(two)):
                found.append((upper, lower))
    return found


def outside(svg: ET.Element) -> list[str]:
    """Texts that are not wholly on the paper."""
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    return [t for t, b in boxes(svg) if b.left < 0 or b.top < 0 or b.right > width or b.bottom > height]


def marks(svg: ET.Element, role: str) -> list[ET.Element]:
    """The marks of a kind (symbol, rule, line, rect, bar) with words for screen readers: data, not axes or legends."""
    return [m for m in svg.iter() if m.get("aria-roledescription") == role]


def told(mark: ET.Element) -> dict[str, str]:
    """What a mark says of itself."""
    return dict(part.split(": ", 1) for part in mark.attrib["aria-label"].split("; "))


Matrix = tuple[float, float, float, float, float, float]


def _boxes(element: ET.Element, above: Matrix) -> Iterator[tuple[str, Box]]:
    here = above
    for kind, values in re.findall(r"(translate|rotate)\(([^)]*)\)", element.get("transform", "")):
        numbers = [float(n) for n in re.split(r"[ ,]+", values.strip())]
        here = _then(here, kind, numbers)
    if element.tag == f"{SVG}text" and element.get("opacity") != "0":
        lines = [line.text or "" for line in element.iter(f"{SVG}tspan")] or ["".join(element.itertext())]
        size = float(element.attrib["font-size"].removesuffix("px"))
        for number, line in enumerate(lines):
            if line.strip():
                yield line, _box(line, size, element.get("text-anchor", "start"), here, number * size * 1.2)
    for child in element:
        yield from _boxes(child, here)


def _then(m: Matrix, kind: str, numbers: list[float]) -> Matrix:
    if kind == "translate":
        x, y = (*numbers, 0.0)[:2]
        return (*m[:4], m[4] + m[0] * x + m[2] * y, m[5] + m[1] * x + m[3] * y)
    c, s = math.cos(math.radians(numbers[0])), math.sin(math.radians(numbers[0]))
    return (m[0] * c + m[2] * s, m[1] * c + m[3] * s, m[2] * c - m[0] * s, m[3] * c - m[1] * s, m[4], m[5])


def _box(text: str, size: float, anchor: str, m: Matrix, down: float) -> Box:
    width = text_width(text, size)
    left = {"start": 0.0, "middle": -width / 2, "end": -width}[anchor]
    # Vega sets the baseline: letters reach about 0.75 of their size above it and 0.2 below.
    corners = [(x, y + down) for x in (left, left + width) for y in (-0.75 * size, 0.2 * size)]
    xs = [m[0] * x + m[2] * y + m[4] for x, y in corners]
    ys = [m[1] * x + m[3] * y + m[5] for x, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
