"""Image lists give labels line by line, and a wrong line is named by list and number."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.data.pictures.lists import entries
from sightlab.data.pictures.read import read_pictures
from sightlab.errors import DataError
from tests.picture_files import flat, real, spread, tarred, zipped

FOUR = {f"{n}.png": flat(n) for n in range(1, 5)}


def read(root: Path, list_name: str, text: str, pictures: dict[str, bytes]) -> list[tuple[int, str]]:
    """(the picture's value, its class) in the order of the one split."""
    (images,) = read_pictures(spread(root, {**pictures, list_name: text.encode()})).splits.values()
    return [
        (int(image.flat[0]), images.classes[label]) for image, label in zip(images.images, images.labels, strict=True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1.png cat\n2.png dog\n10.png cat\n",
        "10.png\tcat\n1.png\tcat\r\n\r\n2.png\tdog",
        "2.png,dog\n10.png, cat\n1.png ,cat\n",
        '\ufefffile,label\n"1.png","cat"\n"2.png","dog"\n10.png,cat\n',
        "image\tclass\n1.png\tcat\n2.png\tdog\n./10.png\tcat\n",
    ],
)
def test_tab_comma_or_space_part_file_and_label(tmp_path: Path, text: str) -> None:
    pictures = {"1.png": flat(1), "2.png": flat(2), "10.png": flat(10)}
    assert read(tmp_path, "labels.txt", text, pictures) == [(1, "cat"), (10, "cat"), (2, "dog")]


def test_names_may_hold_spaces_and_commas_and_labels_spaces_after_tab_or_comma(tmp_path: Path) -> None:
    pictures = {"my cat.png": flat(1), "a, b.png": flat(2), "3.png": flat(3)}
    text = 'my cat.png cat\n"a, b.png",polar bear\n3.png\tpolar bear\n'
    assert read(tmp_path, "labels.csv", text, pictures) == [(1, "cat"), (3, "polar bear"), (2, "polar bear")]


def test_whole_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    text = "1.png 10\n2.png 02\n3.png 2\n4.png 0\n"
    assert read(tmp_path, "labels.txt", text, FOUR) == [(4, "0"), (2, "2"), (3, "2"), (1, "10")]


def test_only_zero_to_k_are_numbered(tmp_path: Path) -> None:
    whole = read_pictures(spread(tmp_path / "a", {**FOUR, "l.txt": b"1.png 1\n2.png 0\n3.png 1\n4.png 2"}))
    assert whole.splits["all"].numbered
    gap = read_pictures(spread(tmp_path / "b", {**FOUR, "l.txt": b"1.png 1\n2.png 0\n3.png 1\n4.png 3"}))
    assert not gap.splits["all"].numbered and gap.classes == ("0", "1", "3")


@pytest.mark.parametrize("stem", ["x_train", "x_train_labels", "x_train_list"])
def test_pictures_lie_beside_the_list_or_in_the_folder_of_its_name(tmp_path: Path, stem: str) -> None:
    lists = {"x_test.txt": b"1.png a\n2.png b", f"{stem}.txt": b"1.png b\n2.png a\n./x_test/3.png a"}
    places = ("x_test/1.png", "x_test/2.png", "x_test/3.png", "x_train/1.png", "x_train/2.png")
    files = {f"set/{name}": data for name, data in lists.items()} | {f"set/{p}": flat(n) for n, p in enumerate(places)}
    parts = read_pictures(spread(tmp_path, files))
    assert {split: images.images[:, 0, 0, 0].tolist() for split, images in parts.splits.items()} == {
        "train": [2, 4, 3],
        "test": [0, 1],
    }


def test_a_name_that_only_one_picture_has_is_found_wherever_it_lies(tmp_path: Path) -> None:
    pictures = {"images/deep/1.png": flat(1), "images/2.png": flat(2)}
    assert read(tmp_path, "labels.txt", "/home/me/1.png a\nC:\\me\\2.png b", pictures) == [(1, "a"), (2, "b")]


def test_the_folder_of_a_list_may_name_its_split(tmp_path: Path) -> None:
    files = {f"{split}/{name}": data for split in ("train", "test") for name, data in FOUR.items()}
    lists = {f"{split}/labels.txt": b"1.png a\n2.png b" for split in ("train", "test")}
    parts = read_pictures(spread(tmp_path, {**files, **lists}))
    assert list(parts.splits) == ["train", "test"]
    assert parts.notes == ("4 pictures (test/3.png, test/4.png, train/3.png, ...) in no list left aside",)


def test_a_list_may_be_the_path_itself(tmp_path: Path) -> None:
    files = {**FOUR, "first.txt": b"1.png a\n2.png b", "second.txt": b"3.png a\n4.png b", "pets/cat/9.png": flat(9)}
    images = read_pictures(spread(tmp_path, files) / "second.txt").splits["all"]
    assert images.images[:, 0, 0, 0].tolist() == [3, 4]


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_lists_are_read_inside_archives(tmp_path: Path, pack: object) -> None:
    files = {"s/labels.txt": b"1.png a\n2.png b\n3.png a\n4.png b", **{f"s/pictures/{n}": d for n, d in FOUR.items()}}
    path = tarred(tmp_path / "x.tar.gz", files, "w:gz") if pack is tarred else zipped(tmp_path / "x.zip", files)
    images = read_pictures(path).splits["all"]
    assert images.images[:, 0, 0, 0].tolist() == [1, 3, 2, 4]
    with pytest.raises(DataError, match=r"x2\.tar: s/labels\.txt, line 1: there is no picture `1\.png`"):
        read_pictures(tarred(tmp_path / "x2.tar", {n: d for n, d in files.items() if not n.endswith("/1.png")}))


def test_class_folders_win_over_a_list(tmp_path: Path) -> None:
    files = {"cat/1.png": flat(1), "dog/2.png": flat(2), "labels.txt": b"cat/1.png x\ndog/2.png y"}
    parts = read_pictures(spread(tmp_path, files))
    assert parts.classes == ("cat", "dog")
    assert parts.notes == ("1 file (labels.txt) that are no pictures ignored",)


@pytest.mark.parametrize(
    "text", [b"Pictures of mine.\nSee 1.png and\n2.png for the rest.\n", b"", b"\xff\xfe1\0", b"a b"]
)
def test_a_readme_is_no_list(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DataError, match=r"its pictures have no labels"):
        read_pictures(spread(tmp_path, {**FOUR, "README.txt": text}))
    parts = read_pictures(spread(tmp_path, {"labels.txt": b"1.png a\n2.png b\n3.png b\n4.png a"}))
    assert parts.classes == ("a", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.png a\n2.png b\n5.png b", r"labels\.txt, line 3: there is no picture `5\.png` beside the list"),
        ("1.png a\n\n2.png b\n3.png", r"labels\.txt, line 4: `3\.png` is not `<file> <label>`"),
        ("1.png a\nwhat is this\n2.png b", r"labels\.txt, line 2: `what is this` is not `<file> <label>`"),
        ("1.png,a\n2.png,\n3.png,b", r"labels\.txt, line 2: "),
        ("1.png a\n2.png b\n1.png b", r"line 3: `1\.png` is listed twice \(before: .*labels\.txt, line 1\)"),
        ("1.png a\n2.png b\nsame.png b", r"line 3: `same\.png` could be x/same\.png or y/same\.png"),
        ("1.png a\n2.png a\n", "all pictures are of one class, `a`"),
        ("1.png a\n2.png " + "b" * 201, r"labels\.txt, line 2"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    files = {**FOUR, "labels.txt": text.encode(), "y/same.png": flat(7), "x/same.png": flat(7)}
    with pytest.raises(DataError, match=said) as caught:
        read_pictures(spread(tmp_path, files) / "labels.txt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"), [("labels.txt", "more.txt"), ("train.txt", "training.txt"), ("all.txt", "test.txt")]
)
def test_two_lists_for_the_same_pictures_are_refused(tmp_path: Path, first: str, second: str) -> None:
    files = {**FOUR, first: b"1.png a\n2.png b", second: b"3.png a\n4.png b"}
    with pytest.raises(DataError, match=r"is an image list, and so is .*keep one"):
        read_pictures(spread(tmp_path, files))


def test_a_picture_in_two_splits_is_refused(tmp_path: Path) -> None:
    files = {**FOUR, "train.txt": b"1.png a\n2.png b", "test.txt": b"1.png a\n3.png b"}
    with pytest.raises(DataError, match=r"line 1: `1\.png` is listed twice \(before: .*t.*\.txt, line 1\)"):
        read_pictures(spread(tmp_path, files))


def test_a_file_that_is_neither_picture_set_nor_list_is_refused(tmp_path: Path) -> None:
    (spread(tmp_path, FOUR) / "x.bin").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r"x\.bin: not a picture folder, a tar or zip archive, or a list"):
        read_pictures(tmp_path / "x.bin")
    (tmp_path / "empty.txt").write_bytes(b"\n")
    with pytest.raises(DataError, match=r"empty\.txt: lists no pictures"):
        read_pictures(tmp_path / "empty.txt")


FIELD = st.text(st.characters(exclude_characters=' \t\r\n,"', exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(st.tuples(st.lists(FIELD, min_size=1, max_size=3).map(" ".join), FIELD), min_size=1))
def test_every_line_means_the_file_and_label_it_was_written_from(pairs: list[tuple[str, str]]) -> None:
    for mark in (" ", "\t", ","):
        text = "\n" + "\n".join(f"{file}{mark}{label}" for file, label in pairs)
        assert [entry.ways[0] for entry in entries(text)] == pairs


@given(st.text())
def test_any_text_is_parsed_or_passed_over(text: str) -> None:
    for entry in entries(text):
        assert all(file and label for file, label in entry.ways)


def test_the_real_lists_of_mnist_m_give_the_labels_of_mnist() -> None:
    path = real("mnist-m-subset.tar")
    labels = np.frombuffer(gzip.decompress(real("mnist/t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    parts = read_pictures(path)
    train, test = parts.splits["train"], parts.splits["test"]
    assert (len(train), len(test), train.shape) == (10_000, 2_000, (32, 32, 3))
    assert parts.classes == tuple("0123456789") and train.numbered and parts.notes == ()
    # Picture n of MNIST-M is made from picture n of MNIST: sorted by class and name, so are its labels.
    assert test.counts().tolist() == np.bincount(labels[:2000]).tolist()
    np.testing.assert_allclose(test.images.mean((0, 1, 2)) / 255, [0.4625, 0.4646, 0.4101], atol=5e-5)
    np.testing.assert_allclose(train.images.mean((0, 1, 2)) / 255, [0.4585, 0.4621, 0.4077], atol=5e-5)
