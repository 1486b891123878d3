"""Unicode's bidirectional algorithm for short names: the visual order of right-to-left and mixed text.

Implements rules P2-P3, W2, W4-W5, W7, N0-N2, I1-I2, L2 and L4 of UAX #9. Names contain no explicit embeddings.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeVar

LETTERS = {"L": "L", "R": "R", "AL": "R"}
NUMBERS = {"EN", "AN"}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
MIRRORED = str.maketrans("()[]{}<>«»≤≥", ")(][}{><»«≥≤")

Item = TypeVar("Item")


def levels(characters: Sequence[str]) -> list[int]:
    """The embedding level of each character (with its marks): even for left to right, odd for right to left.

    >>> levels("ab 12"), levels("\\u05d0\\u05d1 12 c")
    ([0, 0, 0, 0, 0], [1, 1, 1, 2, 2, 1, 2])
    """
    kinds = [unicodedata.bidirectional(character[0]) for character in characters]
    base = next((LETTERS[kind] for kind in kinds if kind in LETTERS), "L")
    directions = _resolve_neutrals(_resolve_brackets(characters, _resolve_strong(kinds, base), base), base)
    return [{"L": 0 if base == "L" else 2, "R": 1, "N": 2}[direction] for direction in directions]


def visual_order(items: Sequence[Item], levels: Sequence[int]) -> list[Item]:
    """Items of text, one level each, in visual order from left to right (rule L2).

    >>> visual_order("abc", [0, 1, 1]), visual_order("abc", [1, 2, 2])
    (['a', 'c', 'b'], ['b', 'c', 'a'])
    """
    order = list(range(len(items)))
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        for end in range(len(order) + 1):
            if end == len(order) or levels[order[end]] < level:
                order[start:end] = reversed(order[start:end])
                start = end + 1
    return [items[index] for index in order]


def mirrored(text: str) -> str:
    """Right-to-left text in visual order: reversed, with its brackets mirrored.

    >>> mirrored("a) [")
    '] (a'
    """
    return text[::-1].translate(MIRRORED)


def _resolve_strong(kinds: Sequence[str], base: str) -> list[str]:
    """L, R, N for a number in right-to-left text, or "" where the neighbours decide."""
    directions: list[str] = []
    before = base
    for kind in _resolve_numbers(kinds):
        before = LETTERS.get(kind, before)
        numeral = "L" if kind == "EN" and before == "L" else "N"
        directions.append(numeral if kind in NUMBERS else LETTERS.get(kind, ""))
    return directions


def _resolve_numbers(kinds: Sequence[str]) -> list[str]:
    """A separator between two numbers, and signs like % beside one, count as numbers; not all in Arabic (W2-W5)."""
    before, resolved = "", []
    for kind in kinds:
        before = kind if kind in LETTERS else before
        resolved.append("AN" if kind == "EN" and before == "AL" else kind)
    for index in range(1, len(resolved) - 1):
        sides = {resolved[index - 1], resolved[index + 1]}
        if (resolved[index] == "ES" and sides == {"EN"}) or (resolved[index] == "CS" and sides in ({"EN"}, {"AN"})):
            resolved[index] = resolved[index - 1]
    for order in (range(1, len(resolved)), range(len(resolved) - 2, -1, -1)):
        for index in order:
            if resolved[index] == "ET" and resolved[index - order.step] == "EN":
                resolved[index] = "EN"
    return resolved


def _resolve_brackets(characters: Sequence[str], directions: list[str], base: str) -> list[str]:
    """A pair of brackets takes the base direction, or that of both its content and the text before it (N0)."""
    resolved = list(directions)
    for start, end in sorted(_pairs(characters)):
        inside = {_strong(direction) for direction in resolved[start + 1 : end] if direction}
        if inside:
            before = next((_strong(direction) for direction in reversed(resolved[:start]) if direction), base)
            resolved[start] = resolved[end] = base if base in inside else before
    return resolved


def _pairs(characters: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The indices of each opening bracket and the one that closes it."""
    opening: list[tuple[str, int]] = []
    for index, character in enumerate(characters):
        if character in BRACKETS:
            opening.append((BRACKETS[character], index))
        elif any(character == closing for closing, _ in opening):
            while opening[-1][0] != character:
                opening.pop()
            yield opening.pop()[1], index


def _resolve_neutrals(directions: list[str], base: str) -> list[str]:
    """Neutral characters between two of one direction take it, others the base direction (N1, N2)."""
    resolved = list(directions)
    start = 0
    for end in range(len(directions) + 1):
        if end < len(directions) and not directions[end]:
            continue
        left = _strong(directions[start - 1]) if start else base
        right = _strong(directions[end]) if end < len(directions) else base
        resolved[start:end] = [left if left == right else base] * (end - start)
        start = end + 1
    return resolved


def _strong(direction: str) -> str:
    """Numbers in right-to-left text count as right-to-left for neutral characters."""
    return "R" if direction == "N" else direction
