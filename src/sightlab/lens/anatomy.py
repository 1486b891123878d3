"""Where in a network activations lie on a grid over the image: what explanations and analyses of depth look at.

Modules are found by one traced forward pass, not by their names or classes, so that networks of timm, of torchvision
and of a user's own are read alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sightlab.lens.layer_graph import Shape
from sightlab.lens.layers import Layer
from sightlab.lens.tracer import ModuleOutput, Trace, tensors_in, trace

Layout = Literal["maps", "maps-last", "tokens", "tokens-first"]
Pair = tuple[int, int]
Move = tuple[float, float]
Family = Literal["cnn", "transformer", "hybrid", "mixer", "none"]
LAYOUTS: dict[tuple[bool, ...], Layout] = {
    (False, False, True, True): "maps",
    (False, True, True, False): "maps-last",
    (False, True, False): "tokens",
    (True, False, False): "tokens-first",
}
LENGTH_AXIS: dict[Layout, int] = {"tokens": 1, "tokens-first": 0}
COMBINING = ("sum", "concatenation")
MOVED, SEEN = 0.0125, 0.003  # of the sides of a map: a quarter changes 1.1, or 1.02, times as much as the others


@dataclass(frozen=True)
class Stage:
    """A module whose output, or the first tensor of it, lies on a grid over the image.

    module: its qualified name. layout: maps [N, C, h, w], maps-last [N, h, w, C], tokens [N, prefix + h * w, C], or
    tokens-first [prefix + h * w, N, C], as torch's own attention takes them by default. grid: (h, w). channels: C.
    prefix: class and register tokens before those of the patches. layer: its place among the layers of the forward
    pass, from 0. depth: that place as a share of all layers, in (0, 1].
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
        tokens = output.transpose(0, 1) if self.layout == "tokens-first" else output
        return tokens[:, self.prefix :].transpose(1, 2).reshape(len(tokens), self.channels, *self.grid)


@dataclass(frozen=True)
class Anatomy:
    """A network's family and stages, in the order in which they run.

    family: cnn (maps, no attention), transformer (attention over tokens or maps, and no convolution but the patch
    embedding), hybrid (both), mixer (tokens that do not attend), or none where nothing lies on a grid of at least
    2 x 2: a perceptron, or code that runs its layers as plain functions. blocks: the stages that follow the network's
    depth, such as a ResNet's residual blocks and a ViT's encoder blocks (`blocks_of`). attention: the modules that
    attend, in order. attended: the place of the last layer of attention among the layers, -1 without one.
    """

    family: Family
    stages: tuple[Stage, ...]
    blocks: tuple[Stage, ...]
    attention: tuple[str, ...]
    attended: int = -1

    @property
    def trunk(self) -> tuple[Stage, ...]:
        """The stages that lie on the way from the image to the logits: those that are not a part of a block."""
        names = {block.module for block in self.blocks}
        return tuple(s for s in self.stages if not any(s.module.startswith(f"{name}.") for name in names))


def anatomy_of(net: nn.Module, shape: Shape) -> Anatomy:
    """The anatomy of a network for images of shape (channels, height, width). net: takes float32 [N, C, H, W].

    Runs the network once on an image of zeros, in eval mode. Raises ModelError for one that cannot be traced.
    """
    parameter = next(net.parameters(), torch.zeros(0))
    found = trace(net, torch.zeros(1, *shape, device=parameter.device))
    stages = tuple(confirmed(net, shape, stages_in(found, shape[1:])))
    modules = dict(net.named_modules())
    attention = [place for place, layer in enumerate(found.layers) if layer.kind == "attention"]
    attending = tuple(dict.fromkeys(running(found.layers[place], modules) for place in attention))
    return Anatomy(
        family_of(found, stages, attending),
        stages,
        blocks_of(found, stages, modules),
        attending,
        attention[-1] if attention else -1,
    )


def stages_in(found: Trace, image: Pair) -> Iterator[tuple[Stage, bool]]:
    """The stages of a traced network: each module's last call, where it gives a grid of at least 2 x 2.

    image: its (height, width). With each, whether its places are known from the trace, and not guessed from its shape.
    """
    last = {output.module: output for output in found.modules if output.module and output.layer >= 0}
    tokens: tuple[Pair, int] | None = None  # the last grid of tokens, and how many come before them
    for output in sorted(last.values(), key=lambda one: one.layer):
        known = placed(output)
        layout, grid = known or guessed(output, image, tokens)
        if layout is None or min(grid) < 2:
            continue
        length = output.shape[LENGTH_AXIS[layout]] if layout in LENGTH_AXIS else 0
        prefix = length - grid[0] * grid[1] if length else 0
        tokens = (grid, prefix) if length else tokens
        channels = output.shape[1] if layout == "maps" else output.shape[-1]
        depth = (output.layer + 1) / len(found.layers)
        yield Stage(output.module, layout, grid, channels, prefix, output.layer, depth), known is not None


