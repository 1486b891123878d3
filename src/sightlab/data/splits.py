"""Train, validation and test splits: stratified, reproducible, without overlap; the test split is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightlab.data.fit_shape import fit_set
from sightlab.data.imageset import SPLITS, UNDIVIDED, ImageSet, Parts
from sightlab.data.layouts.claim import classes_word
from sightlab.data.messages import shortened
from sightlab.data.tables.shapes import size_text
from sightlab.errors import DataError, suggestion

TEST_SHARE = 0.15


class Sealed:
    """A test split whose every opening is counted and recorded. Its pictures are reached through `open` alone.

    >>> test = Sealed(ImageSet(np.zeros((4, 8, 8, 1), np.uint8), np.zeros(4, np.int64), ("a", "b")))
    >>> len(test), len(test.openings)
    (4, 0)
    >>> len(test.open("final score")), test.openings[0]["reason"]
    (4, 'final score')
    """

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        self.openings: list[dict[str, str]] = []

    def __len__(self) -> int:
        return len(self._images)

    def __repr__(self) -> str:
        return f"Sealed({len(self):,} images, opened {len(self.openings)} times)"

    def counts(self) -> NDArray[np.int64]:
        """Images a class, which may be known without opening. int64 [classes]."""
        return self._images.counts()

    def open(self, reason: str) -> ImageSet:
        """The test images, on the record. reason: what they are opened for."""
        self.openings.append({"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason})
        return self._images


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set ready for training.

    train, validation: seen by training and selection. test: sealed. source: what the user named; key: the content
    of its files as a hash, "" for arrays given from Python. notes: what reading and dividing has to say.
    bit_depth: see `Parts`.

    >>> import sightlab
    >>> splits = sightlab.load_data("fashion-mini", validation=0.1)
    >>> len(splits.train), len(splits.validation), len(splits.test), splits.duplicates
    (9000, 1000, 2000, {})
    """

    train: ImageSet
    validation: ImageSet
    test: Sealed
    source: str = "arrays"
    key: str = ""
    notes: tuple[str, ...] = field(default=())
    bit_depth: int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, the same for every split."""
        return self.train.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        return self.train.shape

    @cached_property
    def seen(self) -> dict[str, NDArray[np.uint64]]:
        """Fingerprints of the images that training and selection see, by their split. uint64 [N] each."""
        return {"train": fingerprints(self.train), "validation": fingerprints(self.validation)}

    @cached_property
    def sealed(self) -> NDArray[np.uint64]:
        """Fingerprints of the test images, which may be known without opening them. uint64 [N]."""
        return fingerprints(self.test._images)

    @cached_property
    def contradicted(self) -> int:
        """Images whose exact pixels are also there under another class, in any split."""
        sets = (self.train, self.validation, self.test._images)
        prints = np.concatenate([self.seen["train"], self.seen["validation"], self.sealed])
        labels = np.concatenate([images.labels for images in sets])
        order = np.lexsort((labels, prints))
        same = prints[order][1:] == prints[order][:-1]
        other = same & (labels[order][1:] != labels[order][:-1])
        return int(np.isin(prints, prints[order][1:][other]).sum())

    @cached_property
    def duplicates(self) -> dict[tuple[str, str], int]:
        """Images of the second split whose exact pixels are also in the first, for each pair that has any."""
        sets = {"train": self.train, "validation": self.validation, "test": self.test._images}
        prints = self.seen | {"test": self.sealed}
        pairs = (("train", "validation"), ("train", "test"), ("validation", "test"))
        found = {(a, b): shared_images(sets[a], sets[b], prints[a], prints[b]) for a, b in pairs}
        return {pair: count for pair, count in found.items() if count}


def divide(
    parts: Parts,
    *,
    validation: float = 0.2,
    limit_per_class: int | None = None,
    seed: int = 0,
    source: str = "arrays",
    key: str = "",
) -> Splits:
    """Train, validation and test from what a source holds.

    Test is the source's own, else a stratified 15 % held out first. Then limit_per_class images of each class are
    drawn from what is left for training. Validation is the source's own, else a stratified share of that. Every
    draw is a function of the seed alone. Raises DataError where a class is too small to be divided.
    """
    given = dict(parts.splits)
    notes = list(parts.notes)
    rest = given.pop(UNDIVIDED if UNDIVIDED in given else "train", None)
    if rest is None:
        (name, rest), *_ = given.items()
        del given[name]
        notes.append(f"{source} has no training split; its {name} split is divided instead")
    test = given.pop("test", None)
    if test is None:
        check_enough(rest, 2 if "validation" in given else 3, source)
        whole = len(rest)
        test, rest = set_aside(rest, TEST_SHARE, np.random.default_rng([seed, 1]))
        share = f"{len(test) / whole:.0%}".replace("%", " %")
        notes.append(f"no test split in {source}: {len(test):,} images ({share} of each class) are held out as test")
    if limit_per_class is not None:
        rest = limited(rest, limit_per_class, np.random.default_rng([seed, 2]))
    held_out = given.pop("validation", None)
    if held_out is None:
        held_out, rest = set_aside(rest, validation, np.random.default_rng([seed, 3]))
    for name, images in (("training", rest), ("validation", held_out), ("test", test)):
        if not len(images):
            raise DataError(f"{source}: the {name} split is empty; each split needs at least one image")
    return Splits(rest, held_out, Sealed(test), source, key, tuple(notes), parts.bit_depth)


def check_enough(images: ImageSet, splits: int, source: str) -> None:
    """Raises DataError where a class has fewer images than there are splits to be made of it."""
    counts = images.counts()
    few = np.flatnonzero((counts > 0) & (counts < splits))
    if few.size:
        name, count = images.classes[few[0]], int(counts[few[0]])
        held = "one image" if count == 1 else f"{count} images"
        named = "train, validation, test" if splits > 2 else "train, test"
        enough = [images.classes[n] for n in np.flatnonzero(counts >= splits)]
        others = f", or leave it out: {classes_word(enough)}" if len(enough) > 1 else ""
        need = f"{splits} splits ({named}) need {splits}"
        raise DataError(f"{source}: class {name!r} has {held}, and {need}; add images of it{others}")


def set_aside(images: ImageSet, share: float, generator: np.random.Generator) -> tuple[ImageSet, ImageSet]:
    """A stratified share of the images, and the rest; both in the set's own order.

    The share of each class is rounded so that the total is round(share * N) (largest remainders); a class of two
    images or more leaves at least one on either side. Raises DataError where a class has a single image.
    """
    counts = images.counts()
    if (lonely := np.flatnonzero(counts == 1)).size:
        raise DataError(
            f"class {images.classes[lonely[0]]!r} has one image, which cannot be in two splits; "
            "add images of it or give the source its own splits"
        )
    exact = counts * share
    taken = np.floor(exact).astype(np.int64)
    missing = round(share * len(images)) - int(taken.sum())
    by_remainder = np.argsort(-(exact - taken), kind="stable")
    taken[by_remainder[: max(missing, 0)]] += 1
    taken = np.clip(taken, np.minimum(counts, 1), np.maximum(counts - 1, 0))
    chosen = np.zeros(len(images), bool)
    for label, count in enumerate(taken):
        members = np.flatnonzero(images.labels == label)
        chosen[generator.permutation(members)[:count]] = True
    return images.take(np.flatnonzero(chosen)), images.take(np.flatnonzero(~chosen))


def limited(images: ImageSet, per_class: int, generator: np.random.Generator) -> ImageSet:
    """At most this many images of each class, drawn by the generator, in the set's own order."""
    chosen = [
        generator.permutation(np.flatnonzero(images.labels == label))[:per_class]
        for label in range(len(images.classes))
    ]
    return images.take(np.sort(np.concatenate(chosen)))


