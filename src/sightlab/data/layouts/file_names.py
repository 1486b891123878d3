"""Layout: labels in file names, as in cat.0.jpg, by the user's pattern; a pattern that fits is suggested."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import STATED, Claim, Layout, ReadOptions, applies, refused, word
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.layouts.split_words import exact_split
from sightlab.data.messages import counted, shortened
from sightlab.data.tables.finder import split_in
from sightlab.errors import DataError, one_line

NAME = "file-names"
FIELDS = {"label": r".+?", "number": r"\d+", "id": r"[^/]+?", "any": r".*?", "split": r"[^\W\d_]+"}
FIELD = re.compile(r"\{(\w*)\}")
# A name of letters, a separator and a number: dog.12.jpg, great_pyrenees_100.jpg, cat (3).png, cat12.png
NUMBERED = re.compile(r"([^\W\d_]+(?:[ _-][^\W\d_]+)*)([._ -]?)(\(?)(\d+)(\)?)(\.[A-Za-z0-9]+)")
MOST_CLASSES = 1000

Pairs = dict[str, list[tuple[str, str]]]


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures under the labels that their names say by the pattern; without a pattern, the one that would fit."""
    if not applies(inventory, options, NAME, "split", "label_from"):
        return None
    if options.label_from is not None:
        return claim_by(inventory, options, options.label_from)
    if options.split:
        return None
    pattern = offered(inventory)
    if pattern is None:
        return None
    found = claim_by(inventory, options, pattern)
    if options.layout == NAME or found.refusal:
        return found if options.layout == NAME else None
    some = ", ".join(shortened(text, 24) for text in found.classes[:3])
    line = (
        f"{shortened(inventory.label, 80)}: nothing but the pictures' names says their classes, as "
        f"`{example(inventory, pattern)}`; {word('label_from', pattern)} reads {len(found.classes):,} classes ({some})"
    )
    return refused(NAME, line)


def claim_by(inventory: Inventory, options: ReadOptions, pattern: str) -> Claim:
    """The claim of the pictures whose names fit a pattern. Raises DataError for a pattern that is none."""
    fits = compiled(pattern)
    by_folder = matched(inventory, fits, by_path="/" in pattern)
    bare = [folder for folder, (found, _) in by_folder.items() if not found]
    pairs: Pairs = defaultdict(list)
    for folder, (found, strangers) in by_folder.items():
        if found and strangers:
            return refused(NAME, stranger_line(inventory, pattern, strangers, found))
        for name, label, split in found:
            pairs[split or split_in(folder) or UNDIVIDED].append((name, label))
    if not pairs:
        return refused(
            NAME,
            f"{shortened(inventory.label, 80)}: label_from={one_line(pattern)[:80]} fits no picture's name, as "
            f"{shortened(inventory.pictures[0])}",
        )
    if UNDIVIDED in pairs and len(pairs) > 1:
        return refused(NAME, undivided_line(inventory, pairs))
    left = [name for folder in bare for name in by_folder[folder][1]]
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels=f"file names like {one_line(pattern)[:60]}",
        strength=STATED,
        notes=left_note(left),
    )


