"""The rules by which a network is designed, read off its structure; the rules of two networks compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sightlab.lens.blocks import Block, blocks_of, describe
from sightlab.lens.layer_graph import LayerGraph
from sightlab.lens.layers import Layer, by


@dataclass(frozen=True)
class Rule:
    """One rule as two networks follow it."""

    name: str
    one: str
    other: str

    @property
    def differs(self) -> bool:
        """Whether the two networks differ in this rule."""
        return self.one != self.other


def compare_rules(one: LayerGraph, other: LayerGraph) -> tuple[Rule, ...]:
    """The rules of two networks, those that differ first.

    >>> from sightlab.lens.structure import structure
    >>> rules = compare_rules(structure("mini-resnet-v1"), structure("mini-resnet-v2"))
    >>> [(rule.one, rule.other) for rule in rules if rule.name == "depth"]
    [('6', '10')]
    """
    first, second = design_rules(one), design_rules(other)
    rules = [Rule(name, value, second[name]) for name, value in first.items()]
    return tuple(sorted(rules, key=lambda rule: not rule.differs))


def rules_json(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """The rules as plain values."""
    return [{"rule": rule.name, "one": rule.one, "other": rule.other, "differs": rule.differs} for rule in rules]


def design_rules(graph: LayerGraph) -> dict[str, str]:
    """The rules of a network, each in words, by name."""
    blocks = blocks_of(graph)
    ends = [graph.layers[block.end] for block in blocks]
    return {
        "input": by(graph.shape),
        "depth": str(graph.depth),
        "stem": stem(graph, blocks),
        "widths": ", ".join(map(str, collapse([end.channels[1] for end in ends if end.size not in (None, (1, 1))]))),
        "blocks": block_plan(graph, blocks),
        "skips": skips(blocks),
        "sizes": " > ".join(map_sizes(graph, blocks)),
        "downsampling": downsampling(graph, blocks),
        "kernels": tally(graph, "convolution", kernel),
        "norms": tally(graph, "norm", lambda layer: layer.operation),
        "activations": tally(graph, "activation", lambda layer: layer.operation),
        "head": head(graph, blocks),
        "receptive field": receptive_field(graph),
        "parameters": f"{graph.parameters:,}",
        "multiply-adds": f"{graph.macs:,}",
    }


def collapse(values: list[Any]) -> list[Any]:
    """The values, each run of equal ones written once.

    >>> collapse([64, 64, 128, 64])
    [64, 128, 64]
    """
    return [value for value, _ in groupby(values)]


def tally(graph: LayerGraph, kind: str, key: Callable[[Layer], str]) -> str:
    """How many layers of a kind there are of each sort, the most frequent first."""
    counts = Counter(key(layer) for layer in graph.layers if layer.kind == kind)
    return ", ".join(f"{count} {words}" for words, count in counts.most_common()) or "none"


def kernel(layer: Layer) -> str:
    """The kernel of a convolution."""
    return by(layer.window.kernel) if layer.window else "?"


def stem(graph: LayerGraph, blocks: tuple[Block, ...]) -> str:
    """The layers before the first branching block; without one, the first convolution and the pool after it."""
    count = next((number for number, block in enumerate(blocks) if block.join), 2)
    layers = [graph.layers[index] for block in blocks[:count] for index in block.layers]
    if count == 2 and not blocks[min(1, len(blocks) - 1)].join:
        layers = [layer for number, layer in enumerate(layers) if number == 0 or layer.kind == "pool"]
    return describe(layers)


def block_plan(graph: LayerGraph, blocks: tuple[Block, ...]) -> str:
    """The branching blocks of each size and width, in order."""
    plan = [
        f"{len(list(group))} {kind} of {width}" + (f" at {by(size)}" if size else "")
        for (kind, width, size), group in groupby(
            (block for block in blocks if block.join), lambda block: block_key(graph, block)
        )
    ]
    return ", ".join(plan) or "none"


def block_key(graph: LayerGraph, block: Block) -> tuple[str, int, tuple[int, int] | None]:
    """A block's kind, its width and the size of its map."""
    end = graph.layers[block.end]
    return block.kind, end.channels[1], end.size


def skips(blocks: tuple[Block, ...]) -> str:
    """How many blocks have an identity skip, a projection, dense or nested connections."""
    kinds = Counter(
        "nested" if block.kind == "nested" else "dense" if block.kind == "dense" else
        "identity" if block.skip == "identity" else "projection"
        for block in blocks
        if block.kind in ("residual", "dense", "nested")
    )  # fmt: skip
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"


def map_sizes(graph: LayerGraph, blocks: tuple[Block, ...]) -> list[str]:
    """The sizes of the maps from the image on; inside a nested block too, where they shrink and grow."""
    sizes = [graph.shape[1:]]
    for block in blocks:
        indices = block.layers if block.kind == "nested" else block.layers[-1:]
        sizes += [size for index in indices if (size := graph.layers[index].size)]
    return collapse([by(size) for size in sizes])


def downsampling(graph: LayerGraph, blocks: tuple[Block, ...]) -> str:
    """The layers on the main path that downsample the map, global pools aside, with their windows."""
    found: list[str] = []
    for block in blocks:
        strided = [layer for index in block.layers if downsamples(layer := graph.layers[index])]
        found += [f"{one.name} ({one.window})" for one in (strided if block.kind == "nested" else strided[:1])]
    return ", ".join(found) or "none"


def downsamples(layer: Layer) -> bool:
    """Whether a layer has a stride and leaves a map of more than one position."""
    upsamples = layer.operation == "transposed convolution"
    return bool(layer.window and layer.window.stride != (1, 1) and not upsamples and layer.size not in (None, (1, 1)))


def head(graph: LayerGraph, blocks: tuple[Block, ...]) -> str:
    """What follows the last map, or the last branching block where there is no map: its pool and linear layers."""
    body = [n for n, block in enumerate(blocks) if block.join or graph.layers[block.end].size not in (None, (1, 1))]
    after = [graph.layers[index] for block in blocks[max(body, default=-1) + 1 :] for index in block.layers]
    return describe(after)


def receptive_field(graph: LayerGraph) -> str:
    """The receptive field of the last map, and the layer after which every value sees the whole image."""
    last = graph.last_map
    if last is None:
        return "the whole image from the first layer on"
    start = graph.layers.index(last)
    whole = next((layer for layer in graph.layers[start:] if layer.jump == (0, 0)), None)
    return by(last.receptive_field) + (f", whole from {whole.name} on" if whole else "")
