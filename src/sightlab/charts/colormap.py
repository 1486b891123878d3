"""A sequential colormap for the cells of a heat map, and the text colour that is readable on it."""

from __future__ import annotations

from sightlab.charts.theme import INK

# Light to dark, evenly in lightness; even the lightest differs from white, so that a single cell shows.
BLUES = ("#dcebf7", "#6fa8d6", "#0b3c6f")

EVEN_CONTRAST = 0.213  # luminance on which white and INK have the same contrast (4 to 1)

Colour = tuple[float, float, float]


def interpolate(colormap: tuple[str, str, str], position: float) -> Colour:
    """The colour at a position in [0, 1] of a colormap of three colours, which stand at 0, 0.5 and 1; RGB in [0, 1]."""
    low, middle, high = (_from_hex(colour) for colour in colormap)
    start, end, share = (low, middle, 2 * position) if position <= 0.5 else (middle, high, 2 * position - 1)
    red, green, blue = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return red, green, blue


def to_hex(colour: Colour) -> str:
    """A colour as #rrggbb."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def text_colour(background: Colour) -> str:
    """White or near black, whichever has more contrast with the background."""
    return "#ffffff" if luminance(background) < EVEN_CONTRAST else INK


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, in [0, 1]; WCAG 2.2, "relative luminance"."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _from_hex(colour: str) -> Colour:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
