"""The page of `sightlab explain`: images beside their maps, and whether the method may be believed."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from sightlab.lens.saliency.sheet import explanation_sheet
from sightlab.records.explained import Explained, Explanations
from sightlab.report.article import Article, Block, Bullets, Picture, Section, Table, Text, rows_of
from sightlab.report.figures import MARGIN

GROUPS = {
    "mistake": "The most confident mistakes",
    "uncertain": "The least confident hits",
    "typical": "The surest hit of each class",
    "given": "The pictures given",
}
READING = (
    "Beside each image: where the explained class comes from. The redder, the more a pixel speaks for it; blue speaks "
    "against it. A vermilion frame and a cross mark a wrong answer."
)


def explain_article(found: Explanations) -> Article:
    """The page: a sheet for each group of images, then the check."""
    sections = [
        Section(GROUPS[group], (sheet_of(group, [one for one in found.images if one.group == group]),))
        for group in dict.fromkeys(one.group for one in found.images)
    ]
    layer = f", layer {found.layer}" if found.layer else ""
    lead = (Text(found.verdict),) if found.verdict else (Text("The method was not checked."),)
    notes = (Bullets(found.notes),) if found.notes else ()
    sections.insert(0, Section("May it be believed?", (*lead, *checked(found.check), *notes, Text(READING))))
    return Article(f"What {found.subject} looks at", "Explanations", f"{found.method}{layer}", tuple(sections))


def sheet_of(group: str, images: Sequence[Explained]) -> Picture:
    """A group's images beside their maps, as one picture."""
    label = f"{GROUPS[group]}: {len(images)} images, each beside the map of its explanation"
    return Picture(f"explained-{group}", svg_of(explanation_sheet(images, "")), label)


def svg_of(picture: Image.Image) -> str:
    """A picture as SVG, with the margin that charts have. It holds the pixels themselves."""
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    data = base64.b64encode(content.getvalue()).decode()
    width, height = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    return (
        f'<svg class="marks" xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><image x="{MARGIN}" y="{MARGIN}" width="{picture.width}" '
        f'height="{picture.height}" href="data:image/png;base64,{data}"/></svg>'
    )


def checked(check: Mapping[str, Any] | None) -> tuple[Block, ...]:
    """The figures of the check as a table; nothing where there was none."""
    if check is None:
        return ()
    lines = [
        (f"area under {kind}, cells {order}", figure(area))
        for kind, areas in check["areas"].items()
        for order, area in areas.items()
    ]
    lines += [(f"gain over cells {order}", figure(gain)) for order, gain in check["gains"].items()]
    lines.append(("rank correlation under weak noise", figure(check["stability"])))
    if check["levels"]:
        last = check["randomised"]["y"][-1]
        lines.append(("rank correlation with all weights drawn anew", f"{last:.2f}"))
    if check["completeness"]:
        lines.append(("missed of the change of the logit", figure(check["completeness"])))
    caption = (
        f"The check on {check['images']} images: mean and 95 % t interval. Deletion takes the pixels out that the map "
        "names first (a small area is good), insertion puts them in (a large one is good)."
    )
    return (Table(("figure", "value"), rows_of(lines), right=(1,), caption=caption, folded="The figures of the check"),)


def figure(facts: Mapping[str, Any]) -> str:
    """An estimate with its interval, as `Estimate.to_json` gives it."""
    interval = facts["interval"]
    words = "" if interval is None or None in interval else f" ({interval[0]:.3f} to {interval[1]:.3f})"
    return f"{facts['value']:.3f}{words}"
