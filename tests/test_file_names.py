"""Labels in file names: read by the user's pattern, offered where one pattern fits, never taken without a word."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.data.layouts.file_names import compiled
from sightlab.errors import DataError
from tests.picture_files import flat, spread, tarred
from tests.reading import claim, read

DOGS_AND_CATS = {f"train/{kind}.{n}.png": flat(n) for kind in ("cat", "dog") for n in range(4)}


@pytest.mark.parametrize(
    ("names", "pattern", "classes"),
    [
        ("cat.{n}.png dog.{n}.png", "{label}.{number}.png", "cat, dog"),
        ("Abyssinian_{n}.jpg great_pyrenees_{n}.jpg", "{label}_{number}.jpg", "Abyssinian, great_pyrenees"),
        ("cat ({n}).png dog ({n}).png", "{label} ({number}).png", "cat, dog"),
        ("cat{n}.png dog{n}.png", "{label}{number}.png", "cat, dog"),
        ("cat-{n}.jpeg hot dog-{n}.jpeg", "{label}-{number}.jpeg", "cat, hot dog"),
    ],
)
def test_one_pattern_that_fits_all_names_is_offered_and_then_read(
    tmp_path: Path, names: str, pattern: str, classes: str
) -> None:
    kinds = re.split(r" (?=\w+[^ ]*$|great|hot|dog)", names, maxsplit=1)
    spread(tmp_path, {f"p/{kind.format(n=n)}": flat(n) for kind in kinds for n in range(3)})
    with pytest.raises(DataError) as caught:
        claim(tmp_path)
    line = str(caught.value)
    offered = re.search(r"`label_from=('?)(.*?)\1`", line)
    assert offered is not None and offered[2] == pattern and f"2 classes ({classes})" in line and len(line) <= 300
    assert ", ".join(claim(tmp_path, label_from=pattern).classes) == classes


@pytest.mark.parametrize(
    "names",
    [
        ["image_{n}.png"],
        ["{n}.png"],
        ["cat_{n}.png", "dog-{n}.png"],
        ["cat_{n}.png", "dog_{n}.jpg"],
        ["cat_{n}.png", "IMG 7 {n} x.png"],
        [f"{a}{b}_{{n}}.png" for a in "abcdefgh" for b in "abcdefgh"],
    ],
)
def test_names_that_no_one_pattern_fits_are_not_offered(tmp_path: Path, names: list[str]) -> None:
    count = 1 if len(names) > 9 else 3
    spread(tmp_path, {f"p/{name.format(n=n)}": flat(n) for name in names for n in range(count)})
    with pytest.raises(DataError) as caught:
        claim(tmp_path)
    assert "label_from" not in str(caught.value)


def test_pictures_without_a_label_in_a_folder_of_their_own_are_left_aside(tmp_path: Path) -> None:
    spread(tmp_path, {**DOGS_AND_CATS, "test1/1.png": flat(1), "test1/2.png": flat(2)})
    with pytest.raises(DataError, match=r"`label_from='\{label\}\.\{number\}\.png'` reads 2 classes \(cat, dog\)"):
        claim(tmp_path)
    parts = read(tmp_path, label_from="{label}.{number}.png")
    assert {split: len(images) for split, images in parts.splits.items()} == {"train": 8}
    assert parts.classes == ("cat", "dog")
    assert parts.splits["train"].images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    note = "2 pictures (test1/1.png, test1/2.png) whose names say no label ignored (`sightlab predict` takes them)"
    assert parts.notes == (note,)
    assert read(tmp_path, layout="file-names").classes == ("cat", "dog")


def test_splits_are_those_of_folders_or_of_the_names(tmp_path: Path) -> None:
    spread(
        tmp_path / "a", {f"{s}/{k}_{n}.png": flat(n) for s in ("train", "val") for k in ("cat", "dog") for n in (1, 2)}
    )
    assert claim(tmp_path / "a", label_from="{label}_{number}.png").splits == {"train": 4, "validation": 4}
    spread(
        tmp_path / "b", {f"{s}-{k}-{n}.png": flat(n) for s in ("train", "test") for k in ("cat", "dog") for n in (1, 2)}
    )
    assert claim(tmp_path / "b", label_from="{split}-{label}-{number}.png").splits == {"train": 4, "test": 4}
    spread(tmp_path / "c", {f"{k}/x/{n}.png": flat(n) for k in ("cat", "dog") for n in (1, 2)})
    assert claim(tmp_path / "c", label_from="{label}/x/{any}.png").classes == ("cat", "dog")


def test_an_archive_is_read_as_a_folder(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", DOGS_AND_CATS)
    assert claim(path, label_from="{label}.{number}.png").splits == {"train": 8}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{name}.{number}.png", "`{name}` is no field; a pattern is like `label_from={label}.{number}.jpg`"),
        ("{number}.png", "it takes one `{label}`"),
        ("{label}.{label}.png", "it takes one `{label}`"),
        ("{label}_x.png", "fits no picture's name, as train/cat.0.png"),
        (
            "cat.{label}.png",
            "train/dog.0.png: does not fit label_from=cat.{label}.png, nor do 3 others of 8 in its folder",
        ),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        claim(spread(tmp_path, DOGS_AND_CATS), label_from=pattern)


def test_class_folders_and_lists_come_before_names(tmp_path: Path) -> None:
    folders = {f"{kind}/{kind}.{n}.png": flat(n) for kind in ("cat", "dog") for n in range(3)}
    assert claim(spread(tmp_path / "a", folders)).layout == "class-folders"
    listed = "".join(f"{name},{'xy'[n % 2]}\n" for n, name in enumerate(DOGS_AND_CATS)).encode()
    assert claim(spread(tmp_path / "b", {**DOGS_AND_CATS, "labels.csv": listed})).classes == ("x", "y")


LETTERS = st.text("abcXYZ_- ", min_size=1, max_size=9).map(str.strip).filter(bool)


@given(LETTERS, st.integers(0, 10**9), st.sampled_from(["png", "JPG"]))
def test_a_pattern_finds_the_label_it_was_written_with(label: str, number: int, suffix: str) -> None:
    for mark in (".", "_", "-", " "):
        fit = compiled(f"{{label}}{mark}{{number}}.{suffix.lower()}").fullmatch(f"{label}{mark}{number}.{suffix}")
        assert fit is not None and fit["label"] == label
