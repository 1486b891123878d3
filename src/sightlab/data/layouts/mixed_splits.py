"""Layout: class folders for training, flat pictures for validation or test that a table labels."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, STATED, Claim, Layout, ReadOptions, applies, refused
from sightlab.data.layouts.class_folders import notes_of
from sightlab.data.layouts.flat_labels import FlatLabels, flat_labels
from sightlab.data.layouts.known_classes import small
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_folders import (
    asked_roots,
    bare_notes,
    by_labels,
    doubts_of,
    split_roots,
    without,
)
from sightlab.data.layouts.split_words import parsed
from sightlab.data.layouts.tree import Tree, last
from sightlab.data.tables.sheet import whole_of

NAME = "split-labels"
MOST = 0.9
WNID = re.compile(r"n\d{8}")


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of class folders, and flat ones of other splits under the classes that a table gives them."""
    if not applies(inventory, options, NAME, "label", "split"):
        return None
    if options.split and not options.split_places:
        return None
    tree = Tree(inventory)
    roots, others = asked_roots(tree, options) if options.split_places else all_roots(tree, options)
    labelled, bare = by_labels(tree, roots) if roots else ({}, {})
    if "train" not in labelled or not bare:
        return None
    pairs = {split: tree.pairs(root) for split, root in labelled.items()}
    classes = {text: text for _, text in pairs["train"]}
    flat = {split: in_folder(inventory, root) for split, root in bare.items()}
    tables = {split: flat_labels(inventory, own, classes, options.label) for split, own in flat.items()}
    found = {split: labels for split, labels in tables.items() if labels is not None}
    if not found:
        return None
    doubt = next((labels.doubt for labels in found.values() if labels.doubt), "")
    if doubt and options.layout == NAME:
        return refused(NAME, doubt)
    still = {split: root for split, root in bare.items() if split not in found}
    notes, doubts = remarks(tree, roots, labelled, found, still, others)
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs | {split: labels.pairs for split, labels in found.items()},
        labels="the folders' names and " + " and ".join(dict.fromkeys(origin_of(labels) for labels in found.values())),
        strength=KNOWN if nearly_all(found, flat) else STATED,
        notes=notes,
        doubts=[doubt] if doubt else doubts if options.layout != NAME else [],
    )


def all_roots(tree: Tree, options: ReadOptions) -> tuple[dict[str, str], list[str]]:
    """The folder of each split, told less strictly than where folders alone speak: a table must confirm it."""
    roots, others = split_roots(tree, options)
    if len(roots) > 1:
        return roots, others
    split_folders = [(found[0], folder) for folder in tree.inner(tree.top) if (found := parsed(last(folder)))]
    if len(dict(split_folders)) < len(split_folders):
        return {}, []
    return {split: tree.below(folder) for split, folder in split_folders}, [
        folder for folder in tree.inner(tree.top) if folder not in dict(split_folders).values()
    ]


def nearly_all(found: Mapping[str, FlatLabels], flat: Mapping[str, list[str]]) -> bool:
    """Whether tables label nearly all flat pictures of their splits with classes of the folders: no accident."""
    return all(len(labels.pairs) >= MOST * len(flat[split]) for split, labels in found.items())


def in_folder(inventory: Inventory, folder: str) -> list[str]:
    """The pictures in a folder, at any depth."""
    return [name for name in inventory.pictures if name.startswith(f"{folder}/")]


def origin_of(labels: FlatLabels) -> str:
    """Where the labels of flat pictures come from."""
    return f"column {labels.column} of {labels.table}"


def remarks(
    tree: Tree,
    roots: Mapping[str, str],
    labelled: Mapping[str, str],
    found: Mapping[str, FlatLabels],
    still: Mapping[str, str],
    others: list[str],
) -> tuple[list[str], list[str]]:
    """The notes and the doubts of this reading, a line each."""
    most = len(tree.inner(labelled["train"]))
    icons = [folder for folder in others if tree.direct[folder] == tree.within[folder] <= most]
    doubts = doubts_of(tree, roots, labelled, still, [folder for folder in others if folder not in icons])
    notes = [f"labels of {split} from {origin_of(labels)}" for split, labels in found.items()]
    for split, labels in found.items():
        if left := tree.within[roots[split]] - len(labels.pairs):
            notes.append(f"{left:,} {split} pictures that {labels.table} does not label ignored")
    notes += [f"{tree.within[folder]:,} pictures in {folder}, beside the splits, ignored" for folder in icons]
    bare = {split: root for split, root in roots.items() if split not in labelled}
    used = {labels.table for labels in found.values()}
    inside = without(tree.inventory, {**bare, **{folder: folder for folder in icons}}).only_names(
        lambda n: n not in used
    )
    pairs = [pair for root in labelled.values() for pair in tree.pairs(root)]
    return [*notes, *bare_notes(tree, still), *notes_of(inside, pairs), *wordnet_note(tree, pairs[0][1])], doubts


def wordnet_note(tree: Tree, wnid: str) -> list[str]:
    """Which list names the classes that are called by WordNet ids, as this one."""
    for name, table in tree.inventory.tables.items() if WNID.fullmatch(wnid) else ():
        for _, cells in whole_of(table, "").rows if small(table) else ():
            words = " ".join(cells).split(maxsplit=1)
            if len(words) == 2 and words[0] == wnid and not re.search(r"\d", words[1]):
                return [f"classes are called by WordNet ids; {name} names them ({words[0]}: {words[1].split(',')[0]})"]
    return []


LAYOUT = Layout(
    NAME,
    "class folders for training, and flat pictures with a table for the other splits",
    """
    tiny-imagenet-200/
      train/  n01443537/images/1.JPEG  n01629819/images/1.JPEG
      val/    images/val_0.JPEG  val_annotations.txt (val_0.JPEG n01443537 0 32 44 62)
      test/   images/test_0.JPEG
    """,
    matches,
)
