"""Split column detection in lists, and the meaning of its values."""

from __future__ import annotations

import re
from collections.abc import Collection

from sightlab.data.layouts.split_words import exact_split, parsed, plain
from sightlab.data.tables.sheet import Sheet, UnclearError
from sightlab.errors import DataError, one_line

HEADINGS = frozenset(
    (
        *("split", "splits", "set", "subset", "usage", "partition"),
        *("phase", "datasplit", "dataset", "splitname", "traintest"),
    )
)
FLAGS = {
    "isvalid": "validation",
    "isval": "validation",
    "isvalidation": "validation",
    "istest": "test",
    "istrain": "train",
    "istraining": "train",
    "istrainingimage": "train",
}
FOLDS = re.compile(r"(k?_?folds?|cv)(_?(id|no|idx|number|num|index))?", re.IGNORECASE)
TRUE, FALSE = frozenset(("true", "1", "1.0", "yes")), frozenset(("false", "0", "0.0", "no"))
# Kaggle's halves of a hidden test set, as in FER2013: the public one is used for validation.
PUBLIC = {"publictest": "validation", "privatetest": "test"}


class NoColumnError(DataError):
    """A list that lacks the column that the user has named: another list may have it."""


def splits_of_words(words: Collection[str]) -> dict[str, str] | None:
    """What each of these words says of a split; None unless all say one.

    >>> splits_of_words(["Training", "PublicTest", "PrivateTest"]), splits_of_words(["train", "cat"])
    ({'Training': 'train', 'PublicTest': 'validation', 'PrivateTest': 'test'}, None)
    """
    meanings = {word: split_of_word(word) for word in words}
    found = {word: split for word, split in meanings.items() if split is not None}
    if len(found) < len(meanings) or not found:
        return None
    halves = [word for word in found if word.casefold().replace(" ", "") in PUBLIC]
    if any(split == "validation" for word, split in found.items() if word not in halves):
        found |= dict.fromkeys(halves, "test")
    return found


def split_of_word(word: str) -> str | None:
    """The split that a cell says: a word for one, whatever plain words stand beside it."""
    key = re.sub(r"[\W_]", "", word.casefold())
    if key in PUBLIC:
        return PUBLIC[key]
    found = exact_split(word) or exact_split(plain(word))
    if found is None and (glued := parsed(word)) and not glued[1]:
        found = glued[0]
    return found


def split_column(sheet: Sheet, taken: int, asked: str | None) -> tuple[int | None, dict[str, str]]:
    """The column that says splits, None for none, and what its cells mean.

    taken: the column of pictures. asked: the column as the user has named it. Raises DataError where that one says no
    splits, or is not there.
    """
    if asked is not None:
        place = place_named(sheet, asked, "split")
        words = frozenset(sheet.column(place))
        meaning = meaning_of(sheet.named(place), words)
        if meaning is None:
            raise UnclearError(no_splits(sheet, place, words))
        return place, meaning
    for place in (c for c in range(sheet.width) if c != taken):
        heading = sheet.heading[place] if place < len(sheet.heading) else ""
        if not may_say_splits(sheet, place, heading):
            if key_of(heading) in HEADINGS and any(map(split_of_word, words := frozenset(sheet.column(place)))):
                raise UnclearError(no_splits(sheet, place, words))
            continue
        meaning = meaning_of(heading, frozenset(sheet.column(place)))
        if meaning is None and key_of(heading) in HEADINGS:
            raise UnclearError(no_splits(sheet, place, frozenset(sheet.column(place))))
        if meaning is not None and (len(set(meaning.values())) > 1 or key_of(heading) in HEADINGS):
            return place, meaning
    return None, {}


def may_say_splits(sheet: Sheet, place: int, heading: str) -> bool:
    """Whether a column's first cells may be words for splits."""
    some = frozenset(row[place] for _, row in sheet.rows[:50] if place < len(row))
    return len(some) <= 8 and meaning_of(heading, some) is not None


def meaning_of(heading: str, words: Collection[str]) -> dict[str, str] | None:
    """What the cells of a column mean for the split, by its heading where they are flags; None where they say none."""
    flag = FLAGS.get(key_of(heading))
    if flag is not None and all(word.casefold() in TRUE | FALSE for word in words):
        other = "test" if flag == "train" else "train"
        return {word: flag if word.casefold() in TRUE else other for word in words}
    return splits_of_words(words)


def key_of(heading: str) -> str:
    """A heading in small letters, nothing but letters and digits in it."""
    return re.sub(r"[\W_]", "", heading.casefold())


def no_splits(sheet: Sheet, place: int, words: Collection[str]) -> str:
    """The line on a column that was to say splits and does not."""
    some = ", ".join(f"`{word[:20]}`" for word in sorted(words)[:3])
    return (
        f"{sheet.shown}: column `{sheet.named(place)[:40]}` says {some}, which are no splits; rename them train, val "
        "and test, or give a list for each split"
    )


def folds(sheet: Sheet) -> list[str]:
    """The headings of columns that number folds, which are no splits until one of them is chosen."""
    return [heading for heading in sheet.heading if FOLDS.fullmatch(heading)]


def place_named(sheet: Sheet, asked: str, word: str) -> int:
    """The column of this heading, whatever its case; else that of this number from 0. Raises DataError for neither."""
    exact = [c for c, heading in enumerate(sheet.heading) if heading == asked]
    loose = exact or [c for c, heading in enumerate(sheet.heading) if heading.casefold() == asked.casefold()]
    if len(loose) == 1:
        return loose[0]
    if not loose and asked.isdecimal() and len(asked) < 6 and int(asked) < sheet.width:
        return int(asked)
    held = (
        ", ".join(f"`{h[:24]}`" for h in sheet.heading[:8]) if sheet.heading else f"0 to {sheet.width - 1}, no heading"
    )
    kind = "two columns of this name" if loose else "no such column"
    raise NoColumnError(f"{sheet.shown}: {word}={one_line(asked)[:40]}: {kind}; columns: {held}"[:300])
