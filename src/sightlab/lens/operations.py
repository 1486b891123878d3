"""torch's functions as layers of a network: what each is called, its window, its multiply-adds, what its places see."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sightlab.lens.layers import Window
from sightlab.lens.receptive_field import Field, Pair

# The name of a function without underscores -> kind and words. A function of another name that leaves the shape as it
# is (a division by a constant) is no layer, and neither are those that only look at a tensor in another way.
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
SPELLED = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "multiply": "mul", "rmatmul": "matmul"}
PERMUTED = ("permute", "transpose", "swapaxes", "swapdims", "movedim", "t", "__get__")
RESHAPED = ("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze", "contiguous", "clone", "detach")
CUT = ("unbind", "chunk", "split", "select", "getitem", "narrow", "expand")
REDUCED = ("mean", "sum", "amax")


@dataclass(frozen=True)
class Used:
    """A call of one of torch's functions: its plain name, its arguments, the tensor that it gave."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Tensor

    def value(self, place: int, name: str, default: Any = None) -> Any:
        """An argument, by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    @property
    def first(self) -> Tensor:
        """What it was applied to."""
        found: Tensor = self.value(0, "input", self.kwargs.get("query"))
        return found


def plain_name(function: Callable[..., Any]) -> str:
    """What a function does, whichever of torch's spellings it has.

    >>> plain_name(torch.relu_), plain_name(Tensor.__iadd__)
    ('relu', 'add')
    """
    name = getattr(function, "__name__", "")
    if name == "__get__":
        return name
    bare = name.strip("_")
    return SPELLED.get(bare, bare)


def pair(value: int | Sequence[int]) -> Pair:
    """(rows, columns) of what torch takes as one number or two."""
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return int(first), int(rest[0] if rest else first)


def window_of(used: Used) -> Window | None:
    """The window of a convolution or a pool over a map; None for what has none."""
    if OPERATIONS.get(used.name, ("", ""))[0] not in ("convolution", "pool") or used.first.ndim != 4:
        return None
    if used.name == "conv2d":
        kernel = pair(used.value(1, "weight").shape[2:])
        stride, dilation = pair(used.value(3, "stride", 1)), pair(used.value(5, "dilation", 1))
        return Window(kernel, stride, padding_of(used.value(4, "padding", 0), kernel, dilation), dilation)
    if used.name == "conv_transpose2d":
        kernel = pair(used.value(1, "weight").shape[2:])
        stride, padding = pair(used.value(3, "stride", 1)), pair(used.value(4, "padding", 0))
        return Window(kernel, stride, padding, pair(used.value(7, "dilation", 1)))
    if used.name in ("max_pool2d", "avg_pool2d"):
        kernel = pair(used.value(1, "kernel_size"))
        stride, padding = used.value(2, "stride"), pair(used.value(3, "padding", 0))
        dilation = pair(used.value(4, "dilation", 1)) if used.name == "max_pool2d" else (1, 1)
        return Window(kernel, pair(stride) if stride else kernel, padding, dilation)
    if used.name.startswith("adaptive"):
        before, after = used.first.shape[2:], used.output.shape[2:]
        if all(n % m == 0 for n, m in zip(before, after, strict=True)):
            kernel = before[0] // after[0], before[1] // after[1]
            return Window(kernel, kernel)
    if used.name in REDUCED and reduces(used) >= {2, 3}:
        kernel = pair(used.first.shape[2:])
        return Window(kernel, kernel)
    return None


def padding_of(padding: Any, kernel: Pair, dilation: Pair) -> Pair:
    """(rows, columns) of padding before the first place: torch's `same` puts the odd one after the last."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
    return pair(padding)


def reduces(used: Used) -> set[int]:
    """The axes that a mean, a sum or a maximum takes together."""
    axes = used.value(1, "dim", used.kwargs.get("axis"))
    every = range(used.first.ndim)
    if axes is None or axes == ():
        return set(every)
    return {axis % used.first.ndim for axis in ([axes] if isinstance(axes, int) else axes)}


