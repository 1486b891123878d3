"""Answers in the form of a competition's submission: two columns, ids and classes."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sightlab.errors import DataError, one_line

if TYPE_CHECKING:
    from sightlab.records import Answer

HEADING = ("id", "label")
SAMPLE = re.compile(r".*sample.?submission.*\.csv", re.IGNORECASE)


@dataclass(frozen=True)
class Sample:
    """A competition's sample submission. heading: its two columns' names. ids: in its order."""

    path: Path
    heading: tuple[str, str]
    ids: tuple[str, ...]


def submission(answers: Sequence[Answer], files: Sequence[str]) -> tuple[str, list[str]]:
    """The answers as CSV of ids and classes, and notes. files: the sources, beside which a sample submission may lie.

    Raises DataError for an id that two pictures have, and where two samples could be meant.
    """
    from sightlab.store.predictions import plain_cell

    sample, notes = sample_beside(files)
    heading = sample.heading if sample else HEADING
    ids = ids_of(answers, sample)
    twice = next((name for name, count in Counter(ids).items() if count > 1), None)
    if twice is not None:
        one, two = [answer.file for answer, own in zip(answers, ids, strict=True) if own == twice][:2]
        raise DataError(
            f"{one_line(one)} and {one_line(two)} have the same id `{one_line(twice)}` in a submission; answer them "
            "separately, or use --format csv"
        )
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([plain_cell(name) for name in heading])
    rows.writerows([plain_cell(own), plain_cell(answer.predicted)] for own, answer in zip(ids, answers, strict=True))
    return text.getvalue(), [*notes, *sample_notes(sample, ids), *escape_notes(ids)]


def ids_of(answers: Sequence[Answer], sample: Sample | None) -> list[str]:
    """Each answer's id: as the sample spells it, with the file's suffix or without; rows without ids by their order."""
    if sample is None:
        return [answer.id for answer in answers]
    known = frozenset(sample.ids)
    if len(sample.ids) == len(answers) and all(is_row(answer) for answer in answers):
        return list(sample.ids)
    found = []
    for answer in answers:
        with_suffix = answer.id + PurePath(answer.file).suffix
        found.append(with_suffix if answer.id not in known and with_suffix in known else answer.id)
    return found


def is_row(answer: Answer) -> bool:
    """Whether an answer is on a table's row that has no id but its number."""
    return not answer.own_id and answer.file.endswith((f":{answer.id}", f", row {answer.id}"))


def sample_beside(files: Sequence[str]) -> tuple[Sample | None, list[str]]:
    """The sample submission in the folders of these sources, or one above a folder; and notes.

    Raises DataError where there are two.
    """
    from sightlab.data.local_paths import local_path

    found = {path.absolute(): path for file in files for path in samples_near(local_path(file))}
    if len(found) > 1:
        one, two = sorted(found.values())[:2]
        raise DataError(f"{one} and {two} could both be the sample submission; leave one beside the pictures")
    if not found:
        return None, []
    (path,) = found.values()
    rows = rows_of(path)
    if not rows or len(rows[0]) != len(HEADING):
        width = len(rows[0]) if rows else 0
        return None, [f"{path}: has {width:,} columns, a submission of classes has two; {','.join(HEADING)} is written"]
    first, second = rows[0]
    return Sample(path, (first, second), tuple(row[0] for row in rows[1:] if row)), []


def samples_near(source: Path) -> Iterator[Path]:
    """The sample submissions of a source's folder, and of the folder above where the source is one."""
    for folder in (source, source.parent) if source.is_dir() else (source.parent,):
        try:
            own = [path for path in folder.iterdir() if SAMPLE.fullmatch(path.name)]
        except OSError:  # the pictures have been read from there by now: it is a folder that may not be listed
            own = []
        yield from own
        if own:
            return


def rows_of(path: Path) -> list[list[str]]:
    """A sample submission's rows. Raises DataError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return [[cell.strip() for cell in row] for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {one_line(error)[:120]}") from error


def sample_notes(sample: Sample | None, ids: Sequence[str]) -> list[str]:
    """Notes on the sample that was followed."""
    if sample is None:
        return []
    notes = [f"headings {', '.join(sample.heading)} as in {sample.path}"]
    missing = len(set(sample.ids) - set(ids))
    unknown = len(set(ids) - set(sample.ids))
    if missing or unknown:
        count = len(sample.ids)
        notes.append(
            f"{sample.path}: {missing:,} of its {count:,} ids have no answer, {unknown:,} answers are not in it"
        )
    return notes


def escape_notes(ids: Sequence[str]) -> list[str]:
    """Notes on ids that are not written as they are."""
    from sightlab.store.predictions import plain_cell

    changed = [own for own in ids if plain_cell(own) != own]
    if not changed:
        return []
    first = one_line(changed[0])[:40]
    return [f"{len(changed):,} ids (such as {first}) would run as formulas: an apostrophe stands before them"]
