"""What the layouts of Parquet and Arrow tables share: files by split become a claim."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sightlab.data.arrow.arrow_columns import Columns, holds_labels, is_text, label_column, listed, picture_columns
from sightlab.data.arrow.arrow_files import Table, open_table
from sightlab.data.arrow.arrow_labels import Labels, Piece, few_values, numbered_labels, piece_of
from sightlab.data.arrow.arrow_pixels import Form, pixel_form
from sightlab.data.arrow.arrow_read import Source, picture_path, reader
from sightlab.data.arrow.card import Names, feature_names
from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, STATED, STRUCTURE, Claim, ReadOptions
from sightlab.data.layouts.picture_claim import left_pictures, picture_claim
from sightlab.data.layouts.split_words import exact_split
from sightlab.data.messages import counted, shortened
from sightlab.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SPLIT_COLUMNS = ("split", "subset", "set", "partition")


@dataclass
class Found:
    """What was found of a source's tables so far, while they are looked at one after the other.

    names: class names by column, as something beside the tables says them. undivided: whether the files say no split.
    columns: what the first table with pictures, `first`, tells. aside: tables without pictures. rows: in all.
    """

    inventory: Inventory
    options: ReadOptions
    names: Names
    undivided: bool
    columns: Columns | None = None
    form: Form | None = None
    split_column: str = ""
    class_names: tuple[str, ...] | None = None
    first: str = ""
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    aside: list[str] = field(default_factory=list)
    rows: int = 0


def table_claim(
    inventory: Inventory,
    options: ReadOptions,
    layout: str,
    splits: Mapping[str, Sequence[str]],
    names: Names,
    notes: Sequence[str] = (),
    *,
    known: bool = False,
) -> Claim | None:
    """The claim of a layout whose pictures lie in tables; None where none of these tables holds pictures.

    splits: the tables' names by split. names: class names by column, where something beside the tables says them; what
    a table says itself comes first. known: whether the form is one that is publicly known. Raises DataError with the
    line that says why the tables make no data set.
    """
    found = Found(inventory, options, names, undivided=list(splits) == [UNDIVIDED])
    for split in splits:
        for name in splits[split]:
            with open_table(inventory.file(name)) as table:
                look_at(table, name, split, found)
    if found.columns is None:
        return no_pictures(found)
    if not found.rows:
        raise DataError(f"{inventory.shown(found.first)}: holds no rows")
    ordered = {split: found.pieces[split] for split in (*SPLITS, UNDIVIDED) if split in found.pieces}
    labels = numbered_labels(ordered, found.columns.label, found.class_names, options, inventory.label)
    all_notes = (*notes, *filter(None, (found.columns.note,)), *aside_note(found), *labels.notes)
    if found.columns.kind == "paths":
        return claim_of_paths(found, layout, labels, all_notes)
    all_notes = (*inventory.notes, *all_notes)
    if options.shape and found.columns.kind == "bytes":
        raise DataError(
            f"{inventory.label}: `shape` is for pixels in columns or lists; these tables hold picture files"
        )
    beside = len(inventory.pictures) * 10 >= found.rows
    return Claim(
        layout,
        reader(Source(inventory, options.decoding, found.columns, found.form, labels, all_notes)),
        KNOWN if known else STRUCTURE if beside else STATED,
        {split: len(own) for split, own in labels.numbers.items()},
        f"column {found.columns.label}",
        labels.classes,
        unused=left_pictures(inventory, {}, "beside the tables"),
        notes=all_notes,
        identity={
            "tables": {split: list(own) for split, own in splits.items()},
            "columns": [*found.columns.pictures, found.columns.label, found.split_column],
            "form": repr(found.form),
            "classes": list(labels.classes),
        },
    )


def look_at(table: Table, name: str, split: str, found: Found) -> None:
    """Takes the labels of a table in; the first one with pictures tells the columns of all. Raises DataError."""
    schema = table.schema
    if found.columns is None:
        pictures = picture_columns(schema, str(table.file))
        if pictures is None or (pictures[0] == "paths" and not names_pictures(table, pictures[1][0], name, found)):
            found.aside.append(name)
            return
        first_table(table, name, pictures, found)
    columns = found.columns
    if columns is None or any(schema.get_field_index(column) < 0 for column in columns.pictures):
        found.aside.append(name)
    elif schema.get_field_index(columns.label) < 0 or not table.rows:
        blank = Piece(table.file, np.arange(table.rows), np.full(table.rows, -1), (), False)
        found.pieces.setdefault(split, []).append(blank)
        found.rows += table.rows
    else:
        take(table, split, columns.label, found)
        found.rows += table.rows


def first_table(table: Table, name: str, pictures: tuple[str, tuple[str, ...]], found: Found) -> None:
    """Tells the columns, the class names and the shape of pixels from a table. Raises DataError."""
    kind, columns = pictures
    shown = str(table.file)
    known = {**found.names, **own_names(table.schema, shown)}
    label, note = label_column(
        table.schema, columns, known, found.options.label, lambda column: few_values(table.column(column)), shown
    )
    if kind == "pixels":
        columns = tuple(column for column in columns if column != label)
    found.columns = Columns(kind, columns, label, note)
    found.first = name
    found.class_names = known.get(label)
    found.split_column = split_column(table, found)
    if kind in ("lists", "pixels"):
        found.form = pixel_form(table, found.columns, found.options.shape)


def take(table: Table, split: str, label: str, found: Found) -> None:
    """Takes the labels of a table's rows in, under the file's split or each row's own. Raises DataError."""
    if not holds_labels(table.schema.field(label).type):
        raise DataError(f"{table.file}: column `{label}` holds no labels, as it does in {found.first}")
    piece = piece_of(table.column(label), label, table.file)
    names = own_names(table.schema, str(table.file)).get(label) or found.names.get(label)
    others = [one for pieces in found.pieces.values() for one in pieces if one.texts]
    if names != found.class_names or (others and piece.texts and others[0].numbers != piece.numbers):
        raise DataError(f"{table.file}: its labels are of other classes, or another type, than those of {found.first}")
    if not found.split_column:
        found.pieces.setdefault(split, []).append(piece)
        return
    split_piece = piece_of(table.column(found.split_column), found.split_column, table.file)
    for code, text in [*enumerate(split_piece.texts), (-1, "")]:
        rows = split_piece.codes == code
        row_split = exact_split(text)
        if rows.any() and row_split is None:
            raise DataError(
                f"{table.file}: row {np.flatnonzero(rows)[0] + 1} has {text[:40]!r} in column `{found.split_column}`, "
                "which is no split; train, validation and test are"
            )
        if row_split is not None:
            found.pieces.setdefault(row_split, []).append(piece.of(rows))


