"""Writes the layouts of docs/data.md between its two markers, from their table: python tools/make_data_page.py"""

from __future__ import annotations

import textwrap
from pathlib import Path

from sightlab.data.layouts.table import LAYOUTS

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
BEGIN, END = "<!-- layouts: written by tools/make_data_page.py -->\n", "<!-- end of layouts -->\n"


def layouts() -> str:
    """The table of layouts, then a drawing of each."""
    rows = ["| `layout=` | what it is |", "| --- | --- |"]
    rows += [f"| [`{layout.name}`](#{layout.name}) | {layout.title} |" for layout in LAYOUTS]
    drawings = [f"### {one.name}\n\n{one.title}\n\n```text\n{drawn(one.drawing)}\n```\n" for one in LAYOUTS]
    return "\n".join(rows) + "\n\n" + "\n".join(drawings)


def drawn(drawing: str) -> str:
    """A drawing without the indentation it has in the code."""
    return textwrap.dedent(drawing.lstrip("\n")).rstrip()


def page(text: str) -> str:
    """The page with the layouts of today between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{layouts()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
