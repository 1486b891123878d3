"""Parsing array names: split, role (images, labels or class names), and the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sightlab.data.layouts.split_words import PLAIN, WORDS

IMAGES, LABELS, NAMES, OTHER = "images", "labels", "names", "other"
# Beside a word for images or labels these short forms are splits, as in Xtr and y_te.
SHORT_SPLITS = {"tr": "train", "te": "test", "va": "validation"}
STRONG_IMAGES = frozenset(
    (
        *("images", "image", "imgs", "img", "x", "pixels", "pictures", "picture", "pics", "photos", "photo"),
        *("inputs", "input", "features"),
    )
)
WEAK_IMAGES = frozenset(("data", "array", "arrays"))
LABEL_WORDS = frozenset(
    (
        *("labels", "label", "lbl", "lbls", "lab", "y", "targets", "target", "outputs", "output", "class", "classes"),
        *("category", "categories"),
    )
)
NAME_WORDS = frozenset(("names", "name", "list"))
ONLY_NAMES = frozenset(("classnames", "labelnames", "classname", "labelname", "mapping", "classmap"))
# Arrays with such a word in their names are about the pictures, and are neither pictures nor labels.
OTHER_WORDS = frozenset(
    (
        *("id", "ids", "index", "indices", "mean", "means", "std", "stds", "var", "path", "paths", "file", "files"),
        *("filename", "filenames", "fname", "fnames", "name", "names", "shape", "shapes", "size", "sizes", "box"),
        *("boxes", "bbox", "bboxes", "mask", "masks", "weight", "weights", "bias", "kernel", "count", "counts"),
        *("embedding", "embeddings", "logits", "preds", "predictions", "probs", "landmarks", "keypoints", "attrs"),
        *("attributes", "attribute", "writers", "writer"),
    )
)
DROPPED = frozenset(
    (*PLAIN, "arr", "raw", "processed", "ubyte", "npy", "npz", "numpy", "full", "bitmap", "batch", "part")
)
TOKEN = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class ArrayName:
    """What a name says. split: None where it says none. role: `images`, `labels`, `names`, `other`, or "" for a name
    that says nothing. rest: its other words. numbers: the numbers in it.
    """

    split: str | None
    role: str
    rest: tuple[str, ...]
    numbers: tuple[int, ...]


def array_name(key: str) -> ArrayName:
    """What an array's key says; where its parts say different things, the last one is right.

    >>> array_name("x_train").split, array_name("x_train").role, array_name("kmnist-t10k-imgs").rest
    ('train', 'images', ('kmnist',))
    >>> [array_name(key).role for key in ("val_labels", "class_names", "image_ids", "a")]
    ['labels', 'names', 'other', '']
    """
    parts = key.split("/")
    parts = [part for place, part in enumerate(parts) if part not in parts[place + 1 :]]
    words = [words_of(part) for part in parts]
    roles = [role_of(own) for own in words]
    splits = [split_of(own) for own in words]
    return ArrayName(
        next((split for split in reversed(splits) if split), None),
        next((role for role in reversed(roles) if role not in ("", WEAK)), IMAGES if WEAK in roles else ""),
        tuple(word for own in words for word in own if is_rest(word)),
        tuple(int(word) for own in words for word in own if word.isdecimal() and len(word) < 10),
    )


WEAK = "weak"


def words_of(part: str) -> list[str]:
    """The words and numbers in one part of a key, in small letters, glued ones apart.

    >>> words_of("trainImages"), words_of("Xtrain"), words_of("t10k-images-idx3-ubyte"), words_of("arr_0")
    (['train', 'images'], ['x', 'train'], ['t10k', 'images', 'ubyte'], ['arr', '0'])
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", part)
    spaced = re.sub(r"idx[1-4](?![0-9])", " ", spaced)
    return [word for token in TOKEN.findall(spaced.casefold()) for word in unglued(token)]


def unglued(token: str) -> list[str]:
    """A token as the words it is made of: a split and a role, or letters and a number."""
    if token in WORDS:
        return [token]
    for split in (*WORDS, *SHORT_SPLITS):
        for role in (token.removeprefix(split), token.removesuffix(split)):
            if role != token and role in (LABEL_WORDS | STRONG_IMAGES | WEAK_IMAGES):
                return [split, role] if token.startswith(split) else [role, split]
    return re.findall(r"[^\W\d_]+|\d+", token)


def role_of(words: list[str]) -> str:
    """What the words of one part say that an array holds."""
    found = set(words)
    about_classes = found & LABEL_WORDS
    if found & ONLY_NAMES or (about_classes and found & NAME_WORDS):
        return NAMES
    if found & OTHER_WORDS:
        return OTHER
    if about_classes:
        return LABELS
    if found & STRONG_IMAGES:
        return IMAGES
    if found & WEAK_IMAGES:
        return WEAK
    return ""


def split_of(words: list[str]) -> str | None:
    """The split that the words of one part say."""
    exact = next((WORDS[word] for word in words if word in WORDS), None)
    if exact is None and set(words) & (LABEL_WORDS | STRONG_IMAGES):
        return next((SHORT_SPLITS[word] for word in words if word in SHORT_SPLITS), None)
    return exact


def is_rest(word: str) -> bool:
    """Whether a word says neither split nor role."""
    known = WORDS.keys() | SHORT_SPLITS.keys() | LABEL_WORDS | STRONG_IMAGES | WEAK_IMAGES | NAME_WORDS | DROPPED
    return not word.isdecimal() and word not in known
