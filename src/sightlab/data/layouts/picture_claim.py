"""What the layouts of picture files share: (file, class) by split becomes a claim."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sightlab.data.class_names import composed, in_one_spelling
from sightlab.data.imageset import SPLITS, UNDIVIDED, Allocate, Parts, Progress, classes_of, natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import POSSIBLE, STRUCTURE, Claim, Pairs, ReadOptions, classes_word, refused
from sightlab.data.messages import counted
from sightlab.data.pictures.assemble import Labelled, assemble
from sightlab.errors import DataError

LONGEST_CLASS = 200


def picture_claim(
    inventory: Inventory,
    options: ReadOptions,
    layout: str,
    pairs: Mapping[str, Pairs],
    *,
    labels: str,
    strength: int = STRUCTURE,
    order: Sequence[str] = (),
    notes: Iterable[str] = (),
    unused: Iterable[str] = (),
    doubts: Iterable[str] = (),
) -> Claim:
    """The claim of a layout whose pictures are files.

    pairs: (file, class name) by split. labels: where the classes come from, in a few words. order: the classes in
    their official order, () for the natural order of names. The classes that `options.classes` names alone are kept.
    """
    spelled, spelling = in_one_spelling({split: pairs[split] for split in (*SPLITS, UNDIVIDED) if pairs.get(split)})
    chosen, left = with_options(inventory, options, spelled)
    classes = ordered_classes(chosen, options, [composed(text) for text in order])
    doubts = tuple(doubts)
    if line := singles_line(inventory, chosen, classes, options):
        return refused(layout, line, POSSIBLE)
    fault = fault_of(inventory, chosen, classes, options)
    if fault:
        return refused(layout, next(iter(doubts), fault), strength)
    samples = {split: in_order(own, classes) for split, own in chosen.items()}
    all_notes = (*inventory.notes, *notes, *spelling, *left, *absent(samples, classes))
    return Claim(
        layout,
        reader(inventory, options, samples, classes, all_notes),
        strength,
        {split: len(own) for split, own in samples.items()},
        labels,
        classes,
        chosen,
        tuple(unused),
        all_notes,
        doubts,
        root=getattr(inventory.container, "root", None),
        identity={"pairs": digest(samples, classes)},
    )


def in_order(pairs: Pairs, classes: Sequence[str]) -> list[tuple[str, int]]:
    """(file, class number) of these pictures, by class, then in natural order of names."""
    files: dict[str, list[str]] = {text: [] for text in classes}
    for file, text in pairs:
        files[text].append(file)
    return [(file, label) for label, own in enumerate(files.values()) for file in sorted(own, key=natural_key)]


def absent(samples: Mapping[str, Sequence[tuple[str, int]]], classes: Sequence[str]) -> Iterator[str]:
    """A line for each split that has no picture of some class that train has."""
    known = {label for _, label in samples.get("train", ())}
    for split, own in samples.items():
        if missing := sorted(known - {label for _, label in own}):
            held = counted([classes[label] for label in missing], "class", "classes")
            yield f"the {split} split has no picture of {held}"


def with_options(
    inventory: Inventory, options: ReadOptions, pairs: Mapping[str, Pairs]
) -> tuple[dict[str, Pairs], tuple[str, ...]]:
    """The pairs under the user's own class names, and of the user's own classes alone. Raises DataError."""
    if options.config is not None:
        raise DataError(
            f"{inventory.label}: config={options.config}: there is no folder of this name with pictures in it"
        )
    names = dict(options.names)
    renamed = {split: [(file, names.get(text, text)) for file, text in own] for split, own in pairs.items()}
    if not options.classes:
        return dict(renamed), ()
    found = {text for own in renamed.values() for _, text in own}
    unknown = [name for name in options.classes if name not in found]
    if unknown:
        held = ", ".join(sorted(found, key=natural_key)[:8])
        raise DataError(
            f"{inventory.label}: classes={','.join(options.classes)}: there is no class {unknown[0]!r}; found {held}"
        )
    kept = {split: [(file, text) for file, text in own if text in options.classes] for split, own in renamed.items()}
    left = sum(map(len, renamed.values())) - sum(map(len, kept.values()))
    return {s: own for s, own in kept.items() if own}, (
        f"{left:,} pictures of classes not asked for ignored",
    ) if left else ()


def ordered_classes(pairs: Mapping[str, Pairs], options: ReadOptions, order: Sequence[str]) -> tuple[str, ...]:
    """The class names in the order asked for, else the official one, else the natural one."""
    if options.classes:
        return options.classes
    found = {text for own in pairs.values() for _, text in own}
    listed = [dict(options.names).get(text, text) for text in order]
    return tuple(listed) if listed and found <= set(listed) else classes_of(found)


def fault_of(inventory: Inventory, pairs: Mapping[str, Pairs], classes: Sequence[str], options: ReadOptions) -> str:
    """The line that says why these pictures make no data set; "" where they do."""
    for text in classes:
        if not text.isprintable() or not text or len(text) > LONGEST_CLASS:
            shown = repr(text[:40])
            return (
                f"{inventory.label}: the class name {shown} cannot be printed; rename it (UTF-8, no control characters)"
            )
    if len(classes) < 2 and not options.one_class:
        name = classes[0] if classes else ""
        return (
            f"{inventory.label}: all pictures are of one class, `{name}`; a classifier needs at least two class "
            "folders, as in cat/1.png and dog/1.png, or a list of `file,label` lines"
        )
    known = {text for _, text in pairs.get("train", ())}
    for split, own in pairs.items():
        new = classes_of(text for _, text in own if text not in known) if "train" in pairs else ()
        if new:
            place = next(file for file, text in own if text == new[0])
            return (
                f"{inventory.shown(place)}: class `{new[0]}` of the {split} split has no picture in train; "
                f"{classes_word(classes_of(known))} reads the classes of train alone"
            )
    return ""


def singles_line(inventory: Inventory, pairs: Mapping[str, Pairs], classes: Sequence[str], options: ReadOptions) -> str:
    """The line on labels that no two pictures share, as captions and measurements are; "" where some do."""
    count = sum(map(len, pairs.values()))
    if count != len(classes) or count <= 3 or options.one_class:
        return ""
    return (
        f"{inventory.label}: each of its {count:,} pictures has a label of its own, as {classes[0][:40]!r}; "
        "pictures of one class share theirs (`label=` names another column)"
    )


def reader(
    inventory: Inventory,
    options: ReadOptions,
    samples: Mapping[str, Sequence[tuple[str, int]]],
    classes: tuple[str, ...],
    notes: tuple[str, ...],
) -> Any:
    """What reads these pictures."""

    def read(allocate: Allocate, progress: Progress | None) -> Parts:
        return assemble(labelled(inventory, samples, classes, notes), options.decoding, allocate, progress)

    return read


def labelled(
    inventory: Inventory,
    samples: Mapping[str, Sequence[tuple[str, int]]],
    classes: tuple[str, ...],
    notes: tuple[str, ...],
) -> Labelled:
    """The pictures with their labels, ready to be decoded."""
    names = tuple(name for own in samples.values() for name, _ in own)
    places = {name: place for place, name in enumerate(names)}

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for name, data in inventory.container.stream(names):
            yield places[name], inventory.container.shown(name), data

    labels = {split: np.array([label for _, label in own], np.int64) for split, own in samples.items()}
    numbered = classes == tuple(str(n) for n in range(len(classes)))
    return Labelled(inventory.label, classes, numbered, labels, pictures, notes)


def digest(samples: Mapping[str, Sequence[tuple[str, int]]], classes: Sequence[str]) -> str:
    """What tells this set of pictures and labels from every other one of the same files."""
    found = hashlib.sha256(json.dumps(list(classes)).encode())
    for split, own in samples.items():
        found.update(f"\0{split}\0".encode())
        for name, label in own:
            found.update(f"{name}\0{label}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def left_pictures(inventory: Inventory, pairs: Mapping[str, Pairs], why: str) -> tuple[str, ...]:
    """A line on the pictures that no split has, "" for none. why: as in `in no class folder`."""
    used = {name for own in pairs.values() for name, _ in own}
    left = [name for name in inventory.pictures if name not in used]
    return (f"{counted(left, 'picture', 'pictures')} {why} ignored",) if left else ()
