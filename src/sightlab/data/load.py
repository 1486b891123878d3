"""The data room's front door: a source by name or path becomes Splits, decoded once and cached."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightlab.data.cache import cached, content_key
from sightlab.data.detect import Reading, file_kind, head_of, read_source
from sightlab.data.imageset import UNDIVIDED, Allocate, ImageSet, Parts, Progress
from sightlab.data.names import EMBEDDED, FASHION, FINE, NAMED, SUPERCLASSES
from sightlab.data.pictures.decode import Decoding, fit
from sightlab.data.sources import Found, find
from sightlab.data.splits import Splits, divide
from sightlab.data.webshards.naming import relative_names
from sightlab.data.webshards.read import read_shards
from sightlab.errors import DataError

LABEL_FILE = re.compile(r"label|target|^y")


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a source holds, undivided: its parts, where its files are, and their content as a hash."""

    parts: Parts
    found: Found
    key: str


def load(
    source: str | Path,
    *,
    size: int | None = None,
    channels: int | None = None,
    label: str | None = None,
    skip_broken: bool = False,
    limit_per_class: int | None = None,
    validation: float = 0.2,
    split_seed: int = 0,
    progress: Progress | None = None,
) -> Splits:
    """Train, validation and test images of a source: a name, a path, or either with `:variant`.

    size: pixels of the shorter side, then a centre crop; needed when sizes differ. channels: 1 or 3; None keeps
    the source's own. label: the label column of a table; of shards, the extension or the JSON key of labels.
    skip_broken: leave out pictures that cannot be decoded.
    limit_per_class, validation, split_seed: see `divide`. Raises DataError.

    >>> splits = load("fashion-mini", limit_per_class=100)
    >>> splits.train, len(splits.validation), len(splits.test)
    (ImageSet(800 images, 28 x 28 x 1, 10 classes), 200, 2000)
    """
    loaded = load_parts(source, size=size, channels=channels, label=label, skip_broken=skip_broken, progress=progress)
    return divide(
        loaded.parts,
        validation=validation,
        limit_per_class=limit_per_class,
        seed=split_seed,
        source=str(source),
        key=loaded.key,
    )


def load_parts(
    source: str | Path,
    *,
    size: int | None = None,
    channels: int | None = None,
    label: str | None = None,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Loaded:
    """What a source holds, as it divides itself, decoded into the cache; shards are decoded when asked for.

    Raises DataError.
    """
    found = find(str(source), progress)
    options = {"size": size, "channels": channels, "label": label, "skip_broken": skip_broken}
    decoding = Decoding(size, channels, skip_broken)
    if found.shards:
        key = content_key(found.shards, options | {"shards": relative_names(found.shards)})
        parts = read_shards(found.shards, key, decoding, label, progress)
    else:
        key = content_key(files_of(found.path), options)

        def make(allocate: Allocate) -> Parts:
            return adapted(read_source(found.path, Reading(decoding, label), allocate, progress), size, channels)

        parts = cached(key, make)
    for split, images in parts.splits.items():
        if len(images.classes) < 2:
            raise DataError(f"{source}: one class, {images.classes[0]!r}; a classifier needs at least two")
        if not len(images):
            raise DataError(f"{source}: the {split} split holds no images")
    return Loaded(variant_of(named(parts, found), found, str(source)), found, key)


def files_of(path: Path) -> list[Path]:
    """The files whose content decides what a source holds: some are read together with what lies beside them."""
    if path.is_dir():
        return [path]
    kind = file_kind(path)
    if kind in ("idx", "npy", "npz"):
        beside = (p for p in path.parent.iterdir() if p.is_file() and LABEL_FILE.search(p.name.casefold()))
        return [path, *sorted(p for p in beside if p != path)]
    if kind == "pictures" and b"\0" not in head_of(path):
        return [path.parent]  # an image list: the pictures it names
    return [path]


def adapted(parts: Parts, size: int | None, channels: int | None) -> Parts:
    """The parts with images of the size and channels asked for (readers of picture files have done so already)."""
    first = next(iter(parts.splits.values()))
    height, width, own = first.shape
    if channels in (None, own) and size in (None, height) and (size is None or height == width):
        return parts
    if channels not in (None, own) and not {channels, own} <= {1, 3}:
        raise DataError(f"images have {own} channels; channels={channels} can only be had from 1 or 3 channels")
    return replace(parts, splits={k: adapted_set(images, size, channels) for k, images in parts.splits.items()})


def adapted_set(images: ImageSet, size: int | None, channels: int | None) -> ImageSet:
    """A set resized (shorter side, then centre crop, antialiased) and brought to 1 or 3 channels."""
    pixels = images.images
    own = images.shape[2]
    if channels == 3 and own == 1:
        pixels = np.repeat(pixels, 3, axis=3)
    elif channels == 1 and own == 3:
        # ITU-R 601 luma in the fixed-point form of Pillow's "L"
        weights = np.array([19595, 38470, 7471], np.int64)
        pixels = ((pixels.astype(np.int64) @ weights + 0x8000) >> 16).astype(np.uint8)[..., None]
    if size is not None and pixels.shape[1:3] != (size, size):
        pixels = np.stack([fit(picture, size) for picture in pixels])
    return ImageSet(pixels, images.labels, images.classes, images.numbered)


def named(parts: Parts, found: Found) -> Parts:
    """A known set's parts under its official class names, with a note where the files are not the official ones."""
    if not found.name:
        return parts
    official = FASHION if found.name == EMBEDDED else NAMED[found.name].classes
    splits = dict(parts.splits)
    if set(parts.classes) <= {str(n) for n in range(len(official))} or parts.classes == official:
        splits = {name: images.named(official) for name, images in splits.items()}
    if found.official:
        return replace(parts, splits=splits)
    counts = NAMED[found.name].counts
    kinds = {"train": "training", "test": "test", "validation": "validation", UNDIVIDED: "undivided"}
    held = [
        f"{len(images):,} of {counts[name]:,} {kinds[name]} images" if name in counts else f"{len(images):,} images"
        for name, images in splits.items()
    ]
    warning = f"{found.name} is read from {found.path}, which is not the official data: {', '.join(held)}"
    return Parts(splits, (warning, *parts.notes))


def variant_of(parts: Parts, found: Found, source: str) -> Parts:
    """One split alone, or CIFAR-100 with its 20 coarse classes."""
    if not found.variant:
        return parts
    if found.variant == "coarse":
        return replace(parts, splits={name: coarse(images, source) for name, images in parts.splits.items()})
    if found.variant not in parts.splits:
        raise DataError(f"{source}: there is no {found.variant} split; the source has {', '.join(parts.splits)}")
    return replace(parts, splits={UNDIVIDED: parts.splits[found.variant]})


def coarse(images: ImageSet, source: str) -> ImageSet:
    """CIFAR-100's images under their superclasses."""
    if images.classes != FINE:
        raise DataError(f"{source}: the classes are not those of CIFAR-100, so they have no coarse classes")
    names = tuple(SUPERCLASSES)
    of_fine = np.array([next(i for i, n in enumerate(names) if fine in SUPERCLASSES[n]) for fine in FINE])
    return images.relabelled(of_fine[images.labels].astype(np.int64), names)
