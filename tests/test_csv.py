"""CSV files: tables of every layout become the right images, and every mistake is said by line and column."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sightlab.data.formats.csv import open_sheet, read_csv, read_csv_pair, read_pixels, read_unlabelled_csv
from sightlab.data.formats.idx import read_idx_folder
from sightlab.data.imageset import natural_key
from sightlab.errors import DataError
from tests.csv_tables import put, table, text_of

DATA = Path(os.environ.get("SIGHTLAB_DATA", Path(__file__).parents[2] / "shared" / "data"))


def fault(path: Path, label: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_csv(path, label)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(path))
    return text


def test_pandas_reads_the_same(tmp_path: Path) -> None:
    path = put(tmp_path, text_of(table(50), [str(n % 10) for n in range(50)]))
    frame, found = pd.read_csv(path), read_csv(path)
    np.testing.assert_array_equal(found.images.reshape(50, -1), frame.drop(columns="label").to_numpy())
    np.testing.assert_array_equal(found.labels, frame["label"])


def test_a_real_set_written_as_csv_is_the_same_set(tmp_path: Path) -> None:
    if not (DATA / "kmnist").is_dir():
        pytest.skip(f"{DATA / 'kmnist'} is not here; set SIGHTLAB_DATA")
    images = read_idx_folder(DATA / "kmnist").splits["train"]
    frame = pd.DataFrame(images.images.reshape(len(images), -1))
    frame.insert(0, "label", images.labels)
    frame.to_csv(tmp_path / "a.csv", index=False)  # a header of numbers: label,0,1,...
    found = read_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.images, images.images)
    np.testing.assert_array_equal(found.labels, images.labels)
    assert found.classes == images.classes and found.numbered


def test_colour_pixels_have_their_channels_last(tmp_path: Path) -> None:
    found = read_csv(put(tmp_path, "label,r0,g0,b0,r1,g1,b1,r2,g2,b2,r3,g3,b3\nx,1,2,3,4,5,6,7,8,9,10,11,12\n"))
    assert found.images.tolist() == [[[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]]


def test_a_number_of_channels_that_does_not_fit_is_left_to_who_converts(tmp_path: Path) -> None:
    path = put(tmp_path, text_of(table(2, 16), ["0", "1"]))
    assert read_csv(path, channels=3).shape == read_csv(path).shape == (4, 4, 1)
    assert read_csv(path, channels=4).shape == (2, 2, 4)


@pytest.mark.parametrize(
    ("labels", "classes", "numbered"),
    [
        (["0", "1", "2"], ("0", "1", "2"), True),
        (["2", "10", "1"], ("1", "2", "10"), False),
        (["1", "2", "3"], ("1", "2", "3"), False),
        (["0.0", "01", "2"], ("0", "1", "2"), True),
        (["300", "7", "-1"], ("7", "300", "-1"), False),
        ([" dog", "cat ", "dog"], ("cat", "dog"), False),
        (['"a,b"', '"say ""x"""', "c"], ("a,b", "c", 'say "x"'), False),
    ],
)
def test_labels_become_classes_in_natural_order(
    tmp_path: Path, labels: list[str], classes: tuple[str, ...], numbered: bool
) -> None:
    found = read_csv(put(tmp_path, text_of(table(3, 4), labels)))
    assert found.classes == tuple(sorted(classes, key=natural_key)) and found.numbered == numbered


@pytest.mark.parametrize(
    ("first_row", "is_header"),
    [
        ("label," + ",".join(f"pixel{n}" for n in range(784)), True),
        ("label," + ",".join(f"{r}x{c}" for r in range(28) for c in range(28)), True),
        ("label," + ",".join(map(str, range(784))), True),
        (",".join(map(str, range(785))), True),
        ("class," + ",".join(map(str, range(1, 785))), True),
        ("label," + ",".join(["0"] * 784), False),
        ("cat," + ",".join(["17"] * 784), False),
        ("3," + ",".join(["17"] * 784), False),
        (",".join(str(n % 256) for n in range(785)), False),
    ],
)
def test_a_header_is_told_from_a_row(tmp_path: Path, first_row: str, is_header: bool) -> None:
    found = read_csv(put(tmp_path, first_row + "\n" + "3," + ",".join(["9"] * 784) + "\n"))
    assert len(found) == (1 if is_header else 2)


