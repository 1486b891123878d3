"""A network drawn as SVG: its parts from image to logits, with sizes, skips and costs beside them."""

from __future__ import annotations

from itertools import pairwise

from sightlab.charts.theme import BLUE, HAIRLINE, INK, LINE, QUIET, VERMILION
from sightlab.lens.blocks import Part, Repeat, Row, folded_parts, parts_of, shape_words
from sightlab.lens.design_rules import sight
from sightlab.lens.layers import Layer, by
from sightlab.lens.structure import Structure
from sightlab.lens.svg import Ink, fitted

FILLS = {
    "convolution": ("#dcebf7", BLUE),
    "linear": ("#f7e4ee", "#b0578a"),
    "pool": ("#e9ecee", "#7c8791"),
    "attention": ("#d8efe6", "#009e73"),
}
OTHER = ("#ffffff", LINE)
BAND = "#f5f7f8"
# Places of the columns, in pixels.
SIZE, NAME, LEFT, TRUNK, RIGHT = 20, 196, 212, 332, 570
OUTPUT, PARAMETERS, MACS, FIELD, WIDTH = 696, 780, 864, 930, 950
BOX, INNER = 240, 216  # widths of a layer's box, in the trunk and in a block
ARC = 500  # where skips go down
TOP, ROW, TALL, GAP = 104, 26, 38, 12
PAD, CIRCLE = 14, 8


def drawn(structure: Structure) -> str:
    """The network as an SVG element, from image to logits, about 950 pixels wide.

    Layers and blocks that repeat directly stand there once, with their number; their parameters and multiply-adds are
    those of all of them. Equal structures give equal texts.

    >>> from sightlab.lens.structure import structure
    >>> drawn(structure("cnn"))[:4]
    '<svg'
    """
    ink, height = sheet(structure)
    return ink.svg(WIDTH, height)


def drawn_beside(one: Structure, other: Structure) -> str:
    """Two networks side by side in one SVG element."""
    sheets = [sheet(one), sheet(other)]
    ink = Ink()
    for place, (part, _) in enumerate(sheets):
        ink.put(part, place * WIDTH, 0)
    height = max(height for _, height in sheets)
    ink.line(WIDTH, 20, WIDTH, height - 20, HAIRLINE)
    return ink.svg(2 * WIDTH, height)


def sheet(structure: Structure) -> tuple[Ink, float]:
    """The drawing of one network, and its height in pixels."""
    ink, under = Ink(), Ink()
    heading(ink, structure)
    y: float = TOP
    bands: list[tuple[float, str]] = [(y - GAP / 2, by(structure.shape[1:]))]
    box(ink, LEFT, y, BOX, Row(f"image, {by(structure.shape)}", "", ""), centred=True)
    y += ROW
    for copies in folded_parts(structure):
        top = y + GAP
        for part, *others in zip(*copies, strict=True):
            size = size_words(structure.layers[part.end])
            if size != bands[-1][1]:
                bands.append((y + GAP / 2, size))
            arrow(ink, y, y + GAP)
            y += GAP
            end = drawn_part(ink, part, y)
            facts(ink, structure, [part, *others], (y + end) / 2 + 4)
            y = end
        if len(copies) > 1:
            wide = any(part.join for part in copies[0])
            bracket(ink, RIGHT + 8 if wide else LEFT + BOX + 8, (top, y), len(copies))
    totals(ink, structure, y + GAP / 2)
    paint_bands(under, [*bands, (y + GAP / 2, "")])
    bottom = legend(ink, structure, y + 40)
    page = Ink()
    page.put(under, 0, 0)
    page.put(ink, 0, 0)
    return page, bottom


def heading(ink: Ink, structure: Structure) -> None:
    """The network's name, what it is in one line, and the heads of the columns."""
    ink.text(SIZE, 32, fitted(structure.model, 18, 0.9 * (WIDTH - 2 * SIZE)), 18, weight="bold")
    facts = [
        f"depth {structure.depth}",
        f"{structure.parameters:,} parameters",
        f"{structure.macs / 1e6:,.1f} million multiply-adds an image",
        f"receptive field {sight(structure)}",
    ]
    ink.text(SIZE, 54, fitted(", ".join(facts), 12, WIDTH - 2 * SIZE), 12, QUIET)
    for x, words in ((OUTPUT, "output"), (PARAMETERS, "parameters"), (MACS, "M mult-adds"), (FIELD, "sees")):
        ink.text(x, TOP - 16, words, 11, QUIET, anchor="end")
    ink.text(SIZE, TOP - 16, "size", 11, QUIET)
    ink.text(NAME, TOP - 16, "name", 11, QUIET, anchor="end")


