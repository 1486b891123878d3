"""Cells that hold all pixels of a picture: their numbers, and the shape that brackets give."""

from __future__ import annotations

import re

# A cell with all of a picture's pixels: numbers apart by blanks or commas, with or without brackets.
PACKED = re.compile(
    r"[\[(\s]*([-+]?[\d.]+([eE][-+]?\d+)?[\s,;\])\[(]+){3,}[-+]?[\d.]+([eE][-+]?\d+)?[\])\s.]*", re.ASCII
)
PACKED_START = 400
SHORTEST_PACKED = 7  # 0 0 0 0
BRACKETS = str.maketrans(dict.fromkeys("[](),;", " "))


def is_packed(cell: str) -> bool:
    """Whether a cell holds several numbers: the pixels of a whole picture.

    >>> is_packed("0 12 255 3"), is_packed("[0, 1, 2, 3]"), is_packed("12.5"), is_packed("a b c d")
    (True, True, False, False)
    """
    if len(cell) < SHORTEST_PACKED or not any(mark in cell for mark in " ,;"):
        return False
    if len(cell) > PACKED_START:  # enough of a long one; what follows is read in any case
        cell = cell[: max(cell.rfind(mark, 0, PACKED_START) for mark in " ,;") + 1].rstrip(" ,;") or cell
    return PACKED.fullmatch(cell) is not None


def packed_numbers(cell: str) -> list[str]:
    """The numbers in a cell that holds several, apart by blanks, commas or semicolons; a comma may be their point.

    >>> packed_numbers("[[0, 12], [3.5, 4]]"), packed_numbers("0,5 0,25 1,0")
    (['0', '12', '3.5', '4'], ['0.5', '0.25', '1.0'])
    """
    words = cell.strip("[]() ").split()
    if len(words) > 1 and all("," in word[1:-1] and word.count(",") == 1 for word in words):
        return [word.replace(",", ".") for word in words]
    return cell.translate(BRACKETS).split()


def nested_shape(cell: str) -> tuple[int, ...]:
    """The shape that brackets in brackets tell, as [[0, 1], [2, 3]]; () where they tell none.

    >>> nested_shape("[[0, 1, 5], [2, 3, 5]]"), nested_shape("[0, 1]")
    ((2, 3, 1), ())
    """
    if not cell.startswith("[["):
        return ()
    count = len(packed_numbers(cell))
    depth = len(cell) - len(cell.lstrip("["))
    rows = len(re.findall(r"\](?=[\s,]*\[)", cell)) + 1
    if depth == 2 and count % rows == 0:
        return rows, count // rows, 1
    outer = len(re.findall(r"\]\s*\](?=[\s,]*\[)", cell)) + 1
    return (outer, rows // outer, count // rows) if depth == 3 and rows % outer == 0 and count % rows == 0 else ()