def confirmed(net: nn.Module, shape: Shape, stages: Iterable[tuple[Stage, bool]]) -> list[Stage]:
    """The stages without those that hold the image's places in another order, such as tokens sorted by windows.

    Noise in the image's top right quarter must change the output further to the right, and further up, than noise in
    its bottom left does. A guess must show it; places of tokens that are known from the trace must not show otherwise.
    Maps that convolutions and pools made have the image's order: on a few rows, noise moves them too little to show it.
    """
    found = list(stages)
    parameter = next(net.parameters(), torch.zeros(0))
    images = torch.zeros(3, *shape)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    height, width = shape[1] // 2, shape[2] // 2
    images[1, :, :height, -width:] = noise[:, :height, -width:]
    images[2, :, -height:, :width] = noise[:, -height:, :width]
    moves: dict[str, Move] = {}
    modes = {module: module.training for module in net.modules()}
    named = dict(net.named_modules())
    hooks = [named[stage.module].register_forward_hook(moved_hook(stage, moves)) for stage, _ in found]
    net.eval()
    try:
        with torch.no_grad():
            net(images.to(parameter.device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return [
        stage
        for stage, known in found
        if (known and stage.layout == "maps") or in_order(moves[stage.module], known=known)
    ]


def moved_hook(stage: Stage, moves: dict[str, Move]) -> Callable[[nn.Module, object, object], None]:
    """A forward hook that notes how far the change of a stage moves with that of the image (`moved`)."""

    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        tensor = tensors_in([output])[0]
        batch = 1 if stage.layout == "tokens-first" else 0
        fits = tensor.ndim == (4 if stage.layout.startswith("maps") else 3) and tensor.shape[batch] == 3
        moves[stage.module] = moved(stage.as_maps(tensor)) if fits else (0.0, 0.0)

    return hook


def moved(maps: Tensor) -> Move:
    """(to the right, up): how far the second map's difference from the first lies from the third's.

    In shares of the map's sides, between the centres of mass. maps: float [3, C, h, w].
    """
    change = (maps[1:] - maps[0]).abs().mean(1)
    change = change / change.sum((1, 2), keepdim=True).clamp_min(torch.finfo(change.dtype).tiny)
    rows, columns = (torch.linspace(0.5 / n, 1 - 0.5 / n, n, device=maps.device) for n in maps.shape[2:])
    across, down = (change.sum(1) * columns).sum(1), (change.sum(2) * rows).sum(1)
    return float(across[0] - across[1]), float(down[1] - down[0])


def in_order(move: Move, *, known: bool) -> bool:
    """Whether positions are in the image's order, by how far a change `moved`.

    Late layers may change most where the image did not, as those of a network that looks for what stands out do: where
    places are known from the trace, moves as far to the left as down are in order too.
    """
    least, most = min(move), max(move, key=abs)
    if known and max(move) < 0:
        least = -max(move)
    if abs(most) < (MOVED if known else SEEN):  # what sees all of the image alike tells nothing
        return known
    return least > 0.3 * abs(most)


def placed(output: ModuleOutput) -> tuple[Layout, Pair] | None:
    """Layout and grid of an output as its receptive field has them; None where it has none, or not all of it."""
    layout, grid = LAYOUTS.get(output.field.spatial), output.field.grid
    if layout is None:
        return None
    if layout in LENGTH_AXIS:
        return (layout, grid) if output.shape[LENGTH_AXIS[layout]] >= grid[0] * grid[1] else None
    return (layout, grid) if grid == (output.shape[2:] if layout == "maps" else output.shape[1:3]) else None


def guessed(output: ModuleOutput, image: Pair, tokens: tuple[Pair, int] | None) -> tuple[Layout | None, Pair]:
    """Layout and grid of an output by its shape, where the trace has lost its places in a regrouping of positions.

    Maps are what has the image's proportions along two axes and not along two others; tokens what is as long as the
    tokens before it.
    """
    shape = output.shape
    if len(shape) == 4 and shape[0] == 1:
        first, last = in_proportion(shape[2:], image), in_proportion(shape[1:3], image)
        if first != last:
            return ("maps", (shape[2], shape[3])) if first else ("maps-last", (shape[1], shape[2]))
    if len(shape) == 3 and tokens:
        length = tokens[1] + tokens[0][0] * tokens[0][1]
        for layout, axis in LENGTH_AXIS.items():
            if (shape[axis], shape[1 - axis]) == (length, 1):
                return layout, tokens[0]
    return None, (1, 1)


def in_proportion(sides: tuple[int, ...], image: Pair) -> bool:
    """Whether (height, width) is an image's, divided by one number and rounded either way."""
    height, width = sides
    scale = image[0] / height
    return height <= image[0] and abs(image[1] / scale - width) < 1


def blocks_of(found: Trace, stages: Sequence[Stage], modules: Mapping[str, nn.Module]) -> tuple[Stage, ...]:
    """The stages that follow a network's depth.

    A block adds up, or concatenates, branches in code of its own, as those of ResNets, Inception and transformers do;
    another instance of a block's class is one too, though it has no second branch. Blocks within blocks do not count,
    but what holds two or more and most of the network's layers is not a block but the network's body. Without blocks
    (VGG, LeNet) it is the convolutions. modules: the network's, by name.
    """
    combining = {running(layer, modules) for layer in found.layers if layer.kind in COMBINING}
    classes = {type(modules[name]) for name in combining if name}
    named = {stage.module: stage for stage in stages if type(modules[stage.module]) in classes}
    layers = Counter(name for layer in found.layers for name in parents(running(layer, modules)) if name in named)
    bodies = {
        name
        for name in named
        if 2 * layers[name] > len(found.layers) and sum(other.startswith(f"{name}.") for other in named) > 1
    }
    blocks = [
        stage
        for name, stage in named.items()
        if name not in bodies and not any(above in named and above not in bodies for above in parents(name)[1:])
    ]
    convolutions = {running(layer, modules) for layer in found.layers if layer.kind == "convolution"}
    return tuple(blocks or [stage for stage in stages if stage.module in convolutions])


def running(layer: Layer, modules: Mapping[str, nn.Module]) -> str:
    """The innermost module that a layer runs in: the layer's name, or that without the function at its end."""
    name = layer.name.partition(" (")[0]
    return name if name in modules else name.rpartition(".")[0]


def parents(name: str) -> list[str]:
    """A module's name and those of all that hold it, the network itself left out.

    >>> parents("layer1.0.conv1")
    ['layer1.0.conv1', 'layer1.0', 'layer1']
    """
    parts = name.split(".") if name else []
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def family_of(found: Trace, stages: Sequence[Stage], attention: Sequence[str]) -> Family:
    """See `Anatomy`."""
    if not stages:
        return "none"
    if not attention:
        return "mixer" if sum(stage.layout in LENGTH_AXIS for stage in stages) * 2 > len(stages) else "cnn"
    convolutions = sum(layer.kind == "convolution" for layer in found.layers)
    return "transformer" if convolutions <= 1 else "hybrid"


def unchanged(output: Tensor) -> tuple[Tensor, Tensor]:
    """Keep an output, and pass on a copy, which the network may change in place."""
    return output, output.clone()


@contextmanager
def activations(
    net: nn.Module, modules: Sequence[str], keep: Callable[[Tensor], tuple[Tensor, Tensor]] = unchanged
) -> Iterator[dict[str, Tensor]]:
    """Within the context, what each named module gave when it last ran, by name; gradients flow through it.

    Of several tensors it is the first. What the network does in place to a module's output later does not show. keep:
    output -> (what is kept, what the network goes on with).
    """
    kept: dict[str, Tensor] = {}
    named = dict(net.named_modules())

    def keeper(name: str) -> Callable[[nn.Module, object, object], object]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> object:
            kept[name], passed = keep(tensors_in([output])[0])
            return replaced(output, passed)

        return hook

    hooks = [named[name].register_forward_hook(keeper(name)) for name in modules]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def replaced(output: object, tensor: Tensor) -> object:
    """What a module gave, with its first tensor replaced. output: a tensor, or a tuple or list that may hold others.

    What it gave in another form, such as a mapping, stays as it is.

    >>> replaced((torch.zeros(1), None), torch.ones(1))
    (tensor([1.]), None)
    """
    if isinstance(output, Tensor):
        return tensor
    if not isinstance(output, tuple | list):
        return output
    values = list(output)
    place = next(place for place, value in enumerate(values) if tensors_in([value]))
    values[place] = replaced(values[place], tensor)
    return values if isinstance(output, list) else tuple(values)
