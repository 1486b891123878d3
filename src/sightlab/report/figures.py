"""A run's charts as SVG, rendered once for its folder and its report."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab import charts
from sightlab.records import Epoch, ReliabilityBin

MOST_CLASSES = 120  # up to which a confusion matrix is legible as a chart, and renders in half a second

# A chart has one description for screen readers, not one for each of its marks.
ARIA = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
NUMBER = r'="([0-9.]+)(?:px)?"'
SIZE = re.compile(rf'\bwidth{NUMBER} height{NUMBER} viewBox="[^"]*"')
MARGIN = 12  # pixels to crop around a chart, whose padding is a little wider; a page has margins of its own


@dataclass(frozen=True)
class Drawing:
    """A chart as SVG, and its largest size on the page in pixels."""

    svg: str
    width: float
    height: float


def curves(epochs: Sequence[Epoch]) -> str:
    """The learning curves as SVG."""
    return charts.svg_of(charts.learning_curves(epochs))


def confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> str:
    """The confusion matrix as SVG. matrix: int64 [C, C], rows the true class. classes: C names."""
    return charts.svg_of(charts.confusion(matrix, classes))


def embed(svg: str, label: str) -> Drawing:
    """A chart to embed in a page: one image with one description, which shrinks with the page.

    svg: as `charts.svg_of` gives it. label: what it shows, as plain text.
    """
    found = SIZE.search(svg)
    if found is None:
        raise ValueError("an SVG without width, height and viewBox cannot be embedded")
    width, height = (float(side) - 2 * MARGIN for side in found.groups())
    box = f'width="{width:g}" height="{height:g}" viewBox="{MARGIN} {MARGIN} {width:g} {height:g}"'
    quiet = ARIA.sub("", svg[: found.start()] + box + svg[found.end() :])
    return Drawing(quiet.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1), width, height)


def reliability(bins: Sequence[ReliabilityBin], error: float) -> str:
    """The reliability diagram as SVG. error: the expected calibration error, in [0, 1]."""
    return charts.svg_of(charts.reliability(bins, error))
