"""How far the heads of a transformer attend, and to what."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.comparison.mean_interval import mean_of
from sightlab.data.batches import images_at, in_turn
from sightlab.errors import ModelError
from sightlab.lens.answers import batch_size, silent
from sightlab.lens.attention_weights import attention_weights
from sightlab.lens.subject import Subject, Tick, evenly
from sightlab.lens.thumbnails import thumbnails
from sightlab.records.analyses import AnalysisResult, Curve
from sightlab.records.phrases import counted

PICTURES = 6  # images whose attention maps are kept
PICTURE_SIDE = 64  # pixels of a kept image's longer side, at most
MEMORY = 2**28  # bytes of weights, all layers together
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Layer:
    """A layer in which every patch attends to every patch. grid: of the patches. prefix: class and register tokens."""

    module: str
    grid: tuple[int, int]
    prefix: int
    heads: int


def unfit(subject: Subject) -> str:
    """Why the analysis does not fit, "" where it does."""
    try:
        attending = subject.anatomy.attention
    except ModelError as error:
        return str(error)
    if not attending:
        return "it has no attention; vision transformers such as vit-tiny have"
    if measured(subject)[0]:
        return ""
    return (
        f"none of its {counted(len(attending), 'layer')} of attention lets every patch attend to every patch, so that "
        "distances could be told; vision transformers such as vit-tiny do"
    )


def attention(subject: Subject, tick: Tick = silent, *, pictures: int = PICTURES) -> AnalysisResult:
    """Mean attention distance and entropy of each head by depth, and attention maps of some images.

    Distance: Dosovitskiy et al. 2021, "An image is worth 16x16 words", appendix D.7 and figure 7: the distance in
    pixels between the centres of the patch that attends and those that it attends to, weighted by the attention
    weights, averaged over the patches that attend. Class and register tokens have no place: patches' weights on them
    are left out and the others scaled to sum to 1. Entropy: of a patch's weights on all tokens, as a share of its
    maximum, the logarithm of their number. Maps: the last such layer's weights of the class token on the patches,
    averaged over the heads; without a class token, the mean weight that each patch receives.

    Measured are layers in which every patch attends to every patch. Others are left out and counted in a note: windows
    (Swin, but where a window holds the whole map), keys on a coarser grid, attention between channels, and attention
    without a softmax. pictures: of how many images maps are kept.
    """
    started = time.perf_counter()
    layers, bytes_each = measured(subject)
    images = subject.images
    distances = [np.empty((len(images), layer.heads)) for layer in layers]
    entropies = [np.empty((len(images), layer.heads)) for layer in layers]
    apart = [torch.from_numpy(patch_distances(layer.grid, images.shape[:2])).to(subject.device) for layer in layers]
    shown = evenly(images.labels, pictures)
    maps = np.empty((len(shown), *layers[-1].grid))
    size = max(1, min(batch_size(*images.shape[:2]), MEMORY // bytes_each))
    with attention_weights(subject.net, [layer.module for layer in layers]) as found, torch.no_grad():
        for rows in in_turn(len(images), size):
            subject.classifier(images_at(images, rows, subject.device))
            for layer, between, far, spread in zip(layers, apart, distances, entropies, strict=True):
                weights = found[layer.module].float()
                far[rows] = mean_distance(weights, between, layer.prefix).cpu().numpy()
                spread[rows] = relative_entropy(weights, layer.prefix).cpu().numpy()
            place = np.flatnonzero(np.isin(shown, rows))
            seen = attention_map(found[layers[-1].module].float(), layers[-1])[np.searchsorted(rows, shown[place])]
            maps[place] = seen.cpu().numpy()
            found.clear()
            tick(int(rows[-1]) + 1, len(images))
    arrays = {"maps": maps, "pictures": thumbnails(images, shown, PICTURE_SIDE)}
    return result_of(subject, layers, distances, entropies, arrays, time.perf_counter() - started)


def measured(subject: Subject) -> tuple[list[Layer], int]:
    """The layers in which every patch attends to every patch, and the bytes of all weights of an image.

    Found on one image. A grid is taken where all of the network's stages that are as long agree on it.
    """
    rows = np.zeros(1, np.int64)
    with attention_weights(subject.net, subject.anatomy.attention) as found, torch.no_grad():
        subject.classifier(images_at(subject.images, rows, subject.device))
    layers = []
    for module, weights in found.items():
        places = {
            (stage.grid, stage.prefix)
            for stage in subject.anatomy.stages
            if stage.prefix + stage.grid[0] * stage.grid[1] == weights.shape[-1]
        }
        if weights.ndim == 4 and len(weights) == 1 and weights.shape[-1] == weights.shape[-2] and len(places) == 1:
            grid, prefix = places.pop()
            layers.append(Layer(module, grid, prefix, weights.shape[1]))
    order = subject.anatomy.attention
    layers.sort(key=lambda layer: order.index(layer.module))
    return layers, sum(FLOAT * weights.numel() for weights in found.values())


def patch_distances(grid: tuple[int, int], image: tuple[int, ...]) -> NDArray[np.float32]:
    """Pixels between the centres of all pairs of patches, row by row: float32 [P, P]. image: (height, width)."""
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    down, across = image[0] / grid[0] * rows, image[1] / grid[1] * columns
    apart = np.hypot(down[:, None] - down, across[:, None] - across)
    return apart.astype(np.float32)


def mean_distance(weights: Tensor, apart: Tensor, prefix: int) -> Tensor:
    """Mean attention distance, float [N, heads], pixels. weights: float [N, heads, L, L]. apart: float [P, P]."""
    patches = weights[:, :, prefix:, prefix:]
    far = (patches * apart).sum(-1) / patches.sum(-1).clamp_min(torch.finfo(patches.dtype).tiny)
    return far.mean(-1)


def relative_entropy(weights: Tensor, prefix: int) -> Tensor:
    """Mean entropy of patches' weights over that of even weights, in [0, 1]: float [N, heads]."""
    patches = weights[:, :, prefix:]
    return -torch.xlogy(patches, patches).sum(-1).mean(-1) / float(np.log(weights.shape[-1]))


