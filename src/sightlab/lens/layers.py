"""One layer of a network, as recorded in a forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sightlab.lens.receptive_field import Field, Pair


@dataclass(frozen=True)
class Window:
    """The window of a convolution or pool, (rows, columns) each. padding: that before the first position."""

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def __str__(self) -> str:
        size = by(self.kernel)
        return size if self.stride == (1, 1) else f"{size}/{side(self.stride)}"


@dataclass(frozen=True)
class Layer:
    """One operation between image and logits.

    name: of the module that ran it, with the function's where the module runs several. kind: convolution,
    linear, norm, activation, pool, sum, product, concatenation, attention, learned or other. operation: in words.
    inputs: indices of the layers whose output it takes; -1 is the image. channels: (in, out).
    output: shape without the batch. parameters: those first used here. macs: multiply-adds of one image.
    field: the receptive field of its output, in pixels of the image. note: what the other fields do not show.
    """

    name: str
    kind: str
    operation: str
    inputs: tuple[int, ...]
    output: tuple[int, ...]
    channels: Pair
    parameters: int
    macs: int
    field: Field
    window: Window | None = None
    groups: int = 1
    note: str = ""

    @property
    def weighted(self) -> bool:
        """Whether it is a convolution or a linear layer: what depth counts."""
        return self.kind in ("convolution", "linear")

    @property
    def size(self) -> Pair | None:
        """(height, width) of its output, where that is a map, its channels first or last."""
        if len(self.output) != 3:
            return None
        if self.field.spatial == (False, True, True, False):
            return self.output[0], self.output[1]
        mapped = self.field.spatial[2:] == (True, True) or self.output[1:] == (1, 1)
        return (self.output[1], self.output[2]) if mapped else None

    @property
    def receptive_field(self) -> Pair:
        """(rows, columns) in pixels of the image; it includes padding, so it may be larger than the image."""
        return self.field.rows.size, self.field.columns.size

    @property
    def jump(self) -> Pair:
        """How far the receptive field moves per position, (rows, columns) in pixels; 0: it is global."""
        return self.field.rows.jump, self.field.columns.jump

    def to_json(self) -> dict[str, Any]:
        """The layer as plain values."""
        window = self.window
        return {
            "name": self.name,
            "kind": self.kind,
            "operation": self.operation,
            "inputs": list(self.inputs),
            "kernel": list(window.kernel) if window else None,
            "stride": list(window.stride) if window else None,
            "padding": list(window.padding) if window else None,
            "dilation": list(window.dilation) if window else None,
            "groups": self.groups,
            "channels": list(self.channels),
            "output": list(self.output),
            "parameters": self.parameters,
            "macs": self.macs,
            "receptive_field": list(self.receptive_field),
            "jump": list(self.jump),
            "note": self.note,
        }


def by(sizes: tuple[int, ...]) -> str:
    """Sizes as people write them.

    >>> by((3, 3)), by((64, 56, 56))
    ('3x3', '64x56x56')
    """
    return "x".join(str(size) for size in sizes)


def side(sizes: Pair) -> str:
    """One number where both are the same.

    >>> side((2, 2)), side((2, 1))
    ('2', '2x1')
    """
    return str(sizes[0]) if sizes[0] == sizes[1] else by(sizes)
