"""A network as a graph: its layers in the order in which they run, each with the layers whose output it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sightlab.lens.layers import Layer
from sightlab.lens.receptive_field import Pair

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class LayerGraph:
    """A network as it works on one image.

    shape: (channels, height, width) of the image. layers: in the order in which they run. last: index of the layer
    that gives the logits. parameters: of the whole network. notes: a line each, on what the layers do not show.
    """

    model: str
    shape: Shape
    classes: int
    layers: tuple[Layer, ...]
    last: int
    parameters: int
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-adds of one image's forward pass: convolutions, linear layers, matrix products."""
        return sum(layer.macs for layer in self.layers)

    @property
    def depth(self) -> int:
        """Convolutions and linear layers on the longest path from image to logits: the 18 of ResNet-18.

        The path through a gate, whose few values weigh a map's channels, does not count: SE-ResNet-50 has 50.
        """
        longest: list[int] = []
        for layer in self.layers:
            before = [index for index in layer.inputs if index >= 0]
            if layer.kind == "product":
                before = [index for index in before if self.layers[index].output == layer.output] or before
            longest.append(max((longest[index] for index in before), default=0) + layer.weighted)
        return longest[self.last]

    @property
    def last_map(self) -> Layer | None:
        """The last layer whose positions still see different parts of the image; None where there is none."""
        return next((layer for layer in reversed(self.layers) if layer.jump != (0, 0)), None)

    @property
    def receptive_field(self) -> Pair | None:
        """(rows, columns) of the last map: what one position sees before all positions are combined."""
        return self.last_map.receptive_field if self.last_map else None

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "model": self.model,
            "input": list(self.shape),
            "classes": self.classes,
            "parameters": self.parameters,
            "macs": self.macs,
            "depth": self.depth,
            "receptive_field": list(self.receptive_field) if self.receptive_field else None,
            "layers": [layer.to_json() for layer in self.layers],
            "notes": list(self.notes),
        }
