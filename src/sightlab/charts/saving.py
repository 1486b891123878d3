"""Charts and pictures onto the disk: whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.errors import RunError, one_line
from sightlab.files import whole

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
    contents = []
    for path in paths:
        if path.suffix.lower() == ".png":
            picture = io.BytesIO()
            chart.save(picture, format="png", scale_factor=2)
            contents.append(picture.getvalue())
        else:
            drawing = io.StringIO()
            chart.save(drawing, format="svg")
            contents.append(drawing.getvalue().encode())
    for path, content in zip(paths, contents, strict=True):
        write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all, in place of any that was there; makes its folder.

    Raises RunError naming the file when it cannot be written.
    """
    try:
        with whole(path) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or one_line(error)})") from error