def test_the_label_column_is_found_by_name_or_number(tmp_path: Path) -> None:
    path = put(tmp_path, "p0,p1,Species,p2,p3\n1,2,fox,3,4\n")
    for label in ("Species", "species", "2"):
        assert read_csv(path, label).classes == ("fox",)
    assert "did you mean Species?" in fault(path, "specis")
    assert "known: " in fault(path, "zzz")
    assert "numbers 0 to 4" in fault(path, "5")
    assert "give the column's number" in fault(put(tmp_path, "1,2,3,4,5\n"), "species")
    many = put(tmp_path, text_of(table(1), ["1"]))
    assert len(fault(many, "zzz")) < 250


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_told_by_the_first_line(tmp_path: Path, delimiter: str) -> None:
    pixels = table(5, 16)
    text = text_of(pixels, ["cat", "1", "2", "3", "4"]).replace(",", delimiter)
    np.testing.assert_array_equal(read_csv(put(tmp_path, text)).images.reshape(5, 16), pixels)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (2, "label,p0,p1,p2,p3\n1,0,0,0,0\n2,0,0,0\n3,0,0,0,0\n|line 3 has 4 fields, line 1 has 5"),
        (3, "1,0,0,0,0\n2,0,0,0,0,9\n|line 2 has 6 fields, line 1 has 5"),
        (4, "label,p0,p1,p2,p3\n1,0,x,0,0\n|line 2, column p1: found 'x'"),
        (5, "label,p0,p1,p2,p3\n1,0,0,0,0\n1,0,0,0,256\n|line 3, column p3: found '256'"),
        (6, "label,p0,p1,p2,p3\n1,-1,0,0,0\n|line 2, column p0: found '-1'"),
        (7, "1,0,0,3.5,0\n|line 1, column 3 (from 0): found '3.5'"),
        (8, "1,0,0,0,0\n1,0,nan,0,0\n|line 2, column 2 (from 0): found 'nan'"),
        (9, "label,p0,p1,p2,p3\n1,0,,0,0\n|line 2, column p1: found nothing"),
        (10, "label,p0,p1,p2,p3\n1,0,0,0,0\n\n ,0,0,0,0\n|line 4, column label: the label is missing"),
        (11, "p0,p1,p2,p3,label\n0,0,0,0,\n|line 2, column label: the label is missing"),
        (12, "label,p0,p1,p2,p3\ncat,0,0,0,0\ndog,0,0,1e3,0\n|line 3, column p2: found '1e3'"),
        (13, "label,p0,p1,p2,p3\n1,0,0,0,1_0\n|line 2, column p3: found '1_0'"),
        (14, 'label,p0,p1,p2,p3\n"a\nb",0,0,0,0\n1,0,0,0,q\n|line 4, column p3'),
    ],
)
def test_a_mistake_is_said_by_line_and_column(tmp_path: Path, row: int, says: str) -> None:
    text, _, expected = says.partition("|")
    message = fault(put(tmp_path, text))
    assert expected in message
    assert "found" not in expected or "whole numbers from 0 to 255" in message


def test_a_mistake_in_the_last_of_many_blocks_is_found(tmp_path: Path) -> None:
    text = text_of(table(2000), [str(n % 10) for n in range(2000)])
    assert "line 2001, column pixel783: found '256'" in fault(put(tmp_path, text[: text.rindex(",")] + ",256\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty file"),
        (b"\n\n", "empty file"),
        (b"\xef\xbb\xbf", "empty file"),
        (b"label,p0,p1,p2,p3\n", "holds a header and no rows"),
        (b"label,p0,p1,p2,p3", "holds a header and no rows"),
        (b"label,p0,p1,p2,p3\n\n\n", "holds a header and no rows"),
        (b"7\n8\n", "has 0 pixel columns"),
        (b"label,p0,p1,p2,p3\n\xff\xfe,0,0,0,0\n", "not UTF-8"),
    ],
)
def test_files_without_rows_or_text_are_said(tmp_path: Path, text: bytes, says: str) -> None:
    assert says in fault(put(tmp_path, text))
    assert says in fault(put(tmp_path, text, "a.csv.gz"))


