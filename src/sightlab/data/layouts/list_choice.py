"""Choosing among several lists: those of one data set's splits together, else the one that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sightlab.data.layouts.list_naming import which
from sightlab.data.layouts.listed import Listed
from sightlab.data.layouts.split_words import split_family
from sightlab.data.messages import counted, shortened
from sightlab.data.tables.finder import split_in
from sightlab.data.tables.list_names import family_of, says_no_truth, stem_of, words_in

WITHIN = 0.9


@dataclass(eq=False)
class Choice:
    """The lists that are read together, each with its split, and notes on the others.

    refusal: the line that says why it cannot be told which are meant.
    """

    lists: list[Listed]
    notes: list[str] = field(default_factory=list)
    refusal: str = ""


def together(lists: Sequence[Listed], label: str, *, chosen: bool = False) -> Choice:
    """The labelled lists that are read together, divided by lists of names where those say the splits.

    label: what messages call the source. chosen: whether the user has named the lists, so that all are meant.
    """
    choice = Choice([one for one in lists if one.labelled])
    bare = [one for one in lists if not one.labelled]
    if len(choice.lists) > 1 and not chosen:
        leave_aside(choice, less_certain(choice.lists), "no column that is a label for certain")
        leave_aside(choice, dummies(choice.lists), "one label for all pictures of a test folder")
        if not with_glued_splits(choice):
            drop_keys(choice)
            drop_equal(choice)
            if len(choice.lists) > 1 and not are_parts(choice):
                divided(choice, label)
    rest = bare if choice.refusal else divided_by_names(choice, bare, label)
    answers = [one for one in rest if says_no_truth(one.name)]
    leave_aside(choice, answers, "answers to be handed in")
    leave_aside(choice, [one for one in rest if one not in answers], "no labels")
    return choice


def leave_aside(choice: Choice, lists: Sequence[Listed], why: str) -> None:
    """Takes lists out, and says so."""
    for one in lists:
        if one in choice.lists:
            choice.lists.remove(one)
    if lists:
        choice.notes.append(f"{counted([one.name for one in lists], 'list', 'lists')} ignored: {why}")


def less_certain(lists: Sequence[Listed]) -> list[Listed]:
    """Lists whose labels are doubtful, or guessed, beside others whose labels are neither."""
    sure = {one.column for one in lists if not one.doubt and not one.guessed}
    unsure = [one for one in lists if one.doubt or (one.guessed and one.column not in sure)]
    return unsure if sure else []


def dummies(lists: Sequence[Listed]) -> list[Listed]:
    """Lists with one label for all of their pictures, all in folders for testing, beside lists that tell classes."""
    same = [one for one in lists if len({label for _, label in one.pairs}) == 1]
    return [] if len(same) == len(lists) else [one for one in same if all(split_in(n) == "test" for n, _ in one.pairs)]


def drop_keys(choice: Choice) -> None:
    """Ignores lists of one picture for each class, of none of the others' pictures: pictures of the classes."""
    keys = [one for one in choice.lists if one.split is None and not one.splits and all_differ(one)]
    others = [one for one in choice.lists if one not in keys and not all_differ(one)]
    there = {name for one in others for name, _ in one.pairs}
    alone = [one for one in keys if others and not there & {name for name, _ in one.pairs}]
    leave_aside(choice, alone, "one picture for each class, as in a key of the classes")


def all_differ(one: Listed) -> bool:
    """Whether no label of a list recurs."""
    return len({label for _, label in one.pairs}) == len(one.pairs)


def drop_equal(choice: Choice) -> None:
    """Ignores lists that say what another one says."""
    for one in list(choice.lists):
        same = [
            o
            for o in choice.lists
            if o is not one and (o.split, o.splits, dict(o.pairs)) == (one.split, one.splits, dict(one.pairs))
        ]
        if same:
            leave_aside(choice, [one], f"says what {shortened(same[0].name)} says")


def with_glued_splits(choice: Choice) -> bool:
    """Gives lists the splits that are glued to their names: Bananatrain.csv, Bananaval.csv. Whether all have them."""
    stems = [stem_of(one.name) for one in choice.lists]
    if len(stems) < 2 or any(one.split or one.splits for one in choice.lists) or len(set(stems)) < len(stems):
        return False
    family = split_family(stems) or {}
    choice.lists = [replace(one, split=family.get(stem)) for one, stem in zip(choice.lists, stems, strict=True)]
    return bool(family)


