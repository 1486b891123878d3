"""A network's forward pass on one image, recorded layer by layer.

The network runs once, unchanged, on an image of zeros. torch passes every function call, whether from a module or from
plain code (`F.relu`, `+`), to a TorchFunctionMode: so layers are listed in the order in which they run, a module used
twice is listed twice, and loops and branches in the network's own code need no special care.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sightlab.errors import ModelError, one_line
from sightlab.lens.layers import Layer
from sightlab.lens.operations import (
    OPERATIONS,
    PERMUTED,
    RESHAPED,
    SLICED,
    Call,
    field_of,
    macs_of,
    permuted,
    plain_name,
    window_of,
)
from sightlab.lens.receptive_field import Field, Pair

IMAGE = -1
COUNTED = ("einsum", "multi_head_attention_forward")  # their multiply-adds come from torch's own counter
STATISTICS = "its statistics run over all positions; the field excludes them"
NOTES = {
    "group_norm": STATISTICS,
    "instance_norm": STATISTICS,
    "conv_transpose2d": "its receptive field, and those after it, are upper bounds",
}


@dataclass(frozen=True)
class Origin:
    """Where a tensor comes from: the index of the layer that computed it, and its receptive field."""

    tensor: Tensor  # kept alive, so that no other tensor gets its id
    layer: int
    field: Field


@dataclass(frozen=True)
class ModuleOutput:
    """What one call of a module gave, its first tensor. layer: the index of the layer that computed it.

    module: its qualified name, "" for the network itself. call: which of its calls in this pass it is, from 0.
    shape: of all axes. field: of the tensor.
    """

    module: str
    call: int
    shape: tuple[int, ...]
    field: Field
    layer: int


@dataclass(frozen=True)
class Trace:
    """The layers of one forward pass in order. last: index of the one that gave the logits. kept: outputs [1, ...].

    modules: what each module gave that comes from the image, in the order in which they ended.
    """

    layers: tuple[Layer, ...]
    last: int
    logits: Tensor
    kept: dict[int, Tensor]
    modules: tuple[ModuleOutput, ...] = ()


def trace(net: nn.Module, image: Tensor, keep: Collection[int] = ()) -> Trace:
    """Run the network on one image and record its layers. image: float [1, C, H, W], on the network's device.

    keep: indices of layers whose outputs to keep. Runs in eval mode without gradients; afterwards all hooks are removed
    and every module is back in its mode. Raises ModelError for a network that fails on such an image, or whose logits
    cannot be traced back to it.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        raise ModelError("the model is scripted (torch.jit), at least in part, and cannot be traced")
    recorder = Recorder(net, image, keep)
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.no_grad(), recorder.module_hooks(), recorder:
            logits = net(image)
    except ModelError:
        raise
    except Exception as error:  # whatever it raises, the model cannot take such an image
        size = " x ".join(str(n) for n in image.shape[1:])
        raise ModelError(
            f"the model does not work on {size} images: {type(error).__name__}: {one_line(error)}"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    origin = recorder.origins.get(id(logits))
    if origin is None or origin.layer == IMAGE:
        raise ModelError("the model's logits are not computed from its image by torch functions")
    return Trace(tuple(recorder.layers), origin.layer, logits, recorder.kept, tuple(recorder.outputs))


class Recorder(TorchFunctionMode):
    """Records the layers of one forward pass while it is active."""

    def __init__(self, net: nn.Module, image: Tensor, keep: Collection[int]) -> None:
        super().__init__()
        self.net = net
        self.image = image
        self.keep = keep
        self.layers: list[Layer] = []
        self.kept: dict[int, Tensor] = {}
        self.outputs: list[ModuleOutput] = []
        self.calls: Counter[str] = Counter()
        field = Field.of_image(image.shape[2], image.shape[3])
        self.origins: dict[int, Origin] = {id(image): Origin(image, IMAGE, field)}
        self.module_stack: list[tuple[str, nn.Module]] = []
        self.names = {id(parameter): name for name, parameter in net.named_parameters()}
        # The parameters that a tensor is, or is computed from alone.
        self.parameters_in: dict[int, tuple[Tensor, tuple[nn.Parameter, ...]]] = {
            id(parameter): (parameter, (parameter,)) for parameter in net.parameters()
        }
        self.first_user: dict[int, str] = {}
        self.name_counts: Counter[str] = Counter()

    @contextmanager
    def module_hooks(self) -> Iterator[None]:
        """Within the context, the recorder knows which module runs."""
        hooks = []
        for name, module in self.net.named_modules():
            hooks.append(module.register_forward_pre_hook(self._enter_hook(name)))
            hooks.append(module.register_forward_hook(self._leave_hook))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter_hook(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def enter(module: nn.Module, _inputs: tuple[Any, ...]) -> None:
            self.module_stack.append((name, module))

        return enter

    def _leave_hook(self, module: nn.Module, inputs: tuple[Any, ...], outputs: object) -> None:
        """An output that none of the module's recorded calls gave comes from scripted or compiled code."""
        sources = [origin for origin in map(self._origin, tensors_in(inputs)) if origin]
        for tensor in tensors_in([outputs]):
            if sources and id(tensor) not in self.origins:
                self._add_opaque(module, tensor, sources)
        name, _ = self.module_stack.pop()
        origin = next(map(self._origin, tensors_in([outputs])), None)
        if origin is not None:
            shape = tuple(origin.tensor.shape)
            self.outputs.append(ModuleOutput(name, self.calls[name], shape, origin.field, origin.layer))
        self.calls[name] += 1

    def _origin(self, tensor: Tensor) -> Origin | None:
        return self.origins.get(id(tensor))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and record it if it takes what comes from the image."""
        keywords = kwargs or {}
        inputs = tensors_in([*args, *keywords.values()])
        # Before the call: a function that works in place changes the origin of its argument.
        sources = [origin for origin in map(self._origin, inputs) if origin]
        learned = tuple(dict.fromkeys(p for t in inputs for p in self.parameters_in.get(id(t), (t, ()))[1]))
        name = plain_name(func)
        result, macs = self._run(name, func, args, keywords)
        outputs = tensors_in([result])
        if not sources:
            for tensor in outputs if learned else ():
                self.parameters_in[id(tensor)] = (tensor, learned)
        elif name in PERMUTED + RESHAPED + SLICED:
            for tensor in outputs:
                self._record_view(func, Call(name, args, keywords, tensor), sources[0])
        elif outputs:
            self._record_layer(Call(name, args, keywords, outputs[0]), sources, learned, macs)
        return result

    def _run(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[Any, int | None]:
        if name not in COUNTED:
            return func(*args, **keywords), None
        # Imported here: it loads torch's compiler, which takes seconds.
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode

        # The counter does not see the products inside the fused attention kernel for CPUs.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            result = func(*args, **keywords)
        return result, counter.get_total_flops() // 2

    def _record_view(self, func: Callable[..., Any], call: Call, source: Origin) -> None:
        """Record a tensor that is a view or a slice of another."""
        if call.name in PERMUTED and call.output.ndim == source.tensor.ndim:
            field = permuted(func, call, source.field)
        else:
            field = field_of(call, [(source.tensor, source.field)], None)
        self.origins[id(call.output)] = Origin(call.output, source.layer, field)

    def _record_layer(
        self, call: Call, sources: Sequence[Origin], learned: tuple[nn.Parameter, ...], macs: int | None
    ) -> None:
        """Record a call that takes what comes from the image: a layer, unless it is arithmetic with constants."""
        before = tuple(sources[0].tensor.shape)
        window = window_of(call)
        field = field_of(call, [(origin.tensor, origin.field) for origin in sources], window)
        kind, operation = OPERATIONS.get(call.name, ("other", call.name.replace("_", " ")))
        inputs = tuple(dict.fromkeys(origin.layer for origin in sources))
        if kind in ("sum", "product") and len(sources) < 2:
            kind, operation = "learned", "learned offset" if kind == "sum" else "learned scale"
        index = sources[0].layer
        if learned or kind not in ("learned", "other") or (kind == "other" and tuple(call.output.shape) != before):
            index = len(self.layers)
            groups = int(call.argument(6, "groups", 1)) if kind == "convolution" else 1
            layer = Layer(
                name=self._name(call.name),
                kind=kind,
                operation=operation,
                inputs=inputs,
                output=tuple(call.output.shape[1:]),
                channels=channel_counts(call, sources[0].field, field),
                parameters=0,
                macs=macs_of(call) if macs is None else macs,
                field=field,
                window=window,
                groups=groups,
                note=NOTES.get(call.name, ""),
            )
            self._add(layer, call.output, learned)
        self.origins[id(call.output)] = Origin(call.output, index, field)

    def _add(self, layer: Layer, output: Tensor, learned: Sequence[nn.Parameter]) -> None:
        """Add a layer with its parameters: each counts where it is first call, and is noted where it is used again."""
        again = sorted({self.first_user[id(p)] for p in learned if id(p) in self.first_user})
        new = [p for p in learned if id(p) not in self.first_user]
        self.first_user |= {id(p): layer.name for p in new}
        notes = [note for note in (layer.note, f"shares the weights of {', '.join(again)}" if again else "") if note]
        self.layers.append(replace(layer, parameters=sum(p.numel() for p in new), note="; ".join(notes)))
        if len(self.layers) - 1 in self.keep:
            self.kept[len(self.layers) - 1] = output.clone()

    def _add_opaque(self, module: nn.Module, output: Tensor, sources: Sequence[Origin]) -> None:
        """Add a module whose inside cannot be traced as one layer, which is assumed to see all positions."""
        index, before, after = len(self.layers), tuple(sources[0].tensor.shape), tuple(output.shape)
        field = sources[0].field.mixed(output.ndim)
        layer = Layer(
            name=self.module_stack[-1][0] or type(module).__name__,
            kind="other",
            operation=type(module).__name__,
            inputs=tuple(dict.fromkeys(origin.layer for origin in sources)),
            output=after[1:],
            channels=(channels(before, sources[0].field), channels(after, field)),
            parameters=0,
            macs=0,
            field=field,
            note="opaque: its inside cannot be traced, and its multiply-adds are not counted",
        )
        self._add(layer, output, list(module.parameters()))
        self.origins[id(output)] = Origin(output, index, field)

    def _name(self, function: str) -> str:
        """The running module, with the function where the module runs several; numbered where the name is taken."""
        path, module = self.module_stack[-1] if self.module_stack else ("", self.net)
        kinds = [kind.__module__ for kind in type(module).__mro__ if kind is not nn.Module]
        alone = any(kind.startswith("torch.nn.modules") for kind in kinds) and not list(module.children())
        base = path if alone and path else ".".join(part for part in (path, function) if part)
        self.name_counts[base] += 1
        return base if self.name_counts[base] == 1 else f"{base} ({self.name_counts[base]})"


def channel_counts(call: Call, before: Field, after: Field) -> Pair:
    """Channels, or features, that a call takes and gives; of what has weights, as the weights have them."""
    if call.name == "conv2d":
        weight, groups = call.argument(1, "weight"), int(call.argument(6, "groups", 1))
        return int(weight.shape[1]) * groups, int(weight.shape[0])
    if call.name == "conv_transpose2d":
        weight, groups = call.argument(1, "weight"), int(call.argument(6, "groups", 1))
        return int(weight.shape[0]), int(weight.shape[1]) * groups
    if call.name == "linear":
        weight = call.argument(1, "weight")
        return int(weight.shape[1]), int(weight.shape[0])
    after_channels = channels(tuple(call.output.shape), after)
    if call.name == "scaled_dot_product_attention":  # [N, heads, L, features of a head]
        after_channels = math.prod(call.output.shape[1:]) // int(call.output.shape[-2])
        return after_channels, after_channels
    first = call.argument(0, "input", call.kwargs.get("query"))
    return (channels(tuple(first.shape), before) if isinstance(first, Tensor) else after_channels), after_channels


def channels(shape: tuple[int, ...], field: Field) -> int:
    """Channels of a map [N, C, H, W]; of anything else its features, on the last axis."""
    last = len(shape) != 4 or field.spatial == (False, True, True, False)
    return shape[-1] if last else shape[1]


def tensors_in(values: Any) -> list[Tensor]:
    """The tensors among values, including those in nested lists, tuples and mappings, in order."""
    tensors: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, list | tuple):
            tensors += tensors_in(value)
        elif isinstance(value, Mapping):
            tensors += tensors_in(value.values())
    return tensors
