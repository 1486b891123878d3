"""Parsing the names of lists: their split, and which lists belong together."""

from __future__ import annotations

import re

from sightlab.data.layouts.split_words import PLAIN, WORDS
from sightlab.data.tables.finder import split_in

SUFFIXES = re.compile(r"(\.(csv|tsv|txt|tab|lst|list|json|jsonl|ndjson|data|names|gz|coco))+$", re.IGNORECASE)
NO_TRUTH = frozenset(("submission", "submissions", "predictions", "prediction", "preds"))
# Words that all lists have in their names, and folders of lists.
LISTS = frozenset(
    (
        *(
            "label",
            "labels",
            "list",
            "lists",
            "annotation",
            "annotations",
            "ann",
            "anno",
            "anns",
            "annos",
            "metadata",
            "meta",
        ),
        *(
            "solution",
            "gt",
            "info",
            "file",
            "names",
            "instances",
            "splits",
            "split",
            "imagesets",
            "main",
            "loc",
            "captions",
        ),
        *("csv", "txt", "json", "targets", "groundtruth", "results", "index", "new", "final"),
    )
)


def stem_of(name: str) -> str:
    """A list's own name without its suffixes.

    >>> stem_of("meta/train.coco.json"), stem_of("_classes.csv")
    ('train', '_classes')
    """
    return SUFFIXES.sub("", name.rpartition("/")[2])


def words_in(text: str) -> list[str]:
    """The words and the numbers of a name, in small letters.

    >>> words_in("trainLabels_fold0")
    ['train', 'labels', 'fold', '0']
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W\d_]+|\d+", spaced.casefold())


def splits_in_stem(name: str) -> set[str]:
    """The splits that whole words of a list's own name say; training with validation is training.

    >>> splits_in_stem("a/train_val_list.txt"), splits_in_stem("train_test_split.txt") == {"train", "test"}
    ({'train'}, True)
    """
    found = {WORDS[word] for word in words_in(stem_of(name)) if word in WORDS}
    return {"train"} if found == {"train", "validation"} else found


def split_of_list(name: str) -> str | None:
    """The split that a list's own name says, else its folder; None where neither says one.

    >>> split_of_list("meta/train2017.txt"), split_of_list("valid/_classes.csv"), split_of_list("latest.csv")
    ('train', 'validation', None)
    """
    found = splits_in_stem(name)
    if len(found) == 1:
        return next(iter(found))
    return split_in(name.rpartition("/")[0]) if not found and "/" in name else None


def says_several_splits(name: str) -> bool:
    """Whether a list's name says several splits, as that of a table of them does: `train_test_split.txt`."""
    return len(splits_in_stem(name)) > 1


def says_no_truth(name: str) -> bool:
    """Whether a list is one of answers to be handed in, by its name: its labels are placeholders.

    >>> says_no_truth("sampleSubmission.csv"), says_no_truth("submitted/labels.csv")
    (True, False)
    """
    return bool(NO_TRUTH & set(words_in(stem_of(name))))


def family_of(name: str) -> tuple[str, ...]:
    """What is in a list's path beside words for splits and lists: lists that have the same belong together.

    >>> family_of("splits/fold0_train.txt"), family_of("meta/Train.csv") == family_of("val/labels.csv")
    (('fold', '0'), True)
    """
    words = words_in(f"{name.rpartition('/')[0]} {stem_of(name)}")
    return tuple(word for word in words if word not in WORDS and word not in PLAIN and word not in LISTS)
