"""Label column detection in lists: by option, by heading, else by elimination."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sightlab.data.tables.label_cells import is_decimal, label_like
from sightlab.data.tables.picture_column import words_of
from sightlab.data.tables.sheet import Sheet, UnclearError
from sightlab.data.tables.split_column import FLAGS, FOLDS, HEADINGS, key_of, place_named
from sightlab.errors import DataError, one_line

LABELS = frozenset(
    (
        *("label", "labels", "class", "classes", "target", "targets", "category", "categories", "y", "cls", "choice"),
        *("classid", "labelid", "categoryid", "targetid", "classidx", "labelidx", "classnum", "labelnum", "classlabel"),
        *("classname", "labelname", "categoryname", "targetname", "labelstr", "labeltext", "classlabels", "labelclass"),
        *(
            "dx",
            "diagnosis",
            "species",
            "breed",
            "emotion",
            "sentiment",
            "disease",
            "variety",
            "groundtruth",
            "gt",
            "tags",
        ),
    )
)
# What metadata tell of a picture and nobody means as its class.
METADATA = frozenset(
    (
        *("width", "height", "size", "filesize", "bytes", "area", "bbox", "xmin", "xmax", "ymin", "ymax", "roi"),
        *("lat", "lon", "latitude", "longitude", "date", "time", "datetime", "timestamp", "created", "updated"),
        *("md5", "sha", "sha256", "hash", "url", "urls", "annotator", "mtime", "license", "fold", "folds"),
    )
)
LAST_WORDS = frozenset(("label", "labels", "class", "category", "species", "breed", "diagnosis"))
NAMES = frozenset(("name", "names", "str", "text", "string", "title"))
TRUE, FALSE = frozenset(("1", "1.0", "true", "True", "TRUE")), frozenset(("0", "0.0", "false", "False", "FALSE", ""))
MOST_FLAGS = 4096


@dataclass(frozen=True, eq=False)
class LabelChoice:
    """Where a list's labels are. columns: one column, or several that hold 1 for the one class of a row. name: what
    messages call them. chosen: whether the user has named them. guessed: whether their heading is no word for
    labels. doubt: why they may be no labels, "" for no doubt.
    """

    columns: tuple[int, ...]
    name: str
    chosen: bool = False
    guessed: bool = False
    doubt: str = ""

    @property
    def heading(self) -> str:
        """The heading over the one column."""
        return self.name if len(self.columns) == 1 else ""


def label_choice(sheet: Sheet, taken: Collection[int], asked: str | None) -> LabelChoice | None:
    """The columns of labels; None where a list has none.

    taken: the columns that are pictures or splits. asked: the column as the user has named it, or several with commas
    between them, of which each row has 1 in one. Raises DataError where one is asked for that is not there, and where
    several could be meant.
    """
    if asked is not None:
        return asked_for(sheet, taken, asked)
    free = [
        c for c in range(sheet.width) if c not in taken and not is_metadata(sheet, c) and not counts(sheet, c, taken)
    ]
    exact = without_coordinates(sheet, [c for c in free if says_label(heading_of(sheet, c))])
    headed = exact or [c for c in free if ends_as_label(heading_of(sheet, c))]
    if headed:
        return LabelChoice((named_ones(sheet, headed),), sheet.named(named_ones(sheet, headed)))
    return by_elimination(sheet, free)


def asked_for(sheet: Sheet, taken: Collection[int], asked: str) -> LabelChoice:
    """The columns that the user has named."""
    names = [name.strip() for name in asked.split(",")]
    if len(names) > 1 and asked not in sheet.heading:
        return LabelChoice(tuple(place_named(sheet, name, "label") for name in names), asked, True)
    place = place_named(sheet, asked, "label")
    if place in taken:
        raise DataError(
            f"{sheet.shown}: label={one_line(asked)[:40]}: this column names the pictures or their splits; give another"
        )
    return LabelChoice((place,), sheet.named(place), True)


def heading_of(sheet: Sheet, c: int) -> str:
    """A column's heading; "" for none."""
    return sheet.heading[c] if c < len(sheet.heading) else ""


def says_label(heading: str) -> bool:
    """Whether a heading, or its last part in nested JSON, is a word for labels.

    >>> says_label("ClassId"), says_label("file_attributes.class"), says_label("Roi.X1")
    (True, True, False)
    """
    return key_of(heading) in LABELS or key_of(heading.rpartition(".")[2]) in LABELS


def ends_as_label(heading: str) -> bool:
    """Whether a heading's last word is one for labels.

    >>> ends_as_label("Finding Labels"), ends_as_label("fine_label"), ends_as_label("label_source")
    (True, True, False)
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    words = re.findall(r"[^\W\d_]+", spaced.casefold())
    return bool(words) and words[-1] in LAST_WORDS


def is_metadata(sheet: Sheet, c: int) -> bool:
    """Whether a column's heading says that it is no label."""
    heading = heading_of(sheet, c)
    key = key_of(heading)
    if sheet.heading and not heading:
        return True  # an index, or the keys of a mapping
    if says_label(heading):
        return False
    return key in FLAGS or key in HEADINGS or bool(FOLDS.fullmatch(heading)) or bool(words_of(heading) & METADATA)


