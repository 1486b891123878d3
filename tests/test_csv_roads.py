"""CSV files' two roads, the fast and the exact: what one reads the other reads alike, or the fast one declines."""

from __future__ import annotations

import csv as standard_csv
import io
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.data.class_names import composed
from sightlab.data.containers.base import DataFile
from sightlab.data.formats import csv_fast
from sightlab.data.formats.csv_exact import blocks
from sightlab.data.formats.csv_fast import Fast, Labels, read_table
from sightlab.data.formats.label_values import label_text
from sightlab.data.formats.sheets import Sheet, layout_of, sheet_of
from sightlab.data.imageset import natural_key
from sightlab.data.tables.roles import Wish
from sightlab.errors import DataError
from tests.csv_tables import put, read, table, text_of


def sheet_at(path: Path, label: str | None = None, **wish: Any) -> Sheet:
    return sheet_of(DataFile.at(path), Wish(label=label, **wish))


def fast_road(sheet: Sheet) -> Fast | None:
    layout = layout_of(sheet)
    return read_table(layout, lambda count: np.empty((count, sheet.values), np.uint8)) if layout else None


def exact_road(sheet: Sheet) -> tuple[NDArray[Any], list[list[str]]]:
    """The values of a table, [N, P], and the cells of each used field."""
    found = list(blocks(sheet.grid, sheet.columns, sheet.used))
    values = np.concatenate([block.values for block in found])
    return values, [[cell for block in found for cell in block.words[n]] for n in range(len(sheet.used))]


def texts(pieces: list[list[Labels]], column: int = 0) -> list[str]:
    return [str(n) for piece in pieces if piece for n in piece[column]]


@dataclass(frozen=True)
class Dialect:
    """How a table is written out."""

    end: str
    last_end: str
    bom: bool
    header: bool
    quoting: int
    space: str
    number: str
    packed: bool
    at: int


dialects = st.builds(
    Dialect,
    end=st.sampled_from(["\n", "\r\n"]),
    last_end=st.sampled_from(["", "\n", "\r\n", "\n\n\n", "\r\n\r\n", "\n  \n"]),
    bom=st.booleans(),
    header=st.booleans(),
    quoting=st.sampled_from([standard_csv.QUOTE_MINIMAL] * 4 + [standard_csv.QUOTE_ALL, standard_csv.QUOTE_NONNUMERIC]),
    space=st.sampled_from(["", "", "", " "]),
    number=st.sampled_from(["{:d}", "{:d}", "{:d}", "{:03d}", "{:04d}", "{:.1f}"]),
    packed=st.booleans(),
    at=st.integers(0, 16),
)
words = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zs", "Zl", "Zp"]), min_size=1, max_size=8
).filter(lambda t: t.strip() == t and t.casefold() != "label" and not re.sub("[-+.]", "", t).isdigit())
labels_lists = st.one_of(
    st.lists(st.integers(0, 12).map(str), min_size=1, max_size=9),
    st.lists(st.integers(0, 1200).map(str), min_size=1, max_size=9),
    st.lists(words, min_size=1, max_size=9),
)


def render(pixels: NDArray[np.uint8], labels: list[str], dialect: Dialect) -> bytes:
    out = io.StringIO()
    writer = standard_csv.writer(out, quoting=dialect.quoting, lineterminator=dialect.end)
    if dialect.header:
        names = [f"p{n}" for n in range(pixels.shape[1])]
        names.insert(dialect.at, "Label")
        writer.writerow(names)
    for row, label in zip(pixels.tolist(), labels, strict=True):
        # with QUOTE_NONNUMERIC only text is quoted, so plain numbers must be numbers here
        plain = dialect.quoting == standard_csv.QUOTE_NONNUMERIC
        cells: list[object] = [n if plain else dialect.space + dialect.number.format(n) for n in row]
        cells.insert(dialect.at, label)
        writer.writerow(cells)
    text = out.getvalue().removesuffix(dialect.end) + dialect.last_end
    return (b"\xef\xbb\xbf" if dialect.bom else b"") + text.encode()


