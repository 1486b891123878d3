"""A network's structure: its layers in order, what each costs, and its receptive field."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from sightlab.errors import ModelError, one_line
from sightlab.lens.layer_graph import LayerGraph, Shape
from sightlab.lens.tracer import trace
from sightlab.models import build, parameter_count


class Structure(LayerGraph):
    """A network's layers and what they cost; a notebook shows it as a diagram.

    >>> found = structure("mini-resnet-v4", (1, 28, 28))
    >>> found.parameters, found.macs, found.depth, found.receptive_field
    (356938, 28406528, 18, (103, 103))
    """

    def _repr_html_(self) -> str:
        from sightlab.lens.diagram import diagram

        return diagram(self)


def structure(model: str | nn.Module, shape: Sequence[int] = (1, 28, 28), classes: int = 10) -> Structure:
    """The layers of a network and what they cost, found by running it once on an image of zeros.

    model: a name as `models.build` takes it, or a network that takes float [N, C, H, W]. shape: (channels, height,
    width) of its images. classes: for a network given by name. Raises ModelError for an unknown name, an invalid
    shape, or images that are too small for the network.

    >>> first = structure("cnn").layers[0]
    >>> first.name, first.output, first.macs
    ('conv1', (32, 28, 28), 627200)
    """
    size = check_shape(shape)
    if isinstance(model, str):
        lines: list[str] = []
        channels, height, width = size
        with torch.random.fork_rng(devices=[]):  # looking at a network must not change a training's random numbers
            net = build(model, channels=channels, classes=classes, height=height, width=width, say=lines.append)
        return structure_of(net, model, size, tuple(lines))
    return structure_of(model, type(model).__name__, size)


def structure_of(net: nn.Module, name: str, shape: Shape, notes: tuple[str, ...] = ()) -> Structure:
    """The structure of a built network. name: what to call it. Raises ModelError."""
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    found = trace(net, torch.zeros(1, *shape, device=device))
    total = parameter_count(net)
    unused = total - sum(layer.parameters for layer in found.layers)
    if unused:
        why = "an auxiliary head, or a module that is never called"
        notes += (f"{unused:,} parameters are unused in the forward pass: {why}",)
    return Structure(name, shape, int(found.logits.shape[-1]), found.layers, found.last, total, notes)


def check_shape(shape: Sequence[int]) -> Shape:
    """The shape of an image, validated. Raises ModelError."""
    if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ModelError(f"shape {tuple(shape)}: images are (channels, height, width), such as (1, 28, 28)")
    channels, height, width = shape
    return channels, height, width


def read_shape(text: str) -> Shape:
    """The value of `--input` as (channels, height, width).

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
