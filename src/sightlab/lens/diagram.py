"""A network's diagram as SVG: its blocks from image to logits, with map sizes, skips and costs."""

from __future__ import annotations

from itertools import pairwise

from sightlab.charts.theme import BLUE, HAIRLINE, INK, LINE, QUIET, VERMILION, text_width
from sightlab.lens.blocks import Block, Repeat, Row, blocks_of, repeated_blocks
from sightlab.lens.design_rules import receptive_field
from sightlab.lens.layer_graph import LayerGraph
from sightlab.lens.layer_table import output_shape
from sightlab.lens.layers import Layer, by
from sightlab.lens.svg import SvgCanvas, truncate

FILLS = {
    "convolution": ("#dcebf7", BLUE),
    "linear": ("#f7e4ee", "#b0578a"),
    "pool": ("#e9ecee", "#7c8791"),
    "attention": ("#d8efe6", "#009e73"),
}
OTHER = ("#ffffff", LINE)
BAND = "#f5f7f8"
# x of the columns, in pixels.
SIZE, NAME, LEFT, TRUNK, RIGHT = 20, 196, 212, 332, 570
OUTPUT, PARAMETERS, MACS, FIELD, WIDTH = 696, 780, 864, 930, 950
BOX, INNER = 240, 216  # widths of a layer's box: on the trunk and inside a block
ARC = 500  # x at which skips run down
TOP, ROW, TALL, GAP = 104, 26, 38, 12
PAD, CIRCLE = 14, 8


def diagram(graph: LayerGraph) -> str:
    """The network as an SVG element, from image to logits, about 950 pixels wide.

    Layers and blocks that repeat directly are drawn once, with their number; parameters and multiply-adds are the sums
    over all copies. Equal graphs give equal texts.

    >>> from sightlab.lens.structure import structure
    >>> diagram(structure("cnn"))[:4]
    '<svg'
    """
    ink, height = draw_network(graph)
    return ink.to_svg(WIDTH, height)


def side_by_side(one: LayerGraph, other: LayerGraph) -> str:
    """The diagrams of two networks side by side in one SVG element."""
    drawings = [draw_network(one), draw_network(other)]
    ink = SvgCanvas()
    for number, (drawing, _) in enumerate(drawings):
        ink.insert(drawing, number * WIDTH, 0)
    height = max(height for _, height in drawings)
    ink.line(WIDTH, 20, WIDTH, height - 20, HAIRLINE)
    return ink.to_svg(2 * WIDTH, height)


def draw_network(graph: LayerGraph) -> tuple[SvgCanvas, float]:
    """The drawing of one network, and its height in pixels."""
    ink, background = SvgCanvas(), SvgCanvas()
    draw_heading(ink, graph)
    y: float = TOP
    bands: list[tuple[float, str]] = [(y - GAP / 2, by(graph.shape[1:]))]
    draw_layer(ink, LEFT, y, BOX, Row(f"image, {by(graph.shape)}", "", ""), centred=True)
    y += ROW
    for copies in repeated_blocks(graph):
        top = y + GAP
        for block, *others in zip(*copies, strict=True):
            size = map_size(graph.layers[block.end])
            if size != bands[-1][1]:
                bands.append((y + GAP / 2, size))
            draw_arrow(ink, y, y + GAP)
            y += GAP
            end = draw_block(ink, block, y)
            draw_costs(ink, graph, [block, *others], (y + end) / 2 + 4)
            y = end
        if len(copies) > 1:
            wide = any(block.join for block in copies[0])
            draw_bracket(ink, RIGHT + 8 if wide else LEFT + BOX + 8, (top, y), len(copies))
    draw_totals(ink, graph, y + GAP / 2)
    draw_bands(background, [*bands, (y + GAP / 2, "")])
    bottom = draw_legend(ink, graph, y + 40)
    page = SvgCanvas()
    page.insert(background, 0, 0)
    page.insert(ink, 0, 0)
    return page, bottom


def draw_heading(ink: SvgCanvas, graph: LayerGraph) -> None:
    """The network's name, its key figures in one line, and the column headers."""
    ink.text(SIZE, 32, truncate(graph.model, 18, 0.9 * (WIDTH - 2 * SIZE)), 18, weight="bold")
    facts = [
        f"depth {graph.depth}",
        f"{graph.parameters:,} parameters",
        f"{graph.macs / 1e6:,.1f} million multiply-adds an image",
        f"receptive field {receptive_field(graph)}",
    ]
    ink.text(SIZE, 54, truncate(", ".join(facts), 12, WIDTH - 2 * SIZE), 12, QUIET)
    for x, words in ((OUTPUT, "output"), (PARAMETERS, "parameters"), (MACS, "M mult-adds"), (FIELD, "sees")):
        ink.text(x, TOP - 16, words, 11, QUIET, anchor="end")
    ink.text(SIZE, TOP - 16, "size", 11, QUIET)
    ink.text(NAME, TOP - 16, "name", 11, QUIET, anchor="end")


