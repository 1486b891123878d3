"""Layout: Caltech-UCSD Birds and NABirds (images.txt, image_class_labels.txt, train_test_split.txt, classes.txt)."""

from __future__ import annotations

from collections import Counter, defaultdict

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.known_files import (
    UnreadableError,
    known_form,
    pairs_of_lines,
    the_picture,
    together,
)
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.tables.finder import Finder

NAME = "cub"
LISTS = ("images.txt", "image_class_labels.txt", "classes.txt")
SPLITS = {"1": "train", "0": "test"}


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture of images.txt under its class, in the official split."""
    if not applies(inventory, options, NAME):
        return None
    folder = together(inventory, *LISTS)
    if folder is None:
        return None
    images, labels, classes = (
        dict(pairs_of_lines(inventory, folder + name))
        for name in ("images.txt", "image_class_labels.txt", "classes.txt")
    )
    official = f"{folder}train_test_split.txt"
    splits = dict(pairs_of_lines(inventory, official)) if official in inventory.texts else {}
    names = class_names(classes)
    finder = Finder([name for name in inventory.pictures if name.startswith(f"{folder}images/")])
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    missing = 0
    for number, path in images.items():
        picture = the_picture(finder, path)
        label = names.get(labels.get(number, ""))
        split = SPLITS.get(splits.get(number, "")) if splits else UNDIVIDED
        if label is None or split is None:
            raise UnreadableError(
                f"{inventory.shown(folder + 'images.txt')}: image {number} has no label or split in the lists beside; "
                "fetch them again"
            )
        missing += picture is None
        if picture is not None:
            pairs[split].append((picture, label))
    if not pairs:
        return None
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels="image_class_labels.txt",
        strength=KNOWN,
        order=in_use(names, pairs),
        notes=[f"{missing:,} pictures of images.txt are not here"] if missing else [],
    )


def class_names(classes: dict[str, str]) -> dict[str, str]:
    """Class by number; a name that two numbers have is told apart by them."""
    count = Counter(classes.values())
    return {number: name if count[name] == 1 else f"{name} ({number})" for number, name in classes.items()}


def in_use(names: dict[str, str], pairs: dict[str, list[tuple[str, str]]]) -> list[str]:
    """The classes that have pictures, in the order of classes.txt."""
    found = {text for own in pairs.values() for _, text in own}
    return [name for name in names.values() if name in found]


LAYOUT = Layout(
    NAME,
    "CUB-200-2011 or NABirds with its lists",
    """
    CUB_200_2011/
      images/  001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg
      images.txt  image_class_labels.txt  train_test_split.txt  classes.txt
    """,
    known_form(NAME, matches),
)
