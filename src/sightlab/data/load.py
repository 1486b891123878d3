"""Loading data: a source, by name or path, becomes Splits. Decoded images are cached by content hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np

from sightlab.data.cache import cached, cached_parts, content_key
from sightlab.data.containers.base import parents
from sightlab.data.contents import Known, remember, remembered
from sightlab.data.description import described
from sightlab.data.fit_shape import fit_set
from sightlab.data.imageset import UNDIVIDED, Allocate, ImageSet, Parts, Progress, in_memory
from sightlab.data.inventory import Inventory, filtered, look
from sightlab.data.layouts.claim import Claim, ReadOptions
from sightlab.data.layouts.copies import without_copies
from sightlab.data.layouts.decide import Decision, decide
from sightlab.data.layouts.table import LAYOUTS
from sightlab.data.named_sets import EMBEDDED, FASHION, FINE, NAMED, SUPERCLASSES
from sightlab.data.pictures.decode import Decoding
from sightlab.data.read_options import ReadWords, options_of
from sightlab.data.sources import Found, find
from sightlab.data.splits import Splits, divide
from sightlab.data.webshards.read_shards import read_shards
from sightlab.data.webshards.sample_names import relative_names
from sightlab.errors import DataError


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a source holds, before it is divided.

    key: hash of its content and of how it was read. layout: the name of its layout. lazy: whether pictures are decoded
    when they are used.
    """

    parts: Parts
    found: Found
    key: str
    layout: str = ""
    lazy: bool = False


@dataclass(frozen=True, eq=False)
class Examined:
    """A source's inventory (None for a pattern of shards), the options for reading it, and which layout it has."""

    found: Found
    inventory: Inventory | None
    options: ReadOptions
    decision: Decision


def load_data(
    source: str | Path,
    *,
    limit_per_class: int | None = None,
    validation: float = 0.2,
    split_seed: int = 0,
    progress: Progress | None = None,
    **read: Unpack[ReadWords],
) -> Splits:
    """Train, validation and test images of a source: a name, a path, or either with `:variant`.

    Decoded images are cached by content hash. If the source has no test split, 15 % of each class is held out first.

    limit_per_class, validation, split_seed: see `divide`. read: how the source is read; what is not given is detected.
    size: pixels of the shorter side, then a centre crop; needed when sizes differ. channels: 1 or 3; None keeps the
    source's own. bit_depth: of 16-bit pictures, 8 to 16. skip_broken: leave out pictures that cannot be decoded.
    label: the label column of a table; of shards, the extension or the JSON key. layout, classes, split, config, list,
    label_from, shape, ignore, encoding: see `ReadOptions`. Raises DataError.

    >>> splits = load_data("fashion-mini", limit_per_class=100)
    >>> splits.train, len(splits.validation), len(splits.test)
    (ImageSet(800 images, 28 x 28 x 1, 10 classes), 200, 2000)
    """
    loaded = load_parts(source, progress=progress, **read)
    return divide(
        loaded.parts,
        validation=validation,
        limit_per_class=limit_per_class,
        seed=split_seed,
        source=str(source),
        key=loaded.key,
    )


def load_parts(source: str | Path, *, progress: Progress | None = None, **read: Unpack[ReadWords]) -> Loaded:
    """What a source holds, as it divides itself, decoded into the cache; shards are decoded when asked for.

    read: see `load_data`; one_class: whether a single class will do. Raises DataError.
    """
    found = find(str(source), progress)
    if found.shards:
        return from_shards(source, found, options_of(read), progress)
    path, words, notes = described(found.path, read)
    options = options_of(words)
    known = remembered(path, options.identity())
    parts = cached_parts(known.key) if known else None
    if known is None or parts is None:
        claim, key = decided(path, options)
        if claim.lazy:
            return Loaded(
                finished(claim.read(in_memory, progress), found, str(source), options, notes),
                found,
                key,
                claim.layout,
                True,
            )

        def make(allocate: Allocate) -> Parts:
            return fitted(claim.read(allocate, progress), options.decoding)

        parts, layout = cached(key, make), claim.layout
    else:
        key, layout = known.key, known.layout
    return Loaded(finished(parts, found, str(source), options, notes), found, key, layout)