def left_note(left: Sequence[str]) -> tuple[str, ...]:
    """Notes on pictures in folders where no name fits."""
    if not left:
        return ()
    return (f"{counted(left, 'picture', 'pictures')} whose names say no label ignored (`sightlab predict` takes them)",)


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of `{label}` and other fields as a regular expression, whatever the case. Raises DataError.

    >>> compiled("{label}_{number}.jpg").fullmatch("great_pyrenees_12.JPG")["label"]
    'great_pyrenees'
    """
    names = FIELD.findall(pattern)
    wrong = [name for name in names if name not in FIELDS]
    if wrong or names.count("label") != 1 or names.count("split") > 1:
        problem = f"`{{{wrong[0][:20]}}}` is no field" if wrong else "it takes one `{label}`"
        raise DataError(
            f"label_from={one_line(pattern)[:80]}: {problem}; a pattern is like `label_from={{label}}.{{number}}.jpg`, "
            "fields are {label}, {number}, {id}, {split}, {any}"
        )
    pieces = FIELD.split(pattern)
    text = "".join(
        (f"(?P<{piece}>{FIELDS[piece]})" if piece in ("label", "split") else f"(?:{FIELDS[piece]})")
        if place % 2
        else re.escape(piece)
        for place, piece in enumerate(pieces)
    )
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def matched(
    inventory: Inventory, fits: re.Pattern[str], *, by_path: bool
) -> dict[str, tuple[list[tuple[str, str, str | None]], list[str]]]:
    """By folder, (picture, label, split) of the names that fit, and the names that do not."""
    depth = fits.pattern.count("/")
    found: dict[str, tuple[list[tuple[str, str, str | None]], list[str]]] = defaultdict(lambda: ([], []))
    for name in inventory.pictures:
        folder = name.rpartition("/")[0]
        end = "/".join(name.split("/")[-depth - 1 :]) if by_path else name.rpartition("/")[2]
        fit = fits.fullmatch(end)
        split = exact_split(fit["split"]) if fit and "split" in fits.groupindex else None
        if fit is None or ("split" in fits.groupindex and split is None):
            found[folder][1].append(name)
        else:
            found[folder][0].append((name, fit["label"], split))
    return found


def stranger_line(
    inventory: Inventory, pattern: str, strangers: Sequence[str], found: Sequence[tuple[str, str, str | None]]
) -> str:
    """The line on names that do not fit, in a folder where others do."""
    return (
        f"{shortened(inventory.shown(strangers[0]), 100)}: does not fit label_from={one_line(pattern)[:60]}, "
        f"nor do {len(strangers) - 1:,} others of {len(strangers) + len(found):,} in its folder; rename them, or "
        f"{word('ignore', strangers[0].rpartition('/')[2][:40])}"
    )


def undivided_line(inventory: Inventory, pairs: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The line on pictures with labels of which only some lie in a split's folder."""
    inside = next(own[0][0] for split, own in pairs.items() if split != UNDIVIDED)
    outside = pairs[UNDIVIDED][0][0]
    return (
        f"{shortened(inventory.label, 70)}: {shortened(inside)} lies in a split's folder and {shortened(outside)} not; "
        "move the pictures into train, val and test folders, or `ignore=` one of the folders"
    )


def offered(inventory: Inventory) -> str | None:
    """The one pattern of letters and a number that all names fit where pictures lie flat; None where none does.

    A folder may have names that are numbers alone, as those of a test set without labels.
    """
    parts: Counter[tuple[str, ...]] = Counter()
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for name in inventory.pictures:
        folder, _, base = name.rpartition("/")
        fit = NUMBERED.fullmatch(base)
        if fit is None:
            if base.partition(".")[0].isdigit():
                continue
            return None
        parts[fit[2], fit[3], fit[5], fit[6]] += 1
        labels[folder][fit[1]] += 1
    if len(parts) != 1 or not any(len(own) > 1 for own in labels.values()):
        return None
    if any(split_in(folder) is None for folder in labels) and len(labels) > 1:
        return None
    counts = sum(labels.values(), Counter())
    if not 2 <= len(counts) <= MOST_CLASSES or 2 * len(counts) > counts.total() or not lie_apart(inventory, labels):
        return None
    ((mark, opening, closing, suffix),) = parts
    return f"{leading_split(counts)}{{label}}{mark}{opening}{{number}}{closing}{suffix}"


def leading_split(labels: Iterable[str]) -> str:
    """The field of the split where every name begins with one, as train_oak_1.png does; else nothing.

    >>> leading_split(["train_oak", "test_elm"]), leading_split(["oak", "elm"])
    ('{split}_', '')
    """
    fits = [re.fullmatch(r"([^\W\d_]+)([-_. ])(.+)", label) for label in labels]
    marked = {(fit[2], exact_split(fit[1])) for fit in fits if fit}
    marks = {mark for mark, _ in marked}
    return f"{{split}}{marks.pop()}" if all(fits) and len(marks) == 1 and all(split for _, split in marked) else ""


def lie_apart(inventory: Inventory, labels: Mapping[str, object]) -> bool:
    """Whether the folders without labels hold no pictures with them: names of numbers lie apart."""
    bare = {
        name.rpartition("/")[0] for name in inventory.pictures if NUMBERED.fullmatch(name.rpartition("/")[2]) is None
    }
    return not bare & set(labels)


def example(inventory: Inventory, pattern: str) -> str:
    """A picture's own name that fits."""
    fits = compiled(pattern)
    return shortened(next(n for n in (p.rpartition("/")[2] for p in inventory.pictures) if fits.fullmatch(n)), 40)


LAYOUT = Layout(
    NAME,
    "labels in the pictures' names, by `label_from`",
    """
    dogs-vs-cats/
      train/  cat.0.jpg  cat.1.jpg  dog.0.jpg
      test1/  1.jpg  2.jpg
    """,
    matches,
)
