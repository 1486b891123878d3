"""Layout: Oxford-IIIT Pets, flat pictures with annotations/trainval.txt and test.txt."""

from __future__ import annotations

import re

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, can_honour
from sightlab.data.layouts.known_files import (
    UnreadableError,
    folder_of,
    known_form,
    pairs_of_lines,
    the_picture,
    together,
)
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.messages import counted
from sightlab.data.tables.finder import Finder

NAME = "oxford-pets"
LISTS = {"train": "trainval.txt", "test": "test.txt"}
# Picture, class 1 to 37, species (1 cat, 2 dog), breed within the species.
LINE = re.compile(r"(?P<breed>.+)_\d+ (?P<number>\d+) [12] \d+")


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture under its breed, in the official split; `label=species` takes cat and dog for the classes."""
    folder = together(inventory, *LISTS.values())
    if folder is None or not can_honour(options, NAME, "label") or options.label not in (None, "species", "breed"):
        return None
    rows = {split: pairs_of_lines(inventory, folder + name) for split, name in LISTS.items()}
    if not all(LINE.fullmatch(" ".join(row)) for own in rows.values() for row in own):
        return None
    finder = Finder([name for name in inventory.pictures if not name.startswith(folder) or not folder])
    pairs: dict[str, list[tuple[str, str]]] = {}
    numbers: dict[str, int] = {}
    missing = []
    for split, own in rows.items():
        pairs[split] = []
        for stem, rest in own:
            label, number = class_of(stem, rest, options)
            numbers[label] = number
            if (picture := the_picture(finder, stem)) is None:
                missing.append(stem)
            else:
                pairs[split].append((picture, label))
    if not any(pairs.values()):
        return None
    check_found(inventory, folder, missing, sum(map(len, rows.values())))
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels=f"{folder}trainval.txt and {folder}test.txt",
        strength=KNOWN,
        order=sorted(numbers, key=lambda label: numbers[label]),
        notes=[f"{counted(missing, 'picture', 'pictures')} of the lists not here"] if missing else [],
    )


def class_of(stem: str, rest: str, options: ReadOptions) -> tuple[str, int]:
    """A line's class and its number.

    >>> class_of("american_bulldog_10", "2 2 1", ReadOptions())
    ('american_bulldog', 2)
    """
    number, species, _ = rest.split()
    if options.label == "species":
        return ("cat", 1) if species == "1" else ("dog", 2)
    return stem.rpartition("_")[0], int(number)


def check_found(inventory: Inventory, folder: str, missing: list[str], count: int) -> None:
    """Raises UnreadableError where more than half of the pictures are not there."""
    if 2 * len(missing) > count:
        raise UnreadableError(
            f"{inventory.shown(folder + LISTS['train'])}: {len(missing):,} of {count:,} pictures are not in "
            f"{inventory.label}; unpack images.tar.gz beside the folder {folder_of(folder[:-1]) or ''}annotations"
        )


LAYOUT = Layout(
    NAME,
    "Oxford-IIIT Pets with its annotations",
    """
    oxford-iiit-pet/
      images/       Abyssinian_100.jpg  beagle_1.jpg
      annotations/  list.txt  trainval.txt  test.txt  trimaps/Abyssinian_100.png
    """,
    known_form(NAME, matches),
)
