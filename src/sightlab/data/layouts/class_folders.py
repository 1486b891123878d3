"""Layout: one folder per class, at any depth below folders that hold nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import POSSIBLE, STRUCTURE, Claim, Layout, ReadOptions, applies, classes_word, word
from sightlab.data.layouts.copies import nested_doubt
from sightlab.data.layouts.doubts import deeper_doubt, masks, masks_doubt, shared_doubt, storage_doubt, variant_doubt
from sightlab.data.layouts.picture_claim import left_pictures, picture_claim
from sightlab.data.layouts.split_words import partial_family, split_family
from sightlab.data.layouts.tree import Tree, last
from sightlab.data.messages import counted, shortened

NAME = "class-folders"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture under the name of its folder below the first place with several folders."""
    if not applies(inventory, options, NAME, "shape"):
        return None
    tree = Tree(inventory)
    root = tree.top
    chosen = options.layout == NAME
    if not chosen and (divided(tree, root) or class_first(tree, root)):
        return None
    folders = [f for f in tree.inner(root) if not options.classes or last(f) in options.classes]
    pairs = {"all": tree.pairs(root)}
    if not tree.inner(root):
        return None
    doubts = [] if chosen or options.classes else doubts_of(tree, root, folders)
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels="the folders' names",
        strength=STRUCTURE if not doubts else POSSIBLE,
        notes=notes_of(inventory, pairs["all"]),
        unused=left_pictures(inventory, pairs, "in no class folder"),
        doubts=doubts,
    )


def divided(tree: Tree, root: str) -> bool:
    """Whether the folders here are splits with classes in them, or splits by all their names."""
    names = tree.inner_names(root)
    if split_family(names):
        return True
    family, _ = partial_family(names)
    return len(family) > 1 and any(tree.inner(f) for f in tree.inner(root) if last(f) in family)


def class_first(tree: Tree, root: str) -> bool:
    """Whether every folder here holds folders called by splits and nothing else."""
    folders = tree.inner(root)
    return len(folders) > 1 and all(tree.are_splits(f) and not tree.direct[f] for f in folders)


def doubts_of(tree: Tree, root: str, folders: list[str]) -> list[str]:
    """Why these folders may be no classes, a line each."""
    label, names = shortened(tree.inventory.label, 120), [last(f) for f in folders]
    found = [f"{label}: {why}" for why in names_doubts(tree, folders, names)]
    if empty := tree.empty(root):
        found.append(
            f"{tree.inventory.shown(empty[0])}: the class folder holds no pictures; fill or remove it, or "
            f"name the classes: {classes_word(names)}"
        )
    loose = tree.direct[root]
    if loose > sum(tree.within[f] for f in folders):
        found.append(
            f"{label}: {loose:,} pictures lie beside the class folders, more than in them; `layout={NAME}` ignores them"
        )
    return found


def names_doubts(tree: Tree, folders: list[str], names: list[str]) -> Iterator[str]:
    """What the names of these folders, and of those in them, say against their being classes."""
    if masked := masks_doubt(tree, folders):
        yield masked
    elif nested := nested_doubt(tree, folders):
        yield nested
    store = storage_doubt(names)
    if same := shared_doubt(tree, folders) or ("" if store else variant_doubt(names)):
        yield f"{same}; {word('config', names[0])} reads one of them, `layout={NAME}` takes them for classes"
    elif deeper := deeper_doubt(tree, folders):
        yield f"{deeper}; `layout={NAME}` takes the outer folders for classes, `layout=leaf-folders` the inner"
    if store:
        yield f"{store}; give a list of `file,label` lines, or `layout={NAME}` takes them for classes"


def notes_of(inventory: Inventory, pairs: list[tuple[str, str]]) -> list[str]:
    """What the user should know of pictures read by their folders."""
    notes = list(left_pictures(inventory, {"all": pairs}, "in no class folder"))
    others = [n for kind, names in inventory.kinds.items() if kind not in ("picture", "empty") for n in names]
    if others:
        are = "is no picture" if len(others) == 1 else "are no pictures"
        notes.append(f"{counted(others, 'file', 'files')} that {are} ignored")
    if found := masks([name for name, _ in pairs]):
        held = counted(found, "picture", "pictures")
        notes.append(f"{held} named like masks of others; `ignore=*_mask*` ignores such files")
    return notes


LAYOUT = Layout(
    NAME,
    "a folder for each class",
    """
    pets/
      cat/  1.jpg  2.jpg  more/3.jpg
      dog/  1.jpg  2.jpg
    """,
    matches,
)
