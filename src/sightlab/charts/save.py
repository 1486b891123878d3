"""Saving charts: atomically, as PNG, SVG, PDF or HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.charts.glyph_outlines import outline_text
from sightlab.charts.html_page import html_page
from sightlab.errors import RunError, one_line
from sightlab.files import write_bytes

if TYPE_CHECKING:
    import altair as alt

SCALE = 2  # pixels of a PNG for each of the chart's, for high-resolution screens

# PNG and PDF are made from the SVG, to the same bytes: compiling a chart is what takes the time.
DRAWN, PAGE = (".png", ".svg", ".pdf"), ".html"

NAMED = re.compile(r'(\bid="|url\(#|href="#)([^")]+)')


def save_chart(chart: alt.TopLevelMixin, *paths: Path) -> None:
    """Save the chart to each path, in the format of its suffix: .png, .svg, .pdf, or .html, an interactive page.

    A PNG has twice the chart's size. A page is self-contained and opens offline. Everything is rendered before
    anything is written, and each file is written atomically.

    Raises RunError for another suffix, or when a file cannot be written.
    """
    suffixes = _suffixes(paths, (*DRAWN, PAGE), "a chart")
    contents = _render(svg_of(chart), suffixes) if suffixes - {PAGE} else {}
    if PAGE in suffixes:
        contents[PAGE] = html_page(chart.to_dict(validate=False)).encode()
    for path in paths:
        write_file(path, contents[path.suffix.lower()])


def save_svg(svg: str, *paths: Path) -> None:
    """Save a chart that `svg_of` has rendered to each path, .svg, .png or .pdf, without rendering it again.

    Raises RunError for another suffix, or when a file cannot be written.
    """
    contents = _render(svg, _suffixes(paths, DRAWN, "a drawing"))
    for path in paths:
        write_file(path, contents[path.suffix.lower()])


def svg_of(chart: alt.TopLevelMixin) -> str:
    """The chart as an SVG element, for a file or for a page that holds several: equal charts give equal texts.

    The ids inside (of gradients and clip paths) begin with a digest of the drawing, so that no two charts share one.

    >>> from sightlab.charts import learning_rates
    >>> svg_of(learning_rates([0.01, 0.1], [2.0, 1.0], 0.03))[:4]
    '<svg'
    """
    import vl_convert

    # Validating a chart against its schema takes as long as building it; the tests do that instead.
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(validate=False))
    # Vega numbers its ids through the whole life of the process.
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name for _, name in NAMED.findall(svg)))}
    numbered = NAMED.sub(lambda found: f"{found[1]}{numbers[found[2]]}", svg)
    mark = hashlib.sha256(numbered.encode()).hexdigest()[:10]
    return NAMED.sub(rf"\1c{mark}-\2", numbered)


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, replacing any that exists; creates its folder.

    Raises RunError naming the file when it cannot be written.
    """
    try:
        write_bytes(path, content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or one_line(error)})") from error


def _suffixes(paths: tuple[Path, ...], known: tuple[str, ...], what: str) -> set[str]:
    """The suffixes of the paths, in lower case. Raises RunError for an unknown one."""
    for path in paths:
        if path.suffix.lower() not in known:
            kinds = f"{', '.join(known[:-1])} or {known[-1]}"
            raise RunError(f"{path}: {what} is saved as {kinds}, not {path.suffix or 'without a suffix'}")
    return {path.suffix.lower() for path in paths}


def _render(svg: str, suffixes: set[str]) -> dict[str, bytes]:
    """The content of a file of each suffix in DRAWN."""
    import vl_convert

    shapes = outline_text(svg) if suffixes - {".svg"} else svg
    renderers: dict[str, Callable[[str], bytes]] = {
        ".svg": lambda _: svg.encode(),
        ".png": partial(vl_convert.svg_to_png, scale=SCALE),
        ".pdf": vl_convert.svg_to_pdf,
    }
    return {suffix: render(shapes) for suffix, render in renderers.items() if suffix in suffixes}
