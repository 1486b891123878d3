"""Freezing: parts of a network that are not trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from sightlab.errors import ModelError, suggestion
from sightlab.models.load_weights import last_linear

BACKBONE = "backbone"
HIDDEN = "hidden"


class StillNorm1d(nn.BatchNorm1d):
    """A batch norm that stays in eval mode: it uses its running statistics and does not change them."""

    def train(self, mode: bool = True) -> StillNorm1d:  # noqa: ARG002 - torch's signature
        """Stay in eval mode, whatever the mode."""
        return super().train(False)


class StillNorm2d(nn.BatchNorm2d):
    """As StillNorm1d, for images."""

    def train(self, mode: bool = True) -> StillNorm2d:  # noqa: ARG002 - torch's signature
        """Stay in eval mode, whatever the mode."""
        return super().train(False)


class StillNorm3d(nn.BatchNorm3d):
    """As StillNorm1d, for volumes."""

    def train(self, mode: bool = True) -> StillNorm3d:  # noqa: ARG002 - torch's signature
        """Stay in eval mode, whatever the mode."""
        return super().train(False)


STILL: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: StillNorm1d,
    nn.BatchNorm2d: StillNorm2d,
    nn.BatchNorm3d: StillNorm3d,
}


def freeze_parts(model: nn.Module, parts: Sequence[str], say: Callable[[str], None]) -> None:
    """Freeze parts of a network, in place: their parameters take no gradients, their batch norms stay in eval mode.

    parts: names of modules, such as layer1 or features.0, or `backbone`: all but the last linear layer and hidden
    layers before it. A batch norm inside a part keeps its running statistics: statistics of new images with
    weights trained on the old ones would degrade the features. say: told how many parameters are trained.

    Raises ModelError for a name that the network does not have, or when nothing is left to train.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    >>> freeze_parts(net, ["backbone"], print)
    frozen: backbone; 6 of 30 parameters are trained
    >>> net.train()[1].training
    False
    """
    if not parts:
        return
    for part in parts:
        freeze_backbone(model) if part == BACKBONE else freeze_module(model, part)
    left = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if left == 0:
        raise ModelError(f"model.freeze: {', '.join(parts)} is the whole network; nothing is left to train")
    total = sum(p.numel() for p in model.parameters())
    say(f"frozen: {', '.join(parts)}; {left:,} of {total:,} parameters are trained")


def freeze_backbone(model: nn.Module) -> None:
    """Freeze everything except the last linear layer and the hidden layers before it, if there are any."""
    head = last_linear(model)
    if not head:
        raise ModelError("model.freeze: backbone, but the network has no linear layer at its end; name modules instead")
    spared = (f"{head}.", f"{HIDDEN}.")
    for name, module in model.named_modules():
        if not f"{name}.".startswith(spared):
            hold(module)


def freeze_module(model: nn.Module, part: str) -> None:
    """Freeze the module of this name and all within it. Raises ModelError when there is none."""
    known = [name for name, module in model.named_modules() if name and any(True for _ in module.parameters())]
    if part not in known:
        raise ModelError(f"model.freeze: the network has no module '{part}'; {suggestion(part, shortest(known))}")
    for module in model.get_submodule(part).modules():
        hold(module)


def shortest(names: Sequence[str]) -> list[str]:
    """The names without a dot, or all names when there are none."""
    return [name for name in names if "." not in name] or list(names)


def hold(module: nn.Module) -> None:
    """Freeze a module's own parameters; a batch norm becomes one that stays in eval mode."""
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad_(False)
    still = STILL.get(type(module))
    if still is not None:
        module.__class__ = still
        module.train()
