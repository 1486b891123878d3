"""ARFF, the table format of Weka and OpenML."""

from __future__ import annotations

import re
from collections.abc import Sequence

RELATION = re.compile(r"@relation\b", re.IGNORECASE)
ATTRIBUTE = re.compile(r"@attribute\s+(?:'([^']*)'|\"([^\"]*)\"|(\S+))", re.IGNORECASE)
DATA = re.compile(r"@data\s*", re.IGNORECASE)
Lines = Sequence[tuple[int, str]]


def is_arff(lines: Lines) -> bool:
    """Whether the first of these lines that is no comment begins an ARFF file."""
    first = next((line for _, line in lines if not line.startswith("%")), "")
    return RELATION.match(first.strip()) is not None


def heading_and_rows(lines: Lines) -> tuple[int, tuple[str, ...], Lines] | None:
    """The line number of `@data`, the columns' names, and the lines below; None where there is no `@data`.

    >>> heading_and_rows([(1, "@ATTRIBUTE 'a b' real"), (2, "@ATTRIBUTE c {0,1}"), (3, "@DATA"), (4, "7,1")])
    (3, ('a b', 'c'), [(4, '7,1')])
    """
    names: list[str] = []
    for place, (number, line) in enumerate(lines):
        if DATA.fullmatch(line.strip()):
            return number, tuple(names), [(n, row) for n, row in lines[place + 1 :] if not row.startswith("%")]
        if found := ATTRIBUTE.match(line.strip()):
            names.append(next(filter(None, found.groups()), ""))
    return None
