"""A network's layers as the parts that people draw: single layers, residual and dense blocks, branches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sightlab.lens.layers import Layer, by, side
from sightlab.lens.structure import Structure
from sightlab.lens.tracer import IMAGE

Each = TypeVar("Each")
LONGEST_PATTERN = 4
WORDS = ("norm", "activation", "learned")  # kinds that stand beside another layer, in words
JOINS = ("sum", "concatenation", "product")


@dataclass(frozen=True)
class Row:
    """One layer as it is drawn: what it is, and what comes before and after it in words."""

    title: str
    kind: str
    name: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """Parts, or rows, that follow each other `count` times."""

    what: tuple[Row, ...]
    count: int


@dataclass(frozen=True)
class Part:
    """A stretch of a network between two layers that everything passes through.

    kind: layer, residual, gate, dense, nested (there and back with skips across) or branches. rows: of its longest
    branch. skip: what goes round it, `identity` or the words of a projection; others: further branches, in words. join:
    the kind of layer that joins them, if any. after: norms and activations that follow. layers: the places of all its
    layers in the structure.
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
        """The place of the layer whose output is the part's."""
        return self.layers[-1]


def title(layer: Layer) -> str:
    """A layer in a few words, with its kernel, its stride and its channels."""
    window = layer.window
    if layer.kind == "convolution" and window:
        depthwise = layer.groups > 1 and layer.groups == layer.channels[0]
        plain = "conv" if layer.operation == "convolution" else "transposed conv"
        kind = "depthwise conv" if depthwise else f"{plain} in {layer.groups} groups" if layer.groups > 1 else plain
        spread = f", dilation {side(window.dilation)}" if window.dilation != (1, 1) else ""
        return f"{window} {kind}, {layer.channels[1]}{spread}"
    if layer.kind == "linear":
        return f"linear, {layer.channels[1]}"
    if layer.kind == "pool":
        words = {"mean": "average pool", "maximum": "max pool", "sum": "sum pool"}.get(layer.operation, layer.operation)
        if layer.size in (None, (1, 1)):
            return f"global {words}"
        return f"{window} {words}" if window else f"{words} to {by(layer.size or ())}"
    if layer.kind == "concatenation":
        return "learned tokens beside" if layer.parameters else f"concatenation, {layer.channels[1]}"
    return layer.operation


def parts_of(structure: Structure) -> tuple[Part, ...]:
    """The network from image to logits, part by part; norms and activations belong to the part before them."""
    layers = structure.layers
    used = reaching(structure)
    found: list[Part] = []
    start = IMAGE
    for end in passages(layers, used):
        between = [place for place in used if start < place < end]
        start, fork = end, start
        layer = layers[end]
        if not between and layer.kind in WORDS and found and not (layer.kind == "norm" and found[-1].join):
            last = found[-1]
            found[-1] = replace(last, layers=(*last.layers, end), after=(*last.after, layer.operation))
        elif not between and (len(layer.inputs) == 1 or layer.kind not in JOINS):
            found.append(Part("layer", (Repeat((row_of(layer),), 1),), (end,)))
        else:
            found.append(joined(layers, fork, between, end))
    return tuple(found)


def likeness(structure: Structure, part: Part) -> Hashable:
    """What two parts have in common that are drawn as one: all but their names and their numbers of inputs."""
    rows = tuple((tuple((row.title, row.before, row.after) for row in each.what), each.count) for each in part.rows)
    return part.kind, rows, part.skip, part.others, part.join, part.after, structure.layers[part.end].output


def folded_parts(structure: Structure) -> list[tuple[tuple[Part, ...], ...]]:
    """The parts, those that repeat directly together: for each stretch its copies, each of one part or of several."""
    parts = parts_of(structure)
    found: list[tuple[tuple[Part, ...], ...]] = []
    place = 0
    for pattern, count in folded(parts, lambda part: likeness(structure, part)):
        length = len(pattern)
        found.append(tuple(parts[place + length * copy : place + length * (copy + 1)] for copy in range(count)))
        place += length * count
    return found


def reaching(structure: Structure) -> list[int]:
    """The places of the layers whose output reaches the logits, in order."""
    wanted = {structure.last}
    for place in range(structure.last, -1, -1):
        if place in wanted:
            wanted.update(source for source in structure.layers[place].inputs if source != IMAGE)
    return sorted(wanted)


def passages(layers: Sequence[Layer], used: Sequence[int]) -> list[int]:
    """The places of the layers that every way from image to logits passes through.

    In the order in which layers run, that is each place over which no layer reaches back.
    """
    lowest = [min(layers[place].inputs) for place in used]
    found: list[int] = []
    reach = used[-1]
    for index in range(len(used) - 1, -1, -1):
        # Of all later layers, none takes anything from before this one.
        if index == len(used) - 1 or reach >= used[index]:
            found.append(used[index])
        reach = min(reach, lowest[index]) if index < len(used) - 1 else lowest[index]
    return found[::-1]


