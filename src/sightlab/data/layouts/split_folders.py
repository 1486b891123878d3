"""Layout: train, validation and test folders, each with class folders."""

from __future__ import annotations

from collections.abc import Mapping

from sightlab.data.imageset import SPLITS
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import POSSIBLE, STATED, STRUCTURE, Claim, Layout, ReadOptions, applies, refused, word
from sightlab.data.layouts.class_folders import notes_of
from sightlab.data.layouts.doubts import deeper_doubt, storage_doubt
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_words import exact_split, is_unlabelled, partial_family, plain
from sightlab.data.layouts.tree import Tree, last
from sightlab.data.messages import shortened
from sightlab.errors import DataError

NAME = "split-folders"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of each split under the names of their class folders."""
    if not applies(inventory, options, NAME, "split", "shape") or (options.split and not options.split_places):
        return None
    tree = Tree(inventory)
    roots, others = asked_roots(tree, options) if options.split_places else split_roots(tree, options)
    if not roots and others:
        return same_split_twice(tree, others)
    if not roots:
        return None
    labelled, bare = by_labels(tree, roots)
    unlabelled = without_labels(tree, others)
    others = [folder for folder in others if folder not in unlabelled]
    bare |= {folder: folder for folder in unlabelled}
    if not labelled:
        return flat_claim(inventory, roots)
    pairs = {split: tree.pairs(root) for split, root in labelled.items()}
    doubts = [] if options.layout == NAME or options.split_places else doubts_of(tree, roots, labelled, bare, others)
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels="the folders' names",
        strength=STATED if options.split_places else STRUCTURE,
        notes=[
            *bare_notes(tree, bare),
            *notes_of(without(inventory, bare), [p for own in pairs.values() for p in own]),
        ],
        doubts=doubts,
    )


def asked_roots(tree: Tree, options: ReadOptions) -> tuple[dict[str, str], list[str]]:
    """The folder of each split as the user names it, from the source or from where splits begin. Raises DataError."""
    roots = {}
    for split, place in options.split_places.items():
        found = [f for f in (place, f"{tree.top}/{place}") if f in tree.within]
        if not found:
            if place in tree.inventory.texts:
                return {}, []
            known = ", ".join(tree.inner_names(tree.top)[:8])
            raise DataError(
                f"{tree.inventory.label}: split={options.split}: no folder `{place}` with pictures; found {known}"
            )
        roots[split] = tree.below(found[0])
    return roots, []


def split_roots(tree: Tree, options: ReadOptions) -> tuple[dict[str, str], list[str]]:
    """The folder of each split by the folders' names, and the folders of pictures beside them."""
    top = tree.top
    names = tree.inner_names(top)
    family, others = partial_family(names)
    start = f"{top}/" if top else ""
    if not family and names and tree.are_splits(top):
        return {}, [start + name for name in names]
    if not family or (others and len(family) < 2):
        return {}, []
    if others and options.layout != NAME and not any(tree.inner(start + name) for name in family):
        return {}, []  # `bus`, `train`, `tram` with pictures in them are classes
    return {split: tree.below(start + name) for name, split in family.items()}, [start + name for name in others]


def without_labels(tree: Tree, others: list[str]) -> list[str]:
    """Those of the folders beside the splits with pictures to be predicted: by their names, and without classes."""
    return [folder for folder in others if is_unlabelled(last(folder)) and len(tree.inner(folder)) < 2]


def same_split_twice(tree: Tree, folders: list[str]) -> Claim:
    """The refusal of two folders that mean one split."""
    split = {folder: str(exact_split(plain(last(folder)))) for folder in folders}
    twice = next(f for f in folders if list(split.values()).count(split[f]) > 1)
    other = next(f for f in folders if f != twice and split[f] == split[twice])
    kept = word("split", ",".join(f"{s}:{f}" for f, s in split.items() if f != other))
    both = f"the folders `{last(twice)}` and `{last(other)}` both mean {split[twice]}"
    return refused(NAME, f"{tree.inventory.label}: {both}; {kept} reads the first")


