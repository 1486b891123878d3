"""CSV files: tables of every layout become the right images, and every mistake is said by line and column."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sightlab.data.containers.base import DataFile
from sightlab.data.formats import csv_fast
from sightlab.data.formats.sheets import read_raw, sheet_of
from sightlab.data.imageset import natural_key
from sightlab.data.load import load_parts
from sightlab.data.tables.roles import Wish
from sightlab.errors import DataError
from tests.csv_tables import drawn, put, read, read_csv, table, text_of

DATA = Path(os.environ.get("SIGHTLAB_DATA", Path(__file__).parents[2] / "shared" / "data"))


def fault(path: Path, label: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_csv(DataFile.at(path), label)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(path)) and len(text) - len(str(path)) <= 300
    return text


def test_pandas_reads_the_same(tmp_path: Path) -> None:
    path = put(tmp_path, text_of(table(50), [str(n % 10) for n in range(50)]))
    frame, found = pd.read_csv(path), read(path)
    np.testing.assert_array_equal(found.images.reshape(50, -1), frame.drop(columns="label").to_numpy())
    np.testing.assert_array_equal(found.labels, frame["label"])


def test_a_real_set_written_as_csv_is_the_same_set(tmp_path: Path) -> None:
    if not (DATA / "kmnist").is_dir():
        pytest.skip(f"{DATA / 'kmnist'} is not here; set SIGHTLAB_DATA")
    whole = load_parts(DATA / "kmnist").parts.splits["train"]
    images = whole.take(np.arange(0, len(whole), 10))
    frame = pd.DataFrame(images.images.reshape(len(images), -1))
    frame.insert(0, "label", images.labels)
    frame.to_csv(tmp_path / "a.csv", index=False)  # a header of numbers: label,0,1,...
    found = read(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.images, images.images)
    np.testing.assert_array_equal(found.labels, images.labels)
    assert found.classes == images.classes and found.numbered


def test_fashion_without_a_header_is_read_wherever_its_label_is(tmp_path: Path) -> None:
    images = load_parts("fashion-mini").parts.splits["train"].take(np.arange(0, 10_000, 25))
    pixels = images.images.reshape(len(images), -1)
    for name, columns in (("first", (images.labels, pixels)), ("last", (pixels, images.labels))):
        np.savetxt(tmp_path / f"{name}.csv", np.column_stack(columns), fmt="%d", delimiter=",")
        found = read(tmp_path / f"{name}.csv")
        np.testing.assert_array_equal(found.images, images.images)
        np.testing.assert_array_equal(found.labels, images.labels)


def test_colour_pixels_have_their_channels_last(tmp_path: Path) -> None:
    found = read(put(tmp_path, "label,r0,g0,b0,r1,g1,b1,r2,g2,b2,r3,g3,b3\nx,1,2,3,4,5,6,7,8,9,10,11,12\n"))
    assert found.images.tolist() == [[[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]]


@pytest.mark.parametrize(
    ("labels", "classes", "numbered"),
    [
        (["0", "1", "2"], ("0", "1", "2"), True),
        (["2", "10", "1"], ("1", "2", "10"), False),
        (["1", "2", "3"], ("1", "2", "3"), False),
        (["0.0", "01", "2"], ("0", "1", "2"), True),
        (["3.0", "3", "4"], ("3", "4"), False),
        (["300", "7", "-1"], ("7", "300", "-1"), False),
        ([" dog", "cat ", "dog"], ("cat", "dog"), False),
        (['"a,b"', '"say ""x"""', "c"], ("a,b", "c", 'say "x"'), False),
        (["café", "cafe\u0301", "thé"], ("café", "thé"), False),
        (["red\u00a0fox", "red fox", "dog"], ("dog", "red fox"), False),
    ],
)
def test_labels_become_classes_in_natural_order(
    tmp_path: Path, labels: list[str], classes: tuple[str, ...], numbered: bool
) -> None:
    found = read(put(tmp_path, text_of(table(3, 4), labels)))
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
    label = None if re.match("label|class", first_row) else "0"
    found = read(put(tmp_path, first_row + "\n" + "3," + ",".join(["9"] * 784) + "\n"), label)
    assert len(found) == (1 if is_header else 2)


