"""CSV files of pictures: a row a picture, a label column, and pixel columns in row order, channels last."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.digits import Labels, Table, read_table
from sightlab.data.formats.labels import encode, is_numbered, one_class_list
from sightlab.data.formats.opening import GZIP, opened, reading
from sightlab.data.formats.rows import as_text, read_rows, records
from sightlab.data.imageset import SPLITS, ImageSet, Parts, split_name
from sightlab.errors import DataError, suggestion
from sightlab.files import whole

DELIMITERS = ",;\t"
LABEL = "label"
MANY_COLUMNS = 12
ROWS_AT_ONCE = 4096  # images in memory while a file is written
BOM = b"\xef\xbb\xbf"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Sheet:
    """A CSV file with its first row seen. header: its column names, () where it has none."""

    path: Path
    table: Table
    header: tuple[str, ...]


def read_csv(path: Path, label: str | None = None, channels: int | None = None) -> ImageSet:
    """The labelled square images of a CSV file, plain or gzip, with a header or without.

    label: name of the label column, or its number from 0; None takes the column called `label`, else the first.
    Labels are whole numbers or words; classes are in natural order. channels: None tells 1 or 3 from the number of
    pixel columns, and so does a number that does not fit it.

    Raises DataError with line and column: empty file, no rows, ragged row, missing label, no such label column, a
    pixel that is no whole number from 0 to 255, pixel columns that make no square picture.
    """
    sheet = open_sheet(path, label)
    shape = picture_shape(path, sheet.table.pixels, channels)
    pixels, pieces = read_pixels(sheet)
    labels, classes = encode(pieces)
    return ImageSet(pixels.reshape(-1, *shape), labels, classes, is_numbered(classes))


def read_csv_pair(folder: Path, label: str | None = None, channels: int | None = None) -> Parts:
    """The data set of a folder with train.csv and, if there, test.csv and val.csv (or .csv.gz) under one class list.

    A word in the name is enough: fashion-mnist_train.csv. Raises DataError: no training file, two files for one
    split, a label that the training file lacks, images of different shapes, or what `read_csv` raises.
    """
    with reading(folder):
        names = sorted(p for p in folder.iterdir() if re.fullmatch(r"[^.].*\.csv(\.gz)?", p.name, re.IGNORECASE))
    files: dict[str, Path] = {}
    for path in names:
        split = split_name(path.name.partition(".")[0])
        if split in files:
            raise DataError(f"{folder}: {files[split].name} and {path.name} are both the {split} split; keep one")
        if split:
            files[split] = path
    if "train" not in files:
        raise DataError(f"{folder}: no train.csv; found {', '.join(p.name for p in names) or 'no CSV files'}")
    order = [split for split in SPLITS if split in files]
    return Parts(one_class_list({split: read_csv(files[split], label, channels) for split in order}, files))


def read_unlabelled_csv(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images without labels, uint8 [N, H, W, C], from a CSV file of H*W*C pixel columns, header or none.

    Raises DataError: another number of columns (one more looks like labels), or what `read_csv` raises.
    """
    sheet = open_sheet(path, None, labelled=False)
    height, width, channels = shape
    wanted, found = math.prod(shape), sheet.table.columns
    if found == wanted + 1:
        raise DataError(
            f"{path}: has {found} columns, one more than the {wanted} pixels of a {height} x {width} x {channels} "
            "picture, so it looks as if it holds labels; use `sightlab test`"
        )
    if found != wanted:
        raise DataError(f"{path}: has {found} columns; {height} x {width} x {channels} pictures need {wanted}")
    return read_pixels(sheet)[0].reshape(-1, *shape)


def read_pixels(sheet: Sheet) -> tuple[NDArray[np.uint8], list[Labels]]:
    """The pixels uint8 [N, P] and the labels in pieces, by the fast road where it can be taken."""
    with reading(sheet.path):
        fast = read_table(sheet.table)
        if fast is not None:
            return fast
        pixels, labels = read_rows(sheet.path, sheet.table, sheet.header)
        return pixels, [labels]


def open_sheet(path: Path, label: str | None, labelled: bool = True) -> Sheet:
    """Look at a CSV file's first row: its delimiter, its header, its label column. Raises DataError."""
    reopen, size = source_of(path)
    with reading(path), reopen() as stream:
        head = stream.readline()
    delimiter = max(DELIMITERS, key=head.decode("utf-8", "replace").count)
    with reading(path), as_text(reopen()) as text:
        line, row = next(records(path, text, delimiter), (0, []))
    if not row:
        raise DataError(f"{path}: empty file; expected rows of a label and pixels")
    header = tuple(cell.strip() for cell in row) if is_header(row, label) else ()
    start = len(head) if header else len(BOM) if head.startswith(BOM) else 0
    table = Table(
        reopen,
        size,
        start if line == 1 else size,  # a first row further down: no plain file
        head.endswith(b"\r\n"),
        delimiter,
        len(row),
        label_column(path, header, len(row), label) if labelled else None,
    )
    return Sheet(path, table, header)


