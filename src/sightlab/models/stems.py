"""How a network's first layers meet an image: large strides for large images, small ones for small."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sightlab.errors import ModelError

LARGEST_FOR_3X3 = 64


@dataclass(frozen=True)
class Stem:
    """The first convolution and the max pool behind it. size, stride, padding: of the convolution, in pixels.

    pool: (size, stride, padding) of the max pool, or None for no pool.

    >>> Stem(7, 2, 3, pool=(3, 2, 1)).convolution(3, 64)
    Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)
    """

    size: int
    stride: int
    padding: int
    pool: tuple[int, int, int] | None = None

    def convolution(self, channels: int, width: int) -> nn.Conv2d:
        """[N, channels, H, W] -> [N, width, H', W'], without a bias."""
        return nn.Conv2d(channels, width, self.size, stride=self.stride, padding=self.padding, bias=False)

    def pooling(self) -> nn.Module:
        """The max pool, or the identity."""
        return nn.MaxPool2d(self.pool[0], self.pool[1], self.pool[2]) if self.pool else nn.Identity()


STEMS = {"3x3": Stem(3, 1, 1), "7x7": Stem(7, 2, 3, pool=(3, 2, 1))}


def choose_stem(stem: str, height: int, width: int) -> str:
    """The stem itself, or for `auto` the one that suits images of this size.

    >>> choose_stem("auto", 32, 32), choose_stem("auto", 224, 224), choose_stem("7x7", 32, 32)
    ('3x3', '7x7', '7x7')

    Raises ModelError for a stem that is none of auto, 3x3 and 7x7.
    """
    if stem == "auto":
        return "3x3" if is_small(height, width) else "7x7"
    if stem not in STEMS:
        raise ModelError(f"unknown stem '{stem}'; known: auto, {', '.join(STEMS)}")
    return stem


def is_small(height: int, width: int) -> bool:
    """Whether an image is too small for strides designed for 224 x 224.

    >>> is_small(64, 64), is_small(32, 65)
    (True, False)
    """
    return max(height, width) <= LARGEST_FOR_3X3


def stem_choice(name: str, height: int, width: int) -> str:
    """The line that says which stem was chosen for images of this size.

    >>> stem_choice("resnet18", 32, 32)
    'resnet18: 3x3 stem without pooling for 32 x 32 images; stem=7x7 overrides'
    """
    stem = choose_stem("auto", height, width)
    pooling, other = ("without", "7x7") if stem == "3x3" else ("with", "3x3")
    return f"{name}: {stem} stem {pooling} pooling for {height} x {width} images; stem={other} overrides"
