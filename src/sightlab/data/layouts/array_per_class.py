"""Layout: one array per class, named after it, as in Quick, Draw! (full_numpy_bitmap_apple.npy)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isqrt

import numpy as np

from sightlab.data.formats.array_labels import label_count
from sightlab.data.formats.array_names import OTHER, OTHER_WORDS, is_rest, role_of, words_of
from sightlab.data.formats.array_plan import Pair, Plan
from sightlab.data.formats.npy import npy_arrays
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import ArrayForm, array_claim, line
from sightlab.data.layouts.claim import STRUCTURE, Claim, Layout, ReadOptions, refused
from sightlab.data.layouts.split_words import exact_split
from sightlab.errors import DataError

NAME = "array-per-class"
KINDS = ("npy",)
MOST_FILES = 2000
FIRST = 20
COLOURS = (1, 3, 4)
# Flattened pictures of these sizes are not taken for the rows of one picture, however many rows there are.
USUAL_ROWS = (784, 3072, 4096, 12288)


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """See `Layout`."""
    names = inventory.kinds.get("npy", ())
    chosen = options.layout == NAME
    if single_pictures(inventory):
        text = (
            f"holds {len(names):,} arrays of one picture each; save them as PNG, or each class as one array [N, H, W]"
        )
        return refused(NAME, line(inventory.label, text), STRUCTURE)
    if not (2 <= len(names) <= MOST_FILES) or (inventory.pictures and not chosen):
        return None
    try:
        arrays = npy_arrays(inventory.container, names)
    except DataError:
        return None  # the layout of arrays says what is wrong
    classes = classes_of_names([one.key for one in arrays])
    if classes is None or not hold_pictures(arrays):
        return None
    doubts = () if chosen else doubts_of(inventory, arrays, classes)
    pairs = [(split, Pair(one, named_rows(one, name))) for one, (split, name) in zip(arrays, classes, strict=True)]
    splits = [split for split in (*SPLITS, UNDIVIDED) if any(own == split for own, _ in pairs)]
    plan = Plan({split: [pair for own, pair in pairs if own == split] for split in splits})
    form = ArrayForm(NAME, KINDS, labels=f"the names of {len(arrays):,} arrays", strength=STRUCTURE, doubts=doubts)
    return array_claim(inventory, options, plan, form)


def single_pictures(inventory: Inventory) -> bool:
    """Whether folders hold an array a picture, as a loader of numpy's files takes them."""
    names = inventory.kinds.get("npy", ())
    if len({name.rpartition("/")[0] for name in names}) < 2 or inventory.pictures:
        return False
    try:
        shapes = [one.shape for one in npy_arrays(inventory.container, names[:FIRST])]
    except DataError:
        return False
    return all(len(shape) == 2 or (len(shape) == 3 and shape[2] in COLOURS) for shape in shapes) and not any(
        is_square(shape[1]) for shape in shapes if len(shape) == 2
    )


def classes_of_names(keys: Sequence[str]) -> list[tuple[str, str]] | None:
    """(split, class) of each array by its file's name, without what all names begin with; None where they are no
    classes: names of images, labels and the like, or one class alone.

    >>> classes_of_names(["full_numpy_bitmap_cat", "full_numpy_bitmap_camel"])
    [('all', 'cat'), ('all', 'camel')]
    >>> classes_of_names(["train/cat", "train/dog", "test/cat", "test/dog"])[2]
    ('test', 'cat')
    """
    folders = [key.rpartition("/")[0] for key in keys]
    stems = [key.rpartition("/")[2] for key in keys]
    splits = [exact_split(folder.rpartition("/")[2]) for folder in folders]
    if None in splits:
        if len(set(folders)) > 1:
            return None
        splits = [UNDIVIDED] * len(keys)
    prefix = common_prefix(sorted(set(stems)))
    if set(words_of(prefix)) & OTHER_WORDS:
        return None
    names = [stem[len(prefix) :] for stem in stems]
    vague = {name for name in names if not any(map(is_rest, words_of(name))) and not name.isdecimal()}
    vague |= {name for name in names if role_of(words_of(name)) == OTHER and not prefix}
    if len(set(names)) < 2 or (vague and (not prefix or 2 * len(vague) > len(set(names)))):
        return None
    return [(split or UNDIVIDED, name) for split, name in zip(splits, names, strict=True)]


def common_prefix(stems: Sequence[str]) -> str:
    """What all names begin with, to the last sign that divides words.

    >>> common_prefix(["full_numpy_bitmap_cat", "full_numpy_bitmap_camel"]), common_prefix(["cat", "car"])
    ('full_numpy_bitmap_', '')
    """
    first, last = min(stems), max(stems)
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    match = re.match(r".*[-_ .]", first[:same])
    return match[0] if match else ""


def hold_pictures(arrays: Sequence[StoredArray]) -> bool:
    """Whether every array holds several pictures, all of one shape: [N, H, W], [N, H, W, C], or flattened bytes."""
    first = arrays[0]
    if any(one.shape[1:] != first.shape[1:] or one.dtype.kind not in "buif" for one in arrays):
        return False
    if len(first.shape) == 2:
        return is_square(first.shape[1])
    return len(first.shape) == 4 or (len(first.shape) == 3 and first.shape[2] not in COLOURS)


def is_square(pixels: int) -> bool:
    """Whether so many values are a square picture, grey or in colour.

    >>> is_square(784), is_square(3072), is_square(100), is_square(10)
    (True, True, True, False)
    """
    return any(pixels == isqrt(pixels // channels) ** 2 * channels and pixels > channels for channels in (1, 3))


def doubts_of(
    inventory: Inventory, arrays: Sequence[StoredArray], classes: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Why these may be no classes: parts of one set, rows of single pictures, or numbers that are no pixels."""
    names = sorted({name for _, name in classes})
    keys = [one.key.rpartition("/")[2] for one in arrays]
    why = ""
    if (
        all(name.isdecimal() for name in names)
        and common_prefix(keys)
        and not set(words_of(keys[0])) & {"class", "digit"}
    ):
        why = "their names differ by a number alone, as parts of one set do"
    rows = {one.shape[0] for one in arrays}
    width = arrays[0].shape[1]
    if len(arrays[0].shape) == 2 and arrays[0].dtype != np.uint8:
        why = f"flattened {arrays[0].dtype} rows may be other things than pixels"
    if len(arrays[0].shape) == 2 and len(rows) == 1 and width not in USUAL_ROWS and width / 4 <= min(rows) <= width * 4:
        why = f"each may be one picture of {min(rows)} x {width} pixels"
    if not why:
        return ()
    return (
        f"{inventory.label}: {len(arrays):,} arrays ({names[0][:30]}, ...) could be a class each, but {why}; "
        f"`layout={NAME}` reads them so",
    )


def named_rows(images: StoredArray, name: str) -> StoredArray:
    """The labels of an array of one class."""
    count = label_count(images.shape[:1]) or 0
    load: Callable[[], Array] = lambda: np.full(count, name)  # noqa: E731
    return StoredArray(images.key, images.name, images.shown, (count,), np.dtype(np.str_), load)


LAYOUT = Layout(
    NAME,
    "one array a class, called by the class",
    """\
quickdraw/
  full_numpy_bitmap_apple.npy
  full_numpy_bitmap_cat.npy""",
    matches,
)
