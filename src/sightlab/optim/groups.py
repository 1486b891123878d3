"""Parameter groups: which parameters decay, which move at a learning rate of their own, which are hidden matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

Groups = list[dict[str, Any]]

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


def parameter_groups(
    model: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    decay_norms_and_biases: bool = False,
    bias_lr_factor: float = 1.0,
) -> Groups:
    """The parameters that take gradients, in the model's order: those that decay, those that do not, biases of norms.

    What normalisation layers own, biases, and whatever else has at most one dimension is spared the decay, unless
    decay_norms_and_biases: He et al. 2019, Bag of tricks, section 3.1. Such a group says `spared`: True.

    Biases of normalisation layers have a group of their own, with lr * bias_lr_factor, when that is not 1: Jordan
    2024, 94% on CIFAR-10 in 3.29 seconds (there 64). Their decay is divided by the factor, as it is there: a step
    shrinks a weight by lr * weight_decay, and the factor is for the learning rate alone.

    Each group has `params`, `lr`, `weight_decay` and `spared`; one without parameters is left out.

    >>> net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    >>> groups = parameter_groups(net, lr=0.1, weight_decay=0.01, bias_lr_factor=8)
    >>> [(group["lr"], group["weight_decay"], len(group["params"])) for group in groups]
    [(0.1, 0.01, 1), (0.1, 0.0, 2), (0.8, 0.0, 1)]
    """
    spared = set() if decay_norms_and_biases else set(norms_and_biases(model))
    biases = set() if bias_lr_factor == 1 else set(norm_biases(model))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    others_decay = weight_decay if decay_norms_and_biases else 0.0
    groups: Groups = [
        {
            "params": [p for p in trained if p not in spared and p not in biases],
            "lr": lr,
            "weight_decay": weight_decay,
            "spared": False,
        },
        {
            "params": [p for p in trained if p in spared and p not in biases],
            "lr": lr,
            "weight_decay": 0.0,
            "spared": True,
        },
        {
            "params": [p for p in trained if p in biases],
            "lr": lr * bias_lr_factor,
            "weight_decay": others_decay / bias_lr_factor,
            "spared": not decay_norms_and_biases,
        },
    ]
    return [group for group in groups if group["params"]]


def norms_and_biases(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of normalisation layers, those called bias, and those of at most one dimension."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, NORMS) or name == "bias" or parameter.ndim <= 1:
                yield parameter


def norm_biases(model: nn.Module) -> Iterator[nn.Parameter]:
    """The biases of normalisation layers."""
    for module in model.modules():
        if isinstance(module, NORMS):
            yield from (p for name, p in module.named_parameters(recurse=False) if name == "bias")


def hidden_matrices(model: nn.Module) -> list[Tensor]:
    """The weights of linear layers and of convolutions without groups, but for the model's first and last.

    First and last are taken in the order in which the layers were registered: what sees the pixels and what gives
    the logits. A grouped convolution's weight is no matrix from its inputs to its outputs, but one a group.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 2))
    >>> [tuple(weight.shape) for weight in hidden_matrices(net)]
    [(8, 8, 3, 3)]
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)]
    ends = {layer.weight for layer in (*layers[:1], *layers[-1:])}
    matrices = (layer.weight for layer in layers if getattr(layer, "groups", 1) == 1)
    return [weight for weight in matrices if weight.requires_grad and weight not in ends]