def test_a_row_of_pixels_that_pandas_took_for_names_is_left_aside(tmp_path: Path) -> None:
    pixels, labels = drawn(40), [str(n % 10) for n in range(40)]
    put(tmp_path, text_of(pixels, labels, header=False), "raw.csv")
    pd.read_csv(tmp_path / "raw.csv").to_csv(tmp_path / "again.csv", index=False)
    found = read(tmp_path / "again.csv")
    np.testing.assert_array_equal(found.images.reshape(39, -1), pixels[1:])
    assert [found.classes[n] for n in found.labels] == labels[1:]


def test_the_label_column_is_found_by_name_or_number(tmp_path: Path) -> None:
    path = put(tmp_path, "p0,p1,Species,p2,p3\n1,2,fox,3,4\n")
    for label in ("Species", "species", "2"):
        assert read(path, label).classes == ("fox",)
    assert "did you mean Species?" in fault(path, "specis")
    assert "known: " in fault(path, "zzz")
    assert "numbers 0 to 4" in fault(path, "5")
    assert "give the column's number" in fault(put(tmp_path, "1,2,3,4,5\n" * 3), "species")
    many = put(tmp_path, text_of(table(1), ["1"]))
    assert len(fault(many, "zzz")) < 250


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (2, "label,p0,p1,p2,p3\n1,0,0,0,0\n2,0,0,0\n3,0,0,0,0\n|line 3 has 4 fields, line 1 has 5"),
        (4, "label,p0,p1,p2,p3\n1,0,x,0,0\n|line 2, column p1: found 'x'"),
        (5, "label,p0,p1,p2,p3\n1,0,0,0,0\n1,0,0,0,256\n|line 3, column p3: found '256'"),
        (6, "label,p0,p1,p2,p3\n1,-1,0,0,0\n|line 2, column p0: found '-1'"),
        (7, "label,p0,p1,p2,p3\n1,0,0,3.5,0\n|line 2, column p2: found '3.5'"),
        (8, "label,p0,p1,p2,p3\n1,0,0,0,0\n1,0,nan,0,0\n|line 3, column p1: found 'nan'"),
        (9, "label,p0,p1,p2,p3\n1,0,,0,0\n|line 2, column p1: found nothing"),
        (10, "label,p0,p1,p2,p3\n1,0,0,0,0\n\n ,0,0,0,0\n|line 4, column label: the label is missing"),
        (11, "p0,p1,p2,p3,label\n0,0,0,0,\n|line 2, column label: the label is missing"),
        (12, "label,p0,p1,p2,p3\ncat,0,0,0,0\ndog,0,0,1e3,0\n|line 3, column p2: found '1e3'"),
        (13, "label,p0,p1,p2,p3\n1,0,0,0,1_0\n|line 2, column p3: found '1_0'"),
        (14, 'label,p0,p1,p2,p3\n"a\nb",0,0,0,0\n1,0,0,0,q\n|line 4, column p3'),
        (15, "label,p0,p1,p2,p3\n1,0,0,0,inf\n|line 2, column p3: found 'inf'"),
    ],
)
def test_a_mistake_is_said_by_line_and_column(tmp_path: Path, row: int, says: str) -> None:
    text, _, expected = says.partition("|")
    message = fault(put(tmp_path, text))
    assert expected in message
    assert "found" not in expected or "whole numbers from 0 to 255" in message


def test_a_ragged_row_without_a_header_is_said(tmp_path: Path) -> None:
    assert "line 2 has 6 fields, line 1 has 5" in fault(put(tmp_path, "1,0,0,0,0\n2,0,0,0,0,9\n3,1,1,1,1\n"), "0")
    assert "line 1, column 3 (from 0): found '3.5'" in fault(put(tmp_path, "1,0,0,3.5,0\n"), "0")


