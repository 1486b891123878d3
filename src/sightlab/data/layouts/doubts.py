"""Reasons why folders may not be classes: parts of a store, variants, copies, masks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sightlab.data.layouts.split_words import split_family
from sightlab.data.layouts.tree import Tree, last
from sightlab.data.messages import shortened

STORAGE = re.compile(
    r"(parts?|images?|imgs?|pictures?|photos?|batch(es)?|chunks?|shards?|folds?|data|dataset|set|subset|disks?|disc|vol(ume)?s?"
    r"|archives?|zip|tar|files?|folder|dir|splits?|blocks?|pages?|uploads?|downloads?|export|raw|dump)+"
)
VARIANTS = (
    frozenset(
        ("color", "colour", "rgb", "grayscale", "greyscale", "gray", "grey", "segmented", "bw", "nir", "depth", "ir")
    ),
    frozenset(
        ("original", "originals", "augmented", "augmentation", "augment", "aug", "synthetic", "generated", "orig")
    ),
    frozenset(
        (
            *("raw", "processed", "preprocessed", "resized", "cropped"),
            *("cleaned", "clean", "normalized", "enhanced", "unprocessed"),
        )
    ),
    frozenset(
        (
            *("images", "image", "imgs", "masks", "mask", "annotations"),
            *("labels", "segmentations", "segmentation", "groundtruth", "gt", "lesions"),
        )
    ),
    frozenset(("small", "medium", "large", "full", "thumbnails", "thumbs", "lowres", "highres", "hires", "lr", "hr")),
)
PLAIN = frozenset(("dataset", "data", "set", "images", "image", "imgs", "pictures", "photos", "version", "folder"))
MASK = re.compile(r"(.*?)[-_ ](mask|masks|seg|segmentation|groundtruth|gt|label)(_?\d+)?(\.[^.]+)", re.IGNORECASE)


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters, numbers left out.

    >>> words_of("HAM10000_images_part_1")
    ['ham', 'images', 'part']
    """
    return re.findall(r"[^\W\d_]+", name.casefold())


def storage_doubt(names: Sequence[str]) -> str:
    """Why these are parts of a store rather than classes: they differ by a number alone; "" where they do not."""
    if len(names) < 2:
        return _alone(names)
    stems = {re.sub(r"\d+|(?<![^\W_])[ivx]+(?![^\W_])", "#", name.casefold()) for name in names}
    if len(stems) != 1 or "#" not in next(iter(stems)):
        return ""
    words = words_of(names[0])
    return (
        _listed(names, "differ by a number alone, as parts of a store do")
        if words and STORAGE.fullmatch(words[-1])
        else ""
    )


def _alone(names: Sequence[str]) -> str:
    words = words_of(names[0]) if names else []
    return f"`{names[0]}` is the name of a place for pictures" if words and all(map(STORAGE.fullmatch, words)) else ""


def variant_doubt(names: Sequence[str]) -> str:
    """Why these are variants of the same pictures rather than classes; "" where they are not."""
    if len(names) < 2:
        return ""
    kept = [{word for word in words_of(name) if word not in PLAIN} or set(words_of(name)) for name in names]
    for family in VARIANTS:
        if all(words & family for words in kept):
            return _listed(names, "look like variants of the same pictures")
    return ""


def shared_doubt(tree: Tree, folders: Sequence[str]) -> str:
    """Why these are copies, variants or parts rather than classes: they hold folders of the same names; "" for none."""
    inner = [(folder, frozenset(tree.inner_names(folder))) for folder in folders]
    several = [(folder, names) for folder, names in inner if len(names) > 1]
    if len(several) < 2 or 2 * len(several) < len(inner):
        return ""
    common = frozenset.intersection(*(names for _, names in several))
    everything = frozenset.union(*(names for _, names in several))
    if len(common) < 2 or 2 * len(common) < len(everything) or split_family(sorted(common)):
        return ""
    shown = ", ".join(f"`{shortened(name, 24)}`" for name in sorted(common)[:3])
    return _listed([last(folder) for folder, _ in several], f"hold folders of the same names ({shown})")


MASKS = frozenset(("mask", "masks", "segmentation", "segmentations", "groundtruth", "gt", "annotations", "contours"))


def masks_doubt(tree: Tree, folders: Sequence[str]) -> str:
    """What tells masks beside the pictures of every class, and the option that ignores them; "" where none are."""
    inner = [frozenset(tree.inner_names(folder)) for folder in folders if len(tree.inner(folder)) > 1]
    common = frozenset.intersection(*inner) if len(inner) > 1 else frozenset()
    masks = [name for name in sorted(common) if name.casefold() in MASKS]
    if not masks or len(common) == len(masks):
        return ""
    shown = ", ".join(f"`{name}`" for name in sorted(common)[:3])
    return f"{_listed([last(f) for f in folders], f'hold {shown}')}; `ignore={masks[0]}` ignores the masks"


def deeper_doubt(tree: Tree, folders: Sequence[str]) -> str:
    """Why the folders in these may be the classes: most of these hold several, and no pictures; "" where they are not.

    Numbers, dates and parts of a store in them are no classes.
    """
    outer = [folder for folder in folders if not tree.direct[folder] and len(tree.inner(folder)) > 1]
    inner = [name for folder in outer for name in tree.inner_names(folder)]
    if 2 * len(outer) <= len(folders) or not all(any(map(str.isalpha, name)) for name in inner):
        return ""
    if any(storage_doubt(tree.inner_names(folder)) for folder in outer):
        return ""
    shown = ", ".join(f"`{shortened(name, 24)}`" for name in tree.inner_names(outer[0])[:3])
    return f"{_listed([last(folder) for folder in outer], 'hold folders of their own')} ({shown}, ...)"


def _listed(names: Sequence[str], what: str) -> str:
    shown = ", ".join(f"`{shortened(name, 32)}`" for name in names[:3])
    return f"{shown}{', ...' if len(names) > 3 else ''} {what}"


def masks(names: Sequence[str]) -> list[str]:
    """The pictures that by their names are masks of other ones.

    >>> masks(["a/1.png", "a/1_mask.png", "a/x_mask.png"])
    ['a/1_mask.png']
    """
    every = {name.rpartition(".")[0] for name in names}
    return [name for name in names if (m := MASK.fullmatch(name)) and m[1] in every]
