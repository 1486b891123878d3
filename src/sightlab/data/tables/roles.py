"""Roles of the columns beside the pixels: label, split, id or unused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightlab.data.tables.column_names import called, is_id, is_label, is_split
from sightlab.data.tables.evidence import LEAST_ROWS, is_one_hot, is_running
from sightlab.data.tables.grid import Grid
from sightlab.data.tables.split_column import meaning_of
from sightlab.errors import DataError, suggestion

MANY_COLUMNS = 12
RECURRING = 0.5  # different values a row, at most, in a column that is taken for labels because nothing else is left


class UnclearError(DataError):
    """Why a table of pixels cannot be read as it is. Where it is raised first it does not name the file."""


class NoColumnError(UnclearError):
    """The user names a column that a table does not have."""


@dataclass(frozen=True)
class Wish:
    """What the user says of a table. label, split: columns by name, or by number from 0. shape: of the pictures.

    given: whether the user states that this is a table of pixels, by its layout. unlabelled: whether the pictures
    are to be classified, not learnt from.
    """

    label: str | None = None
    split: str | None = None
    shape: tuple[int, ...] = ()
    given: bool = False
    unlabelled: bool = False


@dataclass(frozen=True)
class Roles:
    """The columns beside the pixels. labels: one, or several that are one-hot, () for none; ids: names of the
    pictures; left: columns that are not used, and why.
    """

    labels: tuple[int, ...] = ()
    split: int | None = None
    ids: int | None = None
    left: tuple[tuple[int, str], ...] = ()


def roles_of(grid: Grid, others: Sequence[int], wish: Wish) -> Roles:
    """What these columns are, by their names, their values, and what is left over. Raises UnclearError."""
    label = None if wish.label is None else found_column(grid, wish.label, "label")
    split = None if wish.split is None else found_column(grid, wish.split, "split")
    rest = [n for n in others if n not in (label, split)]
    if split is None:
        split = next((n for n in rest if splits_of(grid, n)), None)
    elif meaning_of(name_of(grid, split), {row[split] for row in grid.rows}) is None:
        raise UnclearError(f"{called(grid.header, split)} does not say train, validation or test of each row")
    left = {n: "empty" for n in rest if grid.kind(n) == "empty" and not is_label(name_of(grid, n))}
    rest = [n for n in rest if n != split and n not in left]
    named = [n for n in rest if is_label(name_of(grid, n))] if label is None else []
    ids = [n for n in rest if n not in named and (is_id(name_of(grid, n)) if grid.header else counts_rows(grid, n))]
    rest = [n for n in rest if n not in ids]
    if label is not None:
        labels: tuple[int, ...] = (label,)
    elif named:
        labels = (one_of(grid, named),)
    else:
        labels = by_elimination(grid, rest)
    left |= dict.fromkeys(ids, "an id") | {n: "not used" for n in rest if n not in labels}
    return Roles(labels, split, ids[0] if ids else None, tuple(sorted(left.items())))


def name_of(grid: Grid, column: int) -> str:
    """A column's name; of a table without heading, one that says nothing."""
    return grid.header[column] if grid.header else "?"


def counts_rows(grid: Grid, column: int) -> bool:
    """Whether a column counts the rows."""
    return grid.kind(column) == "number" and is_running(grid.numbers([column], grid.rows)[:, 0])


def found_column(grid: Grid, asked: str, what: str) -> int:
    """The column of this name, or of this number from 0. Raises NoColumnError where there is none."""
    header = grid.header
    names = [name.casefold() for name in header]
    if asked in header:
        return header.index(asked)
    if asked.strip().casefold() in names:
        return names.index(asked.strip().casefold())
    if re.fullmatch("[0-9]{1,9}", asked):
        if int(asked) < grid.width:
            return int(asked)
        raise NoColumnError(f"no {what} column {asked}; its columns have the numbers 0 to {grid.width - 1}")
    shown = repr(asked if len(asked) <= 40 else f"{asked[:37]}...")
    if not header:
        raise NoColumnError(f"no {what} column {shown}: it has no heading; give the column's number, as in `{what}=0`")
    near = suggestion(asked, header)
    if not near.startswith("did you mean") and len(header) > MANY_COLUMNS:
        near = f"known: {', '.join(header[:3])}, ... {header[-1]}"
    raise NoColumnError(f"no {what} column {shown}; {near[:160]}")


def splits_of(grid: Grid, column: int) -> dict[str, str]:
    """The split that each value of a column stands for; {} where they are no splits.

    By words in a column of words, or of a name for it; by yes and no in one such as `is_test`.
    """
    name = name_of(grid, column)
    values = {row[column] for row in grid.rows}
    if is_label(name) or (grid.kind(column) != "text" and not is_split(name)):
        return {}
    found = meaning_of(name, values) or {}
    return found if len(set(found.values())) > 1 or is_split(name) else {}


def one_of(grid: Grid, named: Sequence[int]) -> int:
    """The one column of several called as labels are: of two that say the same, the one with words."""
    kinds = [grid.kind(n) for n in named]
    best = named[kinds.index("text")] if "text" in kinds else named[0]
    for other in (n for n in named if n != best):
        pairs = set(zip(grid.column(best), grid.column(other), strict=True))
        if len({a for a, _ in pairs}) < len(pairs) or len({b for _, b in pairs}) < len(pairs):
            one, two = (called(grid.header, n) for n in (best, other))
            raise UnclearError(f"{one} and {two} could both be the label; say which, as in `label={grid.header[best]}`")
    return best


def by_elimination(grid: Grid, rest: Sequence[int]) -> tuple[int, ...]:
    """The label among columns whose names say nothing: the only one, the only one of words, or all if one-hot."""
    able = [n for n in rest if recurs(grid.column(n))]
    words = [n for n in able if grid.kind(n) == "text"]
    if len(able) == 1 or len(words) == 1:
        return tuple(words if len(words) == 1 else able)
    if len(rest) > 1 and all(grid.kind(n) == "number" for n in rest) and is_one_hot(grid.numbers(rest)):
        return tuple(rest)
    if len(able) > 1:
        one, two = (called(grid.header, n) for n in (words or able)[:2])
        name = grid.header[able[0]] if grid.header else able[0]
        raise UnclearError(f"{one} and {two} could both be the label; say which, as in `label={name}`")
    return ()


def recurs(values: Sequence[str]) -> bool:
    """Whether values come again, as labels do and ids and measurements do not; too few rows do not tell."""
    return len(values) < LEAST_ROWS or len(set(values)) <= RECURRING * len(values)