def fingerprints(images: ImageSet) -> NDArray[np.uint64]:
    """A 64-bit number for each image; equal images have equal numbers. uint64 [N]."""
    return images.fingerprints()


def shared_images(a: ImageSet, b: ImageSet, prints_a: NDArray[np.uint64], prints_b: NDArray[np.uint64]) -> int:
    """How many images of b are in a too, by a digest of their pixels (fingerprints only name the candidates)."""
    order = np.argsort(prints_a, kind="stable")
    ordered = prints_a[order]
    count = 0
    for place in np.flatnonzero(np.isin(prints_b, prints_a)):
        own = b.identity(int(place))
        first = int(np.searchsorted(ordered, prints_b[place]))
        while first < len(ordered) and ordered[first] == prints_b[place]:
            if a.identity(int(order[first])) == own:
                count += 1
                break
            first += 1
    return count


def as_splits(
    data: Splits | ImageSet | Mapping[str, ImageSet],
    *,
    validation: float = 0.2,
    limit_per_class: int | None = None,
    seed: int = 0,
    size: int | None = None,
    channels: int | None = None,
) -> Splits:
    """Splits of what a Python caller has: a set that is divided, a mapping of sets by split, or Splits.

    All splits get the class list of train, matched by name, and must have its image shape. size, channels: see
    `fit_set`. validation, limit_per_class, seed: see `divide`; Splits are divided already. Raises DataError.
    """
    if isinstance(data, Splits):
        return _checked(data, size, channels)
    sets = {UNDIVIDED: data} if isinstance(data, ImageSet) else dict(data)
    if unknown := set(sets) - {*SPLITS, UNDIVIDED}:
        raise DataError(f"unknown split {min(unknown)!r}; {suggestion(min(unknown), SPLITS)}")
    if not sets or (UNDIVIDED in sets and len(sets) > 1):
        given = f"splits {', '.join(sets)}" if sets else "no split"
        raise DataError(
            f"data: {given} given; give train, validation and test, of which train is needed, or one ImageSet"
        )
    sets, notes = aligned({name: fit_set(images, size, channels) for name, images in sets.items()})
    return divide(Parts(sets, notes), validation=validation, limit_per_class=limit_per_class, seed=seed)


