"""Parsing label cells: numbers, empty cells, several labels in one cell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

WHOLE = re.compile(r"[+-]?\d{1,15}(\.0*)?", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?", re.ASCII)
EMPTY = frozenset(("", "nan", "NaN", "null", "NULL", "<NA>"))
PLURALS = frozenset(("tags", "tag", "attributes", "labels", "classes", "categories", "keywords", "findinglabels"))
MARKS = ("|", ";", ",")
TIME = re.compile(r"\d{4}[-/]\d\d?[-/]\d\d?([T ]\d.*)?|\d\d?[-/.]\d\d?[-/.]\d{4}|\d\d?:\d\d(:\d\d.*)?")


def is_whole(cell: str) -> bool:
    """Whether a cell is a whole number, also with `.0` behind it."""
    return bool(WHOLE.fullmatch(cell))


def plain_labels(labels: Iterable[str]) -> dict[str, str]:
    """Each label as a class name: whole numbers without leading zeros and `.0`, where all labels are whole numbers.

    >>> plain_labels(["01", "1", "2.0"]), plain_labels(["01", "cat"])
    ({'01': '1', '1': '1', '2.0': '2'}, {'01': '01', 'cat': 'cat'})
    """
    different = {label: unwrapped(label) for label in dict.fromkeys(labels)}
    if different and all(is_whole(label) for label in different.values()):
        return {raw: str(int(label.partition(".")[0])) for raw, label in different.items()}
    return different


def unwrapped(label: str) -> str:
    """A label that is written as a list of one thing, as that thing.

    >>> unwrapped("['cat']"), unwrapped("[a] b")
    ('cat', '[a] b')
    """
    if label[:1] == "[" and label[-1:] == "]" and len(parts := parts_of(label)) == 1:
        return parts[0]
    return label


def is_decimal(cell: str) -> bool:
    """Whether a cell is a number of any kind."""
    return bool(DECIMAL.fullmatch(cell))


def label_like(cells: Sequence[str]) -> bool:
    """Whether cells could be labels: they recur, and are neither measurements nor times nor long texts."""
    filled = [cell for cell in cells if cell not in EMPTY]
    different = set(filled)
    if not filled or 2 * len(filled) < len(cells) or max(map(len, different)) > 200:
        return False
    if any(cell.startswith(("{", "[{")) for cell in different):
        return False
    if len(different) < 2 or (len(filled) >= 20 and 2 * len(different) > len(filled)):
        return False
    if all(is_decimal(cell) for cell in different):
        return all(is_whole(cell) for cell in different)
    return not all(TIME.fullmatch(cell) for cell in different)


def parts_of(label: str) -> list[str]:
    """The labels in one cell, where it is written as several; else the one.

    >>> parts_of("a|b"), parts_of('["a", "b"]'), parts_of("polar bear")
    (['a', 'b'], ['a', 'b'], ['polar bear'])
    """
    if label[:1] in "[({" and label[-1:] in "])}":
        inner = re.findall(r"'([^']*)'|\"([^\"]*)\"|([^\s,\[\](){}'\"]+)", label[1:-1])
        return [next(filter(None, one), "") for one in inner if any(one)]
    for mark in MARKS:
        if mark in label:
            return [part.strip() for part in label.split(mark) if part.strip()]
    return [label]


def several_labels(labels: Collection[str], heading: str, *, chosen: bool) -> str:
    """A cell that holds several labels, where the column is one of such cells; "" where each cell is one label.

    chosen: whether the user has named the column; then blanks part no labels.
    """
    lists = [label for label in labels if label[:1] in "[({" and len(parts_of(label)) > 1]
    if lists:
        return lists[0]
    for mark in MARKS:
        if found := combined(labels, mark):
            return found
    if chosen:
        return ""
    return combined_by_blanks(labels, re.sub(r"[\W_]", "", heading.casefold()))


def combined(labels: Collection[str], mark: str) -> str:
    """A label that a mark parts into labels that others have too; "" where none does.

    Names of classes may have a comma in them (`tabby, tabby cat`), so that commas count where they make fewer parts
    than there are labels; a bar or a semicolon counts where a part recurs.
    """
    parted = {label: [part.strip() for part in label.split(mark) if part.strip()] for label in labels}
    several = [label for label, parts in parted.items() if len(parts) > 1]
    if not several:
        return ""
    counts = Counter(part for parts in parted.values() for part in set(parts))
    shared = [label for label in several if any(counts[part] > 1 for part in parted[label])]
    if mark == ",":
        return shared[0] if shared and len(counts) < len(parted) else ""
    return shared[0] if shared else ""


def combined_by_blanks(labels: Collection[str], heading: str) -> str:
    """As `combined` for blanks: under a plural heading, or where every part is also a label by itself."""
    parted = {label: label.split() for label in labels}
    several = [label for label, parts in parted.items() if len(parts) > 1]
    counts = Counter(part for parts in parted.values() for part in set(parts))
    alone = {label for label, parts in parted.items() if len(parts) == 1}
    if heading in PLURALS:
        shared = [label for label in several if any(counts[part] > 1 for part in parted[label])]
        return shared[0] if shared else ""
    composite = [label for label in several if set(parted[label]) <= alone]
    reordered: dict[tuple[str, ...], str] = {}
    for label in several:
        if reordered.setdefault((*sorted(parted[label]),), label) != label:
            return label
    return composite[0] if composite else ""
