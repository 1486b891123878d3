"""A chart as a page of its own, to zoom and to point at, offline."""

from __future__ import annotations

import copy
import html
import json
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any

Spec = dict[str, Any]

# The policy lets the page run what it carries and fetch nothing. Vega compiles its expressions, hence unsafe-eval.
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
POINTING, ZOOMING = "Point at a mark for its values.", "Turn the wheel to zoom, drag to move, double-click to go back."


def page_of(spec: Spec) -> str:
    """The page of a chart: its Vega-Lite specification and the libraries that draw it (0.9 MB), nothing to fetch.

    The axes with numbers can be zoomed and moved.
    """
    zoomed, number = _zoomable(spec)
    # A class may be called </script>: in a script, < is written so that no HTML begins.
    text = json.dumps(zoomed, ensure_ascii=False).replace("<", "\\u003c")
    note = f"{POINTING} {ZOOMING}" if number else POINTING
    return PAGE.format(title=html.escape(_title(spec)), note=note, library=_library(), spec=text)


@cache
def _library() -> str:
    """The scripts that draw: to bundle them takes a second."""
    import vl_convert

    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return library


def _title(spec: Spec) -> str:
    title = spec.get("title", "Chart")
    text = title.get("text", "Chart") if isinstance(title, dict) else title
    return text if isinstance(text, str) else " ".join(text)


def _zoomable(spec: Spec) -> tuple[Spec, int]:
    """A copy whose panels can be zoomed on their axes of numbers, and how many can."""
    changed = copy.deepcopy(spec)
    numbers = count(1)
    zoomed = 0
    for panel in _panels(changed):
        units = panel.get("layer", [panel])
        axes = [axis for axis in ("x", "y") if any(_is_number(unit, axis) for unit in units)]
        if not axes:
            continue
        zoomed += 1
        select = {"type": "interval", "encodings": axes}
        units[0].setdefault("params", []).append({"name": f"zoom{next(numbers)}", "select": select, "bind": "scales"})
        for unit in units:
            _fit_for_zoom(unit)
    return changed, zoomed


def _panels(spec: Spec) -> Iterator[Spec]:
    """The single views of a chart: what stands beside or below each other."""
    inner = spec.get("hconcat") or spec.get("vconcat") or spec.get("concat")
    if inner is None:
        yield spec
        return
    for panel in inner:
        yield from _panels(panel)


def _is_number(unit: Spec, axis: str) -> bool:
    """Whether a channel shows numbers of the data on a scale."""
    channel = unit.get("encoding", {}).get(axis, {})
    return channel.get("type") == "quantitative" and "field" in channel


def _fit_for_zoom(unit: Spec) -> None:
    """Marks, but for words, end at the panel's edge; axes choose ticks of their own, whole where they were whole."""
    mark = unit["mark"] if isinstance(unit["mark"], dict) else {"type": unit["mark"]}
    unit["mark"] = mark | {"clip": mark["type"] != "text"}
    for name in ("x", "y"):
        channel = unit.get("encoding", {}).get(name, {})
        axis = channel.get("axis")
        if _is_number(unit, name) and axis and axis.pop("values", None) and axis.get("format") == "d":
            axis["tickMinStep"] = 1
