"""The options for reading data, as Python, recipes and the command line take them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypedDict

from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.pictures.decode import Decoding
from sightlab.data.tables.encodings import encoding_named
from sightlab.errors import DataError, suggestion


class ReadWords(TypedDict, total=False):
    """How a source is read; what is left out, or None, is left to the evidence. See `ReadOptions` and `Decoding`."""

    size: int | None
    channels: int | None
    bit_depth: int | None
    skip_broken: bool
    label: str | int | None
    layout: str | None
    classes: str | Sequence[str] | None
    split: str | None
    config: str | int | None
    list: str | None
    label_from: str | None
    shape: str | Sequence[int] | None
    ignore: str | Sequence[str] | None
    encoding: str | None
    names: dict[str, str] | None
    one_class: bool


def options_of(words: ReadWords) -> ReadOptions:
    """The words as one value. Raises DataError for an unknown word, or a value it cannot have."""
    if unknown := [word for word in words if word not in ReadWords.__annotations__]:
        raise DataError(
            f"unknown word {unknown[0]!r} for reading data; {suggestion(unknown[0], ReadWords.__annotations__)}"
        )
    given: dict[str, Any] = {word: value for word, value in words.items() if value is not None}
    if "encoding" in given:
        encoding_named(str(given["encoding"]))
    decoding = Decoding(**{k: given.pop(k) for k in ("size", "channels", "bit_depth", "skip_broken") if k in given})
    return ReadOptions(
        decoding=decoding,
        classes=in_a_row(given.pop("classes", ())),
        ignore=in_a_row(given.pop("ignore", ())),
        shape=shape_of(given.pop("shape", ())),
        names=tuple(given.pop("names", {}).items()),
        one_class=bool(given.pop("one_class", False)),
        **{word: str(value) for word, value in given.items()},
    )


def in_a_row(value: str | Sequence[str]) -> tuple[str, ...]:
    """`cat,dog` as a tuple of names.

    >>> in_a_row("cat, dog"), in_a_row(["a,b"])
    (('cat', 'dog'), ('a,b',))
    """
    pieces = value.split(",") if isinstance(value, str) else value
    return tuple(str(piece).strip() for piece in pieces if str(piece).strip())


def shape_of(value: str | Sequence[int]) -> tuple[int, ...]:
    """`28x28` or `32x32x3` as numbers. Raises DataError.

    >>> shape_of("28x28"), shape_of((32, 32, 3))
    ((28, 28), (32, 32, 3))
    """
    pieces = re.split(r"\s*[x,]\s*", value.strip().casefold()) if isinstance(value, str) else [str(n) for n in value]
    if not value:
        return ()
    if not (2 <= len(pieces) <= 3 and all(re.fullmatch(r"[1-9][0-9]{0,5}", piece) for piece in pieces)):
        raise DataError(
            f"shape is {value!r}; it takes height x width, or height x width x channels, as in `shape=28x28`"
        )
    return tuple(int(piece) for piece in pieces)