def test_a_mistake_in_the_last_of_many_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_fast, "BLOCK_BYTES", 1 << 14)
    text = text_of(table(200), [str(n % 10) for n in range(200)])
    assert "line 201, column pixel783: found '256'" in fault(put(tmp_path, text[: text.rindex(",")] + ",256\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty file"),
        (b"\n\n", "empty file"),
        (b"\xef\xbb\xbf", "empty file"),
        (b"label,p0,p1,p2,p3\n", "holds a header and no rows"),
        (b"label,p0,p1,p2,p3", "holds a header and no rows"),
        (b"label,p0,p1,p2,p3\n\n\n", "holds a header and no rows"),
        (b"7\n8\n", "holds 1 column"),
        (b"label,p0,p1,p2,p3\n\xff\xfe,0,0,0,0\n", "line 2 is not UTF-8"),
    ],
)
def test_files_without_rows_or_text_are_said(tmp_path: Path, text: bytes, says: str) -> None:
    assert says in fault(put(tmp_path, text))
    assert says in fault(put(tmp_path, text, "a.csv.gz"))


def test_text_that_stops_being_utf8_far_below_is_said_by_its_line(tmp_path: Path) -> None:
    text = text_of(table(400), ["cat"] * 400).encode()
    assert len(text) > 1 << 19
    path = put(tmp_path, text[:-8] + "é".encode("latin-1") + text[-7:])
    assert "is not UTF-8 text in line 401" in fault(path) and "`encoding=latin-1`" in fault(path)


def test_pixels_that_make_no_square_are_said_with_the_nearest(tmp_path: Path) -> None:
    message = fault(put(tmp_path, text_of(table(3, 783), ["1", "2", "3"])))
    assert "783 pixel columns beside `label`" in message
    assert "784 would be 28 x 28" in message and "`shape=HxW`" in message


@pytest.mark.parametrize(
    ("shape", "size"), [((14, 56), (14, 56, 1)), ((2, 49, 8), (2, 49, 8)), ((1, 14, 56), (14, 56, 1))]
)
def test_a_shape_folds_the_pixels(tmp_path: Path, shape: tuple[int, ...], size: tuple[int, int, int]) -> None:
    pixels = table(3)
    found = read(put(tmp_path, text_of(pixels, ["a", "b", "c"])), shape=shape)
    assert found.shape == size
    np.testing.assert_array_equal(found.images.reshape(3, -1), pixels)


def test_a_shape_that_does_not_fit_is_said(tmp_path: Path) -> None:
    path = put(tmp_path, text_of(table(3), ["a", "b", "c"]))
    with pytest.raises(DataError, match="784 pixel columns beside `label`; 28 x 27 pictures need 756"):
        read(path, shape=(28, 27))


def test_a_gzip_file_cut_anywhere_is_said(tmp_path: Path) -> None:
    whole = gzip.compress(text_of(table(3, 16), ["0", "1", "2"]).encode())
    path = tmp_path / "a.csv.gz"
    for kept in range(2, len(whole)):
        path.write_bytes(whole[:kept])
        assert "cut short or damaged" in fault(path)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        DataFile.at(tmp_path / "none.csv")


def test_pixels_can_be_written_to(tmp_path: Path) -> None:
    for number in ("1", "1.0"):  # by the fast road, by the exact road
        sheet = sheet_of(DataFile.at(put(tmp_path, f"5,{number},2,3,4\n")), Wish(label="0"))
        pixels = read_raw(sheet, lambda count: np.empty((count, 4), np.uint8)).pixels
        assert pixels is not None and pixels.flags.writeable and pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("5" * 5000, "5,000 characters"),
        ("x" * 10_000, "10,000 characters"),
        ("a\x07\x1b[31mb", "control characters"),
        ('"a\rb"', "control characters"),
    ],
)
def test_labels_that_cannot_be_shown_are_refused(tmp_path: Path, label: str, says: str) -> None:
    message = fault(put(tmp_path, text_of(table(3, 16), ["1", label, "2"])))
    assert says in message and message.isprintable()


def test_a_first_row_with_a_number_of_5000_digits_is_refused(tmp_path: Path) -> None:
    message = fault(put(tmp_path, "1" * 5000 + ",0,0,0,0\n" + "1,0,0,0,0\n" * 3), "0")
    assert "5,000 characters" in message


def test_one_line_of_many_megabytes_is_no_table(tmp_path: Path) -> None:
    path = put(tmp_path, "1," * (10 << 20))
    assert "empty file" in fault(path) or "holds" in fault(path)
