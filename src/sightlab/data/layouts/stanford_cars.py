"""Layout: Stanford Cars, flat pictures with MATLAB annotations of the development kit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, can_honour, refused
from sightlab.data.layouts.known_files import (
    as_list,
    called,
    known_form,
    mat_of,
    numbers_in,
    still_packed,
    structs_in,
    the_picture,
)
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.messages import shortened
from sightlab.data.tables.finder import Finder

NAME = "stanford-cars"
LISTS = ("cars_train_annos.mat", "cars_test_annos_withlabels.mat", "cars_annos.mat")
NAMES = ("cars_meta.mat", "cars_annos.mat")


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture that an annotation names under its class, in the official split."""
    lists = called(inventory, *LISTS)
    if not lists or not can_honour(options, NAME):
        return None
    if not inventory.pictures:
        return still_packed(inventory, NAME)
    names = class_names(inventory)
    found = [row for name in once(lists) for row in annotated(inventory, name)]
    # cars_annos.mat numbers the pictures of car_ims otherwise than the other lists those of cars_train.
    finder = Finder(inventory.pictures)
    pairs: dict[str, dict[str, str]] = defaultdict(dict)
    for split, path, number in found:
        picture = the_picture(finder, path)
        if picture is not None:
            pairs[split].setdefault(picture, names[number - 1] if 0 < number <= len(names) else str(number))
    if not pairs:
        return refused(
            NAME,
            f"{shortened(inventory.label, 60)}: {shortened(lists[0])} names none of the pictures here; the annotations "
            "of cars_train are cars_train_annos.mat of the development kit",
            KNOWN,
        )
    labelled = {picture for own in pairs.values() for picture in own}
    left = len(inventory.pictures) - len(labelled)
    return picture_claim(
        inventory,
        options,
        NAME,
        {split: list(own.items()) for split, own in pairs.items()},
        labels=", ".join(lists),
        strength=KNOWN,
        order=[name for name in names if any(name in own.values() for own in pairs.values())],
        notes=[f"{left:,} pictures without labels ignored (`sightlab predict` takes them)"] if left else [],
    )


def once(names: list[str]) -> list[str]:
    """The least deep file of each name."""
    return list({name.rpartition("/")[2].casefold(): name for name in reversed(names)}.values())


def class_names(inventory: Inventory) -> list[str]:
    """The models of cars in their order; none where no file has them."""
    for name in called(inventory, *NAMES):
        found = mat_of(inventory, name).get("class_names")
        if found is not None:
            return [str(text) for text in as_list(found)]
    return []


def annotated(inventory: Inventory, name: str) -> Iterator[tuple[str, str, int]]:
    """(split, path of the picture, class from 1) of each annotation of a file that has a class."""
    split = "test" if "test" in name.rpartition("/")[2] else "train"
    folder = "" if name.endswith("cars_annos.mat") else f"cars_{split}/"
    rows = structs_in(mat_of(inventory, name).get("annotations", ()), "class")
    numbers = numbers_in(inventory, name, [one["class"] for one in rows])
    for one, number in zip(rows, numbers, strict=True):
        path = str(one.get("relative_im_path") or folder + str(one.get("fname", "")))
        if path != folder:
            yield ("test" if one.get("test", split == "test") else "train"), path, number


LAYOUT = Layout(
    NAME,
    "Stanford Cars with its development kit",
    """
    stanford_cars/
      cars_train/  00001.jpg  00002.jpg
      cars_test/   00001.jpg
      devkit/      cars_meta.mat  cars_train_annos.mat
      cars_test_annos_withlabels.mat
    """,
    known_form(NAME, matches),
)
