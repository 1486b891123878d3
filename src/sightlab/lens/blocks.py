"""A network's layers grouped into the blocks that people draw: single layers, residual and dense blocks, branches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sightlab.lens.layer_graph import LayerGraph
from sightlab.lens.layers import Layer, by, side
from sightlab.lens.tracer import IMAGE

Item = TypeVar("Item")
LONGEST_PATTERN = 4
INLINE = ("norm", "activation", "learned")  # kinds that are written beside another layer
JOINS = ("sum", "concatenation", "product")


@dataclass(frozen=True)
class Row:
    """One layer as it is drawn: its title, and the operations before and after it that are written beside it."""

    title: str
    kind: str
    name: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """Rows that follow each other `count` times."""

    rows: tuple[Row, ...]
    count: int


@dataclass(frozen=True)
class Block:
    """The part of a network between two layers that every path from image to logits passes through.

    kind: layer, residual, gate, dense, nested (an encoder and a decoder with skips between them) or branches. rows: of
    its longest branch. skip: what runs around it, `identity` or the projection in words; others: further branches, in
    words. join: the kind of layer that joins them, if any. after: norms and activations that follow. layers: the
    indices of all its layers in the graph.
    """

    kind: str
    rows: tuple[Repeat, ...]
    layers: tuple[int, ...]
    skip: str = ""
    others: tuple[str, ...] = ()
    join: str = ""
    after: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """Index of the layer whose output is the block's."""
        return self.layers[-1]


def title(layer: Layer) -> str:
    """A layer in a few words, with its kernel, its stride and its channels."""
    window = layer.window
    if layer.kind == "convolution" and window:
        depthwise = layer.groups > 1 and layer.groups == layer.channels[0]
        plain = "conv" if layer.operation == "convolution" else "transposed conv"
        kind = "depthwise conv" if depthwise else f"{plain} in {layer.groups} groups" if layer.groups > 1 else plain
        dilation = f", dilation {side(window.dilation)}" if window.dilation != (1, 1) else ""
        return f"{window} {kind}, {layer.channels[1]}{dilation}"
    if layer.kind == "linear":
        return f"linear, {layer.channels[1]}"
    if layer.kind == "pool":
        words = {"mean": "average pool", "maximum": "max pool", "sum": "sum pool"}.get(layer.operation, layer.operation)
        if layer.size in (None, (1, 1)):
            return f"global {words}"
        return f"{window} {words}" if window else f"{words} to {by(layer.size or ())}"
    if layer.kind == "concatenation":
        return "learned tokens prepended" if layer.parameters else f"concatenation, {layer.channels[1]}"
    return layer.operation


def blocks_of(graph: LayerGraph) -> tuple[Block, ...]:
    """The network from image to logits, block by block; norms and activations belong to the block before them."""
    layers = graph.layers
    used = live_layers(graph)
    blocks: list[Block] = []
    start = IMAGE
    for end in cut_points(layers, used):
        between = [index for index in used if start < index < end]
        start, fork = end, start
        layer = layers[end]
        if not between and layer.kind in INLINE and blocks and not (layer.kind == "norm" and blocks[-1].join):
            last = blocks[-1]
            blocks[-1] = replace(last, layers=(*last.layers, end), after=(*last.after, layer.operation))
        elif not between and (len(layer.inputs) == 1 or layer.kind not in JOINS):
            blocks.append(Block("layer", (Repeat((row_of(layer),), 1),), (end,)))
        else:
            blocks.append(branching_block(layers, fork, between, end))
    return tuple(blocks)


def signature(graph: LayerGraph, block: Block) -> Hashable:
    """What two blocks have in common that are drawn as one: everything but their names and their input channels."""
    rows = tuple((tuple((row.title, row.before, row.after) for row in one.rows), one.count) for one in block.rows)
    return block.kind, rows, block.skip, block.others, block.join, block.after, graph.layers[block.end].output


def repeated_blocks(graph: LayerGraph) -> list[tuple[tuple[Block, ...], ...]]:
    """The blocks, direct repetitions grouped: for each group its copies, each of one block or of several."""
    blocks = blocks_of(graph)
    groups: list[tuple[tuple[Block, ...], ...]] = []
    start = 0
    for pattern, count in fold_repeats(blocks, lambda block: signature(graph, block)):
        length = len(pattern)
        groups.append(tuple(blocks[start + length * copy : start + length * (copy + 1)] for copy in range(count)))
        start += length * count
    return groups


def live_layers(graph: LayerGraph) -> list[int]:
    """Indices of the layers whose output reaches the logits, in order."""
    live = {graph.last}
    for index in range(graph.last, -1, -1):
        if index in live:
            live.update(source for source in graph.layers[index].inputs if source != IMAGE)
    return sorted(live)