def facts(ink: Ink, structure: Structure, copies: list[Part], y: float) -> None:
    """What stands beside a part: its name, its output, and what it and its copies cost together."""
    each = [[structure.layers[place] for place in part.layers] for part in copies]
    first, last = name_of(each[0]), name_of(each[-1])
    own = last.split(".")[common(first.split("."), last.split(".")) :]
    name = f"{first} to {'.'.join(own)}" if own else first
    ink.text(NAME, y, fitted(name, 10, NAME - SIZE - 66), 10, QUIET, anchor="end")
    ink.text(OUTPUT, y, shape_words(each[-1][-1]), 11, anchor="end")
    parameters, macs = (sum(getattr(one, key) for layers in each for one in layers) for key in ("parameters", "macs"))
    if parameters:
        ink.text(PARAMETERS, y, f"{parameters:,}", 11, anchor="end")
    if macs:
        ink.text(MACS, y, millions(macs), 11, anchor="end")
    ink.text(FIELD, y, sees(each[-1][-1]), 11, anchor="end")


def millions(macs: int) -> str:
    """Multiply-adds in millions, a few of them to three places.

    >>> millions(118_013_952), millions(5_120), millions(320)
    ('118.0', '0.005', '<0.001')
    """
    if macs < 500:
        return "<0.001"
    return f"{macs / 1e6:,.1f}" if macs >= 1e5 else f"{macs / 1e6:.3f}"


def sees(layer: Layer) -> str:
    """The receptive field in words."""
    rows, columns = layer.receptive_field
    if layer.jump == (0, 0):
        return "all"
    return str(rows) if rows == columns else by((rows, columns))


def size_words(layer: Layer) -> str:
    """The size of a layer's map; a dash where it has none."""
    return by(layer.size) if layer.size else "no map"


def name_of(layers: list[Layer]) -> str:
    """What the names of a part's layers begin with, the first one's name where they have nothing in common."""
    first, *rest = [layer.name.split(".") for layer in layers if layer.kind not in ("norm", "activation")] or [
        layers[0].name.split(".")
    ]
    for other in rest:
        first = [a for a, b in zip(first, other, strict=False) if a == b][: common(first, other)]
    return ".".join(first) or layers[0].name


def common(one: list[str], other: list[str]) -> int:
    """How many parts two names have in common from the start."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def drawn_part(ink: Ink, part: Part, y: float) -> float:
    """One part from y on; gives where it ends."""
    if part.kind == "layer":
        row = part.rows[0].what[0]
        whole = Row(row.title, row.kind, row.name, row.before, (*row.after, *part.after))
        if row.kind in ("norm", "activation", "learned"):
            ink.text(TRUNK, y + 12, ", ".join((row.title, *part.after)), 11, QUIET, anchor="middle")
            return y + 16
        return box(ink, LEFT, y, BOX, whole)
    return block(ink, part, y)


def block(ink: Ink, part: Part, y: float) -> float:
    """A part with branches: its frame, the rows of the main one, and what goes round them."""
    frame = Ink()
    at = y + PAD
    for number, repeat in enumerate(part.rows):
        if number:
            arrow(frame, at, at + GAP)
            at += GAP
        at = rows(frame, repeat, at)
    middle = at + GAP + CIRCLE
    arrow(frame, at, at + GAP)
    for number, words in enumerate(part.others):
        frame.text(LEFT + BOX + 4, y + PAD + 12 + 15 * number, fitted(f"beside: {words}", 10, 112), 10, QUIET)
    end = middle + CIRCLE + PAD - 4
    ink.box(LEFT - 6, y, RIGHT - LEFT + 6, end - y, "#ffffff", LINE, 8)
    ink.put(frame, 0, 0)
    way_round(ink, part, y, middle)
    ink.line(TRUNK, y, TRUNK, y + PAD, QUIET)
    ink.circle(TRUNK, middle, CIRCLE, "#ffffff", INK)
    ink.sign(TRUNK, middle, part.join)
    ink.line(TRUNK, middle + CIRCLE, TRUNK, end, QUIET)
    said = {"concatenation": ["concatenation"], "product": ["product"]}.get(part.join, [])
    words = ", ".join([*said, *part.after])
    ink.text(TRUNK - CIRCLE - 8, middle + 4, words, 10, QUIET, anchor="end")
    return end


def rows(ink: Ink, repeat: Repeat, y: float) -> float:
    """The rows of a block that repeat together; gives where they end."""
    top = y
    left = TRUNK - INNER / 2
    for number, row in enumerate(repeat.what):
        if number:
            arrow(ink, y, y + GAP)
            y += GAP
        y = box(ink, left, y, INNER, row)
    if repeat.count > 1:
        ink.text(left + INNER + 6, (top + y) / 2 + 4, f"x {repeat.count}", 12, INK, weight="bold")
    return y


def way_round(ink: Ink, part: Part, y: float, middle: float) -> None:
    """What leads from a block's fork to its join beside the main branch."""
    start = y + PAD / 2
    if part.kind == "dense":
        for step in range(3):
            ink.arc(TRUNK, start, ARC + 12 * step, TRUNK + CIRCLE, middle, QUIET)
        ink.text(ARC - 8, middle - 19, "each sees", 10, QUIET, anchor="end")
        ink.text(ARC - 8, middle - 7, "all before", 10, QUIET, anchor="end")
        return
    if not part.skip:
        return
    identity = part.skip == "identity"
    ink.arc(TRUNK, start, ARC + 14, TRUNK + CIRCLE, middle, QUIET if identity else VERMILION)
    height = (start + middle) / 2
    if identity:
        ink.text(ARC + 8, height + 4, "identity", 10, QUIET, anchor="end")
        return
    words = part.skip.split(", then ")
    ink.box(ARC + 14 - 50, height - 8 - 7 * len(words), 100, 6 + 14 * len(words), "#fdeee3", VERMILION, 4)
    for number, line in enumerate(words):
        at = height + 14 * number - 7 * len(words) + 6
        ink.text(ARC + 14, at, fitted(line, 10, 94), 10, anchor="middle")


