"""Contact sheets of a trained network's filters and of its feature maps for one picture."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.lens.blocks import blocks_of
from sightlab.lens.layer_graph import LayerGraph
from sightlab.lens.layers import Layer, by
from sightlab.lens.tracer import trace
from sightlab.models.classifier import Classifier
from sightlab.pictures import contact_sheet

COLUMNS, CELL = 12, 84
MOST_FILTERS = 192
PAPER = "#ffffff"


def filter_images(weight: Tensor) -> NDArray[np.uint8]:
    """A convolution's filters as images. weight: float [out, in, rows, columns]. Gives uint8 [out, rows, columns, C].

    C is 3 for filters on three channels, else 1: the mean over the channels. Each filter is scaled by itself: its
    largest absolute weight is black or white, and 0 is the grey 128.

    >>> filter_images(torch.tensor([[[[-2.0, 0.0, 1.0]]]]))[0, 0, :, 0].tolist()
    [1, 128, 192]
    """
    values = weight.detach().float().cpu().numpy()
    colours = values if values.shape[1] == 3 else values.mean(axis=1, keepdims=True)
    largest = np.abs(colours).max(axis=(1, 2, 3), keepdims=True)
    scaled = 128 + 127 * colours / np.where(largest > 0, largest, 1)
    images: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8).transpose(0, 2, 3, 1)
    return images


def map_images(maps: Tensor) -> NDArray[np.uint8]:
    """Feature maps as images, each from its smallest value, black, to its largest, white.

    maps: float [C, H, W]. Gives uint8 [C, H, W, 1]; a map of one value is black.
    """
    values = maps.float().cpu().numpy()
    low = values.min(axis=(1, 2), keepdims=True)
    span = values.max(axis=(1, 2), keepdims=True) - low
    images: NDArray[np.uint8] = np.rint(255 * (values - low) / np.where(span > 0, span, 1)).astype(np.uint8)
    return images[..., None]


def filter_sheet(net: nn.Module, graph: LayerGraph) -> Image.Image:
    """The filters of a network's first convolution on one sheet; RGB. Raises ModelError if it begins otherwise."""
    first = next((layer for layer in graph.layers if layer.weighted), None)
    module = dict(net.named_modules()).get(first.name) if first else None
    if first is None or not isinstance(module, nn.Conv2d):
        raise ModelError(f"model {graph.model} does not begin with a convolution, so there are no filters to show")
    images = filter_images(module.weight)[:MOST_FILTERS]
    left_out = f", the first {MOST_FILTERS}" if len(module.weight) > MOST_FILTERS else ""
    title = f"{first.name}: {len(module.weight)} filters of {by(module.kernel_size)}{left_out}; grey is 0"
    return contact_sheet(images, [str(n) for n in range(len(images))], columns=COLUMNS, cell=CELL, title=title)


def stages(graph: LayerGraph) -> tuple[int, ...]:
    """Indices of the layers whose maps are shown: the first, and the last of each map size and width."""
    blocks = [block for block in blocks_of(graph) if graph.layers[block.end].size not in (None, (1, 1))]
    shapes = [graph.layers[block.end].output for block in blocks]
    last = [block.end for block, here, after in zip(blocks, shapes, [*shapes[1:], None], strict=True) if here != after]
    return tuple(dict.fromkeys([*(block.end for block in blocks[:1]), *last]))


def map_sheet(classifier: Classifier, graph: LayerGraph, picture: NDArray[np.uint8]) -> Image.Image:
    """A network's feature maps for a picture, stage by stage, on one sheet; RGB.

    picture: uint8 [H, W, C] at the network's size. After the first layer and after each stage it shows the 12 maps that
    vary most over the picture, brightest where the activation is largest. Raises ModelError for a network without maps.
    """
    indices = stages(graph)
    if not indices:
        raise ModelError(f"model {graph.model} has no feature maps to show")
    with torch.no_grad():
        image = classifier.normalised(torch.from_numpy(np.array(picture))[None])
    kept = trace(classifier.net, image, indices).kept
    sheets = [contact_sheet(picture[None], ["picture"], cell=2 * CELL, title=graph.model)]
    sheets += [stage_sheet(graph.layers[index], kept[index][0]) for index in indices]
    return stack(sheets)


def stage_sheet(layer: Layer, output: Tensor) -> Image.Image:
    """The maps of one layer that vary most. output: float, the layer's output without the batch axis."""
    maps = output if layer.field.spatial[1:] != (True, True, False) else output.permute(2, 0, 1)
    chosen = torch.sort(maps.std(dim=(1, 2), correction=0).topk(min(COLUMNS, len(maps))).indices).values
    which = "" if len(maps) <= COLUMNS else f", the {COLUMNS} that vary most"
    captions = [f"map {n}" for n in chosen.tolist()]
    title = f"after {layer.name}: {by(tuple(maps.shape))}{which}"
    return contact_sheet(map_images(maps[chosen]), captions, columns=COLUMNS, cell=CELL, title=title)


def stack(sheets: list[Image.Image]) -> Image.Image:
    """Several sheets below each other on one."""
    whole = Image.new("RGB", (max(one.width for one in sheets), sum(one.height for one in sheets)), PAPER)
    top = 0
    for one in sheets:
        whole.paste(one, (0, top))
        top += one.height
    return whole
