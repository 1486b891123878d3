"""Layout: Stanford Dogs, class folders divided by train_list.mat and test_list.mat."""

from __future__ import annotations

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.known_files import as_list, known_form, mat_of, the_picture, together
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.tables.finder import Finder

NAME = "stanford-dogs"
LISTS = {"train": "train_list.mat", "test": "test_list.mat"}


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture of the lists under its breed's folder, in the official split."""
    if not applies(inventory, options, NAME):
        return None
    folder = together(inventory, *LISTS.values())
    if folder is None:
        return None
    finder = Finder(inventory.pictures)
    pairs: dict[str, list[tuple[str, str]]] = {}
    missing = 0
    for split, name in LISTS.items():
        paths = [str(path) for path in as_list(mat_of(inventory, folder + name).get("file_list", ()))]
        found = [(the_picture(finder, path), path.partition("/")[0]) for path in paths]
        pairs[split] = [(picture, breed) for picture, breed in found if picture is not None]
        missing += len(found) - len(pairs[split])
    if not any(pairs.values()):
        return None
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels=f"the folders' names, divided by {folder}train_list.mat and {folder}test_list.mat",
        strength=KNOWN,
        notes=[f"{missing:,} pictures of the lists are not here"] if missing else [],
    )


LAYOUT = Layout(
    NAME,
    "Stanford Dogs with its lists",
    """
    stanford-dogs/
      Images/  n02085620-Chihuahua/n02085620_10074.jpg
      train_list.mat  test_list.mat
    """,
    known_form(NAME, matches),
)
