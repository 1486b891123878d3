"""Rows of a list to (picture, label) pairs, each picture once; else why that cannot be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sightlab.data.messages import counted, shortened
from sightlab.data.tables.label_cells import EMPTY, plain_labels, several_labels
from sightlab.data.tables.label_column import FALSE, TRUE, LabelChoice
from sightlab.data.tables.resolution import Resolution
from sightlab.data.tables.sheet import Sheet, UnclearError
from sightlab.errors import DataError

LONGEST_LABEL = 200
LOOSE = {
    "case": ("name is written otherwise than its file", "names are written otherwise than their files"),
    "suffix": ("name has another suffix than its file", "names have another suffix than their files"),
}


@dataclass(eq=False)
class Pairs:
    """What a list's rows come to. labels: by picture, in the order of the rows. splits: by picture. first: the row
    that names each picture. again: rows that say the same once more. unlabelled: rows without a label.
    """

    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    again: int = 0
    unlabelled: list[int] = field(default_factory=list)


def raw_labels(sheet: Sheet, choice: LabelChoice | None) -> list[str]:
    """Each row's label as it is written, "" for none. Raises DataError for a row of several labels."""
    if choice is None:
        return [""] * len(sheet.rows)
    if len(choice.columns) == 1:
        labels = ["" if cell in EMPTY else cell for cell in sheet.column(choice.columns[0])]
        check_labels(sheet, choice, labels)
        plain = plain_labels(label for label in labels if label)
        return [plain[label] if label else "" for label in labels]
    return [one_hot(sheet, row, choice.columns) for row in range(len(sheet.rows))]


def check_labels(sheet: Sheet, choice: LabelChoice, labels: Sequence[str]) -> None:
    """Raises DataError for labels that are several in one cell, or too long for a name."""
    different = dict.fromkeys(label for label in labels if label)
    if found := several_labels(different, choice.heading, chosen=choice.chosen):
        name = choice.name[:40]
        way = (
            ""
            if several_labels(different, choice.heading, chosen=True)
            else f"; `label={name}` takes each for one class"
        )
        raise UnclearError(
            f"{sheet.shown}: column `{name}` holds several labels in one cell, as `{shortened(found, 50)}`; sightlab "
            f"reads one class a picture (multi-label is not read){way}"
        )
    for label in different:
        if len(label) > LONGEST_LABEL:
            number = sheet.rows[labels.index(label)][0]
            raise DataError(
                f"{sheet.at(number)}: the label has {len(label):,} characters, as `{label[:30]}...`; shorten it"
            )


def one_hot(sheet: Sheet, row: int, columns: Sequence[int]) -> str:
    """The heading of the column that is 1 in a row; "" for none. Raises DataError for several."""
    number, cells = sheet.rows[row]
    ones = [c for c in columns if c < len(cells) and cells[c] in TRUE]
    odd = [cells[c] for c in columns if c < len(cells) and cells[c] not in TRUE | FALSE]
    if odd:
        raise DataError(f"{sheet.at(number)}: `{odd[0][:40]}` is neither 0 nor 1, as the columns of classes have it")
    if len(ones) > 1:
        one, two = sheet.named(ones[0])[:40], sheet.named(ones[1])[:40]
        raise UnclearError(
            f"{sheet.at(number)}: is of the classes `{one}` and `{two}`; sightlab reads one class a picture "
            "(multi-label is not read)"
        )
    return sheet.named(ones[0]) if ones else ""


def paired(sheet: Sheet, found: Resolution, labels: Sequence[str], splits: Sequence[str | None] | None) -> Pairs:
    """(picture, label) of the rows whose picture is there. Raises DataError for a picture of two labels or splits."""
    pairs = Pairs()
    for row, name in enumerate(found.names):
        if not name:
            continue
        if not labels[row] and any(labels):
            pairs.unlabelled.append(row)
            continue
        split = splits[row] if splits else None
        if name in pairs.first:
            check_again(sheet, pairs, row, name, (labels[row], split))
            pairs.again += 1
            continue
        pairs.first[name] = row
        pairs.labels[name] = labels[row]
        if split is not None:
            pairs.splits[name] = split
    return pairs


def check_again(sheet: Sheet, pairs: Pairs, row: int, name: str, new: tuple[str, str | None]) -> None:
    """Raises DataError where a row says of a picture what an earlier one does not."""
    number, first = sheet.rows[row][0], sheet.rows[pairs.first[name]][0]
    before = (pairs.labels[name], pairs.splits.get(name))
    if new == before:
        return
    one, two = (before[0], new[0]) if new[0] != before[0] else (str(before[1]), str(new[1]))
    kind = "class" if new[0] != before[0] else "split"
    raise DataError(
        f"{sheet.at(number)}: `{shortened(name)}` is `{two[:40]}` here and `{one[:40]}` in {sheet.unit} {first}; "
        f"a picture has one {kind}: remove one of the lines"
    )


def missing_error(sheet: Sheet, found: Resolution, cells: Sequence[str], pictures: Sequence[str]) -> DataError:
    """Notes on pictures that are not there, with what was looked for where that is most of them."""
    row = found.missing[0]
    number, cell = sheet.rows[row][0], shortened(cells[row], 60)
    if not cell:
        return DataError(f"{sheet.at(number)}: names no picture; correct or remove the line")
    if 2 * len(found.missing) <= len(cells):
        return DataError(
            f"{sheet.at(number)}: there is no picture `{cell}`; correct the line, or `skip_broken=true` leaves it out"
        )
    held = counted(pictures, "picture", "pictures") if pictures else "no pictures"
    return UnclearError(
        f"{sheet.shown}: {len(found.missing):,} of its {len(cells):,} pictures are not there, as `{cell}` "
        f"({sheet.unit} {number}); looked for beside the list and anywhere among {shortened(held, 80)}"
    )


def pair_notes(sheet: Sheet, found: Resolution, pairs: Pairs) -> list[str]:
    """Notes on rows that were left out, repeated, or found whatever the spelling."""
    notes = []
    for how, (count, cell, name) in found.loose.items():
        how_found = LOOSE[how][0 if count == 1 else 1]
        notes.append(f"{sheet.name}: {count:,} {how_found} (`{shortened(cell, 40)}` is {shortened(name, 60)})")
    if pairs.again:
        notes.append(f"{sheet.name}: {counted_rows(pairs.again)} repeated, counted once")
    if found.missing:
        notes.append(f"{sheet.name}: {counted_rows(len(found.missing))} without a picture there left out")
    if pairs.unlabelled:
        notes.append(f"{sheet.name}: {counted_rows(len(pairs.unlabelled))} without a label left out")
    return notes


def counted_rows(count: int) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"
