"""Charts of the analysis of patches: accuracy with patches shuffled, and with patches dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightlab.charts.interval_lines import Panel, interval_lines
from sightlab.records.analyses import AnalysisResult, Curve

if TYPE_CHECKING:
    import altair as alt

DROPS = {
    "random drop": "random patches",
    "salient drop": "most salient first",
    "non-salient drop": "least salient first",
}


def patches_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: accuracy with shuffled patches, and with a share of the patches dropped in three orders.

    results: of the analysis `patches`. Raises ValueError when there is none.
    """
    if not results:
        raise ValueError("charts of patches need at least one result")
    name = f"{results[0].subject}; " if len(results) == 1 else ""
    moved = tuple(result.curves["shuffle"][0] for result in results)
    grids = tuple(sorted({x for curve in moved for x in curve.x}))
    whole = Panel("", moved, "patches along a side", "accuracy (%)", (1, max(grids)), grids, log=True, width=380)
    panels = [
        Panel(
            heading,
            tuple(in_percent(result.curves[kind][0]) for result in results),
            "patches dropped (%)",
            "accuracy (%)",
            (0, 100),
            tuple(float(tick) for tick in range(0, 101, 20)),
            width=210,
        )
        for kind, heading in DROPS.items()
    ]
    bands = f"{name}bands: 95 % intervals"
    return {
        "Shuffled patches": interval_lines([whole], "Accuracy with patches shuffled", f"{bands}; 1: the image whole"),
        "Dropped patches": interval_lines(panels, "Accuracy with patches dropped", bands),
    }


def in_percent(curve: Curve) -> Curve:
    """The curve over per cent in place of shares."""
    return Curve(curve.name, tuple(100 * x for x in curve.x), curve.y, curve.low, curve.high)