def joined(layers: Sequence[Layer], fork: int, between: Sequence[int], end: int) -> Part:
    """The part from a fork to the layer that joins its branches again."""
    branches = branches_of(layers, between)
    branches.sort(key=lambda branch: -sum(layers[place].weighted for place in branch))
    main, *others = branches or [[]]
    nested = len({layers[place].size for place in (*main, end)}) > 1
    rows = rows_of([layers[place] for place in main if nested or layers[place].kind != "concatenation"])
    words = tuple(in_words([layers[place] for place in branch]) for branch in others)
    join = layers[end].kind
    every = (*between, end)
    direct = fork in layers[end].inputs
    if join == "concatenation" and any(layers[place].kind == "concatenation" for place in main):
        if nested and direct:
            return Part("nested", rows, every, skip="identity", join=join)
        return Part("dense", rows, every, join=join)
    if join in ("sum", "product") and direct and not others:
        return Part("residual" if join == "sum" else "gate", rows, every, skip="identity", join=join)
    if join == "sum" and len(others) == 1 and not direct:
        return Part("residual", rows, every, skip=words[0], join=join)
    return Part("branches", rows, every, others=(*words, "identity") if direct else words, join=join)


def branches_of(layers: Sequence[Layer], between: Sequence[int]) -> list[list[int]]:
    """Layers between a fork and its join, those together that are connected, each branch in order."""
    branches: list[list[int]] = []
    for place in between:
        sources = set(layers[place].inputs)
        connected = [branch for branch in branches if sources & set(branch)]
        for branch in connected:
            branches.remove(branch)
        branches.append(sorted([*(p for branch in connected for p in branch), place]))
    return branches


def rows_of(layers: Sequence[Layer]) -> tuple[Repeat, ...]:
    """Layers as rows: a norm or an activation beside the layer before it, or after it where it comes first."""
    rows: list[Row] = []
    waiting: list[str] = []
    for place, layer in enumerate(layers):
        if layer.kind not in WORDS:
            rows.append(row_of(layer, tuple(waiting)))
            waiting = []
        elif not rows or waiting or leads(layers, place, rows):
            waiting.append(layer.operation)
        else:
            last = rows[-1]
            rows[-1] = Row(last.title, last.kind, last.name, last.before, (*last.after, layer.operation))
    return tuple(Repeat(what, count) for what, count in folded(rows, lambda row: (row.title, row.before, row.after)))


def row_of(layer: Layer, before: tuple[str, ...] = ()) -> Row:
    """A layer as a row; it says so where its weights are those of another."""
    return Row(title(layer), layer.kind, layer.name, before, ("shared weights",) if "shares the" in layer.note else ())


def leads(layers: Sequence[Layer], place: int, rows: Sequence[Row]) -> bool:
    """Whether a norm belongs to what comes after it: in branches that begin with one, every norm does."""
    return layers[place].kind == "norm" and bool(rows[0].before) and "norm" in rows[0].before[0]


def in_words(layers: Sequence[Layer]) -> str:
    """A short branch in words."""
    titles = [title(layer) for layer in layers if layer.kind not in WORDS and layer.kind not in JOINS]
    return ", then ".join(titles) or "identity, then " + ", ".join(layer.operation for layer in layers)


def folded(
    each: Sequence[Each], key: Callable[[Each], Hashable], longest: int = LONGEST_PATTERN
) -> list[tuple[tuple[Each, ...], int]]:
    """A sequence with what repeats directly written once, and how often it stands there.

    >>> folded("aababc", str)
    [(('a',), 2), (('b',), 1), (('a',), 1), (('b',), 1), (('c',), 1)]
    >>> folded("xababab", str)
    [(('x',), 1), (('a', 'b'), 3)]
    """
    keys = [key(one) for one in each]
    found: list[tuple[tuple[Each, ...], int]] = []
    place = 0
    while place < len(keys):
        covered = [(length * repeats(keys, place, length), -length) for length in range(1, longest + 1)]
        repeated = [(total, length) for total, length in covered if total > -length]
        length = -max(repeated)[1] if repeated else 1
        count = repeats(keys, place, length)
        found.append((tuple(each[place : place + length]), count))
        place += length * count
    return found


def repeats(keys: Sequence[Hashable], place: int, length: int) -> int:
    """How often the pattern of so many keys that begins at a place follows itself, 1 where it does not."""
    pattern = list(keys[place : place + length])
    count = 1
    while list(keys[place + count * length : place + (count + 1) * length]) == pattern:
        count += 1
    return count


def shape_words(layer: Layer) -> str:
    """The output's shape as people write it: a map as channels x height x width."""
    return by((layer.channels[1], *layer.size)) if layer.size else by(layer.output)


def row_words(layer: Layer) -> dict[str, str]:
    """A layer's row in a table, by its columns; "" where a column says nothing of it."""
    window = layer.window
    return {
        "layer": layer.name,
        "operation": layer.operation,
        "kernel": by(window.kernel) if window else "",
        "stride": side(window.stride) if window else "",
        "padding": side(window.padding) if window else "",
        "channels": f"{layer.channels[0]} > {layer.channels[1]}" if layer.weighted else str(layer.channels[1]),
        "output": shape_words(layer),
        "parameters": f"{layer.parameters:,}" if layer.parameters else "",
        "mult-adds": f"{layer.macs:,}" if layer.macs else "",
        "sees": "all" if layer.jump == (0, 0) else side(layer.receptive_field),
        "jump": side(layer.jump) if layer.jump != (0, 0) else "",
    }
