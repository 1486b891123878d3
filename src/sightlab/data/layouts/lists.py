"""Lists: pictures whose labels are in a text beside them, in any table or JSON that names pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory, shortened
from sightlab.data.layouts.claim import POSSIBLE, STATED, STRUCTURE, Claim, Layout, ReadOptions, refused, word
from sightlab.data.layouts.list_choice import Choice, named_lists, together
from sightlab.data.layouts.list_classes import with_class_names
from sightlab.data.layouts.list_source import ListSource, list_source
from sightlab.data.layouts.listed import Listed, listed
from sightlab.data.layouts.pictures import left_pictures, picture_claim
from sightlab.data.pictures.suffixes import suffix_of
from sightlab.data.tables.finder import split_in
from sightlab.data.tables.labels import plain_labels
from sightlab.errors import DataError

NAME = "list"
# Texts beyond so many are notes that lie beside each picture.
MOST_LISTS = 400


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures that lists name, with the labels that they give."""
    if options.label_from or options.shape:
        return None
    source = list_source(inventory, options)
    if source is None:
        return None
    found = lists_in(source, options)
    return claim_of_lists(NAME, source, found, options) if found else None


def lists_in(source: ListSource, options: ReadOptions) -> list[Listed]:
    """What the lists of a source say: of all its texts, else of those that the user has named. Raises DataError."""
    names: Sequence[str] = shallow(source.lists)
    asked = options.list or places_of_lists(source, options)
    if asked and not source.only:
        names = named_lists(source.lists, asked, source.inventory.label)
    chosen = bool(asked or source.only)
    found = [listed(source.inventory, name, options, chosen=chosen) for name in names]
    if asked and None in found:
        lost = names[found.index(None)]
        raise DataError(f"{source.inventory.shown(lost)}: names no pictures that are there; a line is `file,label`")
    return [one for one in found if one is not None]


def shallow(names: Sequence[str]) -> Sequence[str]:
    """The texts that may be lists: those near the top, where there are too many for all to be."""
    if len(names) <= MOST_LISTS:
        return names
    near = [name for name in names if name.count("/") <= 1]
    return near if len(near) <= MOST_LISTS else [name for name in near if "/" not in name][:MOST_LISTS]


def places_of_lists(source: ListSource, options: ReadOptions) -> str | None:
    """The lists that `split=train:a.txt,test:b.txt` names; None where it names folders."""
    places = list(options.split_places.values())
    return ",".join(places) if places and all(place in source.lists for place in places) else None


def claim_of_lists(layout: str, source: ListSource, lists: Sequence[Listed], options: ReadOptions) -> Claim | None:
    """The claim of a layout whose labels come from these lists of a source."""
    inventory = source.inventory
    label = inventory.shown(source.only) if source.only else inventory.label
    choice = together(
        [one for one in lists if not one.problem], label, chosen=bool(options.list or places_of_lists(source, options))
    )
    wrong = [one for one in lists if one.problem and (one.certain or not choice.lists)]
    if wrong:
        return refused(layout, with_way(wrong[0], choice), STATED if wrong[0].certain else likelihood(wrong[0].name))
    if choice.refusal:
        return refused(layout, choice.refusal)
    if not choice.lists:
        return None
    try:
        return labelled_claim(layout, source, choice, options)
    except ContradictionError as error:
        return refused(layout, str(error))


def likelihood(name: str) -> int:
    """How much a text that cannot be read is likely to be the list: more for tables than for texts of any kind."""
    return STRUCTURE if suffix_of(name) in ("csv", "tsv", "json", "jsonl") else POSSIBLE


def with_way(wrong: Listed, choice: Choice) -> str:
    """What is wrong with a list, and the word that leaves it aside where there is another one."""
    others = [one.name for one in choice.lists]
    way = f"; {word('list', others[0])} reads another list" if others else ""
    return wrong.problem + way if len(wrong.problem + way) <= 300 else wrong.problem


class ContradictionError(DataError):
    """Lists that say different things of one picture."""


def labelled_claim(layout: str, source: ListSource, choice: Choice, options: ReadOptions) -> Claim:
    """The claim of lists that belong together. Raises ContradictionError."""
    inventory = source.inventory
    pairs, asides = by_split(source, choice.lists, options)
    read = {one.name for one in choice.lists}
    named = with_class_names(inventory, pairs, options, lists=read, whole=not source.only)
    used = {text for own in pairs.values() for _, text in own}
    doubts = [one.doubt for one in choice.lists if one.doubt]
    if not source.only and not options.list:
        doubts += doubts_of(inventory, pairs, choice.lists)
    settled = options.layout == layout
    return picture_claim(
        inventory,
        options,
        layout,
        named.pairs,
        labels=where(choice.lists),
        strength=POSSIBLE if doubts and not settled else STATED,
        order=named.order or [text for text in choice.lists[0].order if text in used],
        notes=(
            *(note for one in choice.lists for note in one.notes),
            *choice.notes,
            *named.notes,
            *asides,
            *left_pictures(inventory, pairs, "in no list"),
        ),
        doubts=() if settled else doubts,
    )


