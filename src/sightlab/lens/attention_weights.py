"""The weights with which a network attends, read while it runs, however its code attends."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it
from torch.overrides import TorchFunctionMode

from sightlab.lens.operations import plain_name


@contextmanager
def attention_weights(net: nn.Module, modules: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within the context, the weights with which each named module attended when it last ran, by name.

    modules: such as `Anatomy.attention`. Each gives float [N, heads, queries, keys], rows that sum to 1; with windows,
    [N * windows, heads, ...]; code of one's own may have its own shape. The network's outputs are computed from these
    very tensors, so gradients flow through them. Modules that attend without a softmax, such as linear attention, are
    missing. Fused kernels, which never hold the weights, are replaced meanwhile: outputs differ by rounding.
    """
    reader = WeightReader()
    named = dict(net.named_modules())
    with ExitStack() as stack:
        for name in modules:
            stack.callback(named[name].register_forward_pre_hook(reader.entering(name)).remove)
            stack.callback(named[name].register_forward_hook(reader.leave).remove)
        stack.enter_context(reader)
        yield reader.weights


class WeightReader(TorchFunctionMode):
    """Keeps the attention weights of the modules that run while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[str, Tensor] = {}
        self.running: list[str] = []

    def entering(self, name: str) -> Callable[[nn.Module, object], None]:
        """A forward pre-hook of the module of this name."""
        return lambda _module, _inputs: self.running.append(name)

    def leave(self, _module: nn.Module, _inputs: object, _output: object) -> None:
        """A forward hook."""
        self.running.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function; if it attends, by a form of it that gives the weights."""
        keywords = kwargs or {}
        name = plain_name(func)
        if not self.running or name not in ("softmax", *EXPLICIT):
            return func(*args, **keywords)
        if name in EXPLICIT:
            result, weights = EXPLICIT[name](*args, **keywords)
        else:
            result = weights = func(*args, **keywords)
            axis = args[1] if len(args) > 1 else keywords.get("dim")
            if weights.ndim < 3 or axis not in (-1, weights.ndim - 1):
                return result
        self.weights[self.running[-1]] = weights
        return result


def scaled_dot_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - as torch has it
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """torch's `scaled_dot_product_attention` without dropout, and its weights [..., queries, keys]."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = scores.softmax(-1)
    return weights @ value, weights


def multi_head(*args: Any, **keywords: Any) -> tuple[tuple[Tensor, Tensor | None], Tensor]:
    """torch's `multi_head_attention_forward` without dropout, and its weights [N, heads, queries, keys].

    The weights are torch's own, with its masks. What torch returns is a copy that its output does not depend on, so the
    sum over the values is computed here from them, but for keys and values that are not from the input.
    """
    call = inspect.signature(F.multi_head_attention_forward).bind(*args, **keywords)
    call.apply_defaults()
    given = call.arguments
    wanted = given["need_weights"], given["average_attn_weights"]
    given |= {"need_weights": True, "average_attn_weights": False}
    output, weights = F.multi_head_attention_forward(*call.args, **call.kwargs)
    assert weights is not None
    if (
        given["value"].ndim == 3
        and given["bias_v"] is None
        and not given["add_zero_attn"]
        and given["static_v"] is None
    ):
        size, bias = given["embed_dim_to_check"], given["in_proj_bias"]
        matrix = given["v_proj_weight"] if given["use_separate_proj_weight"] else given["in_proj_weight"][-size:]
        values = F.linear(given["value"], matrix, None if bias is None else bias[-size:])  # [keys, N, features]
        heads = values.view(*values.shape[:2], given["num_heads"], -1).permute(1, 2, 0, 3)
        summed = (weights @ heads).permute(2, 0, 1, 3).flatten(2)
        output = F.linear(summed, given["out_proj_weight"], given["out_proj_bias"])
    told = (weights.mean(1) if wanted[1] else weights) if wanted[0] else None
    return (output, told), weights


EXPLICIT: dict[str, Callable[..., tuple[Any, Tensor]]] = {
    "scaled_dot_product_attention": scaled_dot_product,
    "multi_head_attention_forward": multi_head,
}
