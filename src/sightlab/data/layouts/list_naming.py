"""The `list=` option: which lists it selects, and which value selects one of two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from sightlab.data.layouts.claim import word
from sightlab.data.layouts.listed import Listed
from sightlab.data.messages import shortened
from sightlab.data.tables.list_names import stem_of
from sightlab.errors import DataError, one_line


def named_lists(names: Sequence[str], asked: str, label: str) -> list[str]:
    """The lists that the user means: by path, by name with or without suffix, by patterns. Raises DataError."""
    found: dict[str, None] = {}
    for one in (piece.strip() for piece in asked.split(",")):
        exact = [name for name in names if name == one] or [name for name in names if name.rpartition("/")[2] == one]
        fitting = exact or [name for name in names if is_meant(name, one)]
        if not fitting:
            held = ", ".join(shortened(name, 30) for name in names[:5]) or "none"
            raise DataError(
                f"{shortened(label, 80)}: list={one_line(one)[:60]}: there is no such list; texts here: {held}"
            )
        found |= dict.fromkeys(fitting)
    return list(found)


def is_meant(name: str, asked: str) -> bool:
    """Whether a name or a pattern, by the whole path or its last part, is that of a list."""
    base = name.rpartition("/")[2]
    return stem_of(name) == asked or fnmatchcase(name, asked) or fnmatchcase(base, asked)


def which(label: str, one: Sequence[Listed], two: Sequence[Listed]) -> str:
    """The line that names two lists, or two groups of them, and the word that chooses."""
    names = [shortened(group[0].name, 40) for group in (one, two)]
    line = (
        f"{shortened(label, 70)}: {names[0]} and {names[1]} both list pictures, and not as one set; "
        f"{word('list', pattern_of(one, two))} reads the first"
    )
    apart = not {n for own in one for n, _ in own.pairs} & {n for own in two for n, _ in own.pairs}
    both = f", {word('list', f'{names[0]},{names[1]}')} both" if apart and len(one) == len(two) == 1 else ""
    return line + both


def pattern_of(group: Sequence[Listed], others: Sequence[Listed]) -> str:
    """What `list=` takes for a group of lists: the name of the one, a pattern that fits these alone, else all names."""
    names = [one.name for one in group]
    if len(names) == 1:
        return names[0]
    start = names[0]
    while not all(name.startswith(start) for name in names):
        start = start[:-1]
    start = re.sub(r"[^\W\d_]+$", "", start)
    if start and not any(fnmatchcase(one.name, f"{start}*") for one in others):
        return f"{start}*"
    return ",".join(names)