def from_shards(source: str | Path, found: Found, options: ReadOptions, progress: Progress | None) -> Loaded:
    """What the shards that a pattern names hold."""
    key = content_key(found.shards, options.identity() | {"shards": relative_names(found.shards)})
    parts = read_shards(found.shards, key, options.decoding, options.label, progress)
    return Loaded(finished(parts, found, str(source), options, ()), found, key, "webdataset", True)


def examined(source: str | Path, **read: Unpack[ReadWords]) -> Examined:
    """What a source looks like and how it would be read, with nothing decoded. Raises DataError for wrong words."""
    found = find(str(source), None)
    if found.shards:
        return Examined(found, None, options_of(read), Decision(None, ()))
    path, words, _ = described(found.path, read)
    inventory, options = looked_at(path, options_of(words))
    return Examined(found, inventory, options, decide(inventory, options, LAYOUTS))


def looked_at(path: Path, options: ReadOptions) -> tuple[Inventory, ReadOptions]:
    """A path's inventory without what is to be ignored, in the folder that `config` names where it names one."""
    inventory = look(path, options.encoding)
    if inventory.only is None:  # a lone list ignores pictures beside it by itself
        inventory = without_copies(filtered(inventory, options.ignore))
    folder = config_folder(inventory, options.config)
    return (inventory.within(folder), replace(options, config=None)) if folder else (inventory, options)


def config_folder(inventory: Inventory, config: str | None) -> str:
    """The one folder of this name, by its path or its last part; "" where there is none. Raises DataError for two."""
    if config is None:
        return ""
    folders = {folder for names in inventory.kinds.values() for name in names for folder in parents(name)}
    if config in folders:
        return config
    shallow = sorted((f for f in folders if f.rpartition("/")[2] == config), key=lambda f: (f.count("/"), f))
    if len(shallow) > 1 and shallow[0].count("/") == shallow[1].count("/"):
        raise DataError(f"{inventory.label}: config={config} could be {shallow[0]} or {shallow[1]}; give the path")
    return shallow[0] if shallow else ""


def decided(path: Path, options: ReadOptions) -> tuple[Claim, str]:
    """The claim a path is read by, and its key, which is remembered. Raises DataError with the refusal."""
    inventory, options_here = looked_at(path, options)
    claim = decide(inventory, options_here, LAYOUTS).claim()
    paths = paths_of(path, inventory, claim)
    key = content_key(paths, options.identity() | {"layout": claim.layout, **claim.identity})
    if not claim.lazy:
        remember(path, options.identity(), paths, Known(key, claim.layout))
    return claim, key


def paths_of(path: Path, inventory: Inventory, claim: Claim) -> list[Path]:
    """The files and folders whose content decides what a claim reads."""
    if inventory.only is not None and claim.pairs is not None:
        return [path, claim.root or path.parent]  # a list, and the pictures it names
    return [path, *(path.parent / name for name in claim.beside)]


def finished(parts: Parts, found: Found, source: str, options: ReadOptions, notes: tuple[str, ...]) -> Parts:
    """The parts under official names, of the variant asked for, checked. Raises DataError."""
    for split, images in parts.splits.items():
        if len(images.classes) < 2 and not options.one_class:
            raise DataError(f"{source}: one class, {images.classes[0]!r}; a classifier needs at least two")
        if not len(images):
            raise DataError(f"{source}: the {split} split holds no images")
    whole = replace(parts, notes=(*notes, *parts.notes))
    return variant_of(named(whole, found), found, source)


def fitted(parts: Parts, decoding: Decoding) -> Parts:
    """The parts with images of the size and channels asked for; readers of picture files have done so already."""
    splits = {name: fit_set(images, decoding.size, decoding.channels) for name, images in parts.splits.items()}
    return replace(parts, splits=splits)


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
    return replace(parts, splits=splits, notes=(warning, *parts.notes))


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
