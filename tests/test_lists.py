"""Image lists give labels line by line, and a wrong line is named by list and number."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.data.load import load_parts
from sightlab.data.tables.loose_lines import ways
from sightlab.errors import DataError
from tests.picture_files import flat, real, spread, tarred, zipped
from tests.reading import read as read_source

FOUR = {f"{n}.png": flat(n) for n in range(1, 5)}


def read(root: Path, list_name: str, text: str, pictures: dict[str, bytes], **words: Any) -> list[tuple[int, str]]:
    """(the picture's value, its class) in the order of the one split."""
    parts = read_source(spread(root, {**pictures, list_name: text.encode()}), **words)
    (images,) = parts.splits.values()
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
        "cat,1.png\ndog,2.png\ncat,10.png\n",
        "label;image\ncat;1.png\ndog;2.png\ncat;10.png\n",
        "1.png|cat\n2.png|dog\n10.png|cat\n",
        "sep=;\nid;breed\n1;cat\n2;dog\n10;cat\n",
        ",image,label\n0,1.png,cat\n1,2.png,dog\n2,10.png,cat\n",
        "# made by hand\n1.png cat\n2.png dog\n10.png cat\n",
        "#file label\n1.png cat\n2.png dog\n10.png cat\n",
        "1.png,cat,\n2.png,dog,\n10.png,cat,\n",
        "image_id,dx,age\n1,cat,50.5\n2,dog,51.25\n10,cat,60.0\n",
    ],
)
def test_any_separator_parts_file_and_label_in_either_order(tmp_path: Path, text: str) -> None:
    pictures = {"1.png": flat(1), "2.png": flat(2), "10.png": flat(10)}
    assert read(tmp_path, "labels.txt", text, pictures) == [(1, "cat"), (10, "cat"), (2, "dog")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    spread(tmp_path, {**FOUR, "l.csv": "1.png,käse\n2.png,brot\n3.png,käse\n".encode(encoding)})
    assert read_source(tmp_path).classes == ("brot", "käse")


def test_latin_1_is_asked_for_and_then_read(tmp_path: Path) -> None:
    spread(tmp_path, {**FOUR, "l.csv": "1.png,käse\n2.png,brot\n3.png,käse\n".encode("latin-1")})
    with pytest.raises(DataError, match=r"l\.csv: line 1 is not UTF-8 text; .*`encoding=latin-1`"):
        read_source(tmp_path)
    assert read_source(tmp_path, encoding="latin-1").classes == ("brot", "käse")


def test_names_may_hold_spaces_and_commas_and_labels_spaces_after_tab_or_comma(tmp_path: Path) -> None:
    pictures = {"my cat.png": flat(1), "a, b.png": flat(2), "3.png": flat(3)}
    text = 'my cat.png cat\n"a, b.png",polar bear\n3.png\tpolar bear\n'
    assert read(tmp_path, "labels.csv", text, pictures) == [(1, "cat"), (3, "polar bear"), (2, "polar bear")]


def test_a_comma_in_a_name_or_a_label_without_quotes_is_told_by_the_picture(tmp_path: Path) -> None:
    pictures = {"a, b.png": flat(1), "2.png": flat(2), "3.png": flat(3), "4.png": flat(4)}
    text = "2.png,tabby\n3.png,tabby, tabby cat\n4.png,tabby\na, b.png,dog\n5.png,dog\n6.png,dog\n"
    pictures |= {"5.png": flat(5), "6.png": flat(6)}
    found = read(tmp_path, "labels.csv", text, pictures)
    assert found == [(5, "dog"), (6, "dog"), (1, "dog"), (2, "tabby"), (4, "tabby"), (3, "tabby, tabby cat")]


def test_whole_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    text = "1.png 10\n2.png 02\n3.png 2\n4.png 0\n"
    assert read(tmp_path, "labels.txt", text, FOUR) == [(4, "0"), (2, "2"), (3, "2"), (1, "10")]


def test_labels_with_a_point_and_nothing_behind_it_are_whole_numbers(tmp_path: Path) -> None:
    text = "1.png,1.0\n2.png,0\n3.png,1.0\n4.png,0.00\n"
    assert read(tmp_path, "labels.txt", text, FOUR) == [(2, "0"), (4, "0"), (1, "1"), (3, "1")]


def test_only_zero_to_k_are_numbered(tmp_path: Path) -> None:
    whole = read_source(spread(tmp_path / "a", {**FOUR, "l.txt": b"1.png 1\n2.png 0\n3.png 1\n4.png 2"}))
    assert whole.splits["all"].numbered
    gap = read_source(spread(tmp_path / "b", {**FOUR, "l.txt": b"1.png 1\n2.png 0\n3.png 1\n4.png 3"}))
    assert not gap.splits["all"].numbered and gap.classes == ("0", "1", "3")


@pytest.mark.parametrize("stem", ["x_train", "x_train_labels", "x_train_list"])
def test_pictures_lie_beside_the_list_or_in_the_folder_of_its_name(tmp_path: Path, stem: str) -> None:
    lists = {"x_test.txt": b"1.png a\n2.png b", f"{stem}.txt": b"1.png b\n2.png a\n./x_test/3.png a"}
    places = ("x_test/1.png", "x_test/2.png", "x_test/3.png", "x_train/1.png", "x_train/2.png")
    files = {f"set/{name}": data for name, data in lists.items()} | {f"set/{p}": flat(n) for n, p in enumerate(places)}
    parts = read_source(spread(tmp_path, files))
    assert {split: images.images[:, 0, 0, 0].tolist() for split, images in parts.splits.items()} == {
        "train": [2, 4, 3],
        "test": [0, 1],
    }


@pytest.mark.parametrize(
    "text",
    [
        "/home/me/1.png a\nC:\\me\\2.png b",
        "/home/me/deep/1.png,a\n/home/me/2.png,b",
        "s3://bucket/x/1.png,a\nhttps://host.example/y/2.png?sig=1,b",
        "1,a\n2,b",
        "1.PNG,a\n2.Png,b",
        "1.jpg,a\n2.jpg,b",
        "images/deep/1.png,a\nimages/2.png,b",
        "../images/deep/1.png,a\n../images/2.png,b",
        "file:///data/1.png,a\nfile:///data/2.png,b",
    ],
)
def test_a_name_that_only_one_picture_has_is_found_wherever_it_lies(tmp_path: Path, text: str) -> None:
    pictures = {"images/deep/1.png": flat(1), "images/2.png": flat(2)}
    text = f"file,label\n{text}" if "," in text else text
    assert read(tmp_path, "labels.txt", text, pictures) == [(1, "a"), (2, "b")]


def test_names_are_found_in_another_unicode_form_and_quoted_as_in_addresses(tmp_path: Path) -> None:
    pictures = {"cafe\u0301.png": flat(1), "b c.png": flat(2), "100%.png": flat(3)}
    text = "file,label\ncaf\u00e9.png,a\nb%20c.png,b\n100%.png,a\n"
    assert read(tmp_path, "labels.csv", text, pictures) == [(3, "a"), (1, "a"), (2, "b")]


def test_names_found_whatever_the_spelling_are_told(tmp_path: Path) -> None:
    parts = read_source(spread(tmp_path, {**FOUR, "l.csv": b"file,label\n1.PNG,a\n2.png,b\n3.jpg,a\n4.png,b\n"}))
    assert parts.notes == (
        "l.csv: 1 name is written otherwise than its file (`1.PNG` is 1.png)",
        "l.csv: 1 name has another suffix than its file (`3.jpg` is 3.png)",
    )


def test_a_missing_picture_is_not_taken_from_another_folder(tmp_path: Path) -> None:
    """As where one class's folder was not copied, and another folder has files of the same names."""
    files = {f"{folder}/{n}.png": flat(n) for folder in ("b", "c") for n in range(1, 5)}
    text = "".join(f"{folder}/{n}.png,{folder}\n" for folder in ("a", "b") for n in range(1, 5))
    with pytest.raises(DataError, match=r"labels\.csv, line 1: there is no picture `a/1\.png`"):
        read_source(spread(tmp_path, {**files, "labels.csv": text.encode()}), layout="list")


def test_a_training_list_takes_no_picture_from_the_test_folder(tmp_path: Path) -> None:
    files = {"train/1.png": flat(1), "train/2.png": flat(2), "test/1.png": flat(7), "test/3.png": flat(8)}
    rows = "file,label\n1.png,a\n2.png,b\n"
    assert read(tmp_path / "a", "train.csv", rows, files) == [(1, "a"), (2, "b")]
    with pytest.raises(DataError, match=r"train\.csv, line 4: there is no picture `3\.png`"):
        read(tmp_path / "b", "train.csv", rows + "3.png,a\n", files)


def test_a_list_whose_names_all_lie_in_one_of_two_folders_means_that_one(tmp_path: Path) -> None:
    files = {"photos/1.png": flat(1), "photos/2.png": flat(2), "unseen/1.png": flat(7), "unseen/3.png": flat(8)}
    found = read(tmp_path, "labels.csv", "image_id,label\n1,a\n2,b\n", files, layout="list")
    assert found == [(1, "a"), (2, "b")]


def test_a_name_found_only_among_pictures_for_testing_is_refused(tmp_path: Path) -> None:
    files = {f"photos/{n}.png": flat(n) for n in range(1, 4)} | {f"test/{n}.png": flat(n) for n in range(4, 9)}
    text = "id,label\n1,a\n2,b\n3,a\n4,b\n"
    with pytest.raises(DataError, match=r"line 5: `4` is only in test, and others lie elsewhere; `ignore=test`"):
        read(tmp_path, "labels.csv", text, files, layout="list")


def test_the_folder_of_a_list_may_name_its_split(tmp_path: Path) -> None:
    files = {f"{split}/{name}": data for split in ("train", "test") for name, data in FOUR.items()}
    lists = {f"{split}/labels.txt": b"1.png a\n2.png b" for split in ("train", "test")}
    parts = read_source(spread(tmp_path, {**files, **lists}))
    assert list(parts.splits) == ["train", "test"]
    assert parts.notes == ("4 pictures (test/3.png, test/4.png, train/3.png, ...) in no list ignored",)


def test_a_list_may_be_the_path_itself(tmp_path: Path) -> None:
    files = {**FOUR, "first.txt": b"1.png a\n2.png b", "second.txt": b"3.png a\n4.png b", "pets/cat/9.png": flat(9)}
    root = spread(tmp_path, files)
    assert read_source(root / "first.txt").splits["all"].images[:, 0, 0, 0].tolist() == [1, 2]
    assert read_source(root / "second.txt").splits["all"].images[:, 0, 0, 0].tolist() == [3, 4]


def test_a_list_that_is_the_path_itself_may_lie_in_a_folder_of_lists(tmp_path: Path) -> None:
    files = {f"images/{name}": data for name, data in FOUR.items()} | {"meta/train.txt": b"1.png 0\n2.png 1\n3.png 1"}
    parts = read_source(spread(tmp_path, files) / "meta" / "train.txt")
    assert parts.splits["train"].images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_a_table_of_numbers_names_no_pictures_of_the_folders_around_it(tmp_path: Path) -> None:
    """Its cells could be the names of pictures of anything: what lies in neighbouring folders does not count."""
    table = b"label,p0,p1,p2,p3\n0,1,2,3,4\n1,1,2,3,256\n"
    root = spread(tmp_path, {f"other/{n}.png": flat(n) for n in range(5)} | {"own/x.csv": table})
    with pytest.raises(DataError, match="256"):
        load_parts(root / "own" / "x.csv")


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_lists_are_read_inside_archives(tmp_path: Path, pack: object) -> None:
    files = {"s/labels.txt": b"1.png a\n2.png b\n3.png a\n4.png b", **{f"s/pictures/{n}": d for n, d in FOUR.items()}}
    path = tarred(tmp_path / "x.tar.gz", files, "w:gz") if pack is tarred else zipped(tmp_path / "x.zip", files)
    images = read_source(path).splits["all"]
    assert images.images[:, 0, 0, 0].tolist() == [1, 3, 2, 4]
    with pytest.raises(DataError, match=r"x2\.tar: s/labels\.txt, line 1: there is no picture `1\.png`"):
        read_source(tarred(tmp_path / "x2.tar", {n: d for n, d in files.items() if not n.endswith("/1.png")}))


def test_a_list_that_says_otherwise_than_the_folders_is_not_passed_over(tmp_path: Path) -> None:
    files = {f"{c}/{n}.png": flat(n) for c, numbers in (("cat", (1, 2)), ("dog", (3, 4))) for n in numbers}
    same = b"cat/1.png x\ncat/2.png x\ndog/3.png y\ndog/4.png y"
    assert read_source(spread(tmp_path / "a", {**files, "labels.txt": same})).classes in (("cat", "dog"), ("x", "y"))
    other = b"cat/1.png x\ncat/2.png y\ndog/3.png x\ndog/4.png y"
    with pytest.raises(DataError, match=r"two ways: .*`layout=list`.*`layout=class-folders`"):
        read_source(spread(tmp_path / "b", {**files, "labels.txt": other}))
    assert read_source(tmp_path / "b", layout="list").classes == ("x", "y")


@pytest.mark.parametrize(
    "text", [b"Pictures of mine.\nSee 1.png and\n2.png for the rest.\n", b"", b"\xff\xfe1\0", b"a b"]
)
def test_a_readme_is_no_list(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DataError, match=r"nothing that says their classes"):
        read_source(spread(tmp_path, {**FOUR, "README.txt": text}))
    parts = read_source(spread(tmp_path, {"labels.txt": b"1.png a\n2.png b\n3.png b\n4.png a"}))
    assert parts.classes == ("a", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.png a\n2.png b\n5.png b", r"labels\.txt, line 3: there is no picture `5\.png`; .*`skip_broken=true`"),
        ("1.png a\n\n2.png b\n3.png", r"labels\.txt, line 4: `3\.png` has no label"),
        ("1.png a\nwhat is this\n2.png b", r"labels\.txt, line 2: has 3 cells where others have 2, as `this`"),
        ("1.png,a\n2.png,\n3.png,b", r"labels\.txt, line 2: `2\.png` has no label"),
        ("1.png,a\n2.png,nan\n3.png,b", r"labels\.txt, line 2: `2\.png` has no label"),
        ("1.png a\n2.png b\n1.png b", r"line 3: `1\.png` is `b` here and `a` in line 1; a picture has one class"),
        ("1.png a\n2.png b\nsame.png b", r"line 3: `same\.png` could be x/same\.png or y/same\.png"),
        ("1.png a\n2.png a\n", "all pictures are of one class, `a`"),
        ("1.png a\n2.png " + "b" * 201, r"labels\.txt, line 2: the label has 201 characters"),
        (
            "a.png a\nb.png b\n1.png a\nc.png b",
            r"labels\.txt: 3 of its 4 pictures are not there, as `a\.png` \(line 1\)",
        ),
        ("1.png,a|b\n2.png,a\n3.png,b", r"column `1` holds several labels in one cell, as `a\|b`.*multi-label"),
        ("1.png,\"['a', 'b']\"\n2.png,['a']", r"several labels in one cell"),
        ("1.png,1.5\n2.png,2.25\n3.png,7.125", r"column `1` has 3 different cells in 3 rows, as `1\.5`: hardly labels"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    files = {**FOUR, "labels.txt": text.encode(), "y/same.png": flat(7), "x/same.png": flat(7)}
    with pytest.raises(DataError, match=said) as caught:
        read_source(spread(tmp_path, files) / "labels.txt")
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 300


def test_rows_without_a_picture_or_a_label_are_left_out_and_counted_when_asked(tmp_path: Path) -> None:
    text = "file,label\n1.png,a\ngone.png,a\n2.png,b\n3.png,\n4.png,a\n"
    spread(tmp_path, {**FOUR, "labels.csv": text.encode()})
    with pytest.raises(DataError, match=r"line 3: there is no picture `gone\.png`"):
        read_source(tmp_path)
    parts = read_source(tmp_path, skip_broken=True)
    assert len(parts.splits["all"]) == 3
    assert parts.notes == (
        "labels.csv: 1 row without a picture there left out",
        "labels.csv: 1 row without a label left out",
        "1 picture (3.png) in no list ignored",
    )


def test_rows_that_say_the_same_again_are_counted_once(tmp_path: Path) -> None:
    parts = read_source(spread(tmp_path, {**FOUR, "l.csv": b"1.png,a\n2.png,b\n1.png,a\n3.png,a\n4.png,b\n"}))
    assert len(parts.splits["all"]) == 4 and parts.notes == ("l.csv: 1 row repeated, counted once",)


def test_a_file_that_is_neither_picture_set_nor_list_is_refused(tmp_path: Path) -> None:
    (spread(tmp_path, FOUR) / "x.bin").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r"x\.bin: "):
        read_source(tmp_path / "x.bin")
    (tmp_path / "empty.txt").write_bytes(b"\n")
    with pytest.raises(DataError, match=r"empty\.txt: "):
        read_source(tmp_path / "empty.txt")


FIELD = st.text(st.characters(exclude_characters=' \t\r\n,"', exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(FIELD, min_size=1, max_size=3).map(" ".join), FIELD.filter(lambda text: not set(text) & set(";|")))
def test_a_line_may_be_parted_as_it_was_written(file: str, label: str) -> None:
    for mark in (" ", "\t", ","):
        assert (file, label) in list(ways(f"{file}{mark}{label}"))


@given(st.text())
def test_any_text_is_parted_without_a_mishap(text: str) -> None:
    for line in text.splitlines():
        assert all(isinstance(file, str) and isinstance(label, str) for file, label in ways(line))


def test_a_part_of_the_real_lists_of_mnist_m_gives_the_labels_of_mnist(tmp_path: Path) -> None:
    labels = np.frombuffer(gzip.decompress(real("mnist/t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    with (
        tarfile.open(real("mnist-m-subset.tar")) as whole,
        tarfile.open(tmp_path / "part.tar", "w") as part,
    ):
        for member in whole:
            content = whole.extractfile(member)
            assert content is not None
            kept = content.read()
            if member.name.endswith(".txt"):
                kept = b"".join(kept.splitlines(keepends=True)[:200])
                member.size = len(kept)
            elif int(Path(member.name).stem) >= 200:
                continue
            part.addfile(member, io.BytesIO(kept))
    parts = load_parts(tmp_path / "part.tar").parts
    assert {name: len(images) for name, images in parts.splits.items()} == {"train": 200, "test": 200}
    assert parts.classes == tuple("0123456789") and parts.splits["train"].numbered and parts.notes == ()
    assert parts.splits["test"].counts().tolist() == np.bincount(labels[:200]).tolist()


@pytest.mark.slow
def test_the_real_lists_of_mnist_m_give_the_labels_of_mnist() -> None:
    path = real("mnist-m-subset.tar")
    labels = np.frombuffer(gzip.decompress(real("mnist/t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    parts = load_parts(path).parts
    train, test = parts.splits["train"], parts.splits["test"]
    assert (len(train), len(test), train.shape) == (10_000, 2_000, (32, 32, 3))
    assert parts.classes == tuple("0123456789") and train.numbered and parts.notes == ()
    # Picture n of MNIST-M is made from picture n of MNIST: sorted by class and name, so are its labels.
    assert test.counts().tolist() == np.bincount(labels[:2000]).tolist()
    np.testing.assert_allclose(test.images.mean((0, 1, 2)) / 255, [0.4625, 0.4646, 0.4101], atol=5e-5)
    np.testing.assert_allclose(train.images.mean((0, 1, 2)) / 255, [0.4585, 0.4621, 0.4077], atol=5e-5)
