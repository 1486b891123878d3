"""Pairing arrays of images with arrays of labels, split by split, from names and shapes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sightlab.data.formats.array_groups import (
    Named,
    chosen_group,
    conflicting,
    group_names,
    grouped,
    named_arrays,
    without_groups,
)
from sightlab.data.formats.array_labels import label_count
from sightlab.data.formats.array_names import IMAGES, LABELS, NAMES, words_of
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import SPLITS, UNDIVIDED, natural_key
from sightlab.data.layouts.split_words import WORDS

SHOWN = 6
CLASS_LIST_WORDS = frozenset(("classes", "class", "categories", "category"))
CLEAR = "save them as x_train, y_train, x_test, y_test, or as images and labels"


@dataclass(frozen=True, eq=False)
class Pair:
    """Images and the labels that belong to them."""

    images: StoredArray
    labels: StoredArray


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be read. splits: pairs to be joined, by split. names: the array of class names. left: arrays that are
    not read. refusal: the end of a line that says why this is no data set; "" where it is one. unlabelled: the images
    whose labels are missing.
    """

    splits: Mapping[str, Sequence[Pair]] = field(default_factory=dict)
    names: StoredArray | None = None
    left: Sequence[StoredArray] = ()
    refusal: str = ""
    unlabelled: StoredArray | None = None


def plan_of(arrays: Sequence[StoredArray], label: str | None = None, config: str | None = None) -> Plan | None:
    """Which arrays to read; None where none of them is called images, or is one by its shape and has labels.

    label: the array of labels, as the user calls it. config: which of several data sets.
    """
    named = named_arrays(arrays)
    unprintable = next((one.array.key for one in named if not one.array.key.isprintable()), None)
    if unprintable is not None:
        return Plan(refusal=f"the array {unprintable[:60]!r} has a name that cannot be printed; rename it")
    images = images_of(named, label)
    if isinstance(images, Plan):
        return images
    if not images:
        return None
    groups = grouped(images)
    if config is not None or (len(groups) > 1 and conflicting(groups)):
        chosen = chosen_group(groups, config)
        if chosen is None and len(groups) == 1:
            return Plan(refusal=f"holds one data set, and `config={config}` does not name it; leave it out")
        if chosen is None:
            words = " or ".join(f"`config={name}`" for name in sorted(group_names(groups).values())[:3])
            return Plan(refusal=f"holds {len(groups)} data sets; say which: {words}")
        images, named = groups[chosen], without_groups(named, groups, chosen)
    return paired(images, named, label)


def images_of(named: Sequence[Named], label: str | None) -> list[Named] | Plan:
    """The arrays of images: those called so, else those that are some by their shape and have labels of that number."""
    called = [
        one for one in named if one.name.role == IMAGES and could_be_images(one.array) and not is_label(one, label)
    ]
    if called:
        return without_copies(called)
    counts = {label_count(one.array.shape) for one in named if one.name.role == LABELS or is_label(one, label)}
    shaped = [
        one
        for one in named
        if one.name.role == "" and len(one.array.shape) in (3, 4) and could_be_images(one.array)
        and counts & {one.array.shape[0], one.array.shape[-1]}
    ]  # fmt: skip
    shaped = without_copies(shaped)
    splits = [one.split for one in shaped]
    if len(set(splits)) < len(splits):
        names = listed(one.array for one in shaped)
        return Plan(refusal=f"{names} could all be the images; give one of them, or rename it to `images`")
    return shaped


def could_be_images(array: StoredArray) -> bool:
    """Whether an array has numbers and at least two axes."""
    return array.dtype.kind in "buif" and 2 <= len(array.shape) <= 4


def is_label(one: Named, label: str | None) -> bool:
    """Whether an array is what the user calls the labels: by its key, the end of it, or its words but the split's."""
    if label is None:
        return False
    key = one.array.key
    words = [word for word in words_of(key.rpartition("/")[2]) if word not in WORDS]
    return label in (key, key.rpartition("/")[2], one.array.name) or words == words_of(label)


def without_copies(images: Sequence[Named]) -> list[Named]:
    """The images without those that are other ones flattened: as scikit-learn's `data` beside `images`."""
    whole = {(one.split, one.array.shape[0], size_of(one.array)) for one in images if len(one.array.shape) > 2}
    return [
        one
        for one in images
        if len(one.array.shape) > 2 or (one.split, one.array.shape[0], size_of(one.array)) not in whole
    ]


def size_of(array: StoredArray) -> int:
    """How many values an array has."""
    size = 1
    for length in array.shape:
        size *= length
    return size


