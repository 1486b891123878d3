"""What the augmentation tests share: pictures, and torchvision applied to each image of a batch on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

SHAPES = [(28, 28, 1), (32, 32, 3), (17, 23, 3), (31, 8, 1)]
# Seeds are fixed, so a test either always passes or never; chance alone would put a p-value below this once in 10,000.
UNLIKELY = 1e-4


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Images one at a time are no work for two threads. For a module that imports this."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pictures(count: int, height: int, width: int, channels: int, seed: int = 0) -> Tensor:
    """Pictures of several kinds: noise, low contrast, smooth, few levels, flat, black. uint8 [count, H, W, C]."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, height, width, channels), generator=generator, dtype=torch.uint8)
    slope = torch.linspace(0, 255, height * width).view(height, width, 1).to(torch.uint8)
    for place in range(count):
        kind = place % 8
        if kind == 1:
            images[place] = images[place] // 8 + 100
        elif kind == 2:
            images[place] = slope
        elif kind == 3:
            images[place] = images[place] // 64 * 64
        elif kind == 4:
            images[place] = images[place, :1, :1]
        elif kind == 5:
            images[place, 1:] = 0
        elif kind == 6:
            images[place] = slope // 2 + images[place] // 4
    return images


def each(function: Callable[..., Tensor], images: Tensor, *parameters: Sequence[Any]) -> Tensor:
    """function(image [C, H, W], its parameters) for every image. images: [B, H, W, C]. Gives [B, H', W', C]."""
    rows = zip(images, *parameters, strict=True)
    return torch.stack([function(image.permute(2, 0, 1), *values).permute(1, 2, 0) for image, *values in rows])


def furthest(first: Tensor, second: Tensor) -> int:
    """The largest difference in grey levels of two batches of bytes."""
    assert first.shape == second.shape and first.dtype == second.dtype == torch.uint8
    return int((first.int() - second.int()).abs().max())
