"""Cells that hold all pixels of a picture: their numbers, and the shape that brackets tell."""

from __future__ import annotations

import re

BRACKETS = str.maketrans(dict.fromkeys("[](),;", " "))


def packed_numbers(cell: str) -> list[str]:
    """The numbers in a cell that holds several.

    >>> packed_numbers("[[0, 12], [3.5, 4]]")
    ['0', '12', '3.5', '4']
    """
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