def attention_map(weights: Tensor, layer: Layer) -> Tensor:
    """Where attention goes, float [N, h, w] that sum to 1: see `attention`. weights: float [N, heads, L, L]."""
    heads = weights.mean(1)
    received = heads[:, 0, layer.prefix :] if layer.prefix else heads.mean(1)
    return (received / received.sum(-1, keepdim=True)).reshape(len(received), *layer.grid)


def result_of(
    subject: Subject,
    layers: Sequence[Layer],
    distances: Sequence[NDArray[np.float64]],
    entropies: Sequence[NDArray[np.float64]],
    arrays: Mapping[str, NDArray[np.float64]],
    seconds: float,
) -> AnalysisResult:
    """Figures, curves and words. distances, entropies: [N, heads] by layer."""
    by_layer = np.stack([values.mean(1) for values in distances])
    per_image = {
        "attention_distance": by_layer.mean(0),
        "attention_distance_first": by_layer[0],
        "attention_distance_last": by_layer[-1],
        "attention_entropy": np.mean([values.mean(1) for values in entropies], axis=0),
    }
    shares = {"attention_entropy"}
    estimates = {name: mean_of(values, share=name in shares) for name, values in per_image.items()}
    depth = [number + 1.0 for number in range(len(layers))]
    heads = [(at, float(one)) for at, values in zip(depth, distances, strict=True) for one in values.mean(0)]
    rows = tuple(
        (
            layer.module,
            f"{far.mean():.1f}",
            f"{far.mean(0).min():.1f} to {far.mean(0).max():.1f}",
            f"{spread.mean():.1%}",
        )
        for layer, far, spread in zip(layers, distances, entropies, strict=True)
    )
    header = ("layer", "distance (pixels)", "its heads", "entropy (of its maximum)")
    even = [float(patch_distances(layer.grid, subject.images.shape[:2]).mean()) for layer in layers]
    return AnalysisResult(
        "attention",
        subject.name,
        estimates=estimates,
        curves={
            "heads": (Curve(subject.name, tuple(x for x, _ in heads), tuple(y for _, y in heads)),),
            "distance": (curve(subject.name, depth, list(by_layer), scale=1),),
            "even": (Curve(subject.name, tuple(depth), tuple(even)),),
            "entropy": (curve(subject.name, depth, [values.mean(1) for values in entropies], scale=100),),
        },
        per_image=per_image,
        arrays=arrays,
        tables={"Attention by layer": (header, rows)},
        sentences=said(layers, {name: one.value for name, one in estimates.items()}, even),
        notes=remarks(subject, layers),
        seconds=seconds,
    )


def curve(name: str, depth: Sequence[float], values: Sequence[NDArray[np.float64]], scale: float) -> Curve:
    """The mean over images at each layer with its interval. values: [N] by layer. scale: a factor."""
    found = [mean_of(scale * one) for one in values]
    low = tuple(one.value if one.low is None else one.low for one in found)
    high = tuple(one.value if one.high is None else one.high for one in found)
    return Curve(name, tuple(depth), tuple(one.value for one in found), low, high)


def said(layers: Sequence[Layer], values: Mapping[str, float], even: Sequence[float]) -> tuple[str, ...]:
    """What it comes to, in words."""
    first, last = values["attention_distance_first"], values["attention_distance_last"]
    mean = f"Heads attend {values['attention_distance']:.1f} pixels far on average; attending evenly to all patches "
    mean += f"would be {np.mean(even):.1f} pixels."
    if len(layers) == 1:
        return (mean,)
    return (mean, f"In the first layer it is {first:.1f} pixels, in the last {last:.1f}.")


def remarks(subject: Subject, layers: Sequence[Layer]) -> tuple[str, ...]:
    """What a reader must know of how it was measured."""
    notes = []
    left_out = len(subject.anatomy.attention) - len(layers)
    if left_out:
        notes.append(
            f"{counted(left_out, 'layer')} of attention left out: not every patch attends to every patch there "
            "(windows, coarser keys, channels), or there is no softmax."
        )
    shown = "the class token's weights on the patches" if layers[-1].prefix else "the mean weight that a patch receives"
    notes.append(f"Attention maps: {shown} in {layers[-1].module}, averaged over its heads.")
    return tuple(notes)
