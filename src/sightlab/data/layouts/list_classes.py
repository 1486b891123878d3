"""Class names for lists that give numbers or ids: from a file beside them, else from folder names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import Pairs, ReadOptions
from sightlab.data.layouts.doubts import storage_doubt, variant_doubt
from sightlab.data.layouts.split_words import split_of
from sightlab.data.tables.class_columns import class_names
from sightlab.data.tables.label_cells import is_whole

WORDNET = re.compile(r"n\d{8}")


@dataclass(frozen=True, eq=False)
class Named:
    """(picture, class name) by split, the classes' official order, () for the natural one, and notes."""

    pairs: Mapping[str, Pairs]
    order: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def with_class_names(
    inventory: Inventory,
    pairs: Mapping[str, Sequence[tuple[str, str]]],
    options: ReadOptions,
    *,
    lists: Collection[str],
    whole: bool,
) -> Named:
    """The pairs under the classes' names, where the labels are numbers or ids and something names them all.

    lists: the texts that are read as lists. whole: whether the source is all of the folder, not a
    list in it, so that the folders' names may count.
    """
    labels = {label for own in pairs.values() for _, label in own}
    if options.names or not labels or not all(is_whole(label) or WORDNET.fullmatch(label) for label in labels):
        return Named(pairs)
    found = class_names(inventory, labels, lists)
    if found is not None:
        renamed = {split: [(name, found.names[label]) for name, label in own] for split, own in pairs.items()}
        return Named(renamed, found.order, (f"the classes' names are those of {found.file}",))
    folders = folder_names(pairs) if whole else {}
    if folders:
        renamed = {split: [(name, folders[label]) for name, label in own] for split, own in pairs.items()}
        return Named(renamed, (), ("the classes have the names of their folders",))
    return Named(pairs)


def folder_names(pairs: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, str]:
    """The folder of each label's pictures, where each label has one and each folder one label, and none is a number."""
    folder: dict[str, str] = {}
    label_of: dict[str, str] = {}
    for own in pairs.values():
        for name, label in own:
            parent = name.rpartition("/")[0].rpartition("/")[2]
            if folder.setdefault(label, parent) != parent or label_of.setdefault(parent, label) != label:
                return {}
    names = list(folder.values())
    plain = len(names) > 1 and not any(name == "" or is_whole(name) or split_of(name) for name in names)
    return folder if plain and not storage_doubt(names) and not variant_doubt(names) else {}