@given(labels=labels_lists, dialect=dialects, seed=st.integers(0, 9))
def test_every_dialect_gives_the_table_and_both_roads_agree(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], dialect: Dialect, seed: int
) -> None:
    pixels = table(len(labels), 16, seed)
    path = put(
        tmp_path_factory.getbasetemp(), render(pixels, labels, dialect), "d.csv.gz" if dialect.packed else "d.csv"
    )
    found = read(path, None if dialect.header else str(dialect.at))
    np.testing.assert_array_equal(found.images.reshape(-1, 16), pixels)
    assert [found.classes[n] for n in found.labels] == [label_text(composed(text)) for text in labels]
    assert list(found.classes) == sorted({label_text(composed(text)) for text in labels}, key=natural_key)
    sheet = sheet_at(path, None if dialect.header else str(dialect.at))
    exact, cells = exact_road(sheet)
    np.testing.assert_array_equal(exact, pixels)
    assert cells == [labels]
    fast = fast_road(sheet)
    if fast is not None:
        np.testing.assert_array_equal(fast.pixels, pixels)
        assert [label_text(text) for text in texts(fast.pieces)] == [label_text(text) for text in labels]


fine = ["0", "9", "10", "99", "199", "255", "0255", "00000007", "12.0", '"5"', "+5"]
wrong = ["256", "259", "300", "999", "0256", "1012", "2560", "", " ", "-1", "3.5", "a", "1,2", "1\n2", "\r", "1_0", "٣"]
field = st.sampled_from(fine * 4 + wrong)


