"""Vision transformers (Dosovitskiy et al. 2021), torchvision's, with patch sizes that fit the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from sightlab.errors import ModelError
from sightlab.models.head import DropoutLinear
from sightlab.models.stems import is_small

LAYERS = 12
PUBLISHED_PATCH = 16
# Small images are cut into about this many patches a side.
PATCHES_A_SIDE = 8


@dataclass(frozen=True)
class Size:
    """The width of a transformer's tokens and its heads; published ones have 12 layers, and MLPs four times as wide."""

    tokens: int
    heads: int


# Tiny and small: Touvron et al. 2021, Training data-efficient image transformers, table 1. Base: the first paper's.
SIZES = {"tiny": Size(192, 3), "small": Size(384, 6), "base": Size(768, 12)}


def vit(
    *,
    size: str,
    channels: int,
    classes: int,
    height: int,
    width: int,
    say: Callable[[str], None],
    patch_size: int = 0,
    depth: int = LAYERS,
    embed_dim: int = 0,
    num_heads: int = 0,
    dropout: float = 0.0,
) -> nn.Module:
    """torchvision's VisionTransformer with a class token, for square images of one size.

    Float [N, channels, H, H] -> logits float [N, classes]. patch_size: pixels; 0 chooses by the size of the image: 16
    as published above 64 pixels, less below (`choose_patch`). depth: transformer layers. embed_dim, num_heads: the
    width of a token and the heads that share it; 0 for those of the size. dropout: before the last layer.

    Raises ModelError for images that are not square, patches that do not divide them, or heads that do not divide the
    width of a token.
    """
    from torchvision.models import VisionTransformer

    name = f"vit-{size}"
    if height != width:
        raise ModelError(
            f"{name} takes square images, not {height} x {width}; data.size={min(height, width)} crops them"
        )
    patch = patch_size or choose_patch(name, height)
    if patch != int(patch) or patch < 1 or height % patch:
        raise ModelError(f"{name}: patches of {patch} x {patch} pixels do not divide images of {height} x {width}")
    if not patch_size and patch != PUBLISHED_PATCH:
        say(
            f"{name}: {patch} x {patch} patches, {height // patch} a side, for {height} x {width} images; "
            "options.patch_size overrides"
        )
    tokens, heads = embed_dim or SIZES[size].tokens, num_heads or SIZES[size].heads
    check_sizes(name, depth=depth, embed_dim=tokens, num_heads=heads)
    model: Any = VisionTransformer(height, int(patch), depth, heads, tokens, 4 * tokens, num_classes=classes)
    if channels != model.conv_proj.in_channels:
        model.conv_proj = nn.Conv2d(channels, tokens, int(patch), stride=int(patch))
        nn.init.trunc_normal_(model.conv_proj.weight, std=(channels * patch * patch) ** -0.5)
        nn.init.zeros_(model.conv_proj.bias)
    # torchvision starts the head at zero, which stops every gradient behind it at the first step.
    model.heads.head = DropoutLinear(tokens, classes, dropout)
    nn.init.trunc_normal_(model.heads.head.weight, std=0.02)
    nn.init.zeros_(model.heads.head.bias)
    checked: nn.Module = model
    return checked


def check_sizes(name: str, **sizes: int) -> None:
    """Raises ModelError for sizes of which no transformer can be made: depth, embed_dim and num_heads."""
    for option, value in sizes.items():
        if value != int(value) or value < 1:
            raise ModelError(f"option {option} of model {name} is {value}; it must be a whole number of at least 1")
    if sizes["embed_dim"] % sizes["num_heads"]:
        raise ModelError(
            f"{name}: {sizes['num_heads']} heads do not divide tokens of {sizes['embed_dim']}; "
            "options.num_heads and options.embed_dim set both"
        )


def choose_patch(name: str, side: int) -> int:
    """The patch size for images of this side, pixels: 16 where it divides a large one, else what gives about 8 a side.

    >>> [choose_patch("vit-tiny", side) for side in (28, 32, 64, 96, 224)]
    [4, 4, 8, 16, 16]

    Raises ModelError when no patch of at least 2 pixels divides the side into 4 or more.
    """
    wanted = side / PATCHES_A_SIDE if is_small(side, side) else PUBLISHED_PATCH
    fitting = [patch for patch in range(2, side // 4 + 1) if side % patch == 0]
    if not fitting:
        raise ModelError(
            f"{name}: no patches divide images of {side} x {side} into 4 a side or more; "
            f"data.size={side // 4 * 4 if side >= 8 else 8} works"
        )
    return min(fitting, key=lambda patch: abs(patch - wanted))
