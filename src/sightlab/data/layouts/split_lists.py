"""Layout: class folders, divided into splits by lists."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts import class_folders, letter_folders
from sightlab.data.layouts.claim import KNOWN, STATED, Claim, Layout, ReadOptions, applies, refused
from sightlab.data.layouts.known_files import UnreadableError, folder_of, known_form, lines_of, the_picture
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_words import parsed, split_family
from sightlab.data.messages import counted, shortened
from sightlab.data.tables.finder import Finder
from sightlab.data.tables.list_names import stem_of
from sightlab.errors import DataError

NAME = "split-lists"
PARTITION = re.compile(r"\d+")
MOST_MISSING = 0.05
# Of the Describable Textures, beside their ten partitions; of MIT's indoor scenes.
KNOWN_LISTS = ("labels_joint_anno", "TrainImages")


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of the splits. families: lists by split, of each partition; unnumbered ones are partition ""."""

    families: Mapping[str, Mapping[str, str]]
    known: bool = False


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of class folders by the lists of their splits."""
    if not applies(inventory, options, NAME, "split"):
        return None
    if options.split and not set(options.split_places.values()) & set(inventory.texts):
        return None
    lists = Lists({"": asked(inventory, options)}) if options.split else families(inventory)
    base = folders_claim(inventory, options) if lists.families else None
    if base is None or base.refusal or base.pairs is None:
        return None
    number = next(iter(lists.families))
    pairs, notes = divided(inventory, dict(base.pairs[UNDIVIDED]), lists.families[number])
    if not pairs:
        return None
    if len(lists.families) > 1:
        if not lists.known:
            return refused(NAME, several_partitions(inventory, lists.families), KNOWN)
        notes = [partition_note(lists.families, number), *notes]
    named = [split for split in pairs if split in lists.families[number]]
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels=f"the folders' names, divided by {' and '.join(lists.families[number][split] for split in named)}",
        strength=KNOWN if lists.known else STATED,
        notes=notes,
        doubts=[] if options.layout == NAME else base.doubts,
    )


def folders_claim(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The claim of the class folders, as they would be read without lists."""
    plain = replace(options, split=None, classes=(), layout=None)
    claims = [layout.LAYOUT.matches(inventory, plain) for layout in (letter_folders, class_folders)]
    return next((claim for claim in claims if claim is not None), None)


def asked(inventory: Inventory, options: ReadOptions) -> dict[str, str]:
    """The list of each split as the user names it. Raises DataError for one that is not there."""
    for place in options.split_places.values():
        if place not in inventory.texts:
            held = counted(inventory.texts, "text", "texts")
            raise DataError(f"{inventory.label}: split={options.split}: no list `{place}`; there are {held}")
    return dict(options.split_places)


def families(inventory: Inventory) -> Lists:
    """The lists of one word a line in one folder whose names are splits, by partition."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    known = False
    for name, table in inventory.tables.items():
        last = stem_of(name)
        known = known or last in KNOWN_LISTS
        if parsed(last) and (table.width == 1 or table.separator in ("", " ")):
            number = "".join(PARTITION.findall(last))
            found[folder_of(name), number][last] = name
    by_folder = {key: splits for key, names in found.items() if (splits := by_split(names))}
    folder = next(iter(by_folder))[0] if by_folder else ""
    here = {number: splits for (where, number), splits in by_folder.items() if where == folder}
    every = {str(int(number)) if number else "": splits for number, splits in here.items()}
    return Lists(dict(sorted(every.items(), key=lambda item: (len(item[0]), item[0]))), known)


def by_split(names: Mapping[str, str]) -> dict[str, str]:
    """The list of each split; empty where the names are no splits, or those of one split alone."""
    whole = [name for name in names if "trainval" not in name.casefold()]
    some = whole if len(whole) > 1 else list(names)
    splits = split_family(some) or {}
    lists = {splits[name]: names[name] for name in some} if len(splits) > 1 else {}
    return {split: lists[split] for split in SPLITS if split in lists}


def divided(
    inventory: Inventory, classes: Mapping[str, str], lists: Mapping[str, str]
) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """(picture, class) of each split, and notes. Empty where the lists name other things. Raises UnreadableError."""
    finder, seen, notes = Finder(list(classes)), dict[str, str](), []
    pairs: dict[str, list[tuple[str, str]]] = {}
    for split, name in lists.items():
        lines = lines_of(inventory, name)
        found = [picture for line in lines if (picture := the_picture(finder, line)) is not None]
        if len(found) < (1 - MOST_MISSING) * len(lines):
            return {}, []
        if len(found) < len(lines):
            notes.append(f"{len(lines) - len(found):,} lines of {name} name no picture here")
        for picture in found:
            if seen.setdefault(picture, name) != name:
                raise UnreadableError(
                    f"{inventory.shown(name)}: `{shortened(picture)}` is listed in {seen[picture]} too; correct one"
                )
        pairs[split] = [(picture, classes[picture]) for picture in dict.fromkeys(found)]
    left = [picture for picture in classes if picture not in seen]
    if left and "train" not in pairs:
        pairs["train"] = [(picture, classes[picture]) for picture in left]
        notes.append(f"{len(left):,} pictures in no list are for training")
    elif left:
        notes.append(f"{counted(left, 'picture', 'pictures')} in no list ignored")
    return {split: pairs[split] for split in SPLITS if split in pairs}, notes


def partition_note(every: Mapping[str, Mapping[str, str]], number: str) -> str:
    """Which of several partitions is read, and how another one is."""
    other = list(every)[1]
    return f"partition {number} of {len(every)}; `split={places(every[other])}` reads another"


def several_partitions(inventory: Inventory, every: Mapping[str, Mapping[str, str]]) -> str:
    """The line on lists that divide the pictures in several ways, of which none is known to be meant."""
    return (
        f"{shortened(inventory.label, 60)}: lists divide the pictures in {len(every)} ways; "
        f"`split={places(next(iter(every.values())))}` takes the first, `layout=class-folders` none"
    )


def places(lists: Mapping[str, str]) -> str:
    """Lists as `split=` takes them."""
    return ",".join(f"{split}:{name}" for split, name in lists.items())


LAYOUT = Layout(
    NAME,
    "class folders with lists of the pictures of each split",
    """
    food-101/
      images/  apple_pie/1005649.jpg  ramen/1009874.jpg
      meta/    train.txt (apple_pie/1005649)  test.txt (ramen/1009874)
    """,
    known_form(NAME, matches),
)
