"""Pixel values of tables: bytes, fractions, other depths and ranges become bytes on one scale, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.array_classes import ClassWords
from sightlab.data.formats.csv import TableSet, read_tables
from sightlab.data.formats.sheets import sheet_of
from sightlab.data.imageset import Parts, in_memory
from sightlab.data.tables.roles import Wish
from sightlab.errors import DataError
from tests.csv_tables import put, read, read_csv, smooth, table

ROWS = 40
BYTES = table(ROWS, 64)


def put_values(folder: Path, values: Any, form: Callable[[float], str], mark: str = ",", name: str = "a.csv") -> Path:
    rows = [mark.join([str(n % 5), *map(form, row)]) for n, row in enumerate(values.tolist())]
    return put(folder, "\n".join([mark.join(["label", *(f"p{n}" for n in range(64))]), *rows]), name)


def parts_of(path: Path, bit_depth: int | None = None) -> Parts:
    sheet = sheet_of(DataFile.at(path), Wish())
    return read_tables(TableSet({"all": sheet}, ClassWords(str(path)), bit_depth), in_memory)


def fault(path: Path, bit_depth: int | None = None) -> str:
    with pytest.raises(DataError) as caught:
        parts_of(path, bit_depth)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "form", ["{:g}", "{:.1f}", "{:.3e}", "{:03.0f}", "+{:g}", '"{:g}"', " {:g}"], ids=lambda form: form.strip()
)
def test_whole_numbers_are_bytes_however_they_are_written(tmp_path: Path, form: str) -> None:
    parts = parts_of(put_values(tmp_path, BYTES.astype(float), form.format))
    np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), BYTES)
    assert not parts.notes


@pytest.mark.parametrize("digits", [3, 4, 6, 17])
def test_bytes_divided_by_255_are_these_bytes(tmp_path: Path, digits: int) -> None:
    parts = parts_of(put_values(tmp_path, BYTES / 255, f"{{:.{digits}g}}".format))
    np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), BYTES)
    assert not parts.notes or digits < 4


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_numbers_may_have_a_comma_for_a_point(tmp_path: Path, mark: str) -> None:
    path = put_values(tmp_path, BYTES / 255, lambda value: f"{value:.6g}".replace(".", ","), mark)
    np.testing.assert_array_equal(read(path).images.reshape(ROWS, -1), BYTES)


def test_other_fractions_to_one_are_rounded_and_told(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0, 1, (ROWS, 64))
    parts = parts_of(put_values(tmp_path, values, "{:.6f}".format))
    np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), np.rint(values.round(6) * 255))
    assert parts.notes == ("pixel values from 0 to 1 are multiplied by 255 and rounded",)


def test_values_from_minus_one_to_one_are_stretched(tmp_path: Path) -> None:
    values = BYTES / 127.5 - 1
    parts = parts_of(put_values(tmp_path, values, "{:.6f}".format))
    np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), BYTES)
    assert parts.notes == ("pixel values from -1 to 1 are scaled to 0 to 255",)


@pytest.mark.parametrize(("top", "scale"), [(1, 1), (3, 3), (6, 7), (15, 15), (16, 16), (31, 31), (127, 127)])
@pytest.mark.parametrize("form", ["{:.0f}", "{:.1f}"])
def test_fewer_bits_are_stretched_unless_they_are_to_be_kept(tmp_path: Path, top: int, scale: int, form: str) -> None:
    values = BYTES % (top + 1)
    values[0, 0] = top
    path = put_values(tmp_path, values.astype(float), form.format)
    parts = parts_of(path)
    expected = np.floor(values * 255.0 / scale + 0.5)
    found = parts.splits["all"].images.reshape(ROWS, -1)
    assert np.abs(found.astype(float) - expected).max() <= (1 if top == 16 else 0)  # 8 of 16 is 127.5
    assert parts.notes == (
        f"pixel values from 0 to {scale} are scaled to 0 to 255; `bit_depth=8` keeps them as they are",
    )
    kept = parts_of(path, 8)
    np.testing.assert_array_equal(kept.splits["all"].images.reshape(ROWS, -1), values)
    assert not kept.notes


def test_dark_pictures_stay_dark_and_are_told(tmp_path: Path) -> None:
    values = BYTES % 101
    values[0, 0] = 100
    parts = parts_of(put_values(tmp_path, values.astype(float), "{:.0f}".format))
    np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), values)
    assert "end at 100" in parts.notes[0]


def test_a_few_low_values_say_nothing(tmp_path: Path) -> None:
    path = put(tmp_path, "label,p0,p1,p2,p3\na,0,1,2,3\nb,1,1,1,1\n")
    assert read(path).images.ravel().tolist() == [0, 1, 2, 3, 1, 1, 1, 1]
    black = parts_of(put_values(tmp_path, np.zeros((ROWS, 64)), "{:.0f}".format))
    assert not black.splits["all"].images.any() and not black.notes


@pytest.mark.parametrize(("bits", "top"), [(10, 1023), (12, 4095), (16, 65535)])
def test_more_bits_are_scaled_down(tmp_path: Path, bits: int, top: int) -> None:
    values = np.random.default_rng(0).integers(0, top + 1, (ROWS, 64))
    values[0, 0] = top
    path = put_values(tmp_path, values, str)
    for parts in (parts_of(path), parts_of(path, bits)):
        np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), np.rint(values * 255 / top))
        assert f"{bits} bits" in parts.notes[0]


@pytest.mark.parametrize("value", ["256", "300", "4000", "-1", "3.5"])
def test_one_value_out_of_range_is_a_mistake(tmp_path: Path, value: str) -> None:
    path = put_values(tmp_path, BYTES, str)
    lines = path.read_text().split("\n")
    lines[20] = lines[20].rpartition(",")[0] + f",{value}"
    message = fault(put(tmp_path, "\n".join(lines)))
    assert f"line 21, column p63: found '{value}'; pixel values must be whole numbers from 0 to 255" in message


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.random.default_rng(0).normal(0, 1, (ROWS, 64)), "no range that is known"),
        (np.random.default_rng(0).uniform(0, 7.9, (ROWS, 64)), "no range that is known"),
        (np.random.default_rng(0).uniform(0, 1e6, (ROWS, 64)).round(), "no range that is known"),
        (np.random.default_rng(0).uniform(-0.42, 0.9, (ROWS, 64)), "no range that is known"),
    ],
)
def test_values_of_no_known_range_are_refused(tmp_path: Path, values: NDArray[Any], says: str) -> None:
    assert says in fault(put_values(tmp_path, values, "{:.5f}".format))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (BYTES.astype(float), "a pixel value is 255; `bit_depth=4` takes whole numbers from 0 to 15"),
        (BYTES / 255, "column p"),
    ],
)
def test_a_depth_that_does_not_hold_the_values_is_refused(tmp_path: Path, values: NDArray[Any], says: str) -> None:
    assert says in fault(put_values(tmp_path, values, "{:.6g}".format), 4)


@pytest.mark.parametrize("train", ["{:.0f}", "{:.6f}"])
def test_all_splits_have_one_scale(tmp_path: Path, train: str) -> None:
    """Test goes to 7 alone, and train to 15: of 15 in both."""
    values = BYTES % 16
    values[0, 0] = 15
    whole = train == "{:.0f}"
    first = put_values(tmp_path, values / (1 if whole else 15), train.format, name="train.csv")
    second = put_values(tmp_path, (values % 8 if whole else values > 7).astype(float), "{:.0f}".format, name="test.csv")
    sheets = {split: sheet_of(DataFile.at(path), Wish()) for split, path in (("train", first), ("test", second))}
    parts = read_tables(TableSet(sheets, ClassWords("d")), in_memory)
    np.testing.assert_array_equal(parts.splits["train"].images.reshape(ROWS, -1), values * 17)
    expected = values % 8 * 17 if whole else (values > 7) * 255
    np.testing.assert_array_equal(parts.splits["test"].images.reshape(ROWS, -1), expected)


def test_fractions_from_0_to_255_are_rounded(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0, 255, (ROWS, 64))
    parts = read_csv(DataFile.at(put_values(tmp_path, values, "{:.3f}".format)))
    np.testing.assert_array_equal(parts.splits["all"].images.reshape(ROWS, -1), np.rint(values.round(3)))
    assert "rounded" in parts.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "gbk"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_encoding_and_separator(tmp_path: Path, encoding: str, mark: str, end: str) -> None:
    words = ["猫", "狗"] if encoding == "gbk" else ["thé", "café"]
    lines = [mark.join([words[n % 2], *map(str, row)]) for n, row in enumerate(BYTES.tolist())]
    text = end.join([mark.join(["label", *(f"p{n}" for n in range(64))]), *lines])
    path = put(tmp_path, text.encode(encoding))
    found = read(path, encoding=None if encoding in ("utf-8-sig", "utf-16") else encoding)
    np.testing.assert_array_equal(found.images.reshape(ROWS, -1), BYTES)
    assert [found.classes[n] for n in found.labels] == [words[n % 2] for n in range(ROWS)]


def test_another_encoding_is_refused_with_the_word_for_it(tmp_path: Path) -> None:
    path = put(tmp_path, ("label," + ",".join("pqrs") + "\nthé,1,2,3,4\n").encode("latin-1"))
    with pytest.raises(DataError, match="line 2 is not UTF-8 text; save it as UTF-8, or say `encoding=latin-1`"):
        read(path)


@pytest.mark.parametrize(
    "before", ["sep=;\n", "# made by me\n", "\n\n# a; b\n", "#;\n"], ids=["sep", "comment", "blank lines", "short"]
)
def test_lines_before_the_table_are_no_rows(tmp_path: Path, before: str) -> None:
    lines = [";".join([str(n % 5), *map(str, row)]) for n, row in enumerate(BYTES.tolist())]
    heading = ";".join(["label", *(f"p{n}" for n in range(64))])
    for text in (
        before + "\n".join([heading, *lines]),
        before + "\n".join([heading, *lines[:20], "# more", *lines[20:]]),
    ):
        found = read(put(tmp_path, text))
        np.testing.assert_array_equal(found.images.reshape(ROWS, -1), BYTES)


def test_a_heading_as_numpy_writes_it_is_one(tmp_path: Path) -> None:
    rows = np.column_stack([np.arange(ROWS) % 5, BYTES])
    header = ",".join(["label", *(f"p{n}" for n in range(64))])
    np.savetxt(tmp_path / "a.csv", rows, fmt="%d", delimiter=",", header=header)
    found = read(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.images.reshape(ROWS, -1), BYTES)


def test_labels_that_begin_as_comments_do_are_labels(tmp_path: Path) -> None:
    lines = [",".join([("#1", "no")[n % 2], *map(str, row)]) for n, row in enumerate(BYTES.tolist())]
    found = read(put(tmp_path, "\n".join([",".join(["label", *(f"p{n}" for n in range(64))]), *lines])))
    assert found.classes == ("#1", "no") and len(found) == ROWS


def test_arff_has_its_heading_in_lines_of_their_own(tmp_path: Path) -> None:
    lines = [",".join([*map(str, row), str(n % 5)]) for n, row in enumerate(BYTES.tolist())]
    names = [f"@ATTRIBUTE pixel{n} real" for n in range(64)]
    for rows in (lines, [line.replace(",", ", ") for line in lines]):
        text = "\n".join(
            ["% made by me", "@RELATION 'digits'", "", *names, "@attribute class {0,1,2,3,4}", "", "@DATA", *rows]
        )
        found = read(put(tmp_path, text, "digits.arff"))
        np.testing.assert_array_equal(found.images.reshape(ROWS, -1), BYTES)
        assert [found.classes[n] for n in found.labels] == [str(n % 5) for n in range(ROWS)]


def test_usps_and_semeion_as_they_are_handed_out(tmp_path: Path) -> None:
    """Blanks between numbers and after the last one, labels as fractions, or one-hot behind the pixels."""
    pictures, numbers = smooth(ROWS, 16).reshape(ROWS, -1), np.arange(ROWS) * 7 % 10
    rows = [" ".join(f"{v:.4f}" for v in row) for row in (pictures / 127.5 - 1).tolist()]
    found = read(
        put(tmp_path, "".join(f"{n:.4f} {row} \n" for n, row in zip(numbers, rows, strict=True)), "zip.train.gz")
    )
    np.testing.assert_array_equal(found.images.reshape(ROWS, -1), pictures)
    np.testing.assert_array_equal(found.labels, numbers)
    bits = (pictures > 128).astype(int)
    rows = [" ".join(f"{v:.4f}" for v in row) for row in bits.tolist()]
    hot = [" ".join(map(str, row)) for row in np.eye(10, dtype=int)[numbers].tolist()]
    found = read(put(tmp_path, "".join(f"{row} {own} \n" for row, own in zip(rows, hot, strict=True)), "semeion.data"))
    np.testing.assert_array_equal(found.images.reshape(ROWS, -1), bits * 255)
    np.testing.assert_array_equal(found.labels, numbers)


def test_alpha_is_seen_and_laid_on_white(tmp_path: Path) -> None:
    colours = smooth(ROWS, 8, 3)
    alpha = np.full((ROWS, 8, 8, 1), 255, np.uint8)
    alpha[:, 0] = 0
    rows = np.concatenate([colours, alpha], axis=3).reshape(ROWS, -1)
    lines = [",".join(map(str, [n % 5, *row])) for n, row in enumerate(rows.tolist())]
    path = put(tmp_path, "\n".join([",".join(["label", *(f"p{n}" for n in range(256))]), *lines]))
    with pytest.raises(DataError, match="`shape=8x8x4` reads them so, `shape=16x16` as one grey picture"):
        read(path)
    found = read(path, shape=(8, 8, 4))
    assert found.shape == (8, 8, 3)
    np.testing.assert_array_equal(found.images[:, 1:], colours[:, 1:])
    assert (found.images[:, 0] == 255).all()
    np.testing.assert_array_equal(read(path, shape=(16, 16)).images.reshape(ROWS, -1), rows)
