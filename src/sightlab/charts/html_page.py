"""A chart as a self-contained interactive page: zoom, tooltips, offline."""

from __future__ import annotations

import copy
import html
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

Spec = dict[str, Any]

# The policy lets the page run its own scripts and fetch nothing. Vega compiles expressions, hence unsafe-eval.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>body {{ margin: 0; background: white; }} #chart {{ padding: 8px; }} \
#note {{ font: 12px Arial, Helvetica, sans-serif; color: #5f6b76; padding: 0 22px 12px; }}</style>
</head>
<body>
<div id="chart"></div>
<div id="note">{note}</div>
<script>{library}</script>
<script>
const spec = {spec};
vegaEmbed("#chart", spec, {{renderer: "svg", actions: {{export: true, source: false, compiled: false, editor: false}}}})
  .catch(error => {{ document.getElementById("note").textContent = String(error); }});
</script>
</body>
</html>
"""
POINTING, ZOOMING = "Hover over a mark for its values.", "Scroll to zoom, drag to pan, double-click to reset."


def html_page(spec: Spec) -> str:
    """The page of a chart: its Vega-Lite specification and the JavaScript that draws it (0.9 MB), nothing to fetch.

    Panels with numbers on both axes can be zoomed and panned.
    """
    zoomed, number = _zoomable(spec)
    # A class may be called </script>: in a script, < is written so that no HTML begins.
    text = json.dumps(zoomed, ensure_ascii=False).replace("<", "\\u003c")
    note = f"{POINTING} {ZOOMING}" if number else POINTING
    return PAGE.format(title=html.escape(_title(spec)), note=note, library=_library(), spec=text)


@cache
def _library() -> str:
    """The JavaScript bundle: building it takes a second."""
    import vl_convert

    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return library


def _title(spec: Spec) -> str:
    title = spec.get("title", "Chart")
    text = title.get("text", "Chart") if isinstance(title, dict) else title
    return text if isinstance(text, str) else " ".join(text)


def _zoomable(spec: Spec) -> tuple[Spec, int]:
    """A copy whose panels with numbers on both axes can be zoomed, and how many those are.

    Where one axis holds names, the wheel still scrolls the page, which may be long.
    """
    changed = copy.deepcopy(spec)
    zoomed = 0
    for panel in _panels(changed):
        units = panel.get("layer", [panel])
        if not all(any(_is_number(part, axis) for part in (panel, *units)) for axis in ("x", "y")):
            continue
        zoomed += 1
        zoom = {"name": f"zoom{zoomed}", "select": "interval", "bind": "scales"}
        units[0].setdefault("params", []).append(zoom)
        for unit in units:
            _end_at_edge(unit)
        for part in (panel, *units):
            _free_ticks(part)
    return changed, zoomed


def _panels(spec: Spec) -> Iterator[Spec]:
    """The single views of a chart, through its concatenations."""
    inner = spec.get("hconcat") or spec.get("vconcat") or spec.get("concat")
    if inner is None:
        yield spec
        return
    for panel in inner:
        yield from _panels(panel)


def _is_number(part: Spec, axis: str) -> bool:
    """Whether a panel or a layer has numbers of the data on an axis."""
    channel = part.get("encoding", {}).get(axis, {})
    return channel.get("type") == "quantitative" and "field" in channel


def _end_at_edge(unit: Spec) -> None:
    """Clip marks at the panel's edge, except for text that is placed outside it."""
    mark = unit["mark"] if isinstance(unit["mark"], dict) else {"type": unit["mark"]}
    placed = any("value" in unit.get("encoding", {}).get(axis, {}) for axis in ("x", "y"))
    unit["mark"] = mark | {"clip": not (mark["type"] == "text" and placed)}


def _free_ticks(part: Spec) -> None:
    """Let a zoomable axis choose its own ticks; integers stay integers."""
    for name in ("x", "y"):
        axis = part.get("encoding", {}).get(name, {}).get("axis")
        if axis and axis.pop("values", None) and axis.get("format") == "d":
            axis["tickMinStep"] = 1