def draw_costs(ink: SvgCanvas, graph: LayerGraph, copies: list[Block], y: float) -> None:
    """The columns beside a block: its name, its output, and the cost of it and its copies together."""
    each = [[graph.layers[index] for index in block.layers] for block in copies]
    first, last = common_name(each[0]), common_name(each[-1])
    own = last.split(".")[common_prefix(first.split("."), last.split(".")) :]
    name = f"{first} to {'.'.join(own)}" if own else first
    ink.text(NAME, y, truncate(name, 10, NAME - SIZE - 66), 10, QUIET, anchor="end")
    ink.text(OUTPUT, y, output_shape(each[-1][-1]), 11, anchor="end")
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


def map_size(layer: Layer) -> str:
    """The size of a layer's map; `no map` where it has none."""
    return by(layer.size) if layer.size else "no map"


def common_name(layers: list[Layer]) -> str:
    """The common beginning of the names of a block's layers; the first one's name where there is none."""
    first, *rest = [layer.name.split(".") for layer in layers if layer.kind not in ("norm", "activation")] or [
        layers[0].name.split(".")
    ]
    for other in rest:
        first = [a for a, b in zip(first, other, strict=False) if a == b][: common_prefix(first, other)]
    return ".".join(first) or layers[0].name


def common_prefix(one: list[str], other: list[str]) -> int:
    """How many components two dotted names share from the start."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def draw_block(ink: SvgCanvas, block: Block, y: float) -> float:
    """Draw one block from y on; returns the y at which it ends."""
    if block.kind == "layer":
        row = block.rows[0].rows[0]
        whole = Row(row.title, row.kind, row.name, row.before, (*row.after, *block.after))
        if row.kind in ("norm", "activation", "learned"):
            ink.text(TRUNK, y + 12, ", ".join((row.title, *block.after)), 11, QUIET, anchor="middle")
            return y + 16
        return draw_layer(ink, LEFT, y, BOX, whole)
    return draw_branches(ink, block, y)


def draw_branches(ink: SvgCanvas, block: Block, y: float) -> float:
    """Draw a block with branches: its frame, the rows of the main branch, and the skip around them."""
    content = SvgCanvas()
    at = y + PAD
    for number, repeat in enumerate(block.rows):
        if number:
            draw_arrow(content, at, at + GAP)
            at += GAP
        at = draw_rows(content, repeat, at)
    middle = at + GAP + CIRCLE
    draw_arrow(content, at, at + GAP)
    for number, words in enumerate(block.others):
        content.text(LEFT + BOX + 4, y + PAD + 12 + 15 * number, truncate(f"branch: {words}", 10, 112), 10, QUIET)
    end = middle + CIRCLE + PAD - 4
    ink.rect(LEFT - 6, y, RIGHT - LEFT + 6, end - y, "#ffffff", LINE, 8)
    ink.insert(content, 0, 0)
    draw_skip(ink, block, y, middle)
    ink.line(TRUNK, y, TRUNK, y + PAD, QUIET)
    ink.circle(TRUNK, middle, CIRCLE, "#ffffff", INK)
    ink.join_symbol(TRUNK, middle, block.join)
    ink.line(TRUNK, middle + CIRCLE, TRUNK, end, QUIET)
    join = [block.join] if block.join in ("concatenation", "product") else []
    words = ", ".join([*join, *block.after])
    ink.text(TRUNK - CIRCLE - 8, middle + 4, words, 10, QUIET, anchor="end")
    return end


def draw_rows(ink: SvgCanvas, repeat: Repeat, y: float) -> float:
    """Draw the rows of a block that repeat together; returns the y at which they end."""
    top = y
    left = TRUNK - INNER / 2
    for number, row in enumerate(repeat.rows):
        if number:
            draw_arrow(ink, y, y + GAP)
            y += GAP
        y = draw_layer(ink, left, y, INNER, row)
    if repeat.count > 1:
        ink.text(left + INNER + 6, (top + y) / 2 + 4, f"x {repeat.count}", 12, INK, weight="bold")
    return y


def draw_skip(ink: SvgCanvas, block: Block, y: float, middle: float) -> None:
    """Draw the skip connection from a block's fork to its join; of a dense block, the links between its layers."""
    start = y + PAD / 2
    if block.kind == "dense":
        for step in range(3):
            ink.arc(TRUNK, start, ARC + 12 * step, TRUNK + CIRCLE, middle, QUIET)
        ink.text(ARC - 8, middle - 19, "each takes", 10, QUIET, anchor="end")
        ink.text(ARC - 8, middle - 7, "all before", 10, QUIET, anchor="end")
        return
    if not block.skip:
        return
    identity = block.skip == "identity"
    ink.arc(TRUNK, start, ARC + 14, TRUNK + CIRCLE, middle, QUIET if identity else VERMILION)
    height = (start + middle) / 2
    if identity:
        ink.text(ARC + 8, height + 4, "identity", 10, QUIET, anchor="end")
        return
    words = block.skip.split(", then ")
    ink.rect(ARC + 14 - 50, height - 8 - 7 * len(words), 100, 6 + 14 * len(words), "#fdeee3", VERMILION, 4)
    for number, line in enumerate(words):
        at = height + 14 * number - 7 * len(words) + 6
        ink.text(ARC + 14, at, truncate(line, 10, 94), 10, anchor="middle")


