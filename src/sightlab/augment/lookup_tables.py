"""Pixelwise operations as lookup tables: 256 bytes for each image, and one gather for all of them.

A table costs at most a quarter of the arithmetic on a small image, and tables of different operations share one
gather. Each function gives tables uint8 [B, C, 256], or [B, 1, 256] where all channels share one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightlab.errors import RecipeError

HISTOGRAMS_AT_ONCE = 32


def through_tables(images: Tensor, tables: Tensor) -> Tensor:
    """Each byte replaced by its entry in the image's table. images: uint8 [B, H, W, C]. Gives the same shape."""
    return tables.reshape(-1).index_select(0, table_places(images, tables.shape[1])).view(images.shape)


def table_places(images: Tensor, tables: int) -> Tensor:
    """The index of each byte in all tables of a batch: 256 x its table's number + its value. int32 [B * H * W * C].

    tables: an image; 1, or one for each channel.
    """
    count, height, width, channels = images.shape
    firsts = torch.arange(count * tables, device=images.device, dtype=torch.int32).view(count, 1, tables) * 256
    if tables > 1:
        # A line's worth of offsets: additions over long rows are several times faster than over pixels of 3 bytes.
        firsts = firsts.expand(count, width, tables).reshape(count, 1, width * tables)
    return images.reshape(count, height, width * channels).to(torch.int32).add_(firsts).view(-1)


def levels(images: Tensor) -> Tensor:
    """0 to 255, float32 [256], on the images' device."""
    return torch.arange(256, device=images.device, dtype=torch.float32)


def as_tables(values: Tensor) -> Tensor:
    """Values cut to [0, 255] and rounded down, as tables shared by the channels. values: float32 [B, 256]."""
    return values.clamp_(0, 255).to(torch.uint8).unsqueeze(1)


def brightness_tables(images: Tensor, factors: Tensor) -> Tensor:
    """Levels times a factor; 0 is black, 1 unchanged. factors: float32 [B], at least 0."""
    return as_tables(levels(images) * factors[:, None])


def contrast_tables(images: Tensor, factors: Tensor) -> Tensor:
    """Levels moved away from the image's mean grey level; 0 is flat grey, 1 unchanged. factors: float32 [B].

    Raises RecipeError unless the images have 1 or 3 channels.
    """
    means = grey_levels(images).mean((1, 2), dtype=torch.float64 if images.device.type != "mps" else torch.float32)
    pull = (means.float() * (1 - factors))[:, None]
    return as_tables((levels(images) * factors[:, None]).add_(pull))


def posterize_tables(images: Tensor, bits: Tensor) -> Tensor:
    """Only the highest bits of each level kept. bits: whole numbers in [0, 8], any dtype, [B]."""
    masks = torch.bitwise_left_shift(torch.full_like(bits, 255, dtype=torch.int64), 8 - bits.long())
    return (torch.arange(256, device=images.device) & masks[:, None]).to(torch.uint8).unsqueeze(1)


def solarize_tables(images: Tensor, thresholds: Tensor) -> Tensor:
    """Levels at or above a threshold inverted. thresholds: float32 [B]."""
    value = levels(images)
    return as_tables(torch.where(value >= thresholds[:, None], 255 - value, value))


def invert_tables(images: Tensor) -> Tensor:
    """Levels inverted."""
    return as_tables((255 - levels(images)).expand(len(images), 256).clone())


def autocontrast_tables(images: Tensor) -> Tensor:
    """Each channel's levels stretched so that its darkest is 0 and its brightest 255; a flat channel stays."""
    count, height, width, channels = images.shape
    # Whole lines first, then the pixels of one line: long rows reduce ten times faster than pixels of 3 bytes.
    lines = images.reshape(count, height, width * channels).aminmax(dim=1)
    low = lines.min.view(count, width, channels).amin(1).float()
    high = lines.max.view(count, width, channels).amax(1).float()
    flat = high == low
    low.masked_fill_(flat, 0)
    step = ((high - low) * (1 / 255)).masked_fill_(flat, 1)
    values = (levels(images) - low[:, :, None]).div_(step[:, :, None])
    return values.clamp_(0, 255).to(torch.uint8)


def equalize_tables(images: Tensor) -> Tensor:
    """Each channel's levels spread so that its histogram is as flat as it can be, by Pillow's rule.

    With n pixels outside the brightest level that occurs and step = n // 255, level v becomes
    (pixels darker than v + step // 2) // step, at most 255; a channel with step 0 stays.
    """
    # Counts are below 2**24, so that float32 and the floor of its quotients are exact; dividing integers is slow.
    counts = torch.cat([histograms(part) for part in torch.split(images, HISTOGRAMS_AT_ONCE)]).float()
    darker = counts.cumsum(2).sub_(counts)
    # The brightest level that occurs has the most darker pixels of all levels that occur.
    step = (counts.clamp_(max=1).mul_(darker).amax(2, keepdim=True) / 255).floor_()
    spread = darker.add_(step.div(2).floor_()).div_(step.clamp(min=1)).clamp_(max=255)
    return spread.lerp_(levels(images), (step == 0).float()).to(torch.uint8)


def histograms(images: Tensor) -> Tensor:
    """How often each level occurs, a channel each. images: uint8 [B, H, W, C]. Gives int64 [B, C, 256]."""
    count, channels = len(images), images.shape[3]
    places = table_places(images, channels)
    return torch.bincount(places, minlength=count * channels * 256).view(count, channels, 256)


def grey_levels(images: Tensor) -> Tensor:
    """The grey level of each pixel, rounded down: 0.2989 R + 0.587 G + 0.114 B. Whole numbers, float32 [B, H, W].

    images: uint8 [B, H, W, C]. Raises RecipeError unless they have 1 or 3 channels.
    """
    if images.shape[3] == 1:
        return images[..., 0].float()
    if images.shape[3] != 3:
        raise RecipeError(f"changes of colour take grey or RGB images; these have {images.shape[3]} channels")
    red, green, blue = images.float().unbind(3)
    # In ten thousandths every sum is a whole number below 2**24, so float32 is exact on every device. The half
    # keeps whole levels from being rounded down to the level below.
    weighed = (red * 2989).add_(green * 5870).add_(blue * 1140)
    return weighed.add_(0.5).mul_(1e-4).floor_()