def cut_points(layers: Sequence[Layer], used: Sequence[int]) -> list[int]:
    """Indices of the layers that every path from image to logits passes through.

    In the order in which layers run, these are the layers behind which no later layer reaches back.
    """
    earliest = [min(layers[index].inputs) for index in used]
    cuts: list[int] = []
    reach = used[-1]
    for position in range(len(used) - 1, -1, -1):
        # No later layer takes an input from before this one.
        if position == len(used) - 1 or reach >= used[position]:
            cuts.append(used[position])
        reach = min(reach, earliest[position]) if position < len(used) - 1 else earliest[position]
    return cuts[::-1]


def branching_block(layers: Sequence[Layer], fork: int, between: Sequence[int], end: int) -> Block:
    """The block from a fork to the layer that joins its branches again."""
    branches = branches_of(layers, between)
    branches.sort(key=lambda branch: -sum(layers[index].weighted for index in branch))
    main, *others = branches or [[]]
    nested = len({layers[index].size for index in (*main, end)}) > 1
    rows = rows_of([layers[index] for index in main if nested or layers[index].kind != "concatenation"])
    words = tuple(describe([layers[index] for index in branch]) for branch in others)
    join = layers[end].kind
    every = (*between, end)
    direct = fork in layers[end].inputs
    if join == "concatenation" and any(layers[index].kind == "concatenation" for index in main):
        if nested and direct:
            return Block("nested", rows, every, skip="identity", join=join)
        return Block("dense", rows, every, join=join)
    if join in ("sum", "product") and direct and not others:
        return Block("residual" if join == "sum" else "gate", rows, every, skip="identity", join=join)
    if join == "sum" and len(others) == 1 and not direct:
        return Block("residual", rows, every, skip=words[0], join=join)
    return Block("branches", rows, every, others=(*words, "identity") if direct else words, join=join)


def branches_of(layers: Sequence[Layer], between: Sequence[int]) -> list[list[int]]:
    """The layers between a fork and its join, connected ones together: the branches, each in order."""
    branches: list[list[int]] = []
    for index in between:
        sources = set(layers[index].inputs)
        connected = [branch for branch in branches if sources & set(branch)]
        for branch in connected:
            branches.remove(branch)
        branches.append(sorted([*(one for branch in connected for one in branch), index]))
    return branches


def rows_of(layers: Sequence[Layer]) -> tuple[Repeat, ...]:
    """Layers as rows: a norm or activation is written beside the layer before it, or after it where it comes first."""
    rows: list[Row] = []
    pending: list[str] = []
    for index, layer in enumerate(layers):
        if layer.kind not in INLINE:
            rows.append(row_of(layer, tuple(pending)))
            pending = []
        elif not rows or pending or is_pre_norm(layers, index, rows):
            pending.append(layer.operation)
        else:
            last = rows[-1]
            rows[-1] = Row(last.title, last.kind, last.name, last.before, (*last.after, layer.operation))
    repeats = fold_repeats(rows, lambda row: (row.title, row.before, row.after))
    return tuple(Repeat(pattern, count) for pattern, count in repeats)


def row_of(layer: Layer, before: tuple[str, ...] = ()) -> Row:
    """A layer as a row; it says so where it shares the weights of another."""
    return Row(title(layer), layer.kind, layer.name, before, ("shared weights",) if "shares the" in layer.note else ())


def is_pre_norm(layers: Sequence[Layer], index: int, rows: Sequence[Row]) -> bool:
    """Whether a norm belongs to the layer after it: in branches that begin with a norm, every norm does."""
    return layers[index].kind == "norm" and bool(rows[0].before) and "norm" in rows[0].before[0]


def describe(layers: Sequence[Layer]) -> str:
    """A short branch in words."""
    titles = [title(layer) for layer in layers if layer.kind not in INLINE and layer.kind not in JOINS]
    return ", then ".join(titles) or "identity, then " + ", ".join(layer.operation for layer in layers)


def fold_repeats(
    items: Sequence[Item], key: Callable[[Item], Hashable], longest: int = LONGEST_PATTERN
) -> list[tuple[tuple[Item, ...], int]]:
    """A sequence with each direct repetition written once: (pattern, how often it follows itself).

    >>> fold_repeats("aababc", str)
    [(('a',), 2), (('b',), 1), (('a',), 1), (('b',), 1), (('c',), 1)]
    >>> fold_repeats("xababab", str)
    [(('x',), 1), (('a', 'b'), 3)]
    """
    keys = [key(item) for item in items]
    folded: list[tuple[tuple[Item, ...], int]] = []
    start = 0
    while start < len(keys):
        covered = [(length * count_repeats(keys, start, length), -length) for length in range(1, longest + 1)]
        repeated = [(total, length) for total, length in covered if total > -length]
        length = -max(repeated)[1] if repeated else 1
        count = count_repeats(keys, start, length)
        folded.append((tuple(items[start : start + length]), count))
        start += length * count
    return folded


def count_repeats(keys: Sequence[Hashable], start: int, length: int) -> int:
    """How often the pattern of `length` keys that begins at `start` follows itself; 1 if it does not repeat."""
    pattern = list(keys[start : start + length])
    count = 1
    while list(keys[start + count * length : start + (count + 1) * length]) == pattern:
        count += 1
    return count
