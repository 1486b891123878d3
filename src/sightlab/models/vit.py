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
    """The width of a transformer's tokens and its heads; all have 12 layers, and MLPs four times as wide."""

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
    dropout: float = 0.0,
) -> nn.Module:
    """torchvision's VisionTransformer with a class token, for square images of one size.

    Float [N, channels, H, H] -> logits float [N, classes]. patch_size: pixels; 0 chooses by the size of the image: 16
    as published above 64 pixels, less below (`choose_patch`). dropout: before the last layer.

    Raises ModelError for images that are not square, or patches that do not divide them.
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
    tokens, heads = SIZES[size].tokens, SIZES[size].heads
    model: Any = VisionTransformer(height, int(patch), LAYERS, heads, tokens, 4 * tokens, num_classes=classes)
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
