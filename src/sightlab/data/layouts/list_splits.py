"""Merging lists into (picture, label) by split, from lists, columns, folders or the user's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import ReadOptions, word
from sightlab.data.layouts.list_source import ListSource
from sightlab.data.layouts.listed import Listed
from sightlab.data.messages import shortened
from sightlab.data.tables.finder import split_in
from sightlab.data.tables.label_cells import plain_labels
from sightlab.errors import DataError, one_line


class ContradictionError(DataError):
    """Lists that say different things of one picture."""


def places_of_lists(source: ListSource, options: ReadOptions) -> str | None:
    """The lists that `split=train:a.txt,test:b.txt` names; None where it names folders."""
    places = list(options.split_places.values())
    return ",".join(places) if places and all(place in source.lists for place in places) else None


@dataclass(frozen=True)
class Assignment:
    """What is known of one picture: its label and split, and the list that says so."""

    label: str
    split: str
    name: str


def by_split(
    source: ListSource, lists: Sequence[Listed], options: ReadOptions
) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """(picture, label) by split, and a line on what is ignored. Raises ContradictionError and DataError."""
    labelled = merged(lists, options)
    asides: list[str] = []
    if options.split_places and not places_of_lists(source, options):
        labelled, asides = by_places(source.inventory, labelled, options)
    elif {one.split for one in labelled.values()} == {UNDIVIDED}:
        labelled = by_folders(source.inventory, labelled)
    found: dict[str, list[tuple[str, str]]] = {}
    plain = plain_labels(one.label for one in labelled.values())
    for name, one in labelled.items():
        found.setdefault(one.split, []).append((name, plain[one.label]))
    if UNDIVIDED in found and len(found) > 1:
        without = next(one.name for one in labelled.values() if one.split == UNDIVIDED)
        raise ContradictionError(
            f"{source.inventory.shown(without)}: says no split, and other lists do; name it for one, as in train.csv, "
            "or say which is meant by `list=`"
        )
    return found, asides


def merged(lists: Sequence[Listed], options: ReadOptions) -> dict[str, Assignment]:
    """What all lists say of each picture. Raises ContradictionError where two say different things."""
    places = {place: split for split, place in options.split_places.items()}
    labelled: dict[str, Assignment] = {}
    for one in lists:
        own = places.get(one.name) or one.split or UNDIVIDED
        for name, label in one.pairs:
            new = Assignment(label, one.splits.get(name, own), one.name)
            old = labelled.setdefault(name, new)
            if (old.label, old.split) != (new.label, new.split):
                raise ContradictionError(contradiction(name, old, new))
    return labelled


def contradiction(name: str, old: Assignment, new: Assignment) -> str:
    """The line on two lists that say different things of a picture."""
    where, there = shortened(old.name, 40), shortened(new.name, 40)
    if old.split != new.split:
        return f"{shortened(name)}: is listed for {old.split} in {where} and for {new.split} in {there}; list it once"
    return f"{shortened(name)}: is `{old.label[:40]}` in {where} and `{new.label[:40]}` in {there}; correct one of them"


def by_places(
    inventory: Inventory, labelled: Mapping[str, Assignment], options: ReadOptions
) -> tuple[dict[str, Assignment], list[str]]:
    """The splits by the folders that the user has named, and a line on pictures in none. Raises DataError."""
    found: dict[str, Assignment] = {}
    for split, place in options.split_places.items():
        inside = {name: one for name, one in labelled.items() if name.startswith(f"{place}/")}
        own = {name: Assignment(one.label, split, one.name) for name, one in inside.items()}
        if not own:
            raise DataError(
                f"{shortened(inventory.label, 80)}: split={one_line(options.split)[:60]}: no list names "
                f"pictures in `{shortened(place)}`"
            )
        found |= own
    left = len(labelled) - len(found)
    return found, [f"{left:,} listed pictures in no folder that `split` names ignored"] if left else []


def by_folders(inventory: Inventory, labelled: Mapping[str, Assignment]) -> dict[str, Assignment]:
    """The splits that the pictures' folders say, where all say one. Raises ContradictionError where only some do."""
    folder_splits = {name: folder_split(name, one.label) for name, one in labelled.items()}
    splits = set(folder_splits.values())
    if len(splits) < 2:
        return dict(labelled)
    if None in splits:
        bare = next(name for name, split in folder_splits.items() if split is None).rpartition("/")[0]
        other, split = next((name.rpartition("/")[0], split) for name, split in folder_splits.items() if split)
        places = word("split", f"train:{bare},{split}:{other}") if bare and split != "train" else "`split=`"
        raise ContradictionError(
            f"{shortened(inventory.label, 70)}: some listed pictures lie in `{shortened(other, 30)}`, a {split} split, "
            f"and others in `{shortened(bare, 30)}`; say the splits, as in {places}"
        )
    return {name: Assignment(one.label, str(folder_splits[name]), one.name) for name, one in labelled.items()}


def folder_split(name: str, label: str) -> str | None:
    """The split that a picture's folder says, unless that is the name of its class."""
    folders = [part for part in name.split("/")[:-1] if part.casefold() != label.casefold()]
    return split_in("/".join(folders)) if folders else None
