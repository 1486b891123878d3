"""torch's functions as layers of a network: kind, window, multiply-adds and receptive field of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sightlab.lens.layers import Window
from sightlab.lens.receptive_field import Field, Pair

# The name of a function without underscores -> kind and words. A function of another name that keeps the shape (a
# division by a constant) is no layer, and neither are those that give a view of a tensor.
OPERATIONS: dict[str, tuple[str, str]] = {
    "conv2d": ("convolution", "convolution"),
    "conv_transpose2d": ("convolution", "transposed convolution"),
    "linear": ("linear", "linear"),
    "batch_norm": ("norm", "batch norm"),
    "layer_norm": ("norm", "layer norm"),
    "group_norm": ("norm", "group norm"),
    "instance_norm": ("norm", "instance norm"),
    "rms_norm": ("norm", "RMS norm"),
    "local_response_norm": ("norm", "local response norm"),
    "max_pool2d": ("pool", "max pool"),
    "avg_pool2d": ("pool", "average pool"),
    "adaptive_max_pool2d": ("pool", "max pool"),
    "adaptive_avg_pool2d": ("pool", "average pool"),
    "mean": ("pool", "mean"),
    "sum": ("pool", "sum"),
    "amax": ("pool", "maximum"),
    "add": ("sum", "sum"),
    "mul": ("product", "product"),
    "cat": ("concatenation", "concatenation"),
    "concat": ("concatenation", "concatenation"),
    "matmul": ("attention", "matrix product"),
    "bmm": ("attention", "matrix product"),
    "einsum": ("attention", "matrix product"),
    "scaled_dot_product_attention": ("attention", "attention"),
    "multi_head_attention_forward": ("attention", "attention"),
    **{name: ("activation", name.replace("_", " ")) for name in ("sigmoid", "tanh", "softmax", "softplus", "hardtanh")},
    **{name: ("activation", name.replace("_", " ")) for name in ("hardsigmoid", "hardswish", "glu", "log_softmax")},
    "relu": ("activation", "ReLU"),
    "relu6": ("activation", "ReLU6"),
    "leaky_relu": ("activation", "leaky ReLU"),
    "prelu": ("activation", "PReLU"),
    "gelu": ("activation", "GELU"),
    "silu": ("activation", "SiLU"),
    "elu": ("activation", "ELU"),
    "mish": ("activation", "Mish"),
}
ALIASES = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "multiply": "mul", "rmatmul": "matmul"}
PERMUTED = ("permute", "transpose", "swapaxes", "swapdims", "movedim", "t", "__get__")
RESHAPED = ("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze", "contiguous", "clone", "detach")
SLICED = ("unbind", "chunk", "split", "select", "getitem", "narrow", "expand")
REDUCED = ("mean", "sum", "amax")


@dataclass(frozen=True)
class Call:
    """A call of one of torch's functions: its plain name, its arguments and its output."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Tensor

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument, by its position or its name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    @property
    def first(self) -> Tensor:
        """Its first tensor."""
        tensor: Tensor = self.argument(0, "input", self.kwargs.get("query"))
        return tensor


def plain_name(function: Callable[..., Any]) -> str:
    """A function's name without underscores, the same for all of torch's aliases of it.

    >>> plain_name(torch.relu_), plain_name(Tensor.__iadd__)
    ('relu', 'add')
    """
    name = getattr(function, "__name__", "")
    if name == "__get__":
        return name
    bare = name.strip("_")
    return ALIASES.get(bare, bare)


def pair(value: int | Sequence[int]) -> Pair:
    """(rows, columns) of what torch takes as one number or two."""
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return int(first), int(rest[0] if rest else first)


def window_of(call: Call) -> Window | None:
    """The window of a convolution or a pool over a map; None for other calls."""
    if OPERATIONS.get(call.name, ("", ""))[0] not in ("convolution", "pool") or call.first.ndim != 4:
        return None
    if call.name == "conv2d":
        kernel = pair(call.argument(1, "weight").shape[2:])
        stride, dilation = pair(call.argument(3, "stride", 1)), pair(call.argument(5, "dilation", 1))
        return Window(kernel, stride, padding_of(call.argument(4, "padding", 0), kernel, dilation), dilation)
    if call.name == "conv_transpose2d":
        kernel = pair(call.argument(1, "weight").shape[2:])
        stride, padding = pair(call.argument(3, "stride", 1)), pair(call.argument(4, "padding", 0))
        return Window(kernel, stride, padding, pair(call.argument(7, "dilation", 1)))
    if call.name in ("max_pool2d", "avg_pool2d"):
        kernel = pair(call.argument(1, "kernel_size"))
        stride, padding = call.argument(2, "stride"), pair(call.argument(3, "padding", 0))
        dilation = pair(call.argument(4, "dilation", 1)) if call.name == "max_pool2d" else (1, 1)
        return Window(kernel, pair(stride) if stride else kernel, padding, dilation)
    if call.name.startswith("adaptive"):
        before, after = call.first.shape[2:], call.output.shape[2:]
        if all(n % m == 0 for n, m in zip(before, after, strict=True)):
            kernel = before[0] // after[0], before[1] // after[1]
            return Window(kernel, kernel)
    if call.name in REDUCED and reduced_axes(call) >= {2, 3}:
        kernel = pair(call.first.shape[2:])
        return Window(kernel, kernel)
    return None