@given(rows=st.lists(st.lists(field, min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_fast_road_takes_nothing_that_the_exact_road_refuses(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    text = "label,a,b,c,d\n" + "\n".join(",".join(row) for row in rows)
    path = put(tmp_path_factory.getbasetemp(), text, "refuse.csv")
    try:
        sheet = sheet_at(path)
    except DataError as error:
        assert "\n" not in str(error)
        return
    fast = fast_road(sheet)
    try:
        exact, cells = exact_road(sheet)
    except DataError as error:
        assert "\n" not in str(error)
        assert fast is None, text
    else:
        if fast is not None:
            np.testing.assert_array_equal(fast.pixels, exact)
            assert [label_text(one) for one in texts(fast.pieces)] == [label_text(one) for one in cells[0]]


def test_every_number_is_parsed_or_refused_by_the_fast_road(tmp_path: Path) -> None:
    ends = (*range(300), *range(300, 1300, 37), *range(2550, 2563), *range(9990, 10_000))
    numbers = [str(n) for n in ends] + [f"{n:04d}" for n in (*range(0, 250, 9), *range(250, 300))]
    layout = layout_of(sheet_at(put(tmp_path, "1,7,255,1,0\n2,0,0,0,0\n"), "0"))
    assert layout is not None
    for place, number in enumerate(numbers):
        before = ("7", "255")[place % 2]
        text = f"1,{before},{number},1,0\n2,0,0,0,0\n".encode()
        one = replace(layout, reopen=partial(io.BytesIO, text), size=len(text))
        fast = read_table(one, lambda count: np.empty((count, 4), np.uint8))
        if int(number) > 255:
            assert fast is None, number
        else:
            assert fast is not None and fast.pixels[0].tolist() == [int(before), int(number), 1, 0], number


PLACES = [(at, words, end) for at in (0, 1, 400, 783, 784) for words in (False, True) for end in ("\n", "\r\n")]
FIRST = [(0, True, "\n"), (0, False, "\r\n"), (400, True, "\r\n"), (784, False, "\n"), (784, True, "\r\n")]


@pytest.mark.parametrize(
    ("at", "words", "end"),
    [pytest.param(*one, marks=() if one in FIRST else pytest.mark.slow) for one in PLACES],
)
def test_a_file_of_many_blocks_takes_the_fast_road(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, words: bool, end: str
) -> None:
    monkeypatch.setattr(csv_fast, "BLOCK_BYTES", 1 << 14)
    pixels = table(400)
    names = [("cat", "dog", "Été")[n % 3] if words else str(n % 10) for n in range(400)]
    path = put(tmp_path, text_of(pixels, names, at=at).replace("\n", end))
    fast = fast_road(sheet_at(path))
    assert fast is not None and len(fast.pieces) > 40 and fast.highest > 127
    np.testing.assert_array_equal(fast.pixels, pixels)
    found = read(path)
    assert [found.classes[n] for n in found.labels] == names


def test_columns_that_are_no_pixels_at_both_ends_take_the_fast_road(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_fast, "BLOCK_BYTES", 1 << 14)
    pixels = table(300)
    lines = [
        f"{1000 + n},{n % 7},{','.join(map(str, row))},{('train', 'test')[n % 2]}," for n, row in enumerate(pixels)
    ]
    heading = "id,label," + ",".join(f"p{n}" for n in range(784)) + ",split,"
    sheet = sheet_at(put(tmp_path, "\n".join([heading, *lines])))
    fast = fast_road(sheet)
    assert fast is not None and sheet.used == (1, 786)
    np.testing.assert_array_equal(fast.pixels, pixels)
    assert texts(fast.pieces, 0) == [str(n % 7) for n in range(300)]
    assert texts(fast.pieces, 1) == [("train", "test")[n % 2] for n in range(300)]


@pytest.mark.parametrize(
    "form", ['{label},"{pixels}",{split}', "{split},{pixels},{label}", '{label};"[{list}]";{split}']
)
def test_pixels_in_one_column_take_the_fast_road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(csv_fast, "BLOCK_BYTES", 1 << 14)
    pixels = table(300)
    names = {"label": "emotion", "pixels": "pixels", "list": "pixels", "split": "Usage"}
    heading = form.format(**names).replace('"', "").replace("[", "").replace("]", "")
    lines = [
        form.format(
            label=n % 7,
            pixels=" ".join(map(str, row)),
            list=", ".join(map(str, row)),
            split=("Training", "PublicTest", "PrivateTest")[n % 3],
        )
        for n, row in enumerate(pixels)
    ]
    sheet = sheet_at(put(tmp_path, "\n".join([heading, *lines])))
    fast = fast_road(sheet)
    assert fast is not None and len(fast.pieces) > 20
    np.testing.assert_array_equal(fast.pixels, pixels)
    exact, _ = exact_road(sheet)
    np.testing.assert_array_equal(exact, pixels)


packed_field = st.sampled_from(
    ["0 9 255 3", '"0 9 255 3"', "[0, 9, 255, 3]", '"[0, 9, 255, 3]"', '"[0 9 255 3]"', "0  9 255 3"]
)
packed_wrong = st.sampled_from(["0 9 256 3", "0 9 3", '"0 9 255",3', "0,9,255,3", "", "0 9 x 3", '"[0, 9, 255], 3"'])


@given(
    rows=st.lists(st.tuples(packed_field | packed_wrong, st.sampled_from(["1", "a", '"b"'])), min_size=1, max_size=4),
    label_first=st.booleans(),
    mark=st.sampled_from([",", ";"]),
)
def test_packed_pixels_are_read_alike_by_both_roads(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], label_first: bool, mark: str
) -> None:
    pairs = [("pixels", "label"), ('"0 9 255 3"', "1"), *rows]
    text = "\n".join(mark.join((label, cell) if label_first else (cell, label)) for cell, label in pairs)
    path = put(tmp_path_factory.getbasetemp(), text, "packed.csv")
    try:
        sheet = sheet_at(path)
    except DataError:
        return
    fast = fast_road(sheet)
    try:
        exact, cells = exact_road(sheet)
    except DataError as error:
        assert "\n" not in str(error)
        assert fast is None, text
    else:
        assert exact.shape[1] == 4
        if fast is not None:
            np.testing.assert_array_equal(fast.pixels, exact)
            assert texts(fast.pieces) == cells[0]


def test_lines_longer_than_a_block_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_fast, "BLOCK_BYTES", 1 << 12)
    pixels = table(3, 3 * 64 * 64)
    found = read(put(tmp_path, text_of(pixels, ["1", "0", "2"])), shape=(64, 64, 3))
    assert found.shape == (64, 64, 3)
    np.testing.assert_array_equal(found.images.reshape(3, -1), pixels)
