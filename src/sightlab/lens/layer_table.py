"""A network's layers as the rows of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sightlab.lens.layers import Layer, by, side

NUMERIC = ("output", "parameters", "mult-adds", "sees", "jump")


def layer_table(
    layers: Iterable[Layer], without: Collection[str] = ()
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """The table of some layers: its header, a row for each layer, and the indices of the columns that hold numbers.

    without: columns to leave out.
    """
    rows = [{name: cell for name, cell in cells(layer).items() if name not in without} for layer in layers]
    header = tuple(rows[0]) if rows else ()
    numeric = tuple(index for index, name in enumerate(header) if name in NUMERIC)
    return header, tuple(tuple(row.values()) for row in rows), numeric


def cells(layer: Layer) -> dict[str, str]:
    """A layer's cells by column; "" where a column does not apply to it."""
    window = layer.window
    return {
        "layer": layer.name,
        "operation": layer.operation,
        "kernel": by(window.kernel) if window else "",
        "stride": side(window.stride) if window else "",
        "padding": side(window.padding) if window else "",
        "channels": f"{layer.channels[0]} > {layer.channels[1]}" if layer.weighted else str(layer.channels[1]),
        "output": output_shape(layer),
        "parameters": f"{layer.parameters:,}" if layer.parameters else "",
        "mult-adds": f"{layer.macs:,}" if layer.macs else "",
        "sees": "all" if layer.jump == (0, 0) else side(layer.receptive_field),
        "jump": side(layer.jump) if layer.jump != (0, 0) else "",
    }


def output_shape(layer: Layer) -> str:
    """The output's shape as people write it: channels x height x width for a map."""
    return by((layer.channels[1], *layer.size)) if layer.size else by(layer.output)
