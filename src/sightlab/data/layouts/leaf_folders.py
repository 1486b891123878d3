"""Layout: grouped classes; the innermost folder is the class."""

from __future__ import annotations

from collections import defaultdict

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import STATED, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.class_folders import notes_of
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_folders import split_roots
from sightlab.data.layouts.tree import Tree, last

NAME = "leaf-folders"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture under the name of its own folder. Read only where the user says so: outer folders come first."""
    if options.layout != NAME or not applies(inventory, options, NAME, "shape", "split"):
        return None
    tree = Tree(inventory)
    roots, _ = split_roots(tree, options)
    starts = {f"{root}/": split for split, root in roots.items()} or {"": UNDIVIDED}
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in inventory.pictures:
        folder = name.rpartition("/")[0]
        split = next((split for start, split in starts.items() if name.startswith(start)), None)
        if split and folder and folder not in roots.values():
            pairs[split].append((name, last(folder)))
    every = [pair for own in pairs.values() for pair in own]
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels="the names of the innermost folders",
        strength=STATED,
        notes=notes_of(inventory, every),
    )


LAYOUT = Layout(
    NAME,
    "classes in groups: the innermost folder is the class",
    """
    pets/
      mammals/  cat/1.jpg  dog/1.jpg
      birds/    owl/1.jpg  gull/1.jpg
    """,
    matches,
)