def own_names(schema: pa.Schema, shown: str) -> Names:
    """Class names by column that a schema's Hugging Face metadata give. Raises DataError for what are no names."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return feature_names(features, shown)


def split_column(table: Table, found: Found) -> str:
    """The column that says each row's split: as the user says, or one of splits' words where no file says a split.

    "" for none. Raises DataError where there is no column that the user names.
    """
    asked = found.options.split
    if asked and ":" not in asked:
        if table.schema.get_field_index(asked) < 0:
            raise DataError(f"{table.file}: no column `{asked[:40]}`, which `split` names; {listed(table.schema)}")
        return asked
    for name in table.schema.names if found.undivided else ():
        if name.casefold() in SPLIT_COLUMNS and is_text(table.schema.field(name).type):
            texts = table.column(name).unique().to_pylist()
            if texts and all(isinstance(text, str) and exact_split(text) for text in texts):
                return str(name)
    return ""


def names_pictures(table: Table, column: str, name: str, found: Found) -> bool:
    """Whether the first value of a column of text is the path of a picture of the source."""
    batch = next(table.batches([column]), None)
    if batch is None or not batch.num_rows or not found.inventory.pictures:
        return False
    value = batch.column(0)[0].as_py()
    return isinstance(value, str) and picture_path(found.inventory, name, value) is not None


def no_pictures(found: Found) -> Claim | None:
    """None where other files hold pictures. Raises DataError with the line for tables that hold none."""
    if found.inventory.pictures or not found.aside:
        return None
    with open_table(found.inventory.file(found.aside[0])) as table:
        raise DataError(f"{table.file}: no column of pictures (bytes, or struct with bytes); {listed(table.schema)}")


def aside_note(found: Found) -> tuple[str, ...]:
    """The line on tables without pictures, () for none."""
    return (f"{counted(found.aside, 'table', 'tables')} without pictures ignored",) if found.aside else ()


def claim_of_paths(found: Found, layout: str, labels: Labels, notes: Sequence[str]) -> Claim:
    """The claim for tables that name picture files. Raises DataError for one that is not there."""
    column = found.columns.pictures[0] if found.columns else ""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for split, pieces in labels.pieces.items():
        numbers = iter(labels.numbers[split].tolist())
        for piece in pieces:
            with open_table(piece.file) as table:
                values = table.column(column).take(piece.rows).to_pylist()
            for row, value in zip(piece.rows, values, strict=True):
                path = picture_path(found.inventory, piece.file.name, str(value))
                if path is None:
                    raise DataError(f"{piece.file}: row {row + 1} names `{shortened(str(value))}`, which is not there")
                pairs.setdefault(split, []).append((path, labels.classes[next(numbers)]))
    plain = replace(found.options, classes=(), names=())
    return picture_claim(
        found.inventory,
        plain,
        layout,
        pairs,
        labels=f"column {found.columns.label if found.columns else ''} of {found.first}",
        strength=STATED,
        order=labels.classes,
        notes=notes,
        unused=left_pictures(found.inventory, pairs, "that no row names"),
    )