def padding_of(padding: Any, kernel: Pair, dilation: Pair) -> Pair:
    """(rows, columns) of padding before the first position: torch's `same` puts an odd one after the last."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
    return pair(padding)


def reduced_axes(call: Call) -> set[int]:
    """The axes over which a mean, a sum or a maximum reduces."""
    axes = call.argument(1, "dim", call.kwargs.get("axis"))
    every = range(call.first.ndim)
    if axes is None or axes == ():
        return set(every)
    return {axis % call.first.ndim for axis in ([axes] if isinstance(axes, int) else axes)}


def macs_of(call: Call) -> int:
    """Multiply-adds of one call: of convolutions, linear layers, matrix products and attention; 0 for all others."""
    out = call.output
    if call.name == "conv2d":
        return out.numel() * int(math.prod(call.argument(1, "weight").shape[1:]))
    if call.name == "conv_transpose2d":
        return call.first.numel() * int(math.prod(call.argument(1, "weight").shape[1:]))
    if call.name == "linear":
        return out.numel() * int(call.argument(1, "weight").shape[1])
    if call.name in ("matmul", "bmm"):
        return out.numel() * int(call.first.shape[-1])
    if call.name == "scaled_dot_product_attention":
        key, value = call.argument(1, "key"), call.argument(2, "value")
        queries = math.prod(call.first.shape[:-1])
        return queries * int(key.shape[-2]) * int(key.shape[-1] + value.shape[-1])
    return 0


def field_of(call: Call, fields: Sequence[tuple[Tensor, Field]], window: Window | None) -> Field:
    """The receptive field of a call's output. fields: of its input tensors, at least one."""
    tensor, field = fields[0]
    kind = OPERATIONS.get(call.name, ("other", ""))[0]
    shape, before = tuple(call.output.shape), tuple(tensor.shape)
    if call.name in REDUCED and not any(field.spatial[axis] for axis in reduced_axes(call)):
        return Field(field.rows, field.columns, field.grid, kept_axes(before, shape, field.spatial))
    if window is not None and call.name in REDUCED:
        return field.mixed(len(shape))
    if window is not None and field.grid == before[2:]:
        move = field.transposed if call.name == "conv_transpose2d" else field.windowed
        after = move(window.kernel, window.stride, window.padding, window.dilation, shape)
        # A pool to one position sees everything: nothing moves any more.
        return after.mixed(len(shape)) if kind == "pool" and window.kernel == before[2:] else after
    if call.name == "pad" and field.spatial == (False, False, True, True) and len(call.argument(1, "pad")) <= 4:
        left, _, top, _ = (*call.argument(1, "pad"), 0, 0)[:4]
        return field.windowed((1, 1), (1, 1), (top, left), (1, 1), shape)
    if call.name in RESHAPED:
        return field.reshaped(before, shape)
    if call.name in SLICED:
        return Field(field.rows, field.columns, field.grid, kept_axes(before, shape, field.spatial))
    if call.name == "linear" and field.spatial[-1:] == (True,):
        return field.mixed(len(shape))
    if kind in ("sum", "product", "concatenation"):
        return joined_field(fields, shape)
    same = shape == before and kind not in ("attention", "convolution")
    if same or (call.name == "linear" and len(shape) == len(before)):
        return field
    return joined_field(fields, shape).mixed(len(shape))


def joined_field(fields: Sequence[tuple[Tensor, Field]], shape: tuple[int, ...]) -> Field:
    """The field of what combines several tensors position by position."""
    whole = [field for tensor, field in fields if tensor.ndim == len(shape)]
    spatial = next((f.spatial for f in whole if any(f.spatial)), (False,) * len(shape))
    result = fields[0][1]
    for _, field in fields[1:]:
        result = result.joined(field, spatial)
    alike = [field for tensor, field in fields if tuple(tensor.shape) == shape]
    # A branch that has mixed all positions, as attention does, has none of its own: its sum has the other's.
    placed = next((field for field in alike if any(field.spatial)), alike[0] if alike else fields[0][1])
    return Field(result.rows, result.columns, placed.grid, spatial)


def kept_axes(before: tuple[int, ...], after: tuple[int, ...], spatial: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which axes of a slice of a tensor are spatial: an axis that is gone was removed whole."""
    if len(before) == len(after):
        return spatial
    kept: list[bool] = []
    axis = len(before) - 1
    for size in reversed(after):
        while axis >= 0 and before[axis] != size:
            axis -= 1
        kept.append(spatial[axis] if axis >= 0 else False)
        axis -= 1
    return tuple(reversed(kept))


def permuted(function: Callable[..., Any], call: Call, field: Field) -> Field:
    """The field after a permutation of axes, found by applying it to a tensor whose axes all differ in size."""
    probe = torch.empty(tuple(range(2, 2 + call.first.ndim)), device="meta")
    moved = function(probe, *call.args[1:], **call.kwargs)
    return Field(field.rows, field.columns, field.grid, tuple(field.spatial[size - 2] for size in moved.shape))
