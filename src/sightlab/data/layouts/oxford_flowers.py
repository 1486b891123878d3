"""Layout: Oxford Flowers 102, jpg/image_00001.jpg with imagelabels.mat and setid.mat."""

from __future__ import annotations

import re

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, can_honour
from sightlab.data.layouts.known_files import (
    UnreadableError,
    called,
    known_form,
    mat_of,
    numbers_in,
    still_packed,
)
from sightlab.data.layouts.picture_claim import picture_claim

NAME = "oxford-flowers"
KEYS = {"train": "trnid", "validation": "valid", "test": "tstid"}
PICTURE = re.compile(r"(.*/)?image_(\d{4,})\.\w+")


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture under its number of 1 to 102, in the official split."""
    if not can_honour(options, NAME):
        return None
    labels, sets = called(inventory, "imagelabels.mat"), called(inventory, "setid.mat")
    named = [(int(found[2]), name) for name in inventory.pictures if (found := PICTURE.fullmatch(name))]
    pictures = dict(named)
    if not labels or not pictures:
        return still_packed(inventory, NAME) if labels and sets else None
    if len(named) > len(pictures):
        raise UnreadableError(f"{inventory.label}: holds two pictures of one number, as {named[0][1]}; keep one folder")
    if not sets:
        raise UnreadableError(
            f"{inventory.label}: there is imagelabels.mat and no setid.mat, which has the splits; fetch it too"
        )
    numbers = numbers_in(inventory, labels[0], mat_of(inventory, labels[0]).get("labels", ()))
    ids = mat_of(inventory, sets[0])
    if not numbers or any(key not in ids for key in KEYS.values()):
        return None
    wanted = {split: numbers_in(inventory, sets[0], ids[key]) for split, key in KEYS.items()}
    if max(max(own, default=0) for own in wanted.values()) > len(numbers):
        raise UnreadableError(
            f"{inventory.shown(labels[0])}: labels {len(numbers):,} pictures, setid.mat names more; fetch both again"
        )
    gone = [place for own in wanted.values() for place in own if place not in pictures]
    pairs = {
        split: [(pictures[place], str(numbers[place - 1])) for place in own if place in pictures]
        for split, own in wanted.items()
    }
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels="imagelabels.mat",
        strength=KNOWN,
        notes=[f"{len(gone):,} pictures that setid.mat names are not here"] if gone else [],
    )


LAYOUT = Layout(
    NAME,
    "Oxford Flowers 102 with its .mat files",
    """
    flowers-102/
      jpg/  image_00001.jpg  image_00002.jpg
      imagelabels.mat  setid.mat
    """,
    known_form(NAME, matches),
)
