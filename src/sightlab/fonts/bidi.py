"""The order of text that runs from right to left, or both ways: Unicode's bidirectional algorithm for short names.

Implements rules P2-P3, W2, W4-W5, W7, N0-N2, I1-I2, L2 and L4 of UAX #9. Names hold no explicit embeddings.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeVar

LETTERS = {"L": "L", "R": "R", "AL": "R"}
NUMBERS = {"EN", "AN"}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
TURNED = str.maketrans("()[]{}<>«»≤≥", ")(][}{><»«≥≤")

Item = TypeVar("Item")


def levels(characters: Sequence[str]) -> list[int]:
    """The level of each character (marks may follow it): even from left to right, odd from right to left.

    >>> levels("ab 12"), levels("\\u05d0\\u05d1 12 c")
    ([0, 0, 0, 0, 0], [1, 1, 1, 2, 2, 1, 2])
    """
    kinds = [unicodedata.bidirectional(character[0]) for character in characters]
    base = next((LETTERS[kind] for kind in kinds if kind in LETTERS), "L")
    ways = _neutral_settled(_brackets_settled(characters, _settled(kinds, base), base), base)
    return [{"L": 0 if base == "L" else 2, "R": 1, "N": 2}[way] for way in ways]


def visual_order(items: Sequence[Item], levels: Sequence[int]) -> list[Item]:
    """Items of text, one level each, in the order in which they stand from left to right (rule L2).

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
    return [items[place] for place in order]


def mirrored(text: str) -> str:
    """Signs of text from right to left as they stand from left to right: in reverse, brackets turned round.

    >>> mirrored("a) [")
    '] (a'
    """
    return text[::-1].translate(TURNED)


def _settled(kinds: Sequence[str], base: str) -> list[str]:
    """L, R, N for a number in text from right to left, or "" where the neighbours decide."""
    ways: list[str] = []
    before = base
    for kind in _numbers_whole(kinds):
        before = LETTERS.get(kind, before)
        numeral = "L" if kind == "EN" and before == "L" else "N"
        ways.append(numeral if kind in NUMBERS else LETTERS.get(kind, ""))
    return ways


def _numbers_whole(kinds: Sequence[str]) -> list[str]:
    """A separator between two numbers, and signs like % beside one, count as numbers; not all in Arabic (W2-W5)."""
    before, whole = "", []
    for kind in kinds:
        before = kind if kind in LETTERS else before
        whole.append("AN" if kind == "EN" and before == "AL" else kind)
    for place in range(1, len(whole) - 1):
        sides = {whole[place - 1], whole[place + 1]}
        if (whole[place] == "ES" and sides == {"EN"}) or (whole[place] == "CS" and sides in ({"EN"}, {"AN"})):
            whole[place] = whole[place - 1]
    for order in (range(1, len(whole)), range(len(whole) - 2, -1, -1)):
        for place in order:
            if whole[place] == "ET" and whole[place - order.step] == "EN":
                whole[place] = "EN"
    return whole


def _brackets_settled(characters: Sequence[str], ways: list[str], base: str) -> list[str]:
    """A pair of brackets goes the way of the text, or of both what it holds and what is before it (N0)."""
    settled = list(ways)
    for start, end in sorted(_pairs(characters)):
        inside = {_strong(way) for way in settled[start + 1 : end] if way}
        if inside:
            before = next((_strong(way) for way in reversed(settled[:start]) if way), base)
            settled[start] = settled[end] = base if base in inside else before
    return settled


def _pairs(characters: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The places of each opening bracket and the one that closes it."""
    opened: list[tuple[str, int]] = []
    for place, character in enumerate(characters):
        if character in BRACKETS:
            opened.append((BRACKETS[character], place))
        elif any(character == closing for closing, _ in opened):
            while opened[-1][0] != character:
                opened.pop()
            yield opened.pop()[1], place


def _neutral_settled(ways: list[str], base: str) -> list[str]:
    """Neutral characters between two of one way take that way, others the base's (N1, N2)."""
    settled = list(ways)
    start = 0
    for end in range(len(ways) + 1):
        if end < len(ways) and not ways[end]:
            continue
        left = _strong(ways[start - 1]) if start else base
        right = _strong(ways[end]) if end < len(ways) else base
        settled[start:end] = [left if left == right else base] * (end - start)
        start = end + 1
    return settled


def _strong(way: str) -> str:
    """Numbers in text from right to left count as such text where neutral characters ask."""
    return "R" if way == "N" else way
