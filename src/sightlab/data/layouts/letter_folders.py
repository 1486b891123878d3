"""Layout: class folders filed under their first letter, as in a/airfield and b/barn."""

from __future__ import annotations

from collections.abc import Mapping

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.flat_labels import FlatLabels, flat_labels
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_words import parsed
from sightlab.data.layouts.tree import Tree, last

NAME = "letter-folders"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture under its path below the letter; flat pictures of other splits by a table that labels them."""
    if not applies(inventory, options, NAME):
        return None
    tree = Tree(inventory)
    roots = [folder for folder in (tree.top, *tree.inner(tree.top)) if lettered(tree, folder)]
    if len(roots) != 1:
        return None
    own = classes_below(inventory, roots[0])
    beside = {} if roots[0] == tree.top else flat_beside(tree, roots[0])
    names = {spelling: text for _, text in own for spelling in spellings(text)}
    tables = {split: flat_labels(inventory, pictures, names) for split, pictures in beside.items()}
    found = {split: labels for split, labels in tables.items() if labels is not None}
    return picture_claim(
        inventory,
        options,
        NAME,
        {"train" if beside else UNDIVIDED: own} | {split: labels.pairs for split, labels in found.items()},
        labels="the folders' names below the letters",
        strength=KNOWN,
        notes=notes_of(beside, found),
        doubts=[labels.doubt for labels in found.values() if labels.doubt],
    )


def lettered(tree: Tree, folder: str) -> bool:
    """Whether a folder's folders are letters, with folders in them whose names begin with the letter."""
    letters = tree.inner(folder)
    inner = [(last(letter), last(one)) for letter in letters for one in tree.inner(letter)]
    return (
        bool(inner)
        and all(len(last(letter)) == 1 and last(letter).isalpha() and not tree.direct[letter] for letter in letters)
        and all(name.casefold().startswith(letter.casefold()) for letter, name in inner)
        and all(sum(map(str.isalpha, name)) > 2 for _, name in inner)  # `A/A1` is a writer's letter
    )


def classes_below(inventory: Inventory, root: str) -> list[tuple[str, str]]:
    """(picture, class) of every picture; a class is all folders below the letter."""
    start = len(root) + 1 if root else 0
    inside = [name for name in inventory.pictures if not root or name.startswith(f"{root}/")]
    return [(name, name[start:].partition("/")[2].rpartition("/")[0]) for name in inside]


def spellings(text: str) -> tuple[str, ...]:
    """How lists write such a class.

    >>> spellings("barn/indoor")
    ('barn/indoor', 'b/barn/indoor', '/b/barn/indoor')
    """
    return text, f"{text[0]}/{text}", f"/{text[0]}/{text}"


def flat_beside(tree: Tree, root: str) -> dict[str, list[str]]:
    """The flat pictures of other splits."""
    others = [folder for folder in tree.inner(tree.top) if folder != root]
    return {
        match[0]: [name for name in tree.inventory.pictures if name.startswith(f"{folder}/")]
        for folder in others
        if (match := parsed(last(folder))) is not None and match[0] != "train"
    }


def notes_of(beside: Mapping[str, list[str]], found: Mapping[str, FlatLabels]) -> list[str]:
    """What the user should know of the flat pictures."""
    notes = [f"labels of {split} from column {labels.column} of {labels.table}" for split, labels in found.items()]
    return notes + [
        f"{len(pictures):,} {split} pictures have no labels: ignored (`sightlab predict` takes them)"
        for split, pictures in beside.items()
        if split not in found
    ]


LAYOUT = Layout(
    NAME,
    "class folders under their first letters",
    """
    data_256/
      a/  airfield/1.jpg  apartment_building/outdoor/1.jpg
      b/  barn/1.jpg
    """,
    matches,
)
