"""Formatting names and counts for messages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from sightlab.data.imageset import natural_key

SHOWN = 3


def counted(names: Iterable[str], one: str, many: str) -> str:
    """`3 files (a, b, c)`: how many, and the first three in natural order.

    >>> counted(["b", "a"], "file", "files")
    '2 files (a, b)'
    """
    ordered = sorted(names, key=natural_key)
    some = ", ".join(map(shortened, islice(ordered, SHOWN))) + (", ..." if len(ordered) > SHOWN else "")
    return f"{len(ordered):,} {one if len(ordered) == 1 else many} ({some})"


def shortened(name: str, most: int = 60) -> str:
    """A name for a message: its end, where it is long."""
    return name if len(name) <= most else f"...{name[3 - most :]}"