def without_coordinates(sheet: Sheet, headed: list[int]) -> list[int]:
    """The columns without `y` where it stands beside `x`."""
    keys = {key_of(heading) for heading in sheet.heading}
    return [c for c in headed if not (key_of(heading_of(sheet, c)) == "y" and "x" in keys)] or headed


def named_ones(sheet: Sheet, headed: Sequence[int]) -> int:
    """The one of several label columns that has names, where all say the same. Raises DataError where they do not."""
    first = headed[0]
    for other in headed[1:]:
        if not one_to_one(sheet, first, other):
            raise UnclearError(two_labels(sheet, sheet.named(first), sheet.named(other)))
    texts = [c for c in headed if not all(map(is_decimal, sheet.column(c)[:200]))]
    if not texts:
        texts = [c for c in range(sheet.width) if names_of(sheet, c) and one_to_one(sheet, first, c)]
    return texts[0] if texts else first


def names_of(sheet: Sheet, c: int) -> bool:
    """Whether a column's heading says that it has names, and it has no numbers."""
    return bool(words_of(heading_of(sheet, c)) & NAMES) and not any(map(is_decimal, sheet.column(c)[:200]))


def one_to_one(sheet: Sheet, one: int, other: int) -> bool:
    """Whether each cell of either column goes with one of the other."""
    first, second = sheet.column(one), sheet.column(other)
    return len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second))


def by_elimination(sheet: Sheet, free: Sequence[int]) -> LabelChoice | None:
    """The only column, or the only columns of 0 and 1, that could be labels."""
    filled = [c for c in free if any(sheet.column(c))]
    flags = [c for c in filled if is_flag(sheet, c)] if sheet.heading else []
    flags = flags if 1 < len(flags) <= MOST_FLAGS else []
    others = [c for c in filled if c not in flags]
    likely = [c for c in others if label_like(sheet.column(c))]
    likely = id_and_name(sheet, likely)
    if flags and not likely:
        return LabelChoice(tuple(flags), one_hot_name(sheet, flags))
    if flags or len(likely) > 1:
        names = [*([",".join(sheet.named(c) for c in flags[:8])] if flags else []), *map(sheet.named, likely)]
        raise UnclearError(two_labels(sheet, names[0], names[1]))
    if likely:
        return LabelChoice((likely[0],), sheet.named(likely[0]), guessed=bool(sheet.heading))
    if len(filled) == 1:
        doubt = "" if constant(sheet.column(filled[0])) else hardly_labels(sheet, filled[0])
        return LabelChoice((filled[0],), sheet.named(filled[0]), guessed=bool(sheet.heading), doubt=doubt)
    return None


def id_and_name(sheet: Sheet, likely: list[int]) -> list[int]:
    """Without the numbers of two columns that say the same by number and by name."""
    if len(likely) != 2 or not one_to_one(sheet, *likely):
        return likely
    texts = [c for c in likely if not all(map(is_decimal, sheet.column(c)))]
    return texts if len(texts) == 1 else likely


def constant(cells: Sequence[str]) -> bool:
    """Whether all cells say the same."""
    return len(set(cells)) < 2


def is_flag(sheet: Sheet, c: int) -> bool:
    """Whether a column is of 0 and 1, or of true and false."""
    words = set(sheet.column(c))
    return words <= TRUE | FALSE and (len(sheet.heading) > 3 or bool(words & TRUE))


def counts(sheet: Sheet, c: int, taken: Collection[int]) -> bool:
    """Whether a column before the pictures, or one of several beside them, counts the rows from 0 or 1."""
    cells = sheet.column(c)
    if cells[0] not in ("0", "1") or (c > min(taken) and sheet.width - len(taken) == 1):
        return False
    return all(cell == str(int(cells[0]) + place) for place, cell in enumerate(cells))


def one_hot_name(sheet: Sheet, flags: Sequence[int]) -> str:
    """What messages call columns of which each row has 1 in one."""
    return ",".join(sheet.named(c) for c in flags)


def two_labels(sheet: Sheet, one: str, two: str) -> str:
    """The line on a list of which two columns could be the label."""
    one, two = one[:60], two[:60]
    return f"{sheet.shown}: `{one}` or `{two}` could be the label; say which, as in `label={one}`"


def hardly_labels(sheet: Sheet, c: int) -> str:
    """Why a list's only other column may be no label."""
    cells = sheet.column(c)
    name = sheet.named(c)[:40]
    return (
        f"{sheet.shown}: column `{name}` has {len(set(cells)):,} different cells in {len(cells):,} rows, as "
        f"`{cells[0][:30]}`: hardly labels; `label={name}` takes them for labels"
    )
