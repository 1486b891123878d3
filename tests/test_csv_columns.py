"""Which column of a table is the label, an id, the split, or a pixel: by names, by values, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.imageset import ImageSet
from sightlab.errors import DataError
from tests.csv_tables import drawn, put, read, read_csv, smooth, table, text_of

ROWS = 60
DIGITS = [str(n * 7 % 10) for n in range(ROWS)]


def columns_text(header: list[str], columns: list[Any], mark: str = ",") -> str:
    """A table of these columns: each a list of cells, or pixels uint8 [N, P]."""
    parts = [c.tolist() if isinstance(c, np.ndarray) else [[cell] for cell in c] for c in columns]
    rows = [[str(cell) for part in row for cell in part] for row in zip(*parts, strict=True)]
    return "".join(mark.join(row) + "\n" for row in ([header] if header else []) + rows)


def check(found: ImageSet, pixels: NDArray[np.uint8], labels: list[str]) -> None:
    np.testing.assert_array_equal(found.images.reshape(len(pixels), -1), pixels)
    assert [found.classes[n] for n in found.labels] == labels


def fault(path: Path, **how: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_csv(DataFile.at(path), **how)
    text = str(caught.value)
    assert "\n" not in text and len(text) - len(str(path)) <= 300
    return text


NAMES = [f"pixel{n}" for n in range(64)]


@pytest.mark.parametrize(
    "name",
    [
        "label",
        "Label",
        "CLASS",
        "class_id",
        "target",
        "y",
        "Category",
        "species",
        "digit",
        "emotion",
        "character",
        "dx",
    ],
)
@pytest.mark.parametrize("at", [0, 30, 64])
def test_a_label_is_known_by_its_name(tmp_path: Path, name: str, at: int) -> None:
    pixels = table(ROWS, 64)
    check(read(put(tmp_path, text_of(pixels, DIGITS, at=at, label=name))), pixels, DIGITS)


@pytest.mark.parametrize("at", [0, 64])
@pytest.mark.parametrize("label", ["what", "7th", "Größe"])
def test_a_label_is_known_as_the_one_column_that_is_no_pixel(tmp_path: Path, at: int, label: str) -> None:
    pixels = table(ROWS, 64)
    check(read(put(tmp_path, text_of(pixels, DIGITS, at=at, label=label))), pixels, DIGITS)


@pytest.mark.parametrize("at", [0, 64])
@pytest.mark.parametrize("header", [False, True])
def test_words_among_numbers_are_the_label(tmp_path: Path, at: int, header: bool) -> None:
    pixels, words = table(ROWS, 64), [("cat", "dog", "fox")[n % 3] for n in range(ROWS)]
    check(read(put(tmp_path, text_of(pixels, words, header=header, at=at, label="animal"))), pixels, words)


@pytest.mark.parametrize("at", [0, 64])
@pytest.mark.parametrize("header", [[], [str(n) for n in range(65)], [f"V{n}" for n in range(1, 66)]])
def test_a_label_at_an_end_is_told_by_its_values(tmp_path: Path, at: int, header: list[str]) -> None:
    for pixels in (drawn(ROWS), smooth(ROWS).reshape(ROWS, -1)):
        columns = [DIGITS, pixels] if at == 0 else [pixels, DIGITS]
        check(read(put(tmp_path, columns_text(header, columns))), pixels, DIGITS)


def test_a_label_counted_from_one_beside_quantized_grey_is_told(tmp_path: Path) -> None:
    pixels = smooth(ROWS) // 32 * 32
    labels = [str(n % 4 + 1) for n in range(ROWS)]
    check(read(put(tmp_path, columns_text([], [pixels.reshape(ROWS, -1), labels]))), pixels.reshape(ROWS, -1), labels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.random.default_rng(0).integers(0, 2, (ROWS, 64)).astype(np.uint8),
        np.random.default_rng(0).integers(0, 10, (ROWS, 64)).astype(np.uint8),
        table(ROWS, 64),
    ],
    ids=["bits", "digits", "noise"],
)
@pytest.mark.parametrize("labels", [DIGITS, [str(n % 2) for n in range(ROWS)], [str(5 * (n % 3)) for n in range(ROWS)]])
@pytest.mark.parametrize("at", [0, 64])
def test_ends_that_could_both_be_the_label_are_refused_by_number(
    tmp_path: Path, pixels: NDArray[np.uint8], labels: list[str], at: int
) -> None:
    path = put(tmp_path, columns_text([], [labels, pixels] if at == 0 else [pixels, labels]))
    assert "`label=0` or `label=64`" in fault(path)
    top = {1: 1, 9: 15}.get(int(pixels.max()), 255)
    check(read(path, label=str(at)), np.rint(pixels / top * 255).astype(np.uint8), labels)


def test_too_few_rows_do_not_tell_which_end_is_the_label(tmp_path: Path) -> None:
    path = put(tmp_path, columns_text([], [["1", "2", "3"], drawn(3)]))
    assert "`label=0` or `label=64`" in fault(path)
    assert len(read(path, label="0")) == 3


def test_labels_sorted_over_a_long_file_are_told(tmp_path: Path) -> None:
    pixels = drawn(1500, 8)
    labels = [str(n // 250) for n in range(1500)]
    check(read(put(tmp_path, columns_text([], [labels, pixels]))), pixels, labels)
    check(read(put(tmp_path, columns_text([], [labels, pixels]), "a.csv.gz")), pixels, labels)


def test_what_all_rows_say_counts_more_than_what_the_first_ones_do(tmp_path: Path) -> None:
    """The last pixel is black in every row that is looked at first, and as good as a label in the others."""
    generator = np.random.default_rng(0)
    pixels = drawn(9000, 8)
    pixels[:, -1] = generator.integers(0, 5, 9000) * (np.arange(9000) % 100 > 60)
    pixels[:, -2] = 0
    path = put(tmp_path, columns_text([], [[str(n * 7 % 10) for n in range(9000)], pixels]))
    assert "`label=0` or `label=64`" in fault(path)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "id", "index", "ImageId"])
@pytest.mark.parametrize("start", [0, 1, 9000])
def test_an_index_is_left_out(tmp_path: Path, name: str, start: int) -> None:
    pixels = table(ROWS, 64)
    path = put(tmp_path, columns_text([name, "label", *NAMES], [range(start, start + ROWS), DIGITS, pixels]))
    check(read(path), pixels, DIGITS)


@pytest.mark.parametrize("at", ["first", "last"])
def test_an_index_without_a_name_is_told_from_a_label(tmp_path: Path, at: str) -> None:
    pixels, index = drawn(ROWS), range(ROWS)
    columns = [index, DIGITS, pixels] if at == "first" else [pixels, DIGITS, index]
    check(read(put(tmp_path, columns_text([], columns))), pixels, DIGITS)


def test_an_index_alone_is_no_label(tmp_path: Path) -> None:
    path = put(tmp_path, columns_text([], [range(ROWS), drawn(ROWS)]))
    assert "has no labels" in fault(path)


@pytest.mark.parametrize("header", [["label", *NAMES, ""], ["label", *NAMES]])
def test_a_comma_at_the_end_of_each_row_is_no_column(tmp_path: Path, header: list[str]) -> None:
    pixels = table(ROWS, 64)
    check(read(put(tmp_path, columns_text(header, [DIGITS, pixels, [""] * ROWS]))), pixels, DIGITS)


def test_row_names_without_a_heading_as_r_writes_them_are_left_out(tmp_path: Path) -> None:
    pixels = table(ROWS, 64)
    quoted = [f'"{n}"' for n in range(1, ROWS + 1)]
    text = columns_text([f'"{n}"' for n in ["label", *NAMES]], [quoted, DIGITS, pixels], " ")
    check(read(put(tmp_path, text, "a.txt")), pixels, DIGITS)


def test_rows_wider_than_the_heading_are_a_mistake(tmp_path: Path) -> None:
    path = put(tmp_path, columns_text(["label", *NAMES], [DIGITS, table(ROWS, 64), [7] * ROWS]))
    assert "line 2 has 66 fields, line 1 has 65" in fault(path)


def test_columns_that_are_not_used_are_left_out(tmp_path: Path) -> None:
    pixels = table(ROWS, 64)
    ages = [str(20 + n % 30) for n in range(ROWS)]
    check(read(put(tmp_path, columns_text(["age", "label", *NAMES], [ages, DIGITS, pixels]))), pixels, DIGITS)


def test_two_columns_that_could_be_the_label_are_named(tmp_path: Path) -> None:
    pixels, other = table(ROWS, 64), [str(n % 4) for n in range(ROWS)]
    path = put(tmp_path, columns_text(["a", "b", *NAMES], [DIGITS, other, pixels]))
    assert "`a` and `b` could both be the label; say which, as in `label=a`" in fault(path)
    check(read(path, label="b"), pixels, other)
    path = put(tmp_path, columns_text(["label", "class", *NAMES], [DIGITS, other, pixels]))
    assert "`label` and `class` could both be the label" in fault(path)


def test_of_a_number_and_a_name_for_the_same_class_the_name_is_taken(tmp_path: Path) -> None:
    pixels, words = table(ROWS, 64), [f"class {n}" for n in DIGITS]
    check(read(put(tmp_path, columns_text(["label", "class_name", *NAMES], [DIGITS, words, pixels]))), pixels, words)


@pytest.mark.parametrize("front", [False, True])
@pytest.mark.parametrize("named", ["", "label_", "cat dog"])
def test_one_hot_labels_are_read(tmp_path: Path, front: bool, named: str) -> None:
    pixels = drawn(ROWS)
    classes = 2 if named == "cat dog" else 10
    numbers = [n * 7 % classes for n in range(ROWS)]
    hot = np.eye(classes, dtype=np.uint8)[numbers]
    own = named.split() if classes == 2 else [f"{named}{n}" for n in range(classes)]
    header = ([*own, *NAMES] if front else [*NAMES, *own]) if named else []
    found = read(put(tmp_path, columns_text(header, [hot, pixels] if front else [pixels, hot])))
    check(found, pixels, [named.split()[n] if classes == 2 else str(n) for n in numbers])


def test_a_row_that_is_not_one_hot_is_a_mistake(tmp_path: Path) -> None:
    hot = np.eye(10, dtype=np.uint8)[np.arange(400) % 10]
    hot[300, 3] = hot[300, 4] = 1
    assert "is multi-label: picture 300 (from 0)" in fault(put(tmp_path, columns_text([], [drawn(400, 16), hot])))


@pytest.mark.parametrize("name", ["Usage", "split", "set", "what"])
def test_a_column_divides_the_table(tmp_path: Path, name: str) -> None:
    pixels, words = table(ROWS, 64), [("Training", "PublicTest", "PrivateTest")[n % 3] for n in range(ROWS)]
    parts = read_csv(DataFile.at(put(tmp_path, columns_text(["label", *NAMES, name], [DIGITS, pixels, words]))))
    for place, split in enumerate(("train", "validation", "test")):
        check(parts.splits[split], pixels[place::3], DIGITS[place::3])


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("1", "0")])
def test_a_column_of_yes_and_no_divides_the_table(tmp_path: Path, yes: str, no: str) -> None:
    pixels, flags = table(ROWS, 64), [yes if n % 4 == 0 else no for n in range(ROWS)]
    parts = read_csv(DataFile.at(put(tmp_path, columns_text(["label", *NAMES, "is_valid"], [DIGITS, pixels, flags]))))
    assert {split: len(own) for split, own in parts.splits.items()} == {"train": 45, "validation": 15}
    check(parts.splits["validation"], pixels[::4], DIGITS[::4])


def test_a_value_that_is_no_split_far_below_is_a_mistake(tmp_path: Path) -> None:
    words = ["train", "test"] * 399 + ["elsewhere"] * 2
    path = put(tmp_path, columns_text(["label", *NAMES, "split"], [["1", "2"] * 400, table(800, 64), words]))
    assert "`split` says" in fault(path) and "elsewhere" in fault(path)


@pytest.mark.parametrize("form", ["{}", '"{}"', "[{}]", '"[{}]"'])
@pytest.mark.parametrize("names", [("emotion", "pixels"), ("pixels", "emotion"), ("emotion", " pixels"), ()])
def test_all_pixels_in_one_column(tmp_path: Path, form: str, names: tuple[str, ...]) -> None:
    pixels = table(ROWS, 48 * 48)
    cells = [form.format(" ".join(map(str, row))) for row in pixels]
    label_first = not names or names[0] == "emotion"
    text = columns_text(list(names), [DIGITS, cells] if label_first else [cells, DIGITS])
    check(read(put(tmp_path, text)), pixels, DIGITS)


def test_pixels_in_one_column_as_lists_with_commas(tmp_path: Path) -> None:
    pixels = table(ROWS, 64)
    for name, grid in (("flat.csv", pixels.tolist()), ("nested.csv", pixels.reshape(ROWS, 4, 16).tolist())):
        found = read(put(tmp_path, columns_text(["image", "label"], [[f'"{row}"' for row in grid], DIGITS]), name))
        check(found, pixels, DIGITS)
        assert found.shape == ((8, 8, 1) if name == "flat.csv" else (4, 16, 1))


def test_pixels_that_were_cut_when_they_were_saved_are_refused(tmp_path: Path) -> None:
    cells = ["[0 0 0 ... 255 0 0]"] * 20
    path = put(tmp_path, columns_text(["label", "pixels"], [DIGITS[:20], cells]))
    assert "`pixels` was cut to `...` when it was saved" in fault(path)


def test_a_picture_with_fewer_numbers_is_said_by_its_line(tmp_path: Path) -> None:
    cells = [" ".join("7" * (16 if n < 15 else 15)) for n in range(20)]
    path = put(tmp_path, columns_text(["label", "pixels"], [DIGITS[:20], cells]))
    assert "line 17, column pixels: holds 15 numbers; a picture has 16" in fault(path)


@pytest.mark.parametrize(
    ("names", "shape", "turn"),
    [
        ([f"{r}x{c}" for r in range(1, 5) for c in range(1, 17)], (4, 16, 1), None),
        ([f"r{r}c{c}" for c in range(16) for r in range(4)], (4, 16, 1), (1, 0)),
        ([f"pixel_{r}_{c}" for r in range(4) for c in range(16)], (4, 16, 1), None),
        (sorted(f"pixel{n}" for n in range(64)), (8, 8, 1), "names"),
    ],
    ids=["1x1", "columns first", "pixel_r_c", "sorted as text"],
)
def test_names_tell_the_shape_and_the_order(tmp_path: Path, names: list[str], shape: Any, turn: Any) -> None:
    pixels = table(ROWS, 64)
    if turn == "names":
        written = pixels[:, [int(name[5:]) for name in names]]
    else:
        written = pixels.reshape(ROWS, 4, 16).transpose(0, 2, 1).reshape(ROWS, -1) if turn else pixels
    found = read(put(tmp_path, columns_text(["label", *names], [DIGITS, written])))
    assert found.shape == shape
    check(found, pixels, DIGITS)


def test_numbers_for_names_in_the_order_of_text_are_minded_with_a_label_among_them(tmp_path: Path) -> None:
    pixels = table(ROWS, 64)
    names = sorted(map(str, range(65)))
    rows = np.column_stack([np.array(DIGITS, np.uint8), pixels])
    path = put(tmp_path, columns_text(names, [rows[:, [int(name) for name in names]]]))
    check(read(path, label="0"), pixels, DIGITS)


@pytest.mark.parametrize("names", ["{c}{n}", "pixel{n}_{c}", "{n}{c}"])
@pytest.mark.parametrize("planes", [False, True])
def test_names_tell_the_channels(tmp_path: Path, names: str, planes: bool) -> None:
    pixels = smooth(ROWS, 6, 3).reshape(ROWS, -1)
    places = [(n, c) for c in range(3) for n in range(36)] if planes else [(n, c) for n in range(36) for c in range(3)]
    header = [names.format(n=n, c="rgb"[c]) for n, c in places]
    written = pixels[:, [n * 3 + c for n, c in places]]
    found = read(put(tmp_path, columns_text(["label", *header], [DIGITS, written])))
    assert found.shape == (6, 6, 3)
    check(found, pixels, DIGITS)


def test_planes_that_no_name_tells_are_refused_and_read_by_shape(tmp_path: Path) -> None:
    pictures = smooth(ROWS, 16, 3)
    planes = pictures.transpose(0, 3, 1, 2).reshape(ROWS, -1)
    path = put(tmp_path, columns_text(["label", *(f"p{n}" for n in range(768))], [DIGITS, planes]))
    message = fault(path)
    assert "`shape=3x16x16`" in message and "`shape=16x16x3`" in message
    check(read(path, shape=(3, 16, 16)), pictures.reshape(ROWS, -1), DIGITS)
    check(read(path, shape=(16, 16, 3)), planes, DIGITS)
    path = put(tmp_path, columns_text(["label", *(f"p{n}" for n in range(768))], [DIGITS, pictures.reshape(ROWS, -1)]))
    check(read(path), pictures.reshape(ROWS, -1), DIGITS)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["a", "b", "c", "d", "label"], [[1, 2, 3, 4]] * 20),
        ([], [[0, 0.5, 0.5, 0.25, 0.25]] * 20),
        (["x1", "y1", "x2", "y2", "class"], [[10, 20, 30, 40, 1]] * 20),
        ([], [["T", *range(16)]] * 20),
        (["name", "age"], [["a", 3]] * 20),
    ],
    ids=["measurements", "boxes of YOLO", "boxes", "letter features", "people"],
)
def test_a_few_measurements_are_no_pixels(tmp_path: Path, header: list[str], columns: Any) -> None:
    rows = [row[: len(header) or None] + ([] if len(row) >= len(header) else ["x"]) for row in columns]
    text = "".join(",".join(map(str, row)) + "\n" for row in ([header] if header else []) + rows)
    assert "neither a row of pixels a picture" in fault(put(tmp_path, text))


def test_many_measurements_with_names_of_their_own_are_a_doubt(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    path = put(tmp_path, columns_text(["label", *words], [DIGITS, table(ROWS, 64)]))
    message = fault(path)
    assert "(`aa`, `ab`, ...) as measurements have; `shape=8x8` reads them as pixels" in message
    assert len(read(path, shape=(8, 8))) == ROWS


@pytest.mark.parametrize("header", [[], [f"feature_{n}" for n in range(64)]])
def test_numbers_that_no_pixels_have_are_said(tmp_path: Path, header: list[str]) -> None:
    values = np.random.default_rng(0).normal(0, 2, (ROWS, 64)).round(4)
    words = [("cat", "dog")[n % 2] for n in range(ROWS)]
    path = put(tmp_path, columns_text([*header, "class"] if header else [], [values, words]))
    assert "its 64 columns of numbers run from -" in fault(path)


def test_a_table_that_is_no_square_says_what_is_left_over(tmp_path: Path) -> None:
    path = put(tmp_path, columns_text(["id", "label", *NAMES[:63]], [range(ROWS), DIGITS, table(ROWS, 63)]))
    message = fault(path)
    assert "63 pixel columns beside `label`, `id`" in message and "64 would be 8 x 8" in message


def test_a_table_that_is_two_things_at_once_is_refused(tmp_path: Path) -> None:
    """676 is 26 x 26, and 15 x 15 x 3 and a label."""
    path = put(tmp_path, columns_text([], [smooth(ROWS, 26).reshape(ROWS, -1)]))
    message = fault(path)
    assert "26 x 26" in message and "15 x 15 x 3" in message and "`shape=26x26x1`" in message


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([str(n) for n in range(ROWS)], "another value in each of 60 rows"),
        ([f"{n / 7:.4f}" for n in range(ROWS)], "measurements, not classes"),
        ([*DIGITS[:-1], "nan"], "some labels are missing"),
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path: Path, labels: list[str], says: str) -> None:
    assert says in fault(put(tmp_path, text_of(table(ROWS, 64), labels)))
