"""Which differences of a published table are significant, judged by its figures alone."""

from __future__ import annotations

import math

from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.studies.study_results import Results, p_text


def published_pairs(results: Results) -> tuple[Block, ...]:
    """Each published accuracy against the one it builds on: difference, p, and whether it is significant."""
    images = results.plan.study.published_images
    rows = {row.id: row for row in results.plan.study.rows}
    lines = []
    for row in rows.values():
        twin = rows.get(row.twin or "")
        if images is None or twin is None or row.figures.accuracy is None or twin.figures.accuracy is None:
            continue
        p = two_proportions(row.figures.accuracy, twin.figures.accuracy, images)
        difference = 100 * (row.figures.accuracy - twin.figures.accuracy)
        lines.append((row.name, twin.name, f"{difference:+.2f}", p_text(p), "yes" if p < 0.05 else "no"))
    if not lines:
        return ()
    words = (
        f"Each figure is of one training and {images:,} test images. Without the answers to single images two figures "
        "can only be compared as if they were of different ones, which sees less than a paired comparison would; and "
        "nothing here knows of other seeds."
    )
    header = ("network", "against", "points", "two proportions", "beyond chance")
    return Text(words), Table(header, rows_of(lines), right=(2,))


def two_proportions(a: float, b: float, images: int) -> float:
    """Two-sided p that two accuracies, each of `images` images drawn apart, are equal; both in [0, 1].

    z = (a - b) / sqrt(2 m (1 - m) / images) with m their mean, against the normal distribution: Fleiss 1981,
    "Statistical methods for rates and proportions", section 2.2, without the correction for continuity.

    >>> f"{two_proportions(0.8, 0.7905, 10_000):.3f}"
    '0.096'
    """
    mean = (a + b) / 2
    spread = math.sqrt(2 * mean * (1 - mean) / images)
    return 1.0 if spread == 0 else math.erfc(abs(a - b) / spread / math.sqrt(2))
