"""Normalising class names: Unicode NFC, and case and blanks where nothing else distinguishes two names."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), as most systems show it: macOS stores names decomposed."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """What two spellings of a class name have in common: letters whatever their case, underscores as blanks.

    >>> folded(" Golden_Retriever "), folded("golden  retriever")
    ('golden retriever', 'golden retriever')
    """
    return " ".join(composed(name).replace("_", " ").casefold().split())


def spelled_as(names: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """Each name that is none of the known ones, and the one known name that differs from it in spelling alone.

    >>> spelled_as(["cat", "Dog"], ["Cat", "Dog"])
    {'cat': 'Cat'}
    """
    of_fold: dict[str, list[str]] = defaultdict(list)
    for name in known:
        of_fold[folded(name)].append(name)
    strangers = [name for name in dict.fromkeys(names) if name not in frozenset(known)]
    return {name: of_fold[folded(name)][0] for name in strangers if len(of_fold.get(folded(name), ())) == 1}


def class_numbers(classes: Sequence[str]) -> list[int]:
    """What stands for each class in a format that has no names: names that are whole numbers, else their positions.

    >>> class_numbers(["0", "2", "10"]), class_numbers(["cat", "7"])
    ([0, 2, 10], [0, 1])
    """
    numbers = [int(name) for name in classes if name.isascii() and name.isdigit() and str(int(name)) == name]
    return numbers if len(numbers) == len(classes) else list(range(len(classes)))


Pairs = Sequence[tuple[str, str]]


def in_one_spelling(pairs: Mapping[str, Pairs]) -> tuple[dict[str, Pairs], tuple[str, ...]]:
    """(file, class) by split with class names composed, and those of other splits as train spells them; and notes."""
    notes = []
    whole: dict[str, Pairs] = {split: [(file, composed(text)) for file, text in own] for split, own in pairs.items()}
    before = {text for own in pairs.values() for _, text in own}
    merged = len(before) - len({composed(text) for text in before})
    if merged:
        twice = [text for text in sorted(before) if composed(text) != text and composed(text) in before]
        notes.append(
            f"class `{composed((twice or sorted(before))[0])}` is spelled in two Unicode forms: read as one class"
        )
    train = tuple(dict.fromkeys(text for _, text in whole.get("train", ())))
    for split, own in whole.items():
        same = spelled_as((text for _, text in own), train) if train and split != "train" else {}
        if same:
            whole[split] = [(file, same.get(text, text)) for file, text in own]
            name, known = next(iter(same.items()))
            notes.append(f"class `{name}` of the {split} split is taken for `{known}` of train")
    return whole, tuple(notes)
