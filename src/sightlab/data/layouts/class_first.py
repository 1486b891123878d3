"""Layout: a folder for each class, with train and test folders in it."""

from __future__ import annotations

from collections import defaultdict

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import Claim, Layout, ReadOptions, applies, word
from sightlab.data.layouts.class_folders import class_first, notes_of
from sightlab.data.layouts.doubts import shared_doubt, variant_doubt
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_words import exact_split, plain
from sightlab.data.layouts.tree import Tree
from sightlab.data.messages import shortened

NAME = "class-first"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of each class by the split that their inner folder says."""
    if not applies(inventory, options, NAME, "shape"):
        return None
    tree = Tree(inventory)
    if not class_first(tree, tree.top):
        return None
    start = f"{tree.top}/" if tree.top else ""
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, first, second in tree.parted(start):
        split = exact_split(plain(second))
        if first and split:
            pairs[split].append((name, first))
    doubts = [] if options.layout == NAME else doubts_of(tree)
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels="the outer folders' names",
        notes=notes_of(inventory, [pair for own in pairs.values() for pair in own]),
        doubts=doubts,
    )


def doubts_of(tree: Tree) -> list[str]:
    """Why the outer folders may be variants, with splits and perhaps classes in them, rather than classes."""
    names = tree.inner_names(tree.top)
    same = shared_doubt(tree, [f for outer in tree.inner(tree.top) for f in tree.inner(outer)]) or variant_doubt(names)
    if not same:
        return []
    return [
        f"{shortened(tree.inventory.label, 120)}: {same}; {word('config', names[0])} reads that one alone, "
        f"`layout={NAME}` takes the outer folders for classes"
    ]


LAYOUT = Layout(
    NAME,
    "train and test folders in each class folder",
    """
    pets/
      cat/  train/1.jpg  test/2.jpg
      dog/  train/1.jpg  test/2.jpg
    """,
    matches,
)