def macs_of(used: Used) -> int:
    """Multiply-adds of one call: of convolutions, linear layers, matrix products and attention; of all else none."""
    out = used.output
    if used.name == "conv2d":
        return out.numel() * int(math.prod(used.value(1, "weight").shape[1:]))
    if used.name == "conv_transpose2d":
        return used.first.numel() * int(math.prod(used.value(1, "weight").shape[1:]))
    if used.name == "linear":
        return out.numel() * int(used.value(1, "weight").shape[1])
    if used.name in ("matmul", "bmm"):
        return out.numel() * int(used.first.shape[-1])
    if used.name == "scaled_dot_product_attention":
        key, value = used.value(1, "key"), used.value(2, "value")
        queries = math.prod(used.first.shape[:-1])
        return queries * int(key.shape[-2]) * int(key.shape[-1] + value.shape[-1])
    return 0


def field_of(used: Used, fields: Sequence[tuple[Tensor, Field]], window: Window | None) -> Field:
    """What the places of a call's output depend on. fields: those of the tensors that it takes, at least one."""
    tensor, field = fields[0]
    kind = OPERATIONS.get(used.name, ("other", ""))[0]
    shape, before = tuple(used.output.shape), tuple(tensor.shape)
    if used.name in REDUCED and not any(field.placed[axis] for axis in reduces(used)):
        return Field(field.rows, field.columns, field.grid, kept_axes(before, shape, field.placed))
    if window is not None and used.name in REDUCED:
        return field.mixed(len(shape))
    if window is not None and field.grid == before[2:]:
        move = field.spread if used.name == "conv_transpose2d" else field.windowed
        after = move(window.kernel, window.stride, window.padding, window.dilation, shape)
        # A pool to one place sees what there is: nothing moves any more.
        return after.mixed(len(shape)) if kind == "pool" and window.kernel == before[2:] else after
    if used.name in RESHAPED:
        return field.reshaped(before, shape)
    if used.name in CUT:
        return Field(field.rows, field.columns, field.grid, kept_axes(before, shape, field.placed))
    if used.name == "linear" and field.placed[-1:] == (True,):
        return field.mixed(len(shape))
    if kind in ("sum", "product", "concatenation"):
        return joined(fields, shape)
    same = shape == before and kind not in ("attention", "convolution")
    if same or (used.name == "linear" and len(shape) == len(before)):
        return field
    return joined(fields, shape).mixed(len(shape))


def joined(fields: Sequence[tuple[Tensor, Field]], shape: tuple[int, ...]) -> Field:
    """The field of what takes several tensors together, place by place."""
    whole = [field for tensor, field in fields if tensor.ndim == len(shape)]
    placed = next((f.placed for f in whole if any(f.placed)), (False,) * len(shape))
    result = fields[0][1]
    for _, field in fields[1:]:
        result = result.joined(field, placed)
    grid = next((field.grid for tensor, field in fields if tuple(tensor.shape) == shape), fields[0][1].grid)
    return Field(result.rows, result.columns, grid, placed)


def kept_axes(before: tuple[int, ...], after: tuple[int, ...], placed: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which axes of a part of a tensor go from place to place: an axis that is gone was cut out whole."""
    if len(before) == len(after):
        return placed
    kept: list[bool] = []
    place = len(before) - 1
    for size in reversed(after):
        while place >= 0 and before[place] != size:
            place -= 1
        kept.append(placed[place] if place >= 0 else False)
        place -= 1
    return tuple(reversed(kept))


def permuted(function: Callable[..., Any], used: Used, field: Field) -> Field:
    """The field after a change of the axes' order, found by doing it to a tensor whose axes all differ in size."""
    probe = torch.empty(tuple(range(2, 2 + used.first.ndim)), device="meta")
    moved = function(probe, *used.args[1:], **used.kwargs)
    return Field(field.rows, field.columns, field.grid, tuple(field.placed[size - 2] for size in moved.shape))
