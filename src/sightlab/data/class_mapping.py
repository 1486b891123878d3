"""Matching the classes of a data set to those of a model: by name, by spelling, else by number."""

from __future__ import annotations

from dataclasses import dataclass

from sightlab.data.class_names import spelled_as
from sightlab.data.imageset import ImageSet
from sightlab.data.messages import shortened

MOST_LISTED = 120  # characters of class names in one message


@dataclass(frozen=True)
class ClassMapping:
    """The model's class index of each class name that it knows, and a note, "" for none."""

    indices: dict[str, int]
    note: str = ""


def map_classes(images: ImageSet, known: tuple[str, ...]) -> ClassMapping:
    """Each class's index among the known ones: by name, else by number where one side's names are numbers."""
    present = [name for name, count in zip(images.classes, images.counts(), strict=True) if count]
    indices = {name: index for index, name in enumerate(known) if name in images.classes}
    spelled = spelled_as(images.classes, known)
    indices |= {name: known.index(same) for name, same in spelled.items()}
    if indices:
        return ClassMapping(indices, spelling_note({name: same for name, same in spelled.items() if name in present}))
    indices = by_number(images, known)
    renamed = any(known[index] != name for name, index in indices.items() if name in present)
    pairs = numbers_shown(known, images.classes) if renamed else ""
    return ClassMapping(indices, f"classes are matched by number: {pairs}" if pairs else "")


def by_number(images: ImageSet, known: tuple[str, ...]) -> dict[str, int]:
    """Indices of classes whose names are numbers of the known ones, or the other way round; else none."""
    numbers = tuple(str(n) for n in range(len(known)))
    if set(images.classes) <= set(numbers):
        return {name: int(name) for name in images.classes}
    if images.numbered and known == numbers and len(images.classes) == len(known):
        return {name: index for index, name in enumerate(images.classes)}
    return {}


def spelling_note(spelled: dict[str, str]) -> str:
    """The line on classes that are spelled otherwise than the model's, "" for none.

    >>> spelling_note({"Cat": "cat"})
    'class `Cat` is taken for `cat`, which the model knows'
    """
    if not spelled:
        return ""
    name, known = next(iter(spelled.items()))
    more = len(spelled) - 1
    others = f", and {more} more by their spelling" if more else ""
    return f"class `{shortened(name)}` is taken for `{shortened(known)}`, which the model knows{others}"


def numbers_shown(known: tuple[str, ...], found: tuple[str, ...]) -> str:
    """The first pairs of a match by number, for the user to check."""
    names = known if set(found) <= {str(n) for n in range(len(known))} else found
    return ", ".join(f"{number} is {name!r}" for number, name in enumerate(names[:3])) + (", ..." if names[3:] else "")


def names_listed(names: tuple[str, ...]) -> str:
    """The first names, as many as one message holds, and how many more there are.

    >>> names_listed(("cat", "dog")), names_listed(tuple("ab" * 30))[-12:]
    ('cat, dog', ' and 20 more')
    """
    kept = 0
    while kept < len(names) and len(", ".join(map(shortened, names[: kept + 1]))) <= MOST_LISTED:
        kept += 1
    more = len(names) - kept
    return ", ".join(map(shortened, names[:kept])) + (f" and {more:,} more" if more else "")


def stranger_line(source: str, images: ImageSet, mapping: ClassMapping, known: tuple[str, ...]) -> str:
    """The line on a class that has images and is none of the model's; "" where there is none."""
    present = [name for name, count in zip(images.classes, images.counts(), strict=True) if count]
    strangers = [name for name in present if name not in mapping.indices]
    if not strangers:
        return ""
    one, model = shortened(strangers[0]), names_listed(known)
    if len(present) == 1:
        return (
            f"{source}: all pictures are of one class, {one!r}, and the model knows {model}; "
            "`sightlab predict` answers pictures without labels"
        )
    shared = ",".join(name for name in present if name in mapping.indices)
    # Labels that are numbers may well count from another one than the model's do, so that none of them would be right.
    is_clear = 0 < len(shared) < MOST_LISTED and not all(name.isdecimal() for name in known)
    hint = f"; `classes={shared}` tests on those alone" if is_clear else ""
    line = f"class {one!r} is not one the model knows ({model}); a model can only be tested on its own classes"
    return f"{source}: {line}{hint}"
