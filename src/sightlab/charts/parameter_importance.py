"""Parameter importance of a search, as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sightlab.charts.theme import BLUE, INK, TOP_LEVEL, short_names

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]


def importances(shares: Mapping[str, float], how: str) -> alt.LayerChart:
    """The importance of each parameter, as bars. shares: {name: in [0, 1]}. how: the estimator, in words.

    Raises ValueError when there is no parameter.
    """
    import altair as alt

    rows = importance_rows(shares)
    names = [row["name"] for row in rows]
    y = alt.Y(
        "name:N",
        title=None,
        sort=None,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(labelLimit=0, domain=False, ticks=False),
    )
    x = alt.X(
        "share:Q", title="importance (%)", scale=alt.Scale(domain=[0, 100], nice=False), axis=alt.Axis(tickCount=5)
    )
    base = alt.Chart()
    bars = base.mark_bar(color=BLUE, height={"band": 0.6}).encode(x=x)
    words = base.mark_text(align="left", dx=5, color=INK, fontSize=11).encode(x=x, text="text:N")
    return alt.LayerChart(
        layer=[bars, words],
        encoding=alt.FacetedEncoding(y=y),
        data={"values": rows},
        width=360,
        height=30 * len(rows),
        title=alt.TitleParams("Parameter importance", subtitle=how),
        **TOP_LEVEL,
    )


def importance_rows(shares: Mapping[str, float]) -> list[Row]:
    """A row a parameter, the most important first: {name, share in per cent, text}. Raises ValueError for none."""
    if not shares:
        raise ValueError("importances need at least one parameter")
    order = sorted(shares, key=lambda name: -shares[name])
    names = short_names(order)
    return [
        {"name": name, "share": 100 * shares[key], "text": f"{100 * shares[key]:.0f}"}
        for name, key in zip(names, order, strict=True)
    ]
