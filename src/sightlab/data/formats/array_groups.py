"""Grouping of arrays into data sets, where a source holds several."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sightlab.data.formats.array_names import IMAGES, LABELS, ArrayName, array_name, words_of
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import UNDIVIDED

Rest = tuple[str, ...]
ARR = re.compile(r"(?:(?P<file>.*)/)?arr_(?P<number>\d+)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Named:
    """An array with what its name says."""

    array: StoredArray
    name: ArrayName

    @property
    def split(self) -> str:
        """Its split; `all` where its name says none."""
        return self.name.split or UNDIVIDED


def named_arrays(arrays: Sequence[StoredArray]) -> list[Named]:
    """The arrays with what their names say; `arr_0` and `arr_1`, numpy's own names, by their order."""
    numbered: dict[str, list[int]] = defaultdict(list)
    others: dict[str, int] = defaultdict(int)
    for one in arrays:
        match = ARR.fullmatch(one.key)
        if match:
            numbered[match["file"] or ""].append(int(match["number"]))
        else:
            others[one.key.rpartition("/")[0]] += 1
    found = []
    for one in arrays:
        match = ARR.fullmatch(one.key)
        if match is None or others[match["file"] or ""]:
            found.append(Named(one, array_name(one.key)))
            continue
        file = array_name(match["file"] or "")
        if sorted(numbered[match["file"] or ""]) == [0, 1]:
            file = replace(file, role=(IMAGES, LABELS)[int(match["number"])])
        found.append(Named(one, file))
    return found


def grouped(images: Sequence[Named]) -> dict[Rest, list[Named]]:
    """The arrays by what else their names say: the data set that they are of."""
    groups: dict[Rest, list[Named]] = defaultdict(list)
    for one in images:
        groups[one.name.rest].append(one)
    return dict(groups)


def conflicting(groups: Mapping[Rest, Sequence[Named]]) -> bool:
    """Whether two groups have the same split."""
    splits = [split for group in groups.values() for split in {one.split for one in group}]
    return len(set(splits)) < len(splits) or UNDIVIDED in splits


def group_names(groups: Mapping[Rest, Sequence[Named]]) -> dict[Rest, str]:
    """What `config` calls each group: the folder or file that its arrays lie in, where that tells them apart; else the
    words that not all groups have.
    """
    paths = {rest: {tuple(one.array.key.split("/")[:-1]) for one in own} for rest, own in groups.items()}
    every = [path for own in paths.values() for path in own]
    depth = next((n for n, parts in enumerate(zip(*every, strict=False)) if len(set(parts)) > 1), min(map(len, every)))
    places = {rest: {path[depth] if len(path) > depth else "" for path in own} for rest, own in paths.items()}
    names = [name for own in places.values() for name in own]
    if all(names) and len(names) == len(groups) == len(set(names)):
        return {rest: next(iter(own)) for rest, own in places.items()}
    rests = list(groups)
    common = set(rests[0]).intersection(*rests[1:])
    own_words = {rest: "-".join(dict.fromkeys(word for word in rest if word not in common)) for rest in rests}
    return {rest: name or "-".join(dict.fromkeys(rest)) or "plain" for rest, name in own_words.items()}


def chosen_group(groups: Mapping[Rest, Sequence[Named]], config: str | None) -> Rest | None:
    """The group that `config` names; of several that have its words, the one with the fewest others."""
    if config is None:
        return None
    names = group_names(groups)
    wanted = set(words_of(config))
    exact = [rest for rest, name in names.items() if set(words_of(name)) == wanted]
    fitting = exact or sorted((rest for rest in groups if wanted <= set(rest)), key=len)
    if not fitting or (len(fitting) > 1 and len(fitting[0]) == len(fitting[1])):
        return None
    return fitting[0]


def without_groups(named: Sequence[Named], groups: Mapping[Rest, Sequence[Named]], chosen: Rest) -> list[Named]:
    """The arrays without those of other data sets."""
    return [one for one in named if one.name.rest == chosen or one.name.rest not in groups]
