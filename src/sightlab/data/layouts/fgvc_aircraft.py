"""Layout: FGVC-Aircraft, images_variant_train.txt and its like."""

from __future__ import annotations

from collections import Counter

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.known_files import (
    called,
    folder_of,
    known_form,
    lines_of,
    pairs_of_lines,
    the_picture,
)
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.tables.finder import Finder
from sightlab.errors import DataError

NAME = "fgvc-aircraft"
LEVELS = {"variant": "variants.txt", "family": "families.txt", "manufacturer": "manufacturers.txt"}
WORDS = {"train": "train", "validation": "val", "test": "test"}


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture of the lists under its variant, or what `label` says, in the official splits."""
    found = called(inventory, *(f"images_{level}_train.txt" for level in LEVELS))
    if not found or not applies(inventory, options, NAME, "label"):
        return None
    level, folder = options.label or "variant", folder_of(found[0])
    if level not in LEVELS:
        raise DataError(f"{inventory.label}: label={level}: FGVC-Aircraft has `label=variant`, family and manufacturer")
    lists = {split: f"{folder}images_{level}_{word}.txt" for split, word in WORDS.items()}
    rows = {split: pairs_of_lines(inventory, name) for split, name in lists.items() if name in inventory.texts}
    finder = Finder(inventory.pictures)
    pairs = {
        split: [(p, text) for number, text in own if (p := the_picture(finder, number))] for split, own in rows.items()
    }
    if not any(pairs.values()):
        return None
    missing = sum(map(len, rows.values())) - sum(map(len, pairs.values()))
    notes = [f"{missing:,} pictures of the lists are not here"] if missing else []
    if options.label is None:
        notes.append("classes are variants of aircraft; `label=family` and `label=manufacturer` take coarser ones")
    order = f"{folder}{LEVELS[level]}"
    listed = lines_of(inventory, order) if order in inventory.texts else []
    held = Counter(text for own in pairs.values() for _, text in own)
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels=f"images_{level}_*.txt",
        strength=KNOWN,
        order=[name for name in listed if name in held],
        notes=notes,
    )


LAYOUT = Layout(
    NAME,
    "FGVC-Aircraft with its lists",
    """
    fgvc-aircraft-2013b/data/
      images/  0034309.jpg  0056978.jpg
      images_variant_train.txt (0034309 707-320)  images_variant_val.txt  images_variant_test.txt
    """,
    known_form(NAME, matches),
)
