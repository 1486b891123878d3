"""Looks at the activations of stages while a network runs, without keeping them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from sightlab.lens.anatomy import Stage
from sightlab.lens.tracer import tensors_in

Look = Callable[[Stage, Tensor], None]


@contextmanager
def looking_at(net: nn.Module, stages: Sequence[Stage], look: Look) -> Iterator[None]:
    """Within the context, `look` is called with each stage and its maps, float [N, C, h, w], when its module has run.

    A module that runs several times in a pass is looked at each time, the last time last.
    """
    named = dict(net.named_modules())

    def hook_of(stage: Stage) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            look(stage, stage.as_maps(tensors_in([output])[0].detach()))

        return hook

    hooks = [named[stage.module].register_forward_hook(hook_of(stage)) for stage in stages]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
