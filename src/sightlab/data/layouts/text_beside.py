"""Layout: beside each picture a text file of the same name that holds its class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import STATED, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.picture_claim import left_pictures, picture_claim
from sightlab.data.layouts.split_folders import split_roots
from sightlab.data.layouts.tree import Tree
from sightlab.data.tables.dialect import NUMBER

NAME = "text-beside"
LONGEST = 100


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """Every picture under what the text beside it says; None where such texts are captions, boxes or longer ones."""
    if not applies(inventory, options, NAME, "shape"):
        return None
    texts = texts_beside(inventory)
    if len(texts) < 2 or 10 * len(texts) < 9 * len(inventory.pictures):
        return None
    labels = labels_in(inventory, texts)
    if not labels or not recur(labels):
        return None
    roots, _ = split_roots(Tree(inventory), options)
    starts = {f"{root}/": split for split, root in roots.items()} or {"": UNDIVIDED}
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, label in labels.items():
        split = next((split for start, split in starts.items() if name.startswith(start)), None)
        if split:
            pairs[split].append((name, label))
    left = left_pictures(inventory, pairs, "with no text beside them")
    return picture_claim(inventory, options, NAME, pairs, labels="the texts beside them", strength=STATED, notes=left)


def texts_beside(inventory: Inventory) -> dict[str, str]:
    """The text of each picture that has one of its own name: 1.txt of 1.jpg."""
    known = frozenset(inventory.texts)
    beside = {name: f"{name.rpartition('.')[0]}.txt" for name in inventory.pictures}
    return {name: text for name, text in beside.items() if text in known}


def labels_in(inventory: Inventory, texts: Mapping[str, str]) -> dict[str, str]:
    """What each text says; empty where one is no short line that could name a class, as boxes and captions are not."""
    of_text = {text: name for name, text in texts.items()}
    labels: dict[str, str] = {}
    for text, data in inventory.container.stream(list(of_text), LONGEST + 1):
        line = data.decode("utf-8-sig", "replace").strip()
        if not line or len(data) > LONGEST or not line.isprintable() or is_box(line):
            return {}
        labels[of_text[text]] = line
    return labels


def is_box(line: str) -> bool:
    """Whether a line is of several numbers, as detectors' labels are: a class and a box."""
    cells = line.split()
    return len(cells) > 1 and all(NUMBER.fullmatch(cell) for cell in cells)


def recur(labels: Mapping[str, str]) -> bool:
    """Whether the labels are few and come again, as classes do and captions do not."""
    counts = Counter(labels.values())
    return 1 < len(counts) <= len(labels) / 2


LAYOUT = Layout(
    NAME,
    "a text beside each picture that names its class",
    """
    photos/
      1.jpg   1.txt   (cat)
      2.jpg   2.txt   (dog)
    """,
    matches,
)
