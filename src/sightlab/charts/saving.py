"""Charts and pictures onto the disk: whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.errors import RunError, one_line
from sightlab.files import write_bytes

if TYPE_CHECKING:
    import altair as alt


def save_chart(chart: alt.TopLevelMixin, *paths: Path) -> None:
    """Writes the chart to each path, PNG (twice the size, for sharp screens) or SVG by its suffix; offline.

    Everything is drawn before anything is written, and each file appears whole or not at all.

    Raises RunError for another suffix, or when a file cannot be written.
    """
    for path in paths:
        if path.suffix.lower() not in (".png", ".svg"):
            raise RunError(f"{path}: a chart is saved as .png or .svg, not {path.suffix or 'without a suffix'}")
    import vl_convert

    # Altair's own save would check the chart against its schema anew for every path, the slowest part of drawing.
    spec = chart.to_dict()
    contents = [
        vl_convert.vegalite_to_png(spec, scale=2)
        if path.suffix.lower() == ".png"
        else vl_convert.vegalite_to_svg(spec).encode()
        for path in paths
    ]
    for path, content in zip(paths, contents, strict=True):
        write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all, in place of any that was there; makes its folder.

    Raises RunError naming the file when it cannot be written.
    """
    try:
        write_bytes(path, content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or one_line(error)})") from error