def where(lists: Sequence[Listed]) -> str:
    """Where labels come from: `column dx of meta.csv`."""
    names = [shortened(one.name, 40) for one in lists[:2]]
    columns = lists[0].column if len({one.column for one in lists}) == 1 else "the labels"
    return f"{columns} of {' and '.join(names)}{' and others' if len(lists) > 2 else ''}"


@dataclass(frozen=True)
class Said:
    """What is known of one picture: its label and split, and the list that says so."""

    label: str
    split: str
    name: str


def by_split(
    source: ListSource, lists: Sequence[Listed], options: ReadOptions
) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """(picture, label) by split, and a line on what is left aside. Raises ContradictionError and DataError."""
    said = merged(lists, options)
    asides: list[str] = []
    if options.split_places and not places_of_lists(source, options):
        said, asides = by_places(source.inventory, said, options)
    elif {one.split for one in said.values()} == {UNDIVIDED}:
        said = by_folders(source.inventory, said)
    found: dict[str, list[tuple[str, str]]] = {}
    plain = plain_labels(one.label for one in said.values())
    for name, one in said.items():
        found.setdefault(one.split, []).append((name, plain[one.label]))
    if UNDIVIDED in found and len(found) > 1:
        without = next(one.name for one in said.values() if one.split == UNDIVIDED)
        raise ContradictionError(
            f"{source.inventory.shown(without)}: says no split, and other lists do; name it for one, as in train.csv, "
            "or say which is meant by `list=`"
        )
    return found, asides


def merged(lists: Sequence[Listed], options: ReadOptions) -> dict[str, Said]:
    """What all lists say of each picture. Raises ContradictionError where two say different things."""
    places = {place: split for split, place in options.split_places.items()}
    said: dict[str, Said] = {}
    for one in lists:
        own = places.get(one.name) or one.split or UNDIVIDED
        for name, label in one.pairs:
            new = Said(label, one.splits.get(name, own), one.name)
            old = said.setdefault(name, new)
            if (old.label, old.split) != (new.label, new.split):
                raise ContradictionError(contradiction(name, old, new))
    return said


def contradiction(name: str, old: Said, new: Said) -> str:
    """The line on two lists that say different things of a picture."""
    where, there = shortened(old.name, 40), shortened(new.name, 40)
    if old.split != new.split:
        return f"{shortened(name)}: is listed for {old.split} in {where} and for {new.split} in {there}; list it once"
    return f"{shortened(name)}: is `{old.label[:40]}` in {where} and `{new.label[:40]}` in {there}; correct one of them"


def by_places(
    inventory: Inventory, said: Mapping[str, Said], options: ReadOptions
) -> tuple[dict[str, Said], list[str]]:
    """The splits by the folders that the user has named, and a line on pictures in none. Raises DataError."""
    found: dict[str, Said] = {}
    for split, place in options.split_places.items():
        own = {name: Said(one.label, split, one.name) for name, one in said.items() if name.startswith(f"{place}/")}
        if not own:
            raise DataError(
                f"{shortened(inventory.label, 80)}: split={options.split}: no list names pictures in `{place}`"
            )
        found |= own
    left = len(said) - len(found)
    return found, [f"{left:,} listed pictures in no folder that `split` names left aside"] if left else []


def by_folders(inventory: Inventory, said: Mapping[str, Said]) -> dict[str, Said]:
    """The splits that the pictures' folders say, where all say one. Raises ContradictionError where only some do."""
    told = {name: folder_split(name, one.label) for name, one in said.items()}
    splits = set(told.values())
    if len(splits) < 2:
        return dict(said)
    if None in splits:
        bare = next(name for name, split in told.items() if split is None).rpartition("/")[0]
        other, split = next((name.rpartition("/")[0], split) for name, split in told.items() if split)
        places = word("split", f"train:{bare},{split}:{other}") if bare and split != "train" else "`split=`"
        raise ContradictionError(
            f"{shortened(inventory.label, 70)}: some listed pictures lie in `{shortened(other, 30)}`, a {split} split, "
            f"and others in `{shortened(bare, 30)}`; say the splits, as in {places}"
        )
    return {name: Said(one.label, str(told[name]), one.name) for name, one in said.items()}


def folder_split(name: str, label: str) -> str | None:
    """The split that a picture's folder says, unless that is the name of its class."""
    folders = [part for part in name.split("/")[:-1] if part.casefold() != label.casefold()]
    return split_in("/".join(folders)) if folders else None


def doubts_of(
    inventory: Inventory, pairs: Mapping[str, Sequence[tuple[str, str]]], lists: Sequence[Listed]
) -> Iterator[str]:
    """Why lists may be a part of what is meant: they are for testing alone, and other pictures are there."""
    listed_names = {name for own in pairs.values() for name, _ in own}
    left = len(inventory.pictures) - len(listed_names)
    if left and not {"train", UNDIVIDED} & set(pairs):
        splits = " and ".join(pairs)
        yield (
            f"{shortened(inventory.label, 70)}: {shortened(lists[0].name, 50)} labels {splits} pictures alone, and "
            f"{left:,} others are there; `layout={NAME}` reads the listed ones"
        )


LAYOUT = Layout(
    NAME,
    "a list or table that names pictures and their labels",
    """
    pets/
      labels.csv          image,label
      images/ 1.jpg       1.jpg,cat
              2.jpg       2.jpg,dog
    """,
    matches,
)
