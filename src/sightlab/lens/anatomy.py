"""Where in a network activations lie on a grid over the image: what explanations and analyses of depth look at.

Modules are found by one traced forward pass, not by their names or classes, so that networks of timm, of torchvision
and of a user's own are read alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sightlab.lens.layer_graph import Shape
from sightlab.lens.tracer import ModuleOutput, Trace, trace

Layout = Literal["maps", "maps-last", "tokens"]
Pair = tuple[int, int]
Family = Literal["cnn", "transformer", "hybrid", "mixer", "none"]
LAYOUTS: dict[tuple[bool, ...], Layout] = {
    (False, False, True, True): "maps",
    (False, True, True, False): "maps-last",
    (False, True, False): "tokens",
}


@dataclass(frozen=True)
class Stage:
    """A module whose output lies on a grid over the image.

    module: its qualified name. layout: maps [N, C, h, w], maps-last [N, h, w, C], or tokens [N, prefix + h * w, C].
    grid: (h, w). channels: C. prefix: class and register tokens before those of the patches. layer: its place among the
    layers of the forward pass, from 0. depth: that place as a share of all layers, in (0, 1].
    """

    module: str
    layout: Layout
    grid: tuple[int, int]
    channels: int
    prefix: int
    layer: int
    depth: float

    def as_maps(self, output: Tensor) -> Tensor:
        """The module's output as maps, float [N, C, h, w], without the tokens that have no place in the image."""
        if self.layout == "maps":
            return output
        if self.layout == "maps-last":
            return output.permute(0, 3, 1, 2)
        patches = output[:, self.prefix :]
        return patches.transpose(1, 2).reshape(len(output), self.channels, *self.grid)


@dataclass(frozen=True)
class Anatomy:
    """A network's family and stages, in the order in which they run.

    family: cnn (maps, no attention), transformer (attention over tokens or maps, and no convolution but the patch
    embedding), hybrid (both), mixer (tokens that do not attend), or none where nothing lies on a grid of at least
    2 x 2, as in a perceptron. attention: the modules that attend, in order.
    """

    family: Family
    stages: tuple[Stage, ...]
    attention: tuple[str, ...]

    @property
    def blocks(self) -> tuple[Stage, ...]:
        """The outermost stages: those in no other stage's module. They follow the network's depth."""
        names = {stage.module for stage in self.stages}
        return tuple(s for s in self.stages if not any(s.module.startswith(f"{name}.") for name in names))


def anatomy_of(net: nn.Module, shape: Shape) -> Anatomy:
    """The anatomy of a network for images of shape (channels, height, width). net: takes float32 [N, C, H, W].

    Runs the network once on an image of zeros, in eval mode. Raises ModelError for one that cannot be traced.
    """
    parameter = next(net.parameters(), torch.zeros(0))
    found = trace(net, torch.zeros(1, *shape, device=parameter.device))
    stages = tuple(stages_in(found, shape[1:]))
    attention = tuple(dict.fromkeys(attending(found)))
    return Anatomy(family_of(found, stages, attention), stages, attention)


def stages_in(found: Trace, image: Pair) -> Iterator[Stage]:
    """The stages of a traced network: each module's last call, where it gives a grid of at least 2 x 2.

    image: its (height, width).
    """
    last = {output.module: output for output in found.modules if output.module and output.layer >= 0}
    tokens: tuple[Pair, int] | None = None  # the last grid of tokens, and how many come before them
    for output in sorted(last.values(), key=lambda one: one.layer):
        layout, grid = placed(output) or guessed(output, image, tokens)
        if layout is None or min(grid) < 2:
            continue
        prefix = output.shape[0] - grid[0] * grid[1] if layout == "tokens" else 0
        tokens = (grid, prefix) if layout == "tokens" else tokens
        channels = output.shape[0] if layout == "maps" else output.shape[-1]
        depth = (output.layer + 1) / len(found.layers)
        yield Stage(output.module, layout, grid, channels, prefix, output.layer, depth)


def placed(output: ModuleOutput) -> tuple[Layout, Pair] | None:
    """Layout and grid of an output as its receptive field has them; None where it has none, or not all of it."""
    layout, grid = LAYOUTS.get(output.field.spatial), output.field.grid
    if layout == "tokens":
        return (layout, grid) if output.shape[0] >= grid[0] * grid[1] else None
    if layout is None or grid != (output.shape[1:] if layout == "maps" else output.shape[:2]):
        return None
    return layout, grid


def guessed(output: ModuleOutput, image: Pair, tokens: tuple[Pair, int] | None) -> tuple[Layout | None, Pair]:
    """Layout and grid of an output by its shape, where the trace has lost its places in a regrouping of positions.

    Maps are what has the image's proportions along two axes and not along two others; tokens what is as long as the
    tokens before it.
    """
    shape = output.shape
    if len(shape) == 3:
        first, last = in_proportion(shape[1:], image), in_proportion(shape[:2], image)
        if first != last:
            return ("maps", (shape[1], shape[2])) if first else ("maps-last", (shape[0], shape[1]))
    if len(shape) == 2 and tokens and shape[0] == tokens[1] + tokens[0][0] * tokens[0][1]:
        return "tokens", tokens[0]
    return None, (1, 1)


def in_proportion(sides: tuple[int, ...], image: Pair) -> bool:
    """Whether (height, width) is an image's, divided by one number and rounded either way."""
    height, width = sides
    scale = image[0] / height
    return height <= image[0] and abs(image[1] / scale - width) < 1


def attending(found: Trace) -> Iterator[str]:
    """The modules in which something attends: the path of each layer of attention, without the function's name."""
    modules = {output.module for output in found.modules}
    for layer in found.layers:
        if layer.kind != "attention":
            continue
        name = layer.name.partition(" (")[0]
        yield name if name in modules else name.rpartition(".")[0]


def family_of(found: Trace, stages: Sequence[Stage], attention: Sequence[str]) -> Family:
    """See `Anatomy`."""
    if not stages:
        return "none"
    if not attention:
        return "mixer" if sum(stage.layout == "tokens" for stage in stages) * 2 > len(stages) else "cnn"
    convolutions = sum(layer.kind == "convolution" for layer in found.layers)
    return "transformer" if convolutions <= 1 else "hybrid"


@contextmanager
def activations(net: nn.Module, modules: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the context, what each named module gave when it last ran, by name; gradients flow through it."""
    kept: dict[str, Tensor] = {}
    named = dict(net.named_modules())

    def keep(name: str) -> object:
        return lambda _module, _inputs, output: kept.__setitem__(name, output)

    hooks = [named[name].register_forward_hook(keep(name)) for name in modules]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()
