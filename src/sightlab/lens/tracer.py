"""What a network does with one image, written down as it happens.

The network runs once, as it is, on an image of zeros. torch shows every function that is called, by a module or by
plain code (`F.relu`, `+`), to a TorchFunctionMode: so layers stand in the order in which they really run, a module used
twice stands there twice, and loops and branches of the network's own code need no special care.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sightlab.errors import ModelError, one_line
from sightlab.lens.layers import Layer
from sightlab.lens.operations import (
    CUT,
    OPERATIONS,
    PERMUTED,
    RESHAPED,
    Used,
    field_of,
    macs_of,
    permuted,
    plain_name,
    window_of,
)
from sightlab.lens.receptive_field import Field, Pair

IMAGE = -1
COUNTED = ("einsum", "multi_head_attention_forward")  # whose multiply-adds torch's own counter is asked for
STATISTICS = "its statistics run over all places; the field is without them"
NOTES = {
    "group_norm": STATISTICS,
    "instance_norm": STATISTICS,
    "conv_transpose2d": "its field, and those after it, are bounds",
}


@dataclass(frozen=True)
class Made:
    """Where a tensor comes from: the layer that gave it, and what its places depend on."""

    tensor: Tensor  # kept, so that no other tensor gets its id
    layer: int
    field: Field


@dataclass(frozen=True)
class Trace:
    """The layers of one forward pass in order, the last of which gave the logits; outputs [1, ...] of some of them."""

    layers: tuple[Layer, ...]
    last: int
    logits: Tensor
    kept: dict[int, Tensor]


def trace(net: nn.Module, image: Tensor, keep: Collection[int] = ()) -> Trace:
    """Runs the network on one image and gives what it did. image: float [1, C, H, W], on the network's device.

    keep: places of layers whose outputs are wanted too. In eval mode, without gradients; hooks are gone afterwards,
    and every module is in the mode it was in. Raises ModelError for a network that does not work on such an image, or
    whose logits come from where they cannot be followed.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        raise ModelError("the model is scripted (torch.jit), at least in part, and cannot be looked into")
    recorder = Recorder(net, image, keep)
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.no_grad(), recorder.listening(), recorder:
            logits = net(image)
    except ModelError:
        raise
    except Exception as error:  # whatever a model raises on such an image, it cannot take it
        size = " x ".join(str(n) for n in image.shape[1:])
        raise ModelError(
            f"the model does not work on {size} images: {type(error).__name__}: {one_line(error)}"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    made = recorder.made.get(id(logits))
    if made is None or made.layer == IMAGE:
        raise ModelError("the model's logits do not come from its image by way of torch's functions")
    return Trace(tuple(recorder.layers), made.layer, logits, recorder.kept)


class Recorder(TorchFunctionMode):
    """Writes down the layers of one forward pass while it is on."""

    def __init__(self, net: nn.Module, image: Tensor, keep: Collection[int]) -> None:
        super().__init__()
        self.net = net
        self.image = image
        self.keep = keep
        self.layers: list[Layer] = []
        self.kept: dict[int, Tensor] = {}
        field = Field.of_image(image.shape[2], image.shape[3])
        self.made: dict[int, Made] = {id(image): Made(image, IMAGE, field)}
        self.inside: list[tuple[str, nn.Module]] = []
        self.names = {id(parameter): name for name, parameter in net.named_parameters()}
        # Which of the net's parameters a tensor holds, itself or as what was made of them alone.
        self.holds: dict[int, tuple[Tensor, tuple[nn.Parameter, ...]]] = {
            id(parameter): (parameter, (parameter,)) for parameter in net.parameters()
        }
        self.users: dict[int, str] = {}
        self.taken: Counter[str] = Counter()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block, it is known which module runs."""
        hooks = []
        for name, module in self.net.named_modules():
            hooks.append(module.register_forward_pre_hook(self._entering(name)))
            hooks.append(module.register_forward_hook(self._leaving))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _entering(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def enter(module: nn.Module, _given: tuple[Any, ...]) -> None:
            self.inside.append((name, module))

        return enter

    def _leaving(self, module: nn.Module, given: tuple[Any, ...], found: object) -> None:
        """A module gave something that none of its calls is known to have given: scripted or compiled code."""
        sources = [made for made in map(self._origin, tensors_in(given)) if made]
        for tensor in tensors_in([found]):
            if sources and id(tensor) not in self.made:
                self._add_closed(module, tensor, sources)
        self.inside.pop()

    def _origin(self, tensor: Tensor) -> Made | None:
        return self.made.get(id(tensor))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls the function, and notes what it did with what comes from the image."""
        keywords = kwargs or {}
        inputs = tensors_in([*args, *keywords.values()])
        # Before the call: a function that works in place changes where its argument comes from.
        sources = [made for made in map(self._origin, inputs) if made]
        learned = tuple(dict.fromkeys(p for t in inputs for p in self.holds.get(id(t), (t, ()))[1]))
        name = plain_name(func)
        result, macs = self._called(name, func, args, keywords)
        outputs = tensors_in([result])
        if not sources:
            for tensor in outputs if learned else ():
                self.holds[id(tensor)] = (tensor, learned)
        elif name in PERMUTED + RESHAPED + CUT:
            for tensor in outputs:
                self._look(func, Used(name, args, keywords, tensor), sources[0])
        elif outputs:
            self._note(Used(name, args, keywords, outputs[0]), sources, learned, macs)
        return result

    def _called(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[Any, int | None]:
        if name not in COUNTED:
            return func(*args, **keywords), None
        # Loads torch's compiler: seconds, which only networks with such functions pay.
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode

        # The counter does not know the products inside the fused attention of CPUs.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            result = func(*args, **keywords)
        return result, counter.get_total_flops() // 2

    def _look(self, func: Callable[..., Any], used: Used, source: Made) -> None:
        """A tensor that is another one seen in another way, or a part of it."""
        if used.name in PERMUTED and used.output.ndim == source.tensor.ndim:
            field = permuted(func, used, source.field)
        else:
            field = field_of(used, [(source.tensor, source.field)], None)
        self.made[id(used.output)] = Made(used.output, source.layer, field)

    def _note(self, used: Used, sources: Sequence[Made], learned: tuple[nn.Parameter, ...], macs: int | None) -> None:
        """A call that took what comes from the image: a layer, or nothing but arithmetic with constants."""
        before = tuple(sources[0].tensor.shape)
        window = window_of(used)
        field = field_of(used, [(made.tensor, made.field) for made in sources], window)
        kind, operation = OPERATIONS.get(used.name, ("other", used.name.replace("_", " ")))
        layers = tuple(dict.fromkeys(made.layer for made in sources))
        if kind in ("sum", "product") and len(sources) < 2:
            kind, operation = "learned", "learned offset" if kind == "sum" else "learned scale"
        place = sources[0].layer
        if learned or kind not in ("learned", "other") or (kind == "other" and tuple(used.output.shape) != before):
            place = len(self.layers)
            groups = int(used.value(6, "groups", 1)) if kind == "convolution" else 1
            layer = Layer(
                name=self._name(used.name),
                kind=kind,
                operation=operation,
                inputs=layers,
                output=tuple(used.output.shape[1:]),
                channels=through(used, sources[0].field, field),
                parameters=0,
                macs=macs_of(used) if macs is None else macs,
                field=field,
                window=window,
                groups=groups,
                note=NOTES.get(used.name, ""),
            )
            self._add(layer, used.output, learned)
        self.made[id(used.output)] = Made(used.output, place, field)

    def _add(self, layer: Layer, output: Tensor, learned: Sequence[nn.Parameter]) -> None:
        """A layer with its parameters: each is counted where it is first used, and named where it is used again."""
        again = sorted({self.users[id(p)] for p in learned if id(p) in self.users})
        new = [p for p in learned if id(p) not in self.users]
        self.users |= {id(p): layer.name for p in new}
        notes = [note for note in (layer.note, f"shares the weights of {', '.join(again)}" if again else "") if note]
        self.layers.append(replace(layer, parameters=sum(p.numel() for p in new), note="; ".join(notes)))
        if len(self.layers) - 1 in self.keep:
            self.kept[len(self.layers) - 1] = output.clone()

    def _add_closed(self, module: nn.Module, output: Tensor, sources: Sequence[Made]) -> None:
        """A module whose inside does not show: one layer, which is taken to see all places."""
        place, before, after = len(self.layers), tuple(sources[0].tensor.shape), tuple(output.shape)
        field = sources[0].field.mixed(output.ndim)
        layer = Layer(
            name=self.inside[-1][0] or type(module).__name__,
            kind="other",
            operation=type(module).__name__,
            inputs=tuple(dict.fromkeys(made.layer for made in sources)),
            output=after[1:],
            channels=(channels(before, sources[0].field), channels(after, field)),
            parameters=0,
            macs=0,
            field=field,
            note="closed: what is inside cannot be seen, its multiply-adds are not counted",
        )
        self._add(layer, output, list(module.parameters()))
        self.made[id(output)] = Made(output, place, field)

    def _name(self, function: str) -> str:
        """The module that runs, with the function where the module has other duties; numbered where it was taken."""
        path, module = self.inside[-1] if self.inside else ("", self.net)
        kinds = [kind.__module__ for kind in type(module).__mro__ if kind is not nn.Module]
        alone = any(kind.startswith("torch.nn.modules") for kind in kinds) and not list(module.children())
        base = path if alone and path else ".".join(part for part in (path, function) if part)
        self.taken[base] += 1
        return base if self.taken[base] == 1 else f"{base} ({self.taken[base]})"


def through(used: Used, before: Field, after: Field) -> Pair:
    """Channels, or features, that a call takes and gives: of what has weights, as they say."""
    if used.name == "conv2d":
        weight, groups = used.value(1, "weight"), int(used.value(6, "groups", 1))
        return int(weight.shape[1]) * groups, int(weight.shape[0])
    if used.name == "conv_transpose2d":
        weight, groups = used.value(1, "weight"), int(used.value(6, "groups", 1))
        return int(weight.shape[0]), int(weight.shape[1]) * groups
    if used.name == "linear":
        weight = used.value(1, "weight")
        return int(weight.shape[1]), int(weight.shape[0])
    found = channels(tuple(used.output.shape), after)
    if used.name == "scaled_dot_product_attention":  # [N, heads, L, features of a head]
        found = math.prod(used.output.shape[1:]) // int(used.output.shape[-2])
        return found, found
    first = used.value(0, "input", used.kwargs.get("query"))
    return (channels(tuple(first.shape), before) if isinstance(first, Tensor) else found), found


def channels(shape: tuple[int, ...], field: Field) -> int:
    """Channels of a map [N, C, H, W]; features, which stand last, of anything else."""
    last = len(shape) != 4 or field.placed == (False, True, True, False)
    return shape[-1] if last else shape[1]


def tensors_in(values: Any) -> list[Tensor]:
    """The tensors among values and in lists and tuples of them, in order."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(value)
    return found
