"""Parameter groups: which parameters have weight decay, a learning rate of their own, or are hidden matrices."""

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


def by_layer(model: nn.Module, groups: Groups, decay: float) -> Groups:
    """Each group as one a layer, the last layer's first, with lr * decay ** (layers behind it).

    So the first group moves at lr itself, and the layers that see the pixels, whose features fit most tasks, move
    least: Clark et al. 2020, ELECTRA, appendix B; Bao et al. 2022, BEiT, appendix. Weight decay stays as it is.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 2))
    >>> [round(group["lr"], 3) for group in by_layer(net, parameter_groups(net, lr=0.1, weight_decay=0), 0.5)]
    [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    """
    layers = layer_numbers(model)
    last = max(layers.values())
    split: Groups = []
    for number in range(last, -1, -1):
        for group in groups:
            inside = [p for p in group["params"] if layers[p] == number]
            split.append({**group, "params": inside, "lr": group["lr"] * decay ** (last - number)})
    return [group for group in split if group["params"]]


def layer_numbers(model: nn.Module) -> dict[nn.Parameter, int]:
    """The layer of each parameter, from 0 for what sees the pixels, in the order of registration.

    A layer is what stands under the first part of a name that ends in a digit (layer3, blocks.7, features.2), else the
    module itself. All that comes before the first such name is one layer: a transformer's class token, positions
    and patches. Normalisation between layers belongs to the layer before it.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    >>> list(layer_numbers(net).values())
    [0, 0, 0, 0, 1, 1]
    """
    norms = {p for m in model.modules() if isinstance(m, NORMS) for p in m.parameters(recurse=False)}
    layers: list[list[nn.Parameter]] = []
    names: list[str] = []
    for name, parameter in model.named_parameters():
        layer = layer_name(name)
        if names and (layer == names[-1] or not any(each[-1:].isdigit() for each in (*names, layer))):
            layers[-1].append(parameter)
        else:
            layers.append([parameter])
            names.append(layer)
    joined = join_norms(layers, norms)
    return {parameter: number for number, parameters in enumerate(joined) for parameter in parameters}


def join_norms(layers: list[list[nn.Parameter]], norms: set[nn.Parameter]) -> list[list[nn.Parameter]]:
    """The layers, those that consist of normalisation only joined to the one before."""
    joined: list[list[nn.Parameter]] = []
    for parameters in layers:
        if joined and norms.issuperset(parameters):
            joined[-1] += parameters
        else:
            joined.append(list(parameters))
    return joined


def layer_name(parameter: str) -> str:
    """The layer that a parameter's dotted name belongs to.

    >>> layer_name("layer1.0.conv2.weight"), layer_name("encoder.pos_embedding"), layer_name("fc.weight")
    ('layer1', 'encoder', 'fc')
    """
    parts = parameter.split(".")[:-1]
    for place, part in enumerate(parts):
        if part[-1:].isdigit():
            return ".".join(parts[: place + 1])
    return ".".join(parts)


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