def by_labels(tree: Tree, roots: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The splits whose pictures lie in class folders, and those whose pictures have no labels."""
    with_folders = {split: root for split, root in roots.items() if tree.inner(root)}
    train = frozenset(tree.inner_names(with_folders["train"])) if "train" in with_folders else frozenset()
    bare = {
        split: root
        for split, root in roots.items()
        if split not in with_folders
        or (len(train) > 1 and len(tree.inner(root)) == 1 and not train & set(tree.inner_names(root)))
    }
    if not train and len(with_folders) == 1 and all(len(tree.inner(r)) == 1 for r in with_folders.values()):
        bare = dict(roots)
    return {split: roots[split] for split in SPLITS if split in roots and split not in bare}, bare


def doubts_of(
    tree: Tree, roots: Mapping[str, str], labelled: Mapping[str, str], bare: Mapping[str, str], others: list[str]
) -> list[str]:
    """Why these folders may be no splits, or not be read as they stand, a line each."""
    label = shortened(tree.inventory.label, 120)
    places = word("split", ",".join(f"{split}:{root}" for split, root in labelled.items()))
    found = []
    if others:
        beside = ", ".join(last(folder) for folder in roots.values())
        found.append(
            f"{label}: the folder `{last(others[0])}` lies beside {beside} and is none of train, val, test; "
            f"{places} ignores it, `layout=class-folders` takes all for classes"
        )
    if "validation" in bare or "train" in bare:
        split = "train" if "train" in bare else "validation"
        found.append(
            f"{label}: the pictures of {bare[split]} lie in no class folders and no list names them; "
            f"{places} reads the rest"
        )
    for split, root in labelled.items():
        if split == "train" and (empty := tree.empty(root)):
            found.append(f"{tree.inventory.shown(empty[0])}: the class folder holds no pictures; fill or remove it")
    if "train" in labelled and (deeper := deeper_doubt(tree, tree.inner(labelled["train"]))):
        found.append(
            f"{label}: {deeper}; `layout={NAME}` takes the outer folders for classes, `layout=leaf-folders` the inner"
        )
    if "train" in labelled and (store := storage_doubt(tree.inner_names(labelled["train"]))):
        found.append(f"{label}: {store}; `layout={NAME}` takes them for classes")
    return found


def bare_notes(tree: Tree, bare: Mapping[str, str]) -> list[str]:
    """Notes on splits without labels."""
    return [
        f"{tree.within[root]:,} pictures in {root} have no labels: ignored (`sightlab predict` takes them)"
        for root in bare.values()
    ]


def without(inventory: Inventory, bare: Mapping[str, str]) -> Inventory:
    """The inventory without the splits that have no labels."""
    starts = tuple(f"{root}/" for root in bare.values())
    return inventory.only_names(lambda name: not (starts and name.startswith(starts)))


def flat_claim(inventory: Inventory, roots: Mapping[str, str]) -> Claim:
    """The refusal of folders called by splits, with pictures in them and nothing that says their classes."""
    folders = [last(root) for root in roots.values()]
    shown = " and ".join(f"`{shortened(name, 30)}`" for name in folders[:3])
    are = "are splits by their names" if folders[1:] else "is a split by its name"
    line = (
        f"{shortened(inventory.label, 120)}: {shown} {are} "
        "with no class folders or list that names classes; use train/cat/1.png, a list of `file,label` lines, or "
        "`layout=class-folders`"
    )
    return refused(NAME, line, POSSIBLE)


LAYOUT = Layout(
    NAME,
    "class folders in train, val and test folders",
    """
    pets/
      train/  cat/1.jpg  dog/1.jpg
      val/    cat/2.jpg  dog/2.jpg
      test/   cat/3.jpg  dog/3.jpg
    """,
    matches,
)
