"""Annotations of a run: tags, notes, studies, and whether it is in the bin. Kept as labels.json in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sightlab.errors import RunError, one_line
from sightlab.files import write_text

FORMAT = 1
FILE = "labels.json"


@dataclass(frozen=True)
class Note:
    """A remark. at: when, ISO 8601, UTC."""

    at: str
    text: str


@dataclass(frozen=True)
class Study:
    """A question that several runs answer together. Each run folder has it, so that none depends on another.

    created: when, ISO 8601, UTC. facts: plain values.
    """

    name: str
    question: str = ""
    created: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """All annotations of a run. binned: when it was put into the bin, ISO 8601, UTC; None outside of it.

    >>> Labels().with_tags(["good", "first"]).tags
    ('first', 'good')
    """

    __pydantic_config__ = ConfigDict(extra="forbid")  # what is not known would be lost at the next writing

    tags: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    studies: tuple[Study, ...] = ()
    binned: str | None = None

    def with_tags(self, tags: list[str]) -> Labels:
        """These labels and more tags; sorted, each once."""
        return Labels(tuple(sorted({*self.tags, *tags})), self.notes, self.studies, self.binned)

    def without_tags(self, tags: list[str]) -> Labels:
        """These labels without some of the tags."""
        return Labels(tuple(tag for tag in self.tags if tag not in tags), self.notes, self.studies, self.binned)

    def with_note(self, text: str) -> Labels:
        """These labels and a note, written now."""
        return Labels(self.tags, (*self.notes, Note(now_text(), text)), self.studies, self.binned)

    def with_study(self, study: Study) -> Labels:
        """These labels and a study; one of the same name is replaced."""
        others = [one for one in self.studies if one.name != study.name]
        return Labels(self.tags, self.notes, tuple(sorted([*others, study], key=lambda s: s.name)), self.binned)

    def with_binned(self, binned: str | None) -> Labels:
        """These labels, in the bin since then, or outside of it."""
        return Labels(self.tags, self.notes, self.studies, binned)


def read_labels(folder: Path) -> Labels:
    """The labels in a run's folder; empty if there is no file. Raises RunError for a damaged file."""
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        written = values.get("format")
        if isinstance(written, int) and written > FORMAT:
            raise RunError(f"{path}: format {written} is from a newer sightlab, this one reads {FORMAT}; upgrade")
        return _LABELS.validate_python({key: value for key, value in values.items() if key != "format"})
    except FileNotFoundError:
        return Labels()
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: damaged: {'.'.join(map(str, first['loc']))}: {one_line(first['msg'])}") from error
    except (ValueError, AttributeError) as error:
        raise RunError(f"{path}: damaged: {one_line(error)}") from error


def write_labels(folder: Path, labels: Labels) -> None:
    """Keep the labels, whole. Raises RunError where the folder cannot be written."""
    try:
        write_text(folder / FILE, json.dumps({"format": FORMAT, **asdict(labels)}, indent=1, ensure_ascii=False))
    except OSError as error:
        raise RunError(f"{folder / FILE}: cannot be written: {error.strerror}") from error


def checked_tag(text: str) -> str:
    """A tag without the space around it. Raises RunError for one that would not read well in a list.

    >>> checked_tag(" baseline ")
    'baseline'
    """
    tag = text.strip()
    if not tag or len(tag) > 80 or "," in tag or not tag.isprintable():
        raise RunError(f"tag {text!r}: a tag is 1 to 80 printable characters without a comma")
    return tag


def now_text() -> str:
    """Now, as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


_LABELS: TypeAdapter[Labels] = TypeAdapter(Labels)
