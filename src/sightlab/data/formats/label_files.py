"""Labels of a pixel table in a file of their own: one per line, or beside ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sightlab.data.containers.base import DataFile
from sightlab.data.tables.column_names import is_id, is_label
from sightlab.data.tables.dialect import TextTable
from sightlab.data.tables.headings import is_number
from sightlab.data.tables.packed import is_packed
from sightlab.data.tables.read_rows import all_records
from sightlab.errors import DataError


@dataclass(frozen=True, eq=False)
class LabelFile:
    """A text of labels. label: the column that holds them; ids: that of the pictures' ids, None where there is none."""

    table: TextTable
    label: int
    ids: int | None

    @property
    def file(self) -> DataFile:
        """Where the text is."""
        return self.table.file


def label_file(table: TextTable) -> LabelFile | None:
    """The labels in a text of one column, or of two of which one is called as ids are; None for other texts."""
    first = table.records[0][1]
    if table.width == 1 and not any(is_packed(row[0]) for _, row in table.records):
        return LabelFile(table, 0, None)
    if table.width == len(first) == 2 and is_id(first[0]) != is_id(first[1]):
        return LabelFile(table, 1, 0) if is_id(first[0]) else LabelFile(table, 0, 1)
    return None


def labels_in(labels: LabelFile, count: int, ids: Sequence[str], pictures: str, *, heading: bool) -> list[str]:
    """The label of each picture. ids: of the pictures, () for none. pictures: what to call the table of these;
    heading: whether that has one.

    Raises DataError where there are not as many labels as pictures, or their ids differ.
    """
    rows = [row for _, row in all_records(labels.table)]
    if labels.ids is not None or has_heading(rows, count, numbered=heading):
        rows = rows[1:]
    if len(rows) != count:
        raise DataError(f"{labels.file}: holds {len(rows):,} labels, {pictures} {count:,} pictures; each needs one")
    if bad := next((n for n, row in enumerate(rows, 1) if len(row) <= labels.label or not row[labels.label]), None):
        raise DataError(f"{labels.file}: the label of picture {bad} is missing")
    if labels.ids is None:
        return [row[labels.label] for row in rows]
    named = {row[labels.ids]: row[labels.label] for row in rows}
    if ids:
        if lost := next((one for one in ids if one not in named), None):
            raise DataError(f"{labels.file}: has no label for the picture {lost[:40]!r} of {pictures}")
        return [named[one] for one in ids]
    numbers = [row[labels.ids] for row in rows]
    if not all(one.isdecimal() and len(one) < 10 for one in numbers) or not counts(list(map(int, numbers))):
        raise DataError(f"{labels.file}: has ids, and {pictures} has none; give both the same ids, or neither")
    return [row[labels.label] for row in rows]


def has_heading(rows: Sequence[Sequence[str]], count: int, *, numbered: bool) -> bool:
    """Whether the first of these rows is a heading: one row too many, called as labels are, or a word over numbers.

    numbered: whether it may be 0, as pandas calls the first column.
    """
    if len(rows) != count + 1:
        return False
    first = rows[0][0]
    if numbered and first == "0":
        return True
    return is_label(first) or not first or is_number(first) != all(is_number(row[0]) for row in rows[1:])


def counts(numbers: Sequence[int]) -> bool:
    """Whether numbers go up by one."""
    return list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