def box(ink: Ink, x: float, y: float, width: float, row: Row, *, centred: bool = False) -> float:
    """A layer: its title, and beside or below it what comes before and after; gives where it ends."""
    fill, edge = FILLS.get(row.kind, OTHER)
    detail = ", ".join(row.after)
    if row.before:
        detail = "first " + ", ".join(row.before) + (f"; then {detail}" if detail else "")
    beside = ink.width(row.title, 12) + ink.width(detail, 10) + 26 <= width
    height = ROW if beside or not detail else TALL
    ink.box(x, y, width, height, fill, edge, 5)
    if centred:
        ink.text(x + width / 2, y + 17, row.title, 12, anchor="middle")
        return y + height
    ink.text(x + 9, y + 17 - (0 if height == ROW else 1), fitted(row.title, 12, width - 16), 12)
    if beside:
        ink.text(x + width - 8, y + 17, detail, 10, QUIET, anchor="end")
    else:
        ink.text(x + 9, y + 31, fitted(detail, 10, width - 16), 10, QUIET)
    return y + height


def arrow(ink: Ink, start: float, end: float) -> None:
    """The way down from one layer to the next."""
    ink.line(TRUNK, start, TRUNK, end, QUIET)
    ink.head(TRUNK, end)


def bracket(ink: Ink, x: float, ends: tuple[float, float], count: int) -> None:
    """What says that the parts between two heights stand there several times."""
    top, bottom = ends
    ink.path(f"M{x:g} {top:g}h6V{bottom:g}h-6", INK)
    ink.text(x + 12, (top + bottom) / 2 + 4, f"x {count}", 13, weight="bold")


def paint_bands(ink: Ink, bands: list[tuple[float, str]]) -> None:
    """A band for each size of the maps, every other one shaded, its size at the left."""
    for number, ((top, words), (bottom, _)) in enumerate(pairwise(bands)):
        if number % 2 == 0:
            ink.box(10, top, WIDTH - 20, bottom - top, BAND, "none", 0)
        ink.text(SIZE, top + 20, words, 12, weight="bold")


def totals(ink: Ink, structure: Structure, y: float) -> None:
    """The sums of the columns."""
    ink.line(OUTPUT - 50, y + 4, FIELD, y + 4, LINE)
    for x, words in ((PARAMETERS, f"{structure.parameters:,}"), (MACS, f"{structure.macs / 1e6:,.1f}")):
        ink.text(x, y + 20, words, 11, anchor="end", weight="bold")
    ink.text(OUTPUT, y + 20, "in all", 11, anchor="end", weight="bold")


def legend(ink: Ink, structure: Structure, y: float) -> float:
    """What the two kinds of skips look like, where there are any; gives the drawing's height."""
    skips = [part.skip for part in parts_of(structure) if part.skip]
    shown = [("identity", QUIET)] if "identity" in skips else []
    shown += [("projection", VERMILION)] if any(skip != "identity" for skip in skips) else []
    x: float = SIZE
    for words, colour in shown:
        ink.line(x, y, x + 26, y, colour, 2)
        ink.text(x + 32, y + 4, f"skip by {words}", 11, QUIET)
        x += 140
    return y + 24
