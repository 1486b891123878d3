"""Layout: picture files labelled by a list, in any text table or JSON that names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import POSSIBLE, STATED, Claim, Layout, ReadOptions, refused, word
from sightlab.data.layouts.list_choice import Choice, together
from sightlab.data.layouts.list_classes import with_class_names
from sightlab.data.layouts.list_naming import named_lists
from sightlab.data.layouts.list_source import ListSource, list_source
from sightlab.data.layouts.list_splits import ContradictionError, by_split, places_of_lists
from sightlab.data.layouts.listed import Listed, listed
from sightlab.data.layouts.picture_claim import left_pictures, picture_claim
from sightlab.data.messages import counted, shortened
from sightlab.errors import DataError, one_line

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


def claim_of_lists(layout: str, source: ListSource, lists: Sequence[Listed], options: ReadOptions) -> Claim | None:
    """The claim of a layout whose labels come from these lists of a source."""
    inventory = source.inventory
    label = inventory.shown(source.only) if source.only else inventory.label
    choice = together(
        [one for one in lists if not one.problem], label, chosen=bool(options.list or places_of_lists(source, options))
    )
    wrong = sorted((one for one in lists if one.problem), key=lambda one: -one.weight)
    if wrong and (wrong[0].weight >= STATED or not choice.lists):
        flat = len({name.rpartition("/")[0] for name in inventory.pictures}) < 2  # no folders could be classes
        return refused(layout, with_way(wrong[0], choice), STATED if flat else wrong[0].weight)
    if wrong:
        choice.notes.append(
            f"{counted([one.name for one in wrong], 'text', 'texts')} ignored: no list that can be read"
        )
    if choice.refusal:
        return refused(layout, choice.refusal)
    if not choice.lists:
        return None
    try:
        return labelled_claim(layout, source, choice, options)
    except ContradictionError as error:
        return refused(layout, one_line(error))


def with_way(wrong: Listed, choice: Choice) -> str:
    """What is wrong with a list, and the word that ignores it where there is another one."""
    others = [one.name for one in choice.lists]
    way = f"; {word('list', others[0])} reads another list" if others else ""
    return wrong.problem + way if len(wrong.problem + way) <= 300 else wrong.problem


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
