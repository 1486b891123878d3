"""Reader and writer of pixel tables: one picture per row with its label, row-major, channels last."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightlab.data.class_names import class_numbers
from sightlab.data.containers.base import DataFile
from sightlab.data.formats.array_classes import Classified, ClassWords, check_splits, classified
from sightlab.data.formats.array_values import on_white
from sightlab.data.formats.csv_fast import Rows
from sightlab.data.formats.pixel_values import scale_of, together
from sightlab.data.formats.sheets import Raw, Sheet, read_raw, scaled, sheet_of
from sightlab.data.formats.table_labels import Distinct, as_numbers, distinct, ids_of, labels_of
from sightlab.data.imageset import SPLITS, UNDIVIDED, Allocate, ImageSet, Parts, Progress
from sightlab.data.tables.column_names import called
from sightlab.data.tables.roles import UnclearError, Wish
from sightlab.data.tables.shapes import Shape, size_text
from sightlab.data.tables.split_column import meaning_of
from sightlab.errors import DataError
from sightlab.files import whole

ROWS_AT_ONCE = 4096  # images in memory while a file is written
MOVED_ROWS = 1024
ALPHA = 4  # channels with it


@dataclass(frozen=True, eq=False)
class TableSet:
    """Tables of one data set, and how they are to be read.

    sheets: by split; or one of the split `all`, which a column of it may divide. words: what is known of the classes.
    bit_depth: see `scale_of`. on_side: whether pictures are stored transposed, as EMNIST's. label_asked: whether the
    user has named the label's column. notes: see `Parts`.
    """

    sheets: Mapping[str, Sheet]
    words: ClassWords
    bit_depth: int | None = None
    on_side: bool = False
    label_asked: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Pictures without labels. images: uint8 [N, H, W, C]. names: what the table calls each, () for nothing."""

    images: NDArray[np.uint8]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_tables(tables: TableSet, allocate: Allocate, progress: Progress | None = None) -> Parts:
    """The pictures and labels of tables, uint8 [N, H, W, C] and int64 [N] by split, under one list of classes.

    Values have one scale in all of them. Raises DataError with line and column for rows that cannot be read, and for
    tables that do not belong together.
    """
    check_shapes(tables.sheets)
    orders = {split: order_of(sheet, tables.on_side) for split, sheet in tables.sheets.items()}
    in_place = {
        split: not len(orders[split])
        and sheet.columns.split is None
        and sheet.columns.shape[2] != ALPHA
        and not tables.words.chosen
        for split, sheet in tables.sheets.items()
    }

    def rows_for(split: str) -> Rows:
        shape, values = picture_shape(tables.sheets[split], tables.on_side), tables.sheets[split].values
        if in_place[split]:
            return lambda count: allocate(split, (count, *shape)).reshape(count, values)
        return lambda count: np.empty((count, values), np.uint8)

    raws = {split: read_raw(sheet, rows_for(split)) for split, sheet in tables.sheets.items()}
    scale = scale_of(together(raw.seen for raw in raws.values()), tables.bit_depth)
    rows, coded = divided(tables, raws)
    splits: dict[str, ImageSet] = {}
    total, done = sum(raw.count for raw in raws.values()), 0
    for source, raw in raws.items():
        sheet = tables.sheets[source]
        pixels = scaled(sheet, raw, scale, rows_for(source))
        for split, places in rows[source].items():
            keep = places[coded.numbers[split] >= 0]
            if not len(keep):
                continue
            shape = (len(keep), *picture_shape(sheet, tables.on_side))
            images = pixels if in_place[source] else gathered(pixels, keep, orders[source], allocate(split, shape))
            labels = coded.numbers[split][coded.numbers[split] >= 0]
            splits[split] = ImageSet(images.reshape(shape), labels, coded.classes, coded.numbered)
        done += raw.count
        if progress is not None:
            progress(done, total)
    ordered = {split: splits[split] for split in (*SPLITS, UNDIVIDED) if split in splits}
    return Parts(ordered, tuple(filter(None, (*tables.notes, scale.note, *coded.notes))))


def check_shapes(sheets: Mapping[str, Sheet]) -> None:
    """Raises DataError where the tables hold pictures of different shapes."""
    first = next(iter(sheets.values()))
    for sheet in sheets.values():
        if sheet.columns.shape != first.columns.shape:
            own, others = size_text(sheet.columns.shape), size_text(first.columns.shape)
            raise DataError(f"{sheet.file}: images are {own}, those of {first.file.name} are {others}")


def divided(tables: TableSet, raws: Mapping[str, Raw]) -> tuple[dict[str, dict[str, NDArray[np.int64]]], Classified]:
    """The rows of each split in each table, int64 [n], and the class number of each row of a split."""
    rows = {source: rows_by_split(tables.sheets[source], source, raw) for source, raw in raws.items()}
    labels: dict[str, Distinct] = {}
    for source, raw in raws.items():
        values, codes = labels_of(tables.sheets[source], raw, asked=tables.label_asked)
        labels |= {split: (values, codes[places]) for split, places in rows[source].items()}
    coded = coded_classes(tables.words, labels)
    check_splits(coded, {split: str(sheet_for(tables, split).file) for split in labels})
    return rows, coded


