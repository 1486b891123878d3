"""Split names in all their spellings: `val`, `train2017`, `trainset`, `TrainingData`, `Bananatrain`, `val_images`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from sightlab.data.imageset import SPLIT_WORDS

WORDS = {word: split for split, words in SPLIT_WORDS.items() for word in words}
LONGEST_FIRST = sorted(WORDS, key=len, reverse=True)
# Words of folders whose pictures are to be predicted: they have no labels.
UNLABELLED = frozenset(("pred", "predict", "prediction", "predictions", "unlabelled", "unlabeled", "submission"))
# What may stand beside a split's word and means nothing more.
PLAIN = frozenset(
    (
        *("set", "sets", "data", "dataset", "images", "image", "imgs"),
        *("img", "split", "pics", "photos", "files", "folder", "pictures"),
    )
)


def exact_split(text: str) -> str | None:
    """The split that a text is a word for, and nothing else; None for other texts.

    >>> exact_split("Val"), exact_split("freight train")
    ('validation', None)
    """
    return WORDS.get("".join(text.casefold().split()))


def parsed(name: str) -> tuple[str, str] | None:
    """A name's split and what else is in it, numbers and plain words left out; None where no split's word is in it.

    Whole words come before words that are glued to others.

    >>> parsed("train2017"), parsed("TrainingData"), parsed("Bananatrain"), parsed("freight train"), parsed("cat")
    (('train', ''), ('train', ''), ('train', 'banana'), ('train', 'freight'), None)
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    tokens = [token for token in re.findall(r"[^\W\d_]+", spaced.casefold()) if token]
    joined = re.findall(r"[^\W\d_]+", name.casefold())
    if "".join(tokens) in WORDS:
        return WORDS["".join(tokens)], ""
    for candidates in (tokens, joined):
        for place, token in enumerate(candidates):
            if token in WORDS:
                return WORDS[token], rest_of(candidates, place, "")
    for place, token in enumerate(joined):
        for word in LONGEST_FIRST:
            if len(word) > 2 and token != word and (token.startswith(word) or token.endswith(word)):
                left = token.removeprefix(word) if token.startswith(word) else token.removesuffix(word)
                return WORDS[word], rest_of(joined, place, left)
    return None


def rest_of(tokens: list[str], place: int, left: str) -> str:
    """What stands beside the split's word, plain words left out."""
    words = [*tokens[:place], left, *tokens[place + 1 :]]
    return " ".join(word for word in words if word and word not in PLAIN)


def split_family(names: Collection[str]) -> dict[str, str] | None:
    """The split of each of these names of one place, where they are all names of different splits; else None.

    All must have the same beside the split's word: `freight train` and `passenger train` are classes.

    >>> split_family(["Bananatrain", "Bananavalid"]), split_family(["freight train", "passenger train"])
    ({'Bananatrain': 'train', 'Bananavalid': 'validation'}, None)
    """
    found = {name: parsed(name) for name in names}
    matched = [value for value in found.values() if value is not None]
    splits, rests = {split for split, _ in matched}, {rest for _, rest in matched}
    if len(matched) < len(found) or len(rests) > 1 or len(splits) < len(matched):
        return None
    family = {name: value[0] for name, value in found.items() if value is not None}
    return family if len(family) > 1 or all(exact_split(plain(name)) for name in family) else None


def plain(name: str) -> str:
    """A name without numbers and plain words: `train_images_2` is `train`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(word for word in re.findall(r"[^\W\d_]+", spaced.casefold()) if word not in PLAIN)


def partial_family(names: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Those of the names that are a family of splits by themselves, and the others.

    >>> partial_family(["train", "val", "weights"])
    ({'train': 'train', 'val': 'validation'}, ['weights'])
    """
    matched = [name for name in names if parsed(name)]
    exact = [name for name in matched if exact_split(plain(name))]
    for some in (matched, exact):
        family = split_family(some) if some else None
        if family:
            return family, [name for name in names if name not in family]
    return {}, list(names)


def is_unlabelled(name: str) -> bool:
    """Whether a folder's name says that its pictures have no labels.

    >>> is_unlabelled("seg_pred"), is_unlabelled("predators")
    (True, False)
    """
    return bool(UNLABELLED & set(re.findall(r"[^\W\d_]+", name.casefold())))


def split_of(name: str, families: Mapping[str, str] | None = None) -> str | None:
    """The split that one name says by a whole word, or by its family; None where it says none."""
    if families and name in families:
        return families[name]
    found = parsed(name)
    return found[0] if found and exact_split(plain(name)) else None
