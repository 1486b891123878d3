"""Heading detection: whether the first row of a table names its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from sightlab.data.tables.column_names import is_label
from sightlab.data.tables.dialect import NUMBER
from sightlab.data.tables.packed import is_packed

Row = Sequence[str]
LONGEST_NUMBER = 9
MOST_BESIDE_PACKED = 40
MANY = 16  # numbers that are no picture where each occurs once


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, whole or not, with a point or a comma."""
    return NUMBER.fullmatch(cell) is not None


def has_heading(first: Row, rows: Sequence[Row]) -> bool:
    """Whether the first of these rows names the columns. rows: some that follow.

    More words than numbers are names, and so are several words over columns of numbers. Names can be numbers
    themselves, 0 to 783 or 1 to 784, or such as pandas makes of a row of pixels: see `is_running`, `is_mangled`.

    >>> has_heading(["label", "p1", "p2"], [["3", "0", "255"]]), has_heading(["cat", "0", "17"], [["dog", "9", "0"]])
    (True, False)
    """
    few = first[:MOST_BESIDE_PACKED]
    packed = {place for row in rows for place, cell in enumerate(row[: len(few)]) if is_packed(cell)}
    if packed:
        return not any(is_packed(first[place]) for place in packed)
    words = [cell for cell in first if cell and not is_number(cell)]
    if 2 * len(words) > len(first) or sum(map(is_over_numbers(first, rows), range(len(first)))) > 1:
        return True
    return (is_running(first) and tuple(first) not in map(tuple, rows)) or is_mangled(first, rows)


def is_over_numbers(first: Row, rows: Sequence[Row]) -> Callable[[int], bool]:
    """Tells of a column whether a word stands over numbers in it."""

    def is_clear(place: int) -> bool:
        cell = first[place]
        if not cell or is_number(cell):
            return False
        return bool(rows) and all(place < len(row) and is_number(row[place]) for row in rows)

    return is_clear


def is_running(first: Row) -> bool:
    """Whether a row holds 0, 1, 2, ... or 1, 2, 3, ..., many of them in any order, and, at most, a few words.

    Words beside short rows of numbers must be names that label columns have: `cat,0,1` may be a picture.

    >>> is_running(["label", "0", "1"]), is_running(["cat", "0", "1"]), is_running(["0", "1", "2", "3"])
    (True, False, True)
    """
    numbers = [int(cell) for cell in first if cell.isdecimal() and len(cell) <= LONGEST_NUMBER]
    words = [cell for cell in first if cell and not is_number(cell)]
    blank = sum(not cell for cell in first)
    if not numbers or min(numbers) not in (0, 1) or len(numbers) + len(words) + blank != len(first) or len(words) > 4:
        return False
    in_order = list(range(min(numbers), min(numbers) + len(numbers)))
    if numbers != in_order and (len(numbers) < MANY or sorted(numbers) != in_order):
        return False
    return max(numbers) > 255 or (not words and len(numbers) > 3) or any(map(is_label, words))


def is_mangled(first: Row, rows: Sequence[Row]) -> bool:
    """Whether these are names that pandas made of a row of pixels: 0, 0.1, 0.2, 253, 253.1, ..., all different.

    >>> is_mangled(["3", "0", "0.1", "0.2", "0.3", "9"], [["7", "0", "0", "0", "5", "0"]])
    True
    """
    if not any("." in cell for cell in first) or len(set(first)) < len(first):
        return False
    if any(len(set(row)) == len(row) for row in rows):
        return False
    made = Counter(match[1] for cell in first if (match := re.fullmatch(r"(\d{1,3})\.\d+", cell)))
    repeated = sum(count for stem, count in made.items() if stem in first)
    plain = sum(cell.isdecimal() for cell in first)
    words = sum(not is_number(cell) for cell in first)
    return repeated >= 3 and repeated + plain + words == len(first) and 2 * words <= len(first)