def test_pixels_that_make_no_square_are_said_with_the_nearest(tmp_path: Path) -> None:
    message = fault(put(tmp_path, "1," + ",".join(["0"] * 783) + "\n"))
    assert "783 pixel columns" in message and "784 (28 x 28 x 1)" in message


def test_a_gzip_file_cut_anywhere_is_said(tmp_path: Path) -> None:
    whole = gzip.compress(text_of(table(3, 16), ["0", "1", "2"]).encode())
    path = tmp_path / "a.csv.gz"
    for kept in range(2, len(whole)):
        path.write_bytes(whole[:kept])
        assert "cut short or damaged" in fault(path)


def test_no_file_and_a_folder_are_said(tmp_path: Path) -> None:
    assert "no such file" in fault(tmp_path / "none.csv")
    assert "is a folder" in fault(tmp_path)


def test_a_folder_of_files_is_a_data_set_with_one_class_list(tmp_path: Path) -> None:
    put(tmp_path, text_of(table(3, 16), ["2", "10", "x"]), "fashion-mnist_train.csv")
    put(tmp_path, text_of(table(2, 16), ["10", "2"], header=False), "test.csv.gz")
    put(tmp_path, text_of(table(1, 16), ["x"]), "Val.csv")
    put(tmp_path, "notes", "readme.txt")
    parts = read_csv_pair(tmp_path)
    assert list(parts.splits) == ["train", "validation", "test"]
    assert parts.classes == ("2", "10", "x") == parts.splits["test"].classes
    assert parts.splits["test"].labels.tolist() == [1, 0] and parts.splits["validation"].labels.tolist() == [2]


def test_a_folder_that_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no train\.csv; found no CSV files"):
        read_csv_pair(tmp_path)
    put(tmp_path, text_of(table(2, 16), ["a", "b"]), "train.csv")
    put(tmp_path, text_of(table(2, 16), ["a", "zebra"]), "test.csv")
    with pytest.raises(DataError, match=r"test\.csv: holds the label 'zebra', which .*train\.csv has no image of"):
        read_csv_pair(tmp_path)
    put(tmp_path, text_of(table(2, 9), ["a", "b"]), "test.csv")
    with pytest.raises(DataError, match=r"3 x 3 x 1.*4 x 4 x 1"):
        read_csv_pair(tmp_path)
    put(tmp_path, text_of(table(2, 16), ["a", "b"]), "train.csv.gz")
    with pytest.raises(DataError, match="are both the train split"):
        read_csv_pair(tmp_path)


@pytest.mark.parametrize("header", [False, True])
def test_pictures_without_labels_are_read(tmp_path: Path, header: bool) -> None:
    pixels = table(4, 2 * 3 * 3)
    lines = [",".join(map(str, row)) for row in pixels.tolist()]
    path = put(tmp_path, "\n".join(([",".join(f"p{n}" for n in range(18))] if header else []) + lines))
    np.testing.assert_array_equal(read_unlabelled_csv(path, (2, 3, 3)), pixels.reshape(4, 2, 3, 3))
    with pytest.raises(DataError, match="looks as if it holds labels; use `sightlab test`"):
        read_unlabelled_csv(path, (17, 1, 1))
    with pytest.raises(DataError, match="has 18 columns; 4 x 4 x 1 pictures need 16"):
        read_unlabelled_csv(path, (4, 4, 1))


def test_pixels_can_be_written_to(tmp_path: Path) -> None:
    for number in ("1", "1.0"):  # by the fast road, by the exact road
        pixels, _ = read_pixels(open_sheet(put(tmp_path, f"5,{number},2,3,4\n"), None))
        assert pixels.flags.writeable and pixels.flags.c_contiguous
