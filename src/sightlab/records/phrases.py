"""Counts in words."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun.

    >>> counted(1, "image"), counted(2000, "image"), counted(0, "class", "classes")
    ('1 image', '2,000 images', '0 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def times(count: int) -> str:
    """How often.

    >>> times(1), times(2), times(1500)
    ('once', 'twice', '1,500 times')
    """
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
