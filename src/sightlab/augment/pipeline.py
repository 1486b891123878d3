"""Builds augmentations from plain values: functions of (images, rng), one for single images, one for mixing pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import numpy as np
from torch import Tensor

from sightlab.augment import colour, geometry, mix, policies
from sightlab.augment import resized_crop as crops
from sightlab.augment.affine import draw_affine, resample
from sightlab.augment.chunks import apply_to_rows, one_thread, to_device_of
from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.geometry import (
    crop_and_flip,
    draw_alternating_flip,
    draw_crop,
    draw_flip,
    draw_translation,
)
from sightlab.augment.mix import beta, draw_cutmix, draw_erasing, draw_noise, soft_targets
from sightlab.errors import RecipeError, suggestion

Augmentation = Callable[[Tensor, CounterRNG], Tensor]
"""(images uint8 [B, H, W, C], rng of the batch) -> the same shape on the same device; the input is unchanged."""

Mixing = Callable[[Tensor, Tensor, Tensor, Tensor, int, CounterRNG], tuple[Tensor, Tensor]]
"""Takes (images, labels, partners, partners' labels, classes, rng), see `mixing`; gives (images, soft targets)."""

FLIP_MODES = ("random", "alternating")
CROP_MODES = ("black", "reflect")
INTERPOLATIONS = ("bilinear", "nearest")
ERASE_FILLS = ("black", "noise")


def augmentation(
    *,
    resized_crop: float = 0.0,
    crop_padding: int = 0,
    crop_mode: str = "black",
    flip: float = 0.0,
    flip_mode: str = "random",
    translate: int = 0,
    rotate: float = 0.0,
    scale: float = 0.0,
    interpolation: str = "bilinear",
    colour_jitter: tuple[float, float, float, float] | None = None,
    greyscale: float = 0.0,
    policy: str = "none",
    randaugment_ops: int = 2,
    randaugment_magnitude: int = 9,
    erase: float = 0.0,
    erase_fill: str = "black",
) -> Augmentation:
    """The random augmentation of training images, in the order of the recipe's keys; steps that are off cost nothing.

    resized_crop: smallest share of the image's area in a part of it that is stretched to its size, as Inception's
    (Szegedy et al. 2015, section 6) and RandomResizedCrop; 0 for none, 0.08 is usual. crop_padding: pixels around the
    image before a crop of its own size; crop_mode: black or reflect. flip: probability of a mirror image; flip_mode:
    random, or alternating (each image mirrored every other epoch; flip is then 0.5). translate: largest shift in
    pixels. rotate: largest turn in degrees. scale: largest change of size, a share. interpolation: of turns and
    changes of size, bilinear or nearest. policy: a key of POLICIES; RandAugment has randaugment_ops steps of
    randaugment_magnitude (0 to 30). colour_jitter: largest changes of brightness, contrast, saturation and hue.
    greyscale: probability of an image without colour. erase: probability that a rectangle is wiped out, filled with
    black or noise.

    Raises RecipeError for values out of range; the function raises it for images it cannot augment (colour of 2
    channels, a reflection larger than the image).

    >>> import torch
    >>> change = augmentation(crop_padding=2, flip=0.5, policy="trivialaugment", erase=0.25)
    >>> change(torch.zeros(4, 28, 28, 1, dtype=torch.uint8), CounterRNG(1, 2, np.arange(4))).shape
    torch.Size([4, 28, 28, 1])
    """
    one_of("crop_mode", crop_mode, CROP_MODES)
    one_of("flip_mode", flip_mode, FLIP_MODES)
    one_of("interpolation", interpolation, INTERPOLATIONS)
    one_of("erase_fill", erase_fill, ERASE_FILLS)
    one_of("policy", policy, POLICIES)
    if flip_mode == "alternating" and flip not in (0, 0.5):
        raise RecipeError(f"augment.flip is {flip}; with flip_mode=alternating half of the images are flipped: use 0.5")
    if not 0 <= scale < 1:
        raise RecipeError(f"augment.scale is {scale}; use a share from 0 to below 1")
    if not 0 <= resized_crop <= 1:
        raise RecipeError(f"augment.resized_crop is {resized_crop}; use a share of the area from 0 to 1")
    steps: list[Augmentation] = []
    if resized_crop:
        steps.append(stretching(resized_crop))
    if crop_padding or flip:
        steps.append(cropping_and_flipping(crop_padding, crop_mode, flip, flip_mode))
    if translate:
        steps.append(translating(translate))
    if rotate or scale:
        steps.append(turning(rotate, scale, interpolation))
    if policy != "none":
        steps.append(POLICIES[policy](randaugment_ops, randaugment_magnitude))
    if colour_jitter and any(colour_jitter):
        steps.append(jittering(*colour_jitter))
    if greyscale:
        steps.append(greying(greyscale))
    if erase:
        steps.append(erasing(erase, erase_fill))
    return in_turn(steps)


def one_of(key: str, value: str, known: Collection[str]) -> None:
    """Raises RecipeError unless the value is known."""
    if value not in known:
        raise RecipeError(f"augment.{key}: unknown {value!r}; {suggestion(value, known)}")


def in_turn(steps: list[Augmentation]) -> Augmentation:
    """Several augmentations in sequence; an empty list changes nothing."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        with one_thread(images):
            for step in steps:
                images = step(images, rng)
        return images

    return apply


def stretching(smallest: float) -> Augmentation:
    """Random resized crop: a part of at least this share of the area, resized to the image's size."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        height, width = images.shape[1:3]
        boxes = crops.draw_resized_crop(rng, height, width, (smallest, 1.0))
        change = partial(crops.resized_crop, height=height, width=width)
        changed = images.clone()
        apply_to_rows(changed, np.arange(len(images)), change, boxes)
        return changed

    return apply


def cropping_and_flipping(padding: int, mode: str, flip: float, flip_mode: str) -> Augmentation:
    """A random crop after padding, then a horizontal flip."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        if padding:
            top, left = draw_crop(rng, padding)
        else:
            top = left = np.zeros(len(images), np.int64)
        if flip and flip_mode == "alternating":
            flipped = draw_alternating_flip(rng)
        elif flip:
            flipped = draw_flip(rng, flip)
        else:
            flipped = np.zeros(len(images), np.bool_)
        return crop_and_flip(
            images, padding, to_device_of(top, images), to_device_of(left, images), to_device_of(flipped, images), mode
        )

    return apply


def translating(largest: int) -> Augmentation:
    """A random translation in whole pixels."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        across, down = draw_translation(rng, largest)
        return geometry.translate(images, to_device_of(across, images), to_device_of(down, images), largest)

    return apply


def turning(degrees: float, scale: float, interpolation: str) -> Augmentation:
    """A random rotation and scale around the centre, in one resampling."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        sources = draw_affine(rng, degrees, scale).sources(len(images))
        changed = images.clone()
        apply_to_rows(changed, np.arange(len(images)), partial(resample, interpolation=interpolation), sources)
        return changed

    return apply


def jittering(brightness: float, contrast: float, saturation: float, hue: float) -> Augmentation:
    """ColorJitter."""
    if min(brightness, contrast, saturation, hue) < 0 or hue > 0.5:
        found = [brightness, contrast, saturation, hue]
        raise RecipeError(f"augment.colour_jitter is {found}; use amounts from 0, and a hue up to 0.5")

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        return colour.colour_jitter(images, *colour.draw_colour_jitter(rng, brightness, contrast, saturation, hue))

    return apply


def greying(probability: float) -> Augmentation:
    """Some images in greyscale, with as many channels as before."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        chosen = np.flatnonzero(rng.uniform("greyscale", 1)[:, 0] < probability)
        changed = images.clone()
        apply_to_rows(changed, chosen, colour.greyscale)
        return changed

    return apply


def autoaugmenting(policy: str) -> Callable[[int, int], Augmentation]:
    """AutoAugment with this policy; it has no settings."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        return policies.apply(images, policies.draw_autoaugment(rng, policy, *images.shape[1:3]))

    return lambda ops, magnitude: apply  # noqa: ARG005 - all policies are made alike


def randaugmenting(ops: int, magnitude: int) -> Augmentation:
    """RandAugment. Raises RecipeError for a magnitude it does not have."""
    policies.check_randaugment(ops, magnitude)

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        return policies.apply(images, policies.draw_randaugment(rng, ops, magnitude, *images.shape[1:3]))

    return apply


def trivialaugmenting(ops: int, magnitude: int) -> Augmentation:  # noqa: ARG001 - all policies are made alike
    """TrivialAugment, wide."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        return policies.apply(images, policies.draw_trivialaugment(rng, *images.shape[1:3]))

    return apply


POLICIES: dict[str, Callable[[int, int], Augmentation]] = {
    "none": lambda ops, magnitude: in_turn([]),  # noqa: ARG005
    "autoaugment-cifar10": autoaugmenting("cifar10"),
    "autoaugment-svhn": autoaugmenting("svhn"),
    "autoaugment-imagenet": autoaugmenting("imagenet"),
    "randaugment": randaugmenting,
    "trivialaugment": trivialaugmenting,
}


def erasing(probability: float, fill: str) -> Augmentation:
    """Random erasing of a rectangle in some images."""

    def apply(images: Tensor, rng: CounterRNG) -> Tensor:
        height, width, channels = images.shape[1:]
        boxes = draw_erasing(rng, probability, height, width)
        chosen = np.flatnonzero(boxes[:, 2])
        changed = images.clone()
        if fill == "noise":
            noise = np.zeros(images.shape, np.uint8)
            noise[chosen] = draw_noise(rng, chosen, height, width, channels)
            apply_to_rows(changed, chosen, mix.erase, boxes, noise)
        else:
            apply_to_rows(changed, chosen, mix.erase, boxes)
        return changed

    return apply


def mixing(*, mixup: float = 0.0, cutmix: float = 0.0, probability: float = 1.0) -> Mixing:
    """Mixing of pairs: mixup, CutMix, or for each sample one of the two with equal probability.

    mixup, cutmix: alpha of Beta(alpha, alpha), drawn for each sample; 0 switches it off. probability: share of
    samples that are mixed at all. Raises RecipeError for values out of range.

    The function takes images uint8 [B, H, W, C] and labels int64 [B], the partners' images and labels (the same
    shapes, augmented already; `with_partners` says which), the number of classes, and the rng of the images. It
    gives the mixed images and soft targets float32 [B, classes] for a cross-entropy with probabilities. Images are
    float32, levels 0 to 255, where mixup is asked for (bytes would round away shares of a level), and stay uint8
    with CutMix alone.

    >>> import torch
    >>> images, labels = torch.zeros(2, 8, 8, 1, dtype=torch.uint8), torch.tensor([0, 1])
    >>> mixed, targets = mixing(cutmix=1.0)(images, labels, images, labels, 3, CounterRNG(1, 2, np.arange(2)))
    >>> mixed.dtype, targets.tolist()
    (torch.uint8, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    """
    if mixup < 0 or cutmix < 0 or not 0 <= probability <= 1:
        raise RecipeError(
            f"mixup {mixup}, cutmix {cutmix}, probability {probability}: use alphas from 0, a probability from 0 to 1"
        )
    boxed_share = 0.0 if not cutmix else 0.5 if mixup else 1.0

    def apply(
        images: Tensor, labels: Tensor, partners: Tensor, partner_labels: Tensor, classes: int, rng: CounterRNG
    ) -> tuple[Tensor, Tensor]:
        drawn = rng.uniform("mixing", 6)
        mixed, boxed = drawn[:, 0] < probability, drawn[:, 1] < boxed_share
        shares = np.ones(len(images))
        with one_thread(images):
            if cutmix:
                boxes, left = draw_cutmix(drawn[:, 2:], cutmix, *images.shape[1:3])
                boxes[~(mixed & boxed)] = 0
                shares = np.where(mixed & boxed, left, shares)
                images = mix.cutmix(images, partners, to_device_of(boxes, images))
            if mixup:
                weights = np.where(mixed & ~boxed, beta(drawn[:, 2:4], mixup), 1.0)
                shares = np.minimum(shares, weights)
                images = mix.mixup(images.float(), partners.float(), to_device_of(weights, images))
            return images, soft_targets(labels, partner_labels, to_device_of(shares, images), classes)

    return apply