def source_of(path: Path) -> tuple[Callable[[], BinaryIO], int]:
    """How to open a file's text, unpacked in memory when it is gzip, and its length in bytes."""
    with reading(path), path.open("rb") as stream:
        if stream.read(len(GZIP)) != GZIP:
            return (lambda: path.open("rb")), path.stat().st_size
    with opened(path) as (unpacked, _):
        text = unpacked.read()
    return (lambda: io.BytesIO(text)), len(text)


def is_header(row: list[str], label: str | None) -> bool:
    """Whether a first row holds names. One word among numbers is a label, more words than numbers are names.

    Names can be numbers themselves, 0 to 783 or 1 to 784: told by running on past 255, or by a word `label`.

    >>> is_header(["label", "pixel1", "pixel2"], None), is_header(["cat", "0", "17"], None)
    (True, False)
    """
    words = [cell.strip() for cell in row if cell.strip() and not NUMBER.fullmatch(cell.strip())]
    if 2 * len(words) > len(row):
        return True
    numbers = [int(cell) for cell in row if cell.strip().isdecimal()]
    if not numbers or len(words) > 1 or len(numbers) + len(words) != len(row) or numbers[0] not in (0, 1):
        return False
    in_order = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    called = bool(words) and words[0].casefold() in (LABEL, (label or LABEL).casefold())
    return in_order and (called or numbers[-1] > 255)


def label_column(path: Path, header: tuple[str, ...], columns: int, label: str | None) -> int:
    """The number of the label column. Raises DataError when there is none of this name or number."""
    folded = [name.casefold() for name in header]
    if label is None:
        return folded.index(LABEL) if LABEL in folded else 0
    if label in header:
        return header.index(label)
    if label.casefold() in folded:
        return folded.index(label.casefold())
    if re.fullmatch("[0-9]+", label):
        if int(label) < columns:
            return int(label)
        raise DataError(f"{path}: no label column {label}; its columns have the numbers 0 to {columns - 1}")
    if not header:
        raise DataError(f"{path}: no label column {label!r}: it has no header; give the column's number from 0")
    near = suggestion(label, header)
    if not near.startswith("did you mean") and columns > MANY_COLUMNS:
        near = f"known: {', '.join(header[:3])}, ... {header[-1]}"
    raise DataError(f"{path}: no label column {label!r}; {near}")


def picture_shape(path: Path, pixels: int, channels: int | None) -> tuple[int, int, int]:
    """Height, width and channels of square pictures with so many pixel columns. Raises DataError.

    >>> picture_shape(Path("a.csv"), 784, None), picture_shape(Path("a.csv"), 3072, None)
    ((28, 28, 1), (32, 32, 3))
    """
    known = tuple(dict.fromkeys((channels or 1, 1, 3)))
    for depth in known:
        side = math.isqrt(pixels // depth)
        if pixels and side * side * depth == pixels:
            return side, side, depth
    sides = ((math.isqrt(pixels // depth) + more, depth) for depth in known for more in (0, 1))
    side, depth = min(sides, key=lambda s: (s[0] == 0, abs(s[0] ** 2 * s[1] - pixels)))
    raise DataError(
        f"{path}: has {pixels} pixel columns, which is neither H*W nor H*W*3 of a square picture; "
        f"the nearest is {side * side * depth} ({side} x {side} x {depth})"
    )


def write_csv(images: ImageSet, target: Path, rows: int | None = None) -> Path:
    """Write images as CSV with a header: `label,pixel1,...`, row-major, channels last; whole or not at all.

    label: the class number. rows: of the first so many images, all where there are fewer or None is given.
    Raises OSError as writing does.

    >>> import tempfile
    >>> from sightlab.data.load import load_parts
    >>> test = load_parts("fashion-mini").parts.splits["test"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = write_csv(test, Path(folder) / "test.csv", rows=2).read_text().splitlines()
    >>> len(lines), lines[0][:19], len(lines[1].split(","))
    (3, 'label,pixel1,pixel2', 785)
    """
    height, width, channels = images.shape
    count = min(len(images), rows or len(images))
    with whole(target) as temporary, temporary.open("w", encoding="ascii", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["label", *(f"pixel{n}" for n in range(1, height * width * channels + 1))])
        for start in range(0, count, ROWS_AT_ONCE):
            places = np.arange(start, min(start + ROWS_AT_ONCE, count))
            for label, pixels in zip(images.labels[places], images.gather(places), strict=True):
                table.writerow([int(label), *pixels.reshape(-1).tolist()])
    return target
