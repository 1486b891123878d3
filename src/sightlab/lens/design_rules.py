"""The rules by which a network is designed, read off its structure; two networks side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sightlab.lens.blocks import Part, in_words, parts_of
from sightlab.lens.layers import Layer, by
from sightlab.lens.structure import Structure


@dataclass(frozen=True)
class Rule:
    """One rule as two networks follow it."""

    name: str
    one: str
    other: str

    @property
    def differs(self) -> bool:
        """Whether the two part ways here."""
        return self.one != self.other


def side_by_side(one: Structure, other: Structure) -> tuple[Rule, ...]:
    """The rules of two networks, those that differ first.

    >>> from sightlab.lens.structure import structure
    >>> found = side_by_side(structure("mini-resnet-v1"), structure("mini-resnet-v2"))
    >>> [(rule.one, rule.other) for rule in found if rule.name == "depth"]
    [('6', '10')]
    """
    first, second = design(one), design(other)
    found = [Rule(name, value, second[name]) for name, value in first.items()]
    return tuple(sorted(found, key=lambda rule: not rule.differs))


def rules_json(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """The rules as plain values."""
    return [{"rule": rule.name, "one": rule.one, "other": rule.other, "differs": rule.differs} for rule in rules]


def design(structure: Structure) -> dict[str, str]:
    """The rules of a network, each in words, by name."""
    parts = parts_of(structure)
    ends = [structure.layers[part.end] for part in parts]
    return {
        "input": by(structure.shape),
        "depth": str(structure.depth),
        "stem": stem(structure, parts),
        "widths": ", ".join(map(str, once([end.channels[1] for end in ends if end.size not in (None, (1, 1))]))),
        "blocks": blocks(structure, parts),
        "skips": skips(parts),
        "sizes": " > ".join(sizes(structure, parts)),
        "shrinks at": shrinking(structure, parts),
        "kernels": counted([layer for layer in structure.layers if layer.kind == "convolution"], kernel),
        "norms": counted([layer for layer in structure.layers if layer.kind == "norm"], lambda layer: layer.operation),
        "activations": counted(
            [layer for layer in structure.layers if layer.kind == "activation"], lambda layer: layer.operation
        ),
        "head": head(structure, parts),
        "receptive field": sight(structure),
        "parameters": f"{structure.parameters:,}",
        "multiply-adds": f"{structure.macs:,}",
    }


def once(values: list[Any]) -> list[Any]:
    """The values without those that repeat the one before.

    >>> once([64, 64, 128, 64])
    [64, 128, 64]
    """
    return [value for value, _ in groupby(values)]


def counted(layers: list[Layer], key: Any) -> str:
    """How many layers of each sort there are, most first."""
    found = Counter(key(layer) for layer in layers)
    return ", ".join(f"{count} {words}" for words, count in found.most_common()) or "none"


def kernel(layer: Layer) -> str:
    """The kernel of a convolution."""
    return by(layer.window.kernel) if layer.window else "?"


def stem(structure: Structure, parts: tuple[Part, ...]) -> str:
    """The layers before the first block; the first convolution and the pool after it where there are no blocks."""
    count = next((place for place, part in enumerate(parts) if part.join), 2)
    places = [place for part in parts[:count] for place in part.layers]
    chosen = [structure.layers[place] for place in places]
    if count == 2 and not parts[min(1, len(parts) - 1)].join:
        chosen = [layer for number, layer in enumerate(chosen) if number == 0 or layer.kind == "pool"]
    return in_words(chosen)


def blocks(structure: Structure, parts: tuple[Part, ...]) -> str:
    """The blocks of each size and width, in order."""
    joined = [part for part in parts if part.join]
    plan = [
        f"{len(list(group))} {kind} of {width}" + (f" at {by(size)}" if size else "")
        for (kind, width, size), group in groupby(joined, lambda part: described(structure, part))
    ]
    return ", ".join(plan) or "none"


def described(structure: Structure, part: Part) -> tuple[str, int, tuple[int, int] | None]:
    """A block's kind, its width and the size of its map."""
    end = structure.layers[part.end]
    return part.kind, end.channels[1], end.size


def skips(parts: tuple[Part, ...]) -> str:
    """How many blocks are passed by the identity, how many by a projection, in how many every layer sees all before."""
    kinds = Counter(
        "nested" if part.kind == "nested" else "dense" if part.kind == "dense" else
        "identity" if part.skip == "identity" else "projection"
        for part in parts
        if part.kind in ("residual", "dense", "nested")
    )  # fmt: skip
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"


def sizes(structure: Structure, parts: tuple[Part, ...]) -> list[str]:
    """The sizes that the map has from the image on; inside a part too, where it changes there and back."""
    found = [structure.shape[1:]]
    for part in parts:
        places = part.layers if part.kind == "nested" else part.layers[-1:]
        found += [size for place in places if (size := structure.layers[place].size)]
    return once([by(size) for size in found])


def shrinking(structure: Structure, parts: tuple[Part, ...]) -> str:
    """The layers on the main way that make the map smaller, but for a global pool, with their windows."""
    found: list[str] = []
    for part in parts:
        layers = [structure.layers[place] for place in part.layers]
        strided = [one for one in layers if shrinks(one)]
        found += [f"{one.name} ({one.window})" for one in (strided if part.kind == "nested" else strided[:1])]
    return ", ".join(found) or "nowhere"


def shrinks(layer: Layer) -> bool:
    """Whether a layer leaves fewer places on purpose, and not one alone."""
    back = layer.operation == "transposed convolution"
    return bool(layer.window and layer.window.stride != (1, 1) and not back and layer.size not in (None, (1, 1)))


def head(structure: Structure, parts: tuple[Part, ...]) -> str:
    """What follows the last map, or the last block where there is none: its pool and its linear layers."""
    places = [n for n, part in enumerate(parts) if part.join or structure.layers[part.end].size not in (None, (1, 1))]
    after = [structure.layers[place] for part in parts[max(places, default=-1) + 1 :] for place in part.layers]
    return in_words(after)


def sight(structure: Structure) -> str:
    """The receptive field of the last map, and after which layer every value sees the whole image."""
    last = structure.last_map
    if last is None:
        return "the whole image from the first layer on"
    place = structure.layers.index(last)
    whole = next((layer for layer in structure.layers[place:] if layer.jump == (0, 0)), None)
    return by(last.receptive_field) + (f", whole from {whole.name} on" if whole else "")