def are_parts(choice: Choice) -> bool:
    """Whether the lists have one name, each in a folder of its own with its pictures in it: parts of one list."""
    bases = {one.name.rpartition("/")[2] for one in choice.lists}
    if len(bases) > 1 or any(one.split for one in choice.lists):
        return False
    folders = [one.name.rpartition("/")[0] for one in choice.lists]
    inside = all(
        folder and all(name.startswith(f"{folder}/") for name, _ in one.pairs)
        for folder, one in zip(folders, choice.lists, strict=True)
    )
    apart = not any(a.startswith(f"{b}/") for a in folders for b in folders if a != b)
    if inside and apart:
        choice.notes.append(f"{counted([one.name for one in choice.lists], 'list', 'lists')} read as one")
    return inside and apart


def divided(choice: Choice, label: str) -> None:
    """Keeps the lists for the splits of one set; where there is not one such set, says why none is read."""
    families: dict[tuple[str, ...], list[Listed]] = {}
    for one in choice.lists:
        if splits_of(one):
            families.setdefault(family_of(one.name), []).append(one)
    for own in families.values():
        drop_covered(choice, own)
    groups = list(families.values())
    whole = [one for one in choice.lists if not splits_of(one)]
    if len(groups) > 1:
        choice.refusal = which(label, groups[0], groups[1])
    elif groups and (twice := same_split(groups[0])):
        choice.refusal = which(label, [twice[0]], [twice[1]])
    elif not groups or len(whole) > 1:
        choice.refusal = which(label, [choice.lists[0]], [choice.lists[1]])
    elif whole:
        drop_whole(choice, whole[0], groups[0], label)


def splits_of(one: Listed) -> frozenset[str]:
    """The splits that a list says: in a column, else by its name or folder."""
    return frozenset(one.splits.values()) or (frozenset((one.split,)) if one.split else frozenset())


def same_split(group: Sequence[Listed]) -> tuple[Listed, Listed] | None:
    """Two lists that say the same split; None where there are none."""
    for place, one in enumerate(group):
        for other in group[place + 1 :]:
            if splits_of(one) & splits_of(other):
                return one, other
    return None


def drop_covered(choice: Choice, group: list[Listed]) -> None:
    """Ignores a list of a split that another list has too, where the others say all that it says."""
    for one in list(group):
        if sum(other.split == one.split for other in group) > 1:
            others = {pair for other in group if other is not one for pair in other.pairs}
            if set(one.pairs) <= others and "trainval" in words_in(stem_of(one.name)):
                group.remove(one)
                leave_aside(choice, [one], "others say the same")


def drop_whole(choice: Choice, whole: Listed, by_split: Sequence[Listed], label: str) -> None:
    """Ignores the list of all pictures where those for the splits say the same of theirs."""
    labels = {name: text for one in by_split for name, text in one.pairs}
    mine = dict(whole.pairs)
    shared = labels.keys() & mine.keys()
    if len(by_split) > 1 and shared and all(labels[name] == mine[name] for name in shared):
        leave_aside(choice, [whole], "those for the splits say the same")
    else:
        choice.refusal = which(label, [whole], [by_split[0]])


def divided_by_names(choice: Choice, bare: Sequence[Listed], label: str) -> list[Listed]:
    """Divides the one labelled list by lists of names for the splits; gives the lists that are not used."""
    if len(choice.lists) != 1 or splits_of(choice.lists[0]):
        return list(bare)
    (whole,) = choice.lists
    labels = dict(whole.pairs)
    names = [one for one in bare if splits_of(one) and nearly_within(one, labels)]
    names = [one for one in names if not is_union(one, names)]
    if len({split for one in names for split in splits_of(one)}) < 2:
        return list(bare)
    if twice := same_split(names):
        choice.refusal = which(label, [twice[0]], [twice[1]])
        return list(bare)
    splits: dict[str, str] = {}
    for one in names:
        for name, _ in one.pairs:
            split = one.splits.get(name, str(one.split))
            if splits.setdefault(name, split) != split:
                choice.refusal = (
                    f"{shortened(label, 70)}: {shortened(name)} is listed for {splits[name]} and, in "
                    f"{shortened(one.name, 50)}, for {split}; a picture has one split: list it once"
                )
                return list(bare)
    splits = {name: split for name, split in splits.items() if name in labels}
    choice.lists = [replace(whole, splits=splits, pairs=tuple(pair for pair in whole.pairs if pair[0] in splits))]
    choice.notes.append(f"splits are those of {counted([one.name for one in names], 'list', 'lists')}")
    return [one for one in bare if one not in names]


def nearly_within(one: Listed, labels: Mapping[str, str]) -> bool:
    """Whether nearly all pictures of a list have labels in another."""
    return sum(name in labels for name, _ in one.pairs) >= WITHIN * max(1, len(one.pairs))


def is_union(one: Listed, others: Sequence[Listed]) -> bool:
    """Whether a list for training names what those for training and validation name together, as trainval.txt does."""
    if "trainval" not in words_in(stem_of(one.name)):
        return False
    return {n for n, _ in one.pairs} <= {n for other in others if other is not one for n, _ in other.pairs}
