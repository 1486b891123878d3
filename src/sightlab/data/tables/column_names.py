"""Column names that mean labels, splits or ids."""

from __future__ import annotations

import re
from collections.abc import Sequence

LABELS = frozenset(
    (
        *(
            "label",
            "labels",
            "labelid",
            "labelname",
            "classlabel",
            "ylabel",
            "class",
            "classes",
            "classid",
            "classname",
        ),
        *("target", "targets", "y", "ytrain", "ytest", "category", "categories", "categoryid", "categoryname"),
        *("species", "breed", "variety", "digit", "digits", "emotion", "expression", "character", "char", "letter"),
        *("symbol", "sign", "gesture", "diagnosis", "dx", "groundtruth", "gt", "truth", "annotation", "tag", "outcome"),
        *("finelabel", "celltype", "disease"),
    )
)
IDS = frozenset(
    (
        *("", "index", "idx", "id", "ids", "uid", "uuid", "key", "no", "nr", "row", "rowid", "rownumber", "sample"),
        *("sampleid", "image", "imageid", "imageindex", "imagename", "img", "imgid", "imgname", "pictureid"),
        *("file", "filename", "filepath", "path", "imagepath"),
    )
)
SPLITS = frozenset(
    (
        *("split", "splits", "set", "subset", "usage", "partition", "phase", "fold", "dataset", "datasplit"),
        *("istrain", "isvalid", "isvalidation", "isval", "istest", "train", "valid", "validation", "val", "test"),
    )
)
UNNAMED = re.compile(r"(unnamed|column|index|level)\d*")  # as pandas and spreadsheets name what has no name


def folded(name: str) -> str:
    """A name in small letters, without blanks and punctuation.

    >>> folded(" Class_ID"), folded("Unnamed: 0")
    ('classid', 'unnamed0')
    """
    return re.sub(r"[\W_]+", "", name.casefold())


def is_label(name: str) -> bool:
    """Whether a name is one of those that label columns have."""
    return folded(name) in LABELS


def is_id(name: str) -> bool:
    """Whether a name is one of those that columns of ids or of row numbers have; a column without a name has it."""
    return folded(name) in IDS or UNNAMED.fullmatch(folded(name)) is not None


def is_split(name: str) -> bool:
    """Whether a name is one of those that columns have which divide a table."""
    return folded(name) in SPLITS


def called(header: Sequence[str], column: int) -> str:
    """What a message calls a column: its name in backticks, else its number from 0.

    >>> called(("label", ""), 0), called(("label", ""), 1), called((), 5)
    ('`label`', 'column 1 (from 0)', 'column 5 (from 0)')
    """
    name = header[column] if column < len(header) else ""
    shown = name if len(name) <= 32 else f"{name[:29]}..."
    return f"`{shown}`" if name and name.isprintable() else f"column {column} (from 0)"
