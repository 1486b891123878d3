"""What a network is made of: its layers in order, what each costs, and how much of the image it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sightlab.errors import ModelError, one_line
from sightlab.lens.layers import Layer
from sightlab.lens.receptive_field import Pair
from sightlab.lens.tracer import trace
from sightlab.models import build, parameter_count

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Structure:
    """A network as it works on one image.

    shape: (channels, height, width) of the image. layers: in the order in which they run. last: the place of the layer
    that gives the logits. parameters: of the whole network. notes: a line each, on what the layers do not show.

    >>> import sightlab
    >>> found = structure("mini-resnet-v4", (1, 28, 28))
    >>> found.parameters, found.macs, found.depth, found.receptive_field
    (356938, 28406528, 18, (103, 103))
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
        """Convolutions and linear layers on the longest way from image to logits: the 18 of ResNet-18.

        The way to a gate, whose few values weigh a map's channels, does not count: SE-ResNet-50 has 50.
        """
        longest: list[int] = []
        for layer in self.layers:
            before = [place for place in layer.inputs if place >= 0]
            if layer.kind == "product":
                before = [place for place in before if self.layers[place].output == layer.output] or before
            longest.append(max((longest[place] for place in before), default=0) + layer.weighted)
        return longest[self.last]

    @property
    def last_map(self) -> Layer | None:
        """The last layer whose places still see different parts of the image; None where there is none."""
        return next((layer for layer in reversed(self.layers) if layer.jump != (0, 0)), None)

    @property
    def receptive_field(self) -> Pair | None:
        """(rows, columns) of the last map: what a place of it sees before all places are taken together."""
        return self.last_map.receptive_field if self.last_map else None

    def to_json(self) -> dict[str, Any]:
        """The structure as plain values."""
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

    def _repr_html_(self) -> str:
        from sightlab.lens.diagram import drawn

        return drawn(self)


def structure(model: str | nn.Module, shape: Sequence[int] = (1, 28, 28), classes: int = 10) -> Structure:
    """The layers of a network and what they cost, found by running it once on an image of zeros.

    model: a name as `models.build` takes it, or a network that takes float [N, C, H, W]. shape: (channels, height,
    width) of its images. classes: for a network given by name. Raises ModelError for a name that is not known, a shape
    that is none, or images that are too small for the network.

    >>> first = structure("cnn").layers[0]
    >>> first.name, first.output, first.macs
    ('conv1', (32, 28, 28), 627200)
    """
    size = checked(shape)
    if isinstance(model, str):
        lines: list[str] = []
        channels, height, width = size
        with torch.random.fork_rng(devices=[]):  # whoever looks at a network changes no training's numbers
            net = build(model, channels=channels, classes=classes, height=height, width=width, say=lines.append)
        return structure_of(net, model, size, tuple(lines))
    return structure_of(model, type(model).__name__, size)


def structure_of(net: nn.Module, name: str, shape: Shape, notes: tuple[str, ...] = ()) -> Structure:
    """The structure of a network that is there. name: what it is called. Raises ModelError."""
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    found = trace(net, torch.zeros(1, *shape, device=device))
    total = parameter_count(net)
    unused = total - sum(layer.parameters for layer in found.layers)
    if unused:
        notes += (f"{unused:,} parameters do nothing in a forward pass: a head for training, or a part not called",)
    return Structure(name, shape, int(found.logits.shape[-1]), found.layers, found.last, total, notes)


def checked(shape: Sequence[int]) -> Shape:
    """The shape, when it is one of images. Raises ModelError."""
    if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ModelError(f"shape {tuple(shape)}: images are (channels, height, width), such as (1, 28, 28)")
    channels, height, width = shape
    return channels, height, width


def read_shape(text: str) -> Shape:
    """What `--input` says, as (channels, height, width).

    >>> read_shape("3x224x224")
    (3, 224, 224)

    Raises ModelError for anything else.
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and 0 < int(part) <= 10_000 for part in parts):
        raise ModelError(
            f"--input {one_line(text)!r}: images are CHANNELSxHEIGHTxWIDTH, each from 1 to 10000, such as 1x28x28"
        )
    channels, height, width = map(int, parts)
    return channels, height, width
