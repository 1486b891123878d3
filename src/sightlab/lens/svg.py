"""Plain SVG: text, boxes, lines and arcs, written in the order in which they are drawn."""

from __future__ import annotations

from html import escape

from sightlab.charts.theme import FONT, INK, QUIET, printable, text_width


class Ink:
    """Elements of a drawing. Places and sizes are pixels, from the top left corner."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def text(
        self, x: float, y: float, words: str, size: int, colour: str = INK, *, anchor: str = "start", weight: str = ""
    ) -> None:
        """One line of text; (x, y) is where its baseline starts, or its middle or end with the anchor."""
        if not words:
            return
        bold = f' font-weight="{weight}"' if weight else ""
        self.elements.append(
            f'<text transform="translate({x:g},{y:g})" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{bold}>'
            f"{escape(printable(words))}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, fill: str, edge: str, round_: float) -> None:
        """A rectangle with its top left corner at (x, y)."""
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" fill="{fill}" '
            f'stroke="{edge}"/>'
        )

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: str, thick: float = 1.4) -> None:
        """A straight line."""
        self.path(f"M{x:g} {y:g}L{to_x:g} {to_y:g}", colour, thick)

    def path(self, way: str, colour: str, thick: float = 1.4) -> None:
        """A line along a way in SVG's words."""
        self.elements.append(f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="{thick:g}"/>')

    def arc(self, x: float, y: float, by_x: float, to_x: float, to_y: float, colour: str) -> None:
        """From (x, y) to the right as far as by_x, down, and back to (to_x, to_y), with an arrow's head."""
        turn = 10
        self.path(
            f"M{x:g} {y:g}H{by_x - turn:g}q{turn} 0 {turn} {turn}V{to_y - turn:g}q0 {turn} {-turn} {turn}H{to_x + 5:g}",
            colour,
            1.8,
        )
        self.elements.append(f'<path d="M{to_x:g} {to_y:g}l7 -3.5v7z" fill="{colour}"/>')

    def head(self, x: float, y: float) -> None:
        """The head of an arrow that points down at (x, y)."""
        self.elements.append(f'<path d="M{x:g} {y:g}l-3.5 -6h7z" fill="{QUIET}"/>')

    def circle(self, x: float, y: float, radius: float, fill: str, edge: str) -> None:
        """A circle round (x, y)."""
        self.elements.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{edge}"/>')

    def sign(self, x: float, y: float, join: str) -> None:
        """In a circle: a plus for a sum, a cross for a product, two strokes for a concatenation."""
        ways = {
            "sum": f"M{x - 4:g} {y:g}h8M{x:g} {y - 4:g}v8",
            "product": f"M{x - 3:g} {y - 3:g}l6 6M{x + 3:g} {y - 3:g}l-6 6",
        }
        self.path(ways.get(join, f"M{x - 2:g} {y - 4:g}v8M{x + 2:g} {y - 4:g}v8"), INK)

    def put(self, other: Ink, x: float, y: float) -> None:
        """Another drawing, moved."""
        self.elements.append(f'<g transform="translate({x:g},{y:g})">{"".join(other.elements)}</g>')

    def svg(self, width: float, height: float) -> str:
        """The drawing as an SVG element on white."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" font-family="{escape(FONT)}">'
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>{"".join(self.elements)}</svg>'
        )

    def width(self, words: str, size: int) -> float:
        """About the width of a line of text."""
        return text_width(words, size)


def fitted(text: str, size: int, width: float) -> str:
    """The text, cut with … where it would be wider than so many pixels.

    >>> fitted("a long name", 10, 30)
    'a lo…'
    """
    if text_width(text, size) <= width:
        return text
    cuts = (text[:end].rstrip() + "…" for end in range(len(text) - 1, 0, -1))
    return next((cut for cut in cuts if text_width(cut, size) <= width), "…")