def _checked(splits: Splits, size: int | None, channels: int | None) -> Splits:
    """A caller's own splits, aligned; the record of test openings stays the same list."""
    given = {"train": splits.train, "validation": splits.validation, "test": splits.test._images}
    sets, notes = aligned({name: fit_set(images, size, channels) for name, images in given.items()})
    if all(sets[name] is given[name] for name in given):
        return splits
    test = Sealed(sets["test"])
    test.openings = splits.test.openings
    return replace(splits, train=sets["train"], validation=sets["validation"], test=test, notes=(*splits.notes, *notes))


def aligned(sets: Mapping[str, ImageSet]) -> tuple[dict[str, ImageSet], tuple[str, ...]]:
    """The sets with the class list of train (or of the first set), matched by name, and notes on what was relabelled.

    Raises DataError for a set with images of a class that train lacks, or of another shape.
    """
    first = "train" if "train" in sets else next(iter(sets))
    classes, shape = sets[first].classes, sets[first].shape
    found, notes = {}, []
    for name, images in sets.items():
        if images.shape != shape:
            way = f"size={min(shape[:2])}" if images.shape[:2] != shape[:2] else f"channels={shape[2]}"
            raise DataError(
                f"data: images of {first} are {size_text(shape)}, those of {name} are "
                f"{size_text(images.shape)}; `{way}` converts them"
            )
        present = np.flatnonzero(images.counts())
        strangers = [images.classes[n] for n in present if images.classes[n] not in classes]
        if strangers:
            raise DataError(
                f"data: {name} has images of class {strangers[0]!r}, which {first} lacks (its classes: "
                f"{shortened(', '.join(classes))}); all splits need the same classes"
            )
        if images.classes != classes:
            order = np.array([classes.index(one) if one in classes else 0 for one in images.classes], np.int64)
            images = images.relabelled(order[images.labels], classes)
            notes.append(f"{name} lists its classes in another order than {first}, or not all: matched by name")
        found[name] = images
    return found, tuple(notes)
