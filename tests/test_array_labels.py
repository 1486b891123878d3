"""Labels of arrays: numbers, text, truth values, one-hot; class names in the file or beside it; several are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.array_labels import labels_of
from sightlab.data.formats.class_lists import class_names
from tests.array_files import GREY, LABELS, fault, parts_of, save, save_npy

NAMES = ["zebra", "ant", "mole"]


@pytest.mark.parametrize(
    "labels",
    [
        *(LABELS.astype(dtype) for dtype in ("u1", "i2", "f4", "f8", ">i4", "u8")),
        *(
            LABELS[:, None],
            LABELS[None],
            np.eye(3)[LABELS],
            np.eye(3, dtype=bool)[LABELS],
            np.eye(3, dtype="u1")[LABELS],
        ),
        *(LABELS.astype("U"), LABELS.astype("S")),
    ],
    ids=lambda labels: f"{labels.dtype}{labels.shape}",
)
def test_every_type_of_labels_gives_the_same(tmp_path: Path, labels: NDArray[Any]) -> None:
    found = parts_of(save(tmp_path / "a.npz", images=GREY, labels=labels)).splits["all"]
    assert found.classes == ("0", "1", "2") and found.labels.tolist() == LABELS.tolist()


def test_truth_values_are_two_classes(tmp_path: Path) -> None:
    found = parts_of(save(tmp_path / "a.npz", images=GREY, labels=LABELS > 0)).splits["all"]
    assert found.classes == ("False", "True") and found.labels.tolist() == [1, 0, 1, 1, 1, 0]


def test_text_labels_are_read_in_any_script(tmp_path: Path) -> None:
    labels = np.array(["é", "b ", "b", "c", "c", "c"])
    for array in (labels, np.char.encode(labels, "utf-8")):
        found = parts_of(save(tmp_path / "a.npz", images=GREY, labels=array)).splits["all"]
        assert found.classes == ("b", "c", "é") and found.labels.tolist() == [2, 0, 0, 1, 1, 1]


def test_several_labels_a_picture_are_refused_by_name(tmp_path: Path) -> None:
    both = np.eye(3, dtype=np.uint8)[LABELS]
    both[1] = 1
    text = fault(save(tmp_path / "a.npz", images=GREY, labels=both))
    assert "labels" in text and "multi-label: picture 1 (from 0) has 3 of 3" in text
    assert "each picture may have several labels; sightlab trains one label a picture" in text
    none = both.copy()
    none[1] = 0
    assert "has 0 of 3" in fault(save(tmp_path / "b.npz", images=GREY, labels=none))
    assert "has 3 numbers a picture, from 0.2 to 0.6" in fault(
        save(tmp_path / "c.npz", images=GREY, labels=np.eye(3)[LABELS] * 0.4 + 0.2)
    )


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (LABELS / 2, "holds 0.5; labels are whole numbers or text"),
        (np.array([0, 1, np.nan, 1, 2, 0]), "holds nan"),
        (np.array(["a", "", "b", "a", "a", "a"]), "is empty text"),
        (np.array([b"\xff\xfe"] * 6), "not UTF-8"),
        (np.array(["a\x1b[2J", "b", "b", "b", "b", "b"]), "cannot be printed"),
        (np.zeros((6, 2, 2)), "labels are [N] class numbers or names, or one-hot"),
        (LABELS.astype("M8[D]"), "labels are whole numbers or text"),
        (np.array([2**63] * 6, np.uint64), "labels are class numbers"),
    ],
)
def test_what_is_no_label_is_refused(tmp_path: Path, labels: NDArray[Any], says: str) -> None:
    assert says in fault(save(tmp_path / "a.npz", images=GREY, labels=labels))


@pytest.mark.parametrize("key", ["classes", "class_names", "label_names", "target_names", "list_classes"])
def test_class_names_keep_their_order(tmp_path: Path, key: str) -> None:
    names = np.array([*NAMES, "never seen"])
    by_number = parts_of(save(tmp_path / "a.npz", images=GREY, labels=LABELS, **{key: names})).splits["all"]
    by_name = parts_of(save(tmp_path / "b.npz", images=GREY, labels=names[LABELS], **{key: names})).splits["all"]
    for found in (by_number, by_name):
        assert found.classes == tuple(names) and found.labels.tolist() == LABELS.tolist()
    assert "labels run from 0 to 2" in fault(save(tmp_path / "c.npz", images=GREY, labels=LABELS, **{key: names[:2]}))
    assert "'mole' is none of" in fault(save(tmp_path / "d.npz", images=GREY, labels=names[LABELS], **{key: names[:2]}))
    assert "the same name" in fault(save(tmp_path / "e.npz", images=GREY, labels=LABELS, **{key: names[[0, 0, 1]]}))
    from_one = parts_of(save(tmp_path / "f.npz", images=GREY, labels=LABELS + 1, **{key: names[:3]})).splits["all"]
    assert from_one.classes == tuple(NAMES) and from_one.labels.tolist() == LABELS.tolist()


INFO = {
    "bloodmnist": {"label": {str(n): name for n, name in enumerate(NAMES)}},
    "other": {"label": {"0": "x", "1": "y"}},
}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("class_names.json", json.dumps(NAMES)),
        ("labels.json", json.dumps(dict(enumerate(NAMES)))),
        ("class_to_idx.json", json.dumps({name: n for n, name in enumerate(NAMES)})),
        ("info.json", json.dumps(INFO)),
        ("classes.txt", "\n".join(NAMES)),
        ("classes.csv", "index,codepoint,char\n" + "\n".join(f"{n},U+{n},{name}" for n, name in enumerate(NAMES))),
        ("label_map.txt", "\n".join(f"{n} {name}" for n, name in enumerate(NAMES))),
        ("class_index.csv", "name,id\n" + "\n".join(f"{name},{n}" for n, name in enumerate(NAMES))),
    ],
)
@pytest.mark.parametrize("lone", [False, True])
def test_class_names_come_from_a_file_beside(tmp_path: Path, file: str, text: str, lone: bool) -> None:
    path = save(tmp_path / "d" / "bloodmnist_64.npz", train_images=GREY, train_labels=LABELS)
    (tmp_path / "d" / file).write_text(text)
    parts = parts_of(path if lone else path.parent)
    assert parts.classes == tuple(NAMES) and parts.splits["train"].labels.tolist() == LABELS.tolist()
    assert parts.notes == (f"class names from {file}",) and parts.splits["train"].numbered


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\nb\nc\nd", "a\na\nb", "1\n2\n3", "[1, 2", "0,a\n1,b", "0 5\n1 6\n2 7", "{}", ""],
)
def test_lists_that_do_not_fit_are_not_taken(tmp_path: Path, text: str) -> None:
    save(tmp_path / "a.npz", train_images=GREY, train_labels=LABELS)
    (tmp_path / "classes.txt").write_text(text)
    parts = parts_of(tmp_path)
    assert parts.classes == ("0", "1", "2")


def test_two_lists_that_disagree_are_not_taken(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", train_images=GREY, train_labels=LABELS)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    (tmp_path / "labels.txt").write_text("\n".join(NAMES[::-1]))
    assert parts_of(tmp_path).classes == ("0", "1", "2")


def test_a_list_for_labels_from_one(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", train_images=GREY, train_labels=LABELS + 1)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    parts = parts_of(tmp_path)
    assert parts.classes == tuple(NAMES) and parts.splits["train"].labels.tolist() == LABELS.tolist()


def test_labels_that_do_not_occur_are_no_classes(tmp_path: Path) -> None:
    found = parts_of(save(tmp_path / "a.npz", images=GREY, labels=LABELS * 5 + 1)).splits["all"]
    assert found.classes == ("1", "6", "11") and found.labels.tolist() == LABELS.tolist() and not found.numbered


def test_a_file_of_classes_beside_a_pair_of_npy(tmp_path: Path) -> None:
    save_npy(tmp_path / "images.npy", GREY)
    save_npy(tmp_path / "labels.npy", LABELS)
    save_npy(tmp_path / "class_names.npy", np.array(NAMES))
    for path in (tmp_path, tmp_path / "images.npy"):
        assert parts_of(path).classes == tuple(NAMES)


def test_lists_are_read_by_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id;name\n3;cat\n7;dog\n")
    assert dict(class_names(DataFile.at(path))) == {3: "cat", 7: "dog"}
    path.write_bytes(b"\x00\xff" * 100)
    assert not class_names(DataFile.at(path))


def test_labels_keep_no_white_space() -> None:
    assert labels_of("a", np.array([" cat", "cat "])) == ["cat", "cat"]
