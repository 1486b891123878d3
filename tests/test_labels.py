"""Tags, notes and studies in a run's folder."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.errors import RunError
from sightlab.store.annotations import FILE, Labels, Note, Study, checked_tag, read_labels, write_labels

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
FACTS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS, max_size=3)
LABELS = st.builds(
    Labels,
    tags=st.lists(TEXTS, max_size=3).map(tuple),
    notes=st.lists(st.builds(Note, TEXTS, TEXTS), max_size=3).map(tuple),
    studies=st.lists(st.builds(Study, TEXTS, TEXTS, TEXTS, FACTS), max_size=3).map(tuple),
    binned=st.none() | TEXTS,
)


@given(labels=LABELS)
def test_labels_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, labels: Labels) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_labels(folder, labels)
    assert read_labels(folder) == labels


def test_a_run_without_labels_has_none(tmp_path: Path) -> None:
    assert read_labels(tmp_path) == Labels()


def test_changes_leave_the_labels_before_as_they_were() -> None:
    before = Labels(tags=("a",))
    after = before.with_tags(["b", "a"]).with_note("why").with_study(Study("s", "old")).with_study(Study("s", "new"))
    assert before == Labels(tags=("a",))
    assert after.tags == ("a", "b")
    assert [note.text for note in after.notes] == ["why"]
    assert [study.question for study in after.studies] == ["new"]
    assert after.without_tags(["a"]).tags == ("b",)
    assert after.with_binned("now").with_binned(None) == after


@pytest.mark.parametrize("tag", ["", "  ", "a,b", "a\nb", "x" * 81, "\0"])
def test_a_tag_that_would_not_read_well_is_refused(tag: str) -> None:
    with pytest.raises(RunError, match="a tag is 1 to 80 printable characters"):
        checked_tag(tag)


@pytest.mark.parametrize(
    "content", ["{", "[]", "3", '{"tags": "a"}', '{"notes": [{"at": 1}]}', '{"colour": "red"}', "\xff"]
)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="latin-1")
    with pytest.raises(RunError, match=f"{FILE}: damaged: ") as caught:
        read_labels(tmp_path)
    assert "\n" not in str(caught.value)


def test_labels_of_a_newer_sightlab_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"format": 2, "colours": []}))
    with pytest.raises(RunError, match="format 2 is from a newer sightlab"):
        read_labels(tmp_path)