def paired(images: Sequence[Named], named: Sequence[Named], label: str | None) -> Plan:
    """The plan of one data set: each array of images with its labels."""
    by_split = {split: own for split in (*SPLITS, UNDIVIDED) if (own := [i for i in images if i.split == split])}
    held = listed(one.array for one in named)
    if UNDIVIDED in by_split and len(by_split) > 1:
        return Plan(
            refusal=f"has images of no split beside those of splits; expected x_train, y_train, ...; found {held}"
        )
    splits: dict[str, list[Pair]] = {}
    for split, own in by_split.items():
        same = [one for one in own if sum(one.name.numbers == other.name.numbers for other in own) > 1]
        if same:
            both = " and ".join(one.array.key for one in same[:2])
            of_split = "" if split == UNDIVIDED else f"{split} "
            return Plan(refusal=f"{both} are both the {of_split}images; keep one, or {CLEAR}")
        splits[split] = []
        for one in sorted(own, key=lambda o: natural_key(o.array.key)):
            labels = labels_for(one, named, label, len(own) == 1)
            if isinstance(labels, Plan) and labels.unlabelled is not None and split == "test" and splits.get("train"):
                continue  # a competition's pictures to be answered
            if isinstance(labels, Plan):
                return replace(labels, refusal=labels.refusal and f"{labels.refusal}; found {held}")
            splits[split].append(Pair(one.array, labels))
    splits = {split: pairs for split, pairs in splits.items() if pairs}
    used = {id(array) for own in splits.values() for pair in own for array in (pair.images, pair.labels)}
    names = names_of(named, used)
    left = [one.array for one in named if id(one.array) not in used and one.array is not names]
    fault = next((text for own in splits.values() for pair in own if (text := mismatch(pair))), "")
    return Plan(splits, names, left, fault)


def labels_for(images: Named, named: Sequence[Named], label: str | None, alone: bool) -> StoredArray | Plan:
    """The array of labels of one array of images; a plan that says why there is none, or which of several is meant."""
    same_split = [one for one in named if one.split == images.split and one is not images]
    if label is not None:
        found = [one for one in same_split if is_label(one, label)]
        if not found:
            return Plan(refusal=f"`label={label}` names no array of the {images.split} labels")
    else:
        found = [one for one in same_split if one.name.role == LABELS]
        lengths = (images.array.shape[0], images.array.shape[-1])
        by_length = [[one for one in found if label_count(one.array.shape) == length] for length in lengths]
        found = next((own for own in by_length if own), [one for one in found if not is_class_list(one)])
        found = [one for one in found if not is_class_list(one)] or found
    for same in (lambda o: (o.name.rest, o.name.numbers), lambda o: o.name.rest, lambda o: o.name.numbers):
        closer = [one for one in found if same(one) == same(images)]
        if len(closer) == 1 and (alone or closer[0].name.numbers == images.name.numbers):
            return closer[0].array
    if len(found) == 1 and alone:
        return found[0].array
    if len(found) > 1:
        words = " or ".join(f"`label={one.array.key.rpartition('/')[2]}`" for one in found[:3])
        return Plan(refusal=f"{images.array.key} has several arrays of labels; say {words}")
    return unnamed_labels(images, same_split)


def unnamed_labels(images: Named, others: Sequence[Named]) -> Plan:
    """What to say of images none of whose arrays is called labels."""
    count = images.array.shape[0]
    for one in others:
        if one.name.role == "" and label_count(one.array.shape) == count and one.array.dtype.kind in "biuSU":
            key = one.array.key.rpartition("/")[2]
            return Plan(refusal=f"{images.array.key} has no array called labels; `label={key}` takes {key} as them")
    return Plan(
        refusal=f"{images.array.key} has no labels (`sightlab predict` takes pictures without)", unlabelled=images.array
    )


def is_class_list(one: Named) -> bool:
    """Whether an array is called as lists of class names are."""
    return bool(set(words_of(one.array.key.rpartition("/")[2])) & CLASS_LIST_WORDS)


def names_of(named: Sequence[Named], used: set[int]) -> StoredArray | None:
    """The array of class names: text of few values that is called so."""
    for one in named:
        called = one.name.role == NAMES or is_class_list(one)
        if called and id(one.array) not in used and one.array.dtype.kind in "SUO" and len(one.array.shape) <= 2:
            return one.array
    return None


def mismatch(pair: Pair) -> str:
    """What is wrong where images and labels are not as many; "" where they are."""
    count = label_count(pair.labels.shape)
    if count is None or count in (pair.images.shape[0], pair.images.shape[-1]):
        return ""
    images = f"{pair.images.key} holds {pair.images.shape[0]:,} images"
    return f"{images}, {pair.labels.key} {count:,} labels; each image needs one"


def listed(arrays: Iterable[StoredArray]) -> str:
    """The keys of arrays for a message, the first few."""
    keys = [one.key[-60:] for one in arrays]
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "") or "none"
