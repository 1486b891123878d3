"""Resolving the picture column of a list: the pictures its cells name, and what prevents that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sightlab.data.layouts.claim import word
from sightlab.data.messages import shortened
from sightlab.data.tables.column_search import Match, Search, added_to
from sightlab.data.tables.finder import as_path, split_in
from sightlab.data.tables.sheet import Sheet

MOST_CHOICES = 64
COVERED = 0.9


@dataclass(eq=False)
class Resolution:
    """What the cells of a column mean.

    names: the picture of each row, "" where none is there. problems: by row, the line that says why it means none for
    certain. loose: how many are found whatever the case or the suffix, and the first pair of each kind.
    """

    names: list[str]
    problems: dict[int, str] = field(default_factory=dict)
    loose: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    @property
    def missing(self) -> list[int]:
        """The rows whose picture is not there."""
        return [row for row, name in enumerate(self.names) if not name and row not in self.problems]


def resolved(sheet: Sheet, place: int, search: Search, splits: Sequence[str | None] | None) -> Resolution:
    """The pictures that a sheet's column names. splits: which each row says, None for none."""
    cells = sheet.column(place)
    found = Resolution([""] * len(cells))
    # Rows' splits tell folders apart where each split has one; else a test folder may hold other pictures altogether.
    known_splits = splits is not None and set(splits) <= search.finder.splits
    matches: list[Match] = []
    for row, cell in enumerate(cells):
        split = splits[row] if splits else None
        match = search.find(cell, split, certain=known_splits or splits is None) if cell else Match()
        if len(match.names) > MOST_CHOICES:
            found.problems[row] = could_be(sheet, row, cell, match.names)
            return found
        matches.append(match)
    folder = common_folder(matches)
    for row, match in enumerate(matches):
        names = match.names
        if len(names) > 1 and folder is not None and not (splits and in_split(match, splits[row])):
            names = tuple(name for name in names if added_to(name, match.kept) == folder) or names
        if len(names) == 1:
            found.names[row] = names[0]
            note_how(found, match, cells[row])
        elif names:
            found.problems[row] = could_be(sheet, row, cells[row], names)
    refuse_shared(found, sheet, cells)
    if splits is None and search.place.split is None:
        refuse_strays(found, sheet, matches, cells, search)
    return found


def in_split(match: Match, split: str | None) -> bool:
    """Whether one of several pictures lies in the folder of a split."""
    return any(split_in(added_to(name, match.kept)) == split for name in match.names)


def common_folder(matches: Sequence[Match]) -> str | None:
    """The one folder in which every row finds its picture; None where there are several, or all are found already."""
    ended = [match for match in matches if match.names and match.how != "path"]
    if all(len(match.names) == 1 for match in ended):
        return None
    counts: Counter[str] = Counter()
    for match in ended:
        counts.update({added_to(name, match.kept) for name in match.names})
    whole = [folder for folder, count in counts.items() if count == len(ended)]
    if len(whole) != 1:
        return None
    alone = any({added_to(name, match.kept) for name in match.names} == {whole[0]} for match in ended)
    return whole[0] if alone else None  # else the others together hold all of them too


def note_how(found: Resolution, match: Match, cell: str) -> None:
    """Counts a picture that is found whatever the case or the suffix."""
    if match.how in ("case", "suffix"):
        count, one, two = found.loose.get(match.how, (0, cell, match.names[0]))
        found.loose[match.how] = (count + 1, one, two)


def could_be(sheet: Sheet, row: int, cell: str, names: Sequence[str]) -> str:
    """The line on a cell that may mean two pictures."""
    one, two = sorted(names)[:2]
    folder = two.rpartition("/")[0]
    way = f", or {without(folder)} ignores the second" if folder and not one.startswith(f"{folder}/") else ""
    return (
        f"{sheet.at(sheet.rows[row][0])}: `{shortened(cell, 40)}` could be {shortened(one)} or {shortened(two)}; "
        f"give its path from the list{way}"
    )


def without(folder: str) -> str:
    """The option that ignores a folder."""
    return word("ignore", f"{folder}/*" if "/" in folder else folder)


def refuse_shared(found: Resolution, sheet: Sheet, cells: Sequence[str]) -> None:
    """Refuses a picture that two different cells would mean: one of theirs is not there."""
    owners: dict[str, int] = {}
    for row, name in enumerate(found.names):
        if not name:
            continue
        first = owners.setdefault(name, row)
        if cells[first] != cells[row] and as_path(cells[first]) != as_path(cells[row]):
            found.problems[row] = (
                f"{sheet.at(sheet.rows[row][0])}: `{shortened(cells[row], 40)}` and `{shortened(cells[first], 40)}` "
                f"({sheet.unit} {sheet.rows[first][0]}) could only be one picture, {shortened(name)}; correct one"
            )
            found.names[row] = ""


def refuse_strays(
    found: Resolution, sheet: Sheet, matches: Sequence[Match], cells: Sequence[str], search: Search
) -> None:
    """Refuses the few names that are found only in another split's folder, where the others are not."""
    rows = [row for row, name in enumerate(found.names) if name and matches[row].how != "path"]
    place = {row: added_to(found.names[row], matches[row].kept) for row in rows}
    splits = {folder: split_in(folder) for folder in set(place.values())}
    if len(set(splits.values())) < 2:
        return
    counts = Counter(splits[folder] for folder in place.values())
    usual = counts.most_common(1)[0][0]
    odd = {split for split in counts if split not in (usual, None) and not covered(split, counts[split], search)}
    for row in rows:
        if splits[place[row]] in odd:
            found.problems[row] = (
                f"{sheet.at(sheet.rows[row][0])}: `{shortened(cells[row], 40)}` is only in "
                f"{shortened(place[row], 36)}, and others lie elsewhere; {without(place[row])} ignores that folder"
            )
            found.names[row] = ""


def covered(split: str | None, count: int, search: Search) -> bool:
    """Whether a list names nearly all pictures in the folders of a split."""
    there = sum(split_in(name.rpartition("/")[0]) == split for name in search.finder.pictures)
    return count >= COVERED * there
