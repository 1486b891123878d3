"""Formats that are recognised and not read (pickles, TFRecord, LMDB, 7z, DICOM, workbooks), each with the way out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sightlab.data.formats.file_io import opened
from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import line
from sightlab.data.layouts.claim import POSSIBLE, STRUCTURE, Claim, Layout, ReadOptions, refused
from sightlab.data.messages import shortened
from sightlab.data.pictures.magic import HEAD_BYTES, kind_of_head, remedy_of
from sightlab.errors import DataError

NAME = "unreadable"
UNREAD = ("pkl", "pickle", "pth", "pt", "tfrecord", "lmdb", "xlsx", "other")
READABLE = ("text", "npy", "npz", "mat", "h5", "idx", "parquet", "arrow")
MOST_HEADS = 50
PICKLE, TFRECORD, LMDB = "a pickle", "a TFRecord file", "an LMDB database"
WORKBOOK = "an Excel workbook"
# What files are by their kind, where their first bytes do not tell.
KINDS = {**dict.fromkeys(("pkl", "pickle", "pth", "pt"), PICKLE), "tfrecord": TFRECORD, "lmdb": LMDB, "xlsx": WORKBOOK}
# The names of the pickles in which well-known sets are handed out, the set's name, and what to have instead of them.
SETS = (
    (
        re.compile(r"(.*/)?(data_batch_[1-5]|test_batch|batches\.meta)"),
        "`sightlab data show cifar10` fetches the binary version, or put cifar-10-binary.tar.gz beside it",
    ),
    (
        re.compile(r"(.*/)?cifar-100-python/(train|test|meta)"),
        "`sightlab data show cifar100` fetches the binary version, or put cifar-100-binary.tar.gz beside it",
    ),
    (re.compile(r"(.*/)?mnist\.pkl(\.gz)?"), "`sightlab data show mnist` fetches MNIST as idx files"),
)
SHOWN = 3


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:  # noqa: ARG001 - the shape of a layout's matches
    """The refusal of a source whose files are mostly of one such kind; None where it has pictures, or none of these."""
    if inventory.pictures:
        return None
    if "xl/workbook.xml" in inventory.container.sizes:
        return refused(NAME, f"{inventory.label}: is {WORKBOOK}; {remedy_of(WORKBOOK)}", STRUCTURE)
    files = [(kind, name) for kind in UNREAD for name in inventory.kinds.get(kind, ())]
    found = dict(recognised(inventory, files[:MOST_HEADS]))
    if not found:
        return None
    kind, _ = Counter(found.values()).most_common(1)[0]
    names = [name for name, own in found.items() if own == kind]
    strength = POSSIBLE if any(inventory.kinds.get(one) for one in READABLE) else STRUCTURE
    return refused(NAME, line(inventory.label, refusal(inventory, kind, names)), strength)


def recognised(inventory: Inventory, files: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(name, what it is) of each file that is of a known kind."""
    for kind, name in files:
        try:
            with opened(inventory.file(name)) as (stream, _):
                found = kind_of_head(stream.read(HEAD_BYTES))
        except DataError:
            found = None
        what = KINDS[kind] if kind in KINDS and found in (None, "a zip archive") else found
        if what is not None:
            yield name, what


def refusal(inventory: Inventory, kind: str, names: Sequence[str]) -> str:
    """Why these files are not read, and what to do."""
    last = [shortened(name.rpartition("/")[2], 30) for name in sorted(names, key=natural_key)[:SHOWN]]
    named = f" ({', '.join(last)}{', ...' if len(names) > SHOWN else ''})"
    if kind == PICKLE:
        danger = "holds a pickle, which" if len(names) == 1 else f"holds pickles{named}, which"
        return f"{danger} could run code; {instead_of(inventory, names)}"
    if inventory.only:
        return f"is {kind}; {remedy_of(kind)}"
    several = len(names) > 1 and kind != LMDB  # a database has two files
    return f"holds {plural(kind) if several else kind}{named}; {remedy_of(kind)}"


def instead_of(inventory: Inventory, names: Sequence[str]) -> str:
    """What to do about pickles."""
    place = inventory.label.replace("\\", "/")
    for pattern, instead in SETS:
        if all(any(map(pattern.fullmatch, (name, f"{place}/{name}", place))) for name in names):
            return instead
    return "save its arrays as npz, or its pictures as files"


def plural(kind: str) -> str:
    """A kind of file for several.

    >>> plural("a DICOM file"), plural("an LMDB database")
    ('DICOM files', 'LMDB databases')
    """
    return f"{kind.partition(' ')[2]}s"


LAYOUT = Layout(
    NAME,
    "forms that are known and not read, such as pickles, TFRecord, LMDB and DICOM",
    """\
cifar-10-batches-py/
  data_batch_1 ... (pickles, which could run code)""",
    matches,
)
