"""Layout: ImageNet 2012 unpacked, its validation split labelled by the development kit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies, refused
from sightlab.data.layouts.known_files import (
    UnreadableError,
    called,
    folder_of,
    known_form,
    lines_of,
    mat_of,
    numbers_in,
    structs_in,
)
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_folders import bare_notes, by_labels, split_roots
from sightlab.data.layouts.tree import Tree
from sightlab.data.messages import shortened

NAME = "imagenet"
TRUTH = "ilsvrc2012_validation_ground_truth.txt"
PICTURE = re.compile(r"(?:.*/)?ILSVRC2012_val_(\d{8})\.\w+")  # the number of its line


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Training pictures by their folders; validation pictures by the numbers of the kit, a line each."""
    truths = called(inventory, TRUTH)
    if not truths or not applies(inventory, options, NAME):
        return None
    tree = Tree(inventory)
    roots, _ = split_roots(tree, options)
    labelled, bare = by_labels(tree, roots)
    if "train" not in labelled or "validation" not in bare:
        return None
    places = {name: int(found[1]) for name in inventory.pictures if (found := PICTURE.fullmatch(name))}
    if not places:
        return None
    ids = wordnet_ids(inventory, folder_of(truths[0]))
    if not ids:
        return refused(
            NAME,
            f"{shortened(inventory.label, 80)}: {truths[0]} numbers the classes, and meta.mat, which says what the "
            "numbers are, is not beside it; unpack ILSVRC2012_devkit_t12.tar.gz whole",
        )
    numbers = lines_of(inventory, truths[0])
    if len(numbers) < max(places.values(), default=1) or not set(numbers) <= ids.keys():
        raise UnreadableError(
            f"{shortened(inventory.shown(truths[0]), 80)}: has {len(numbers):,} numbers of classes, which do not fit "
            "the pictures of validation or meta.mat; fetch the development kit again"
        )
    return picture_claim(
        inventory,
        options,
        NAME,
        {
            "train": tree.pairs(labelled["train"]),
            "validation": [(name, ids[numbers[place - 1]]) for name, place in places.items()],
        },
        labels=f"the folders' names and {truths[0]}",
        strength=KNOWN,
        notes=bare_notes(tree, {split: folder for split, folder in bare.items() if split != "validation"}),
    )


def wordnet_ids(inventory: Inventory, folder: str) -> Mapping[str, str]:
    """The WordNet id of each class number, from the development kit; empty where meta.mat is not there."""
    for name in called(inventory, "meta.mat"):
        if folder_of(name) == folder:
            synsets = structs_in(mat_of(inventory, name).get("synsets", ()), "ILSVRC2012_ID", "WNID")
            numbers = numbers_in(inventory, name, [one["ILSVRC2012_ID"] for one in synsets])
            return {str(number): str(one["WNID"]) for number, one in zip(numbers, synsets, strict=True)}
    return {}


LAYOUT = Layout(
    NAME,
    "ImageNet 2012 as its tars unpack, with the development kit",
    """
    imagenet/
      ILSVRC2012_img_train/   n01440764/n01440764_18.JPEG
      ILSVRC2012_img_val/     ILSVRC2012_val_00000001.JPEG
      ILSVRC2012_devkit_t12/  data/meta.mat  data/ILSVRC2012_validation_ground_truth.txt
    """,
    known_form(NAME, matches),
)
