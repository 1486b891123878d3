"""Shades for the cells of a table, and the ink that reads on them."""

from __future__ import annotations

from sightlab.charts.theme import INK

# Light to dark, evenly in lightness; even the lightest stands off from white, so that a single one shows.
BLUES = ("#dcebf7", "#6fa8d6", "#0b3c6f")

EVEN_CONTRAST = 0.213  # luminance on which white and INK read equally well (a contrast of 4 to 1)

Colour = tuple[float, float, float]


def mixed(shades: tuple[str, str, str], along: float) -> Colour:
    """The colour of a scale of three shades: along 0 the first, at 0.5 the second, at 1 the third; parts in [0, 1]."""
    low, middle, high = (_parts(shade) for shade in shades)
    start, end, share = (low, middle, 2 * along) if along <= 0.5 else (middle, high, 2 * along - 1)
    red, green, blue = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return red, green, blue


def written(colour: Colour) -> str:
    """A colour as #rrggbb."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def ink_on(colour: Colour) -> str:
    """White or near black, whichever has more contrast with the colour."""
    return "#ffffff" if luminance(colour) < EVEN_CONTRAST else INK


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, in [0, 1]; WCAG 2.2, "relative luminance"."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(shade: str) -> Colour:
    red, green, blue = (int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
