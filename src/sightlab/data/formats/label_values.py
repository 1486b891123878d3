"""Normalising label texts: whole numbers in their shortest form."""

from __future__ import annotations

import re
from collections.abc import Sequence

WHOLE = re.compile(r"([+-]?)0*([0-9]+)(\.0*)?", re.ASCII)


def label_text(text: str) -> str:
    """A label's class name: stripped, and a whole number in its shortest form.

    >>> [label_text(t) for t in (" cat ", "007", "3.0", "-0", "3.5")]
    ['cat', '7', '3', '0', '3.5']
    """
    text = text.strip()
    match = WHOLE.fullmatch(text)
    if not match:
        return text
    sign, digits, _ = match.groups()
    return "-" + digits if sign == "-" and digits != "0" else digits


def is_numbered(classes: Sequence[str]) -> bool:
    """Whether the classes are exactly 0, 1, ... in this order."""
    return list(classes) == [str(n) for n in range(len(classes))]
