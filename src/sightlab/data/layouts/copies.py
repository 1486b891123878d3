"""Duplicate folders, as badly packed archives have them: left out, or reported as a doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import word
from sightlab.data.layouts.tree import Tree, last
from sightlab.data.messages import shortened

SAMPLES = 3


def without_copies(inventory: Inventory) -> Inventory:
    """The inventory without folders that are copies of those beside them, and a note on each.

    A copy has the names and sizes of the other's pictures, and the same bytes where a few are compared. It is called
    like the other folder but for the case (`train` beside `Train`), or holds all that lies beside it once more, as
    cell_images/cell_images does.
    """
    tree = Tree(inventory)
    gone: dict[str, str] = {}
    for folder, original in candidates(tree):
        if original not in gone and is_copy(tree, folder, original):
            gone[folder] = original
    if not gone:
        return inventory
    starts = tuple(f"{folder}/" for folder in gone)
    kept = inventory.only_names(lambda name: not name.startswith(starts))
    notes = [f"{folder} holds the same pictures as {beside(tree, other)}: ignored" for folder, other in gone.items()]
    return replace(kept, notes=(*inventory.notes, *notes))


def beside(tree: Tree, original: str) -> str:
    """What a note calls the pictures that a folder copies."""
    return "the folders beside it" if original == tree.top else original


def candidates(tree: Tree) -> Iterator[tuple[str, str]]:
    """(folder, what it may be a copy of): a folder beside it, or all that lies beside it; "" is the source."""
    folders = tree.inner(tree.top)
    first: dict[str, str] = {}
    for folder in folders:
        other = first.setdefault(last(folder).casefold(), folder)
        if other != folder:
            yield folder, other
        elif repeats(tree, folder, folders):
            yield folder, tree.top


def repeats(tree: Tree, folder: str, folders: Sequence[str]) -> bool:
    """Whether a folder holds folders of the names of those beside it, and no others."""
    inner = set(tree.inner_names(folder))
    return len(inner) > 1 and inner <= {last(other) for other in folders if other != folder}


def is_copy(tree: Tree, folder: str, original: str) -> bool:
    """Whether every picture of a folder lies under the same path in another one, of the same size and content."""
    inventory, sizes = tree.inventory, tree.inventory.container.sizes
    start = len(folder) + 1
    own = [name for name in inventory.pictures if name.startswith(f"{folder}/")]
    other = {name: f"{original}/{name[start:]}" if original else name[start:] for name in own}
    if not own or any(sizes.get(other[name]) != sizes[name] for name in own):
        return False
    some = own[:: max(1, len(own) // SAMPLES)][:SAMPLES]
    content = dict(inventory.container.stream(some))
    twins = dict(inventory.container.stream([other[name] for name in some]))
    return all(content[name] == twins[other[name]] for name in some)


def nested_doubt(tree: Tree, folders: Sequence[str]) -> str:
    """Why one of these folders is no class: it holds folders of the names of those beside it; "" where none does."""
    for folder in folders:
        if repeats(tree, folder, folders):
            names = ", ".join(f"`{shortened(name, 24)}`" for name in tree.inner_names(folder)[:3])
            return (
                f"`{shortened(folder, 40)}` holds folders of the same names as those beside it ({names}); "
                f"{word('ignore', f'{folder}/*')} ignores it"
            )
    return ""
