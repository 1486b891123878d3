"""Colour: brightness, contrast, saturation, hue, sharpness, and operations on grey levels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.augment.chunks import apply_to_rows
from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.lookup_tables import (
    autocontrast_tables,
    brightness_tables,
    contrast_tables,
    equalize_tables,
    grey_levels,
    posterize_tables,
    solarize_tables,
    through_tables,
)

# Every function here takes images uint8 [B, H, W, C] and one parameter for each [B], returns the same shape, and
# equals the function of torchvision.transforms.v2.functional that its docstring names.


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """adjust_brightness, exactly. factors: float32 [B], at least 0; 1 changes nothing."""
    return through_tables(images, brightness_tables(images, factors))


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """adjust_contrast, to 1 grey level. factors: float32 [B], at least 0; 1 changes nothing. C is 1 or 3."""
    return through_tables(images, contrast_tables(images, factors))


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """posterize, exactly. bits: whole numbers in [0, 8], any dtype, [B]; 8 changes nothing."""
    return through_tables(images, posterize_tables(images, bits))


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """solarize, exactly. thresholds: float32 [B]; levels at or above are inverted."""
    return through_tables(images, solarize_tables(images, thresholds))


def invert(images: Tensor) -> Tensor:
    """invert, exactly."""
    return 255 - images


def autocontrast(images: Tensor) -> Tensor:
    """autocontrast, exactly."""
    return through_tables(images, autocontrast_tables(images))


def equalize(images: Tensor) -> Tensor:
    """equalize, exactly."""
    return through_tables(images, equalize_tables(images))


def greyscale(images: Tensor) -> Tensor:
    """rgb_to_grayscale with as many channels as before, to 1 grey level (3 of 2**24 colours differ). C is 1 or 3."""
    return grey_levels(images).to(torch.uint8).unsqueeze(3).expand(images.shape).contiguous()


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """adjust_saturation, to 1 grey level. factors: float32 [B], at least 0; 0 is grey. C is 1 (unchanged) or 3."""
    if images.shape[3] == 1:
        return images
    share = factors.view(-1, 1, 1, 1)
    grey = grey_levels(images).unsqueeze(3) * (1 - share)
    return images.float().mul_(share).add_(grey).clamp_(0, 255).to(torch.uint8)


def sharpness(images: Tensor, factors: Tensor) -> Tensor:
    """adjust_sharpness, to 1 grey level. factors: float32 [B], at least 0; 0 is blurred, 1 unchanged, 2 sharp.

    The blur is the mean of 3 x 3 pixels, the centre with weight 5; the outermost pixels stay. An image of 2 pixels
    or fewer on a side has no other pixels.
    """
    height, width = images.shape[1:3]
    if height <= 2 or width <= 2:
        return images
    values = images.float()
    inner = values[:, 1:-1, 1:-1]
    across = values[:, :, :-2] + values[:, :, 1:-1]
    across += values[:, :, 2:]
    blurred = across[:, :-2] + across[:, 1:-1]
    blurred += across[:, 2:]
    # Sums of bytes are exact, and a thirteenth of a whole number is never near a half: no device rounds otherwise.
    blurred.add_(inner, alpha=4).mul_(1 / 13).round_().sub_(inner).mul_((1 - factors).view(-1, 1, 1, 1))
    inner += blurred
    return values.clamp_(0, 255).to(torch.uint8)


def hue(images: Tensor, shifts: Tensor) -> Tensor:
    """adjust_hue, to 1 grey level. shifts: float32 [B] in [-0.5, 0.5], parts of the circle. C is 1 (unchanged) or 3.

    Raises RecipeError for another number of channels.
    """
    if images.shape[3] != 3:
        grey_levels(images)
        return images
    red, green, blue = images.permute(3, 0, 1, 2).float()
    most = torch.maximum(torch.maximum(red, green), blue)
    spread = most - torch.minimum(torch.minimum(red, green), blue)
    divisor = spread.clamp(min=1)
    # Sixths of the circle, from red. Where two channels are brightest, the earlier decides, as in torchvision.
    # (A lerp by 0 or 1 gives one of its ends exactly, and is several times as fast as a where.)
    sixths = ((red - green) / divisor).add_(4)
    sixths.lerp_(((blue - red) / divisor).add_(2), (most == green).float())
    sixths.lerp_((green - blue) / divisor, (most == red).float()).add_(6 * shifts.view(-1, 1, 1))
    sixths.sub_(torch.floor(sixths * (1 / 6)).mul_(6))
    result = torch.empty_like(images)
    for channel, full in enumerate((0, 2, 4)):
        # A channel is brightest up to a sixth from its own hue, darkest from two sixths on, and linear in between.
        dip = (sixths - full).abs_().sub_(3).abs_().neg_().add_(2).clamp_(0, 1)
        # torchvision rounds down after scaling by 255.999, so that whole levels stay.
        result[..., channel] = (most - dip.mul_(spread)).mul_(255.999 / 255)
    return result


JITTERS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (brightness, contrast, saturation, hue)


def colour_jitter(images: Tensor, factors: NDArray[np.float64], order: NDArray[np.int64]) -> Tensor:
    """ColorJitter: brightness, contrast, saturation and hue in each sample's own order.

    images: uint8 [B, H, W, C]. factors: float64 [B, 4], one for each of the four; NaN skips it. order:
    int64 [B, 4], each row the numbers 0 to 3. Both from `draw_colour_jitter`. Equals torchvision's to 1 grey level
    a step.
    """
    changed = images.clone()
    for step in order.T:
        for kind, jitter in enumerate(JITTERS):
            chosen = (step == kind) & ~np.isnan(factors[:, kind])
            apply_to_rows(changed, np.flatnonzero(chosen), jitter, factors[:, kind])
    return changed


def draw_colour_jitter(
    rng: CounterRNG, brightness: float, contrast: float, saturation: float, hue: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(factors [B, 4], order [B, 4]) as ColorJitter draws them; an amount of 0 skips its operation (NaN).

    Factors are uniform on [max(0, 1 - amount), 1 + amount], the hue's shift on [-hue, hue]; all orders are equally
    likely.
    """
    drawn = rng.uniform("colour jitter", 8)
    low = np.array([max(0.0, 1 - brightness), max(0.0, 1 - contrast), max(0.0, 1 - saturation), -hue])
    high = np.array([1 + brightness, 1 + contrast, 1 + saturation, hue])
    factors = low + (high - low) * drawn[:, :4]
    factors[:, np.array([brightness, contrast, saturation, hue]) == 0] = np.nan
    return factors, np.argsort(drawn[:, 4:], axis=1)