def draw_layer(ink: SvgCanvas, x: float, y: float, width: float, row: Row, *, centred: bool = False) -> float:
    """Draw a layer: its title, and beside or below it the norms and activations; returns the y at which it ends."""
    fill, stroke = FILLS.get(row.kind, OTHER)
    detail = ", ".join(row.after)
    if row.before:
        detail = "first " + ", ".join(row.before) + (f"; then {detail}" if detail else "")
    one_line = text_width(row.title, 12) + text_width(detail, 10) + 26 <= width
    height = ROW if one_line or not detail else TALL
    ink.rect(x, y, width, height, fill, stroke, 5)
    if centred:
        ink.text(x + width / 2, y + 17, row.title, 12, anchor="middle")
        return y + height
    ink.text(x + 9, y + 17 - (0 if height == ROW else 1), truncate(row.title, 12, width - 16), 12)
    if one_line:
        ink.text(x + width - 8, y + 17, detail, 10, QUIET, anchor="end")
    else:
        ink.text(x + 9, y + 31, truncate(detail, 10, width - 16), 10, QUIET)
    return y + height


def draw_arrow(ink: SvgCanvas, start: float, end: float) -> None:
    """Draw the arrow from one layer down to the next."""
    ink.line(TRUNK, start, TRUNK, end, QUIET)
    ink.arrowhead(TRUNK, end)


def draw_bracket(ink: SvgCanvas, x: float, ends: tuple[float, float], count: int) -> None:
    """Draw the bracket that says how often the blocks between two heights repeat."""
    top, bottom = ends
    ink.path(f"M{x:g} {top:g}h6V{bottom:g}h-6", INK)
    ink.text(x + 12, (top + bottom) / 2 + 4, f"x {count}", 13, weight="bold")


def draw_bands(ink: SvgCanvas, bands: list[tuple[float, str]]) -> None:
    """Draw a band for each map size, every other one shaded, its size at the left."""
    for number, ((top, words), (bottom, _)) in enumerate(pairwise(bands)):
        if number % 2 == 0:
            ink.rect(10, top, WIDTH - 20, bottom - top, BAND, "none", 0)
        ink.text(SIZE, top + 20, words, 12, weight="bold")


def draw_totals(ink: SvgCanvas, graph: LayerGraph, y: float) -> None:
    """Draw the sums of the columns."""
    ink.line(OUTPUT - 50, y + 4, FIELD, y + 4, LINE)
    for x, words in ((PARAMETERS, f"{graph.parameters:,}"), (MACS, f"{graph.macs / 1e6:,.1f}")):
        ink.text(x, y + 20, words, 11, anchor="end", weight="bold")
    ink.text(OUTPUT, y + 20, "total", 11, anchor="end", weight="bold")


def draw_legend(ink: SvgCanvas, graph: LayerGraph, y: float) -> float:
    """Draw the key to the two kinds of skips, where there are any; returns the drawing's height."""
    skips = [block.skip for block in blocks_of(graph) if block.skip]
    kinds = [("identity", QUIET)] if "identity" in skips else []
    kinds += [("projection", VERMILION)] if any(skip != "identity" for skip in skips) else []
    x: float = SIZE
    for words, colour in kinds:
        ink.line(x, y, x + 26, y, colour, 2)
        ink.text(x + 32, y + 4, f"{words} skip", 11, QUIET)
        x += 140
    return y + 24
