"""A minimal SVG writer: text, rectangles, lines and arcs, in the order in which they are drawn."""

from __future__ import annotations

from html import escape

from sightlab.charts.theme import FONT, INK, QUIET, printable, text_width


class SvgCanvas:
    """The elements of a drawing. Positions and sizes are in pixels from the top left corner."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def text(
        self, x: float, y: float, words: str, size: int, colour: str = INK, *, anchor: str = "start", weight: str = ""
    ) -> None:
        """One line of text; (x, y) is the start of its baseline, or its middle or end as `anchor` says."""
        if not words:
            return
        bold = f' font-weight="{weight}"' if weight else ""
        self.elements.append(
            f'<text transform="translate({x:g},{y:g})" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{bold}>'
            f"{escape(printable(words))}</text>"
        )

    def rect(self, x: float, y: float, width: float, height: float, fill: str, stroke: str, radius: float) -> None:
        """A rectangle with its top left corner at (x, y)."""
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" fill="{fill}" '
            f'stroke="{stroke}"/>'
        )

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: str, width: float = 1.4) -> None:
        """A straight line."""
        self.path(f"M{x:g} {y:g}L{to_x:g} {to_y:g}", colour, width)

    def path(self, data: str, colour: str, width: float = 1.4) -> None:
        """A line along a path, as SVG's attribute `d` describes it."""
        self.elements.append(f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>')

    def arc(self, x: float, y: float, by_x: float, to_x: float, to_y: float, colour: str) -> None:
        """From (x, y) to the right as far as by_x, down, and back to (to_x, to_y), ending in an arrowhead."""
        turn = 10
        self.path(
            f"M{x:g} {y:g}H{by_x - turn:g}q{turn} 0 {turn} {turn}V{to_y - turn:g}q0 {turn} {-turn} {turn}H{to_x + 5:g}",
            colour,
            1.8,
        )
        self.elements.append(f'<path d="M{to_x:g} {to_y:g}l7 -3.5v7z" fill="{colour}"/>')

    def arrowhead(self, x: float, y: float) -> None:
        """The head of an arrow that points down at (x, y)."""
        self.elements.append(f'<path d="M{x:g} {y:g}l-3.5 -6h7z" fill="{QUIET}"/>')

    def circle(self, x: float, y: float, radius: float, fill: str, stroke: str) -> None:
        """A circle with its centre at (x, y)."""
        self.elements.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{stroke}"/>')

    def join_symbol(self, x: float, y: float, join: str) -> None:
        """The symbol of a join: a plus for a sum, a cross for a product, two strokes for a concatenation."""
        paths = {
            "sum": f"M{x - 4:g} {y:g}h8M{x:g} {y - 4:g}v8",
            "product": f"M{x - 3:g} {y - 3:g}l6 6M{x + 3:g} {y - 3:g}l-6 6",
        }
        self.path(paths.get(join, f"M{x - 2:g} {y - 4:g}v8M{x + 2:g} {y - 4:g}v8"), INK)

    def insert(self, other: SvgCanvas, x: float, y: float) -> None:
        """Another drawing, moved by (x, y)."""
        self.elements.append(f'<g transform="translate({x:g},{y:g})">{"".join(other.elements)}</g>')

    def to_svg(self, width: float, height: float) -> str:
        """The drawing as an SVG element on a white background."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" font-family="{escape(FONT)}">'
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>{"".join(self.elements)}</svg>'
        )


def truncate(text: str, size: int, width: float) -> str:
    """The text, cut with … where it would be wider than `width` pixels.

    >>> truncate("a long name", 10, 30)
    'a lo…'
    """
    if text_width(text, size) <= width:
        return text
    cuts = (text[:end].rstrip() + "…" for end in range(len(text) - 1, 0, -1))
    return next((cut for cut in cuts if text_width(cut, size) <= width), "…")