def sheet_for(tables: TableSet, split: str) -> Sheet:
    """The table that holds a split."""
    return tables.sheets.get(split) or next(iter(tables.sheets.values()))


def coded_classes(words: ClassWords, labels: Mapping[str, Distinct]) -> Classified:
    """The labels of all splits as numbers of one list of classes, each different one looked at but once."""
    used = {split: np.unique(codes) for split, (_, codes) in labels.items()}
    few = {split: as_numbers([values[n] for n in used[split]]) for split, (values, _) in labels.items()}
    found = classified(words, few)
    numbers = {}
    for split, (values, codes) in labels.items():
        places = np.zeros(len(values), np.int64)
        places[used[split]] = found.numbers[split]
        numbers[split] = places[codes]
    left = int(sum((own < 0).sum() for own in numbers.values()))
    counted = (f"{left:,} pictures of classes not asked for ignored",) if left else ()
    notes = tuple(note for note in found.notes if "not asked for" not in note)
    return Classified(numbers, found.classes, found.numbered, (*notes, *counted))


def rows_by_split(sheet: Sheet, source: str, raw: Raw) -> dict[str, NDArray[np.int64]]:
    """The rows of each split, int64 [n]: all of one, or as a column of the table says."""
    column = sheet.columns.split
    if column is None:
        return {source: np.arange(raw.count)}
    values, codes = distinct(raw.words[column])
    name = sheet.columns.header[column] if sheet.columns.header else ""
    meaning = meaning_of(name, values)
    if meaning is None:
        shown = ", ".join(f"`{value[:20]}`" for value in values[:3])
        raise DataError(f"{sheet.file}: {called(sheet.columns.header, column)} says {shown}, which are not all splits")
    splits = np.array([SPLITS.index(meaning[value]) for value in values], np.int64)[codes]
    return {split: rows for n, split in enumerate(SPLITS) if len(rows := np.flatnonzero(splits == n))}


def picture_shape(sheet: Sheet, on_side: bool) -> Shape:
    """Height, width and channels of the pictures, upright and without alpha."""
    height, width, channels = sheet.columns.shape
    channels = 3 if channels == ALPHA else channels
    return (width, height, channels) if on_side else (height, width, channels)


def order_of(sheet: Sheet, on_side: bool) -> NDArray[np.int64]:
    """The place in a row's values of each value of a picture; empty for the order they are in."""
    order = np.array(sheet.columns.order, np.int64)
    if not on_side:
        return order
    turned = np.arange(sheet.values).reshape(sheet.columns.shape).transpose(1, 0, 2).ravel()
    return order[turned] if len(order) else turned


def gathered(
    pixels: NDArray[np.uint8], rows: NDArray[np.int64], order: NDArray[np.int64], target: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Some pictures' values in their order, written to `target`, alpha laid on white. pixels: [N, P]; target:
    [rows, H, W, C].
    """
    height, width, channels = target.shape[1:]
    for start in range(0, len(rows), MOVED_ROWS):
        block = pixels[rows[start : start + MOVED_ROWS]]
        block = (block[:, order] if len(order) else block).reshape(len(block), height, width, -1)
        target[start : start + MOVED_ROWS] = block if block.shape[3] == channels else on_white(block)
    return target


def read_unlabelled_csv(
    file: DataFile, shape: Shape, *, encoding: str | None = None, bit_depth: int | None = None
) -> Unlabelled:
    """Pictures without labels from a table of their pixels, with a heading or none; a column of ids names them.

    shape: what the model takes. Raises DataError: a table with labels, or of other pictures, or what `read_raw` raises.
    """
    try:
        sheet = sheet_of(file, Wish(shape=shape, given=True, unlabelled=True), encoding, verbatim=True)
    except UnclearError as error:
        raise DataError(f"{error}; if one of its columns is a label, `sightlab test` takes it") from None
    columns = sheet.columns
    if columns.labels:
        raise DataError(
            f"{file}: holds labels ({called(columns.header, columns.labels[0])}); `sightlab test` takes it, or remove "
            "that column"
        )
    raw = read_raw(sheet, lambda count: np.empty((count, sheet.values), np.uint8))
    scale = scale_of(raw.seen, bit_depth)
    pixels = scaled(sheet, raw, scale, lambda count: np.empty((count, sheet.values), np.uint8))
    target = np.empty((raw.count, *shape), np.uint8)
    images = gathered(pixels, np.arange(raw.count), order_of(sheet, False), target)
    return Unlabelled(images, tuple(ids_of(sheet, raw)), (scale.note,) if scale.note else ())


def write_csv(images: ImageSet, target: Path, rows: int | None = None) -> Path:
    """Write images as CSV with a header: `label,pixel1,...`, row-major, channels last; whole or not at all.

    label: the class number, see `class_numbers`. rows: of the first so many images, all where there are fewer or None
    is given. Raises OSError as writing does.

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
    numbers = class_numbers(images.classes)
    with whole(target) as temporary, temporary.open("w", encoding="ascii", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["label", *(f"pixel{n}" for n in range(1, height * width * channels + 1))])
        for start in range(0, count, ROWS_AT_ONCE):
            places = np.arange(start, min(start + ROWS_AT_ONCE, count))
            for label, pixels in zip(images.labels[places], images.gather(places), strict=True):
                table.writerow([numbers[label], *pixels.reshape(-1).tolist()])
    return target
