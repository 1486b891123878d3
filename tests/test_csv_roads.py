"""CSV files' two roads, the fast and the exact: what one reads the other reads alike, or the fast one declines."""

from __future__ import annotations

import csv as standard_csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.data.formats import digits
from sightlab.data.formats.csv import open_sheet, read_csv
from sightlab.data.formats.digits import read_table
from sightlab.data.formats.rows import read_rows
from sightlab.data.imageset import natural_key
from sightlab.errors import DataError
from tests.csv_tables import put, table, text_of


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
words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8).filter(
    lambda t: t.strip() == t and t.casefold() != "label" and not re.sub("[-+.]", "", t).isdigit()
)
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


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(labels=labels_lists, dialect=dialects, seed=st.integers(0, 9))
def test_every_dialect_gives_the_table_and_both_roads_agree(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], dialect: Dialect, seed: int
) -> None:
    pixels = table(len(labels), 16, seed)
    path = put(
        tmp_path_factory.getbasetemp(), render(pixels, labels, dialect), "d.csv.gz" if dialect.packed else "d.csv"
    )
    found = read_csv(path, None if dialect.header else str(dialect.at))
    np.testing.assert_array_equal(found.images.reshape(-1, 16), pixels)
    assert [found.classes[n] for n in found.labels] == labels
    assert list(found.classes) == sorted(set(labels), key=natural_key)
    sheet = open_sheet(path, None if dialect.header else str(dialect.at))
    exact, exact_labels = read_rows(path, sheet.table, sheet.header)
    np.testing.assert_array_equal(exact, pixels)
    assert exact_labels == labels
    fast = read_table(sheet.table)
    if fast is not None:
        np.testing.assert_array_equal(fast[0], pixels)


fine = ["0", "9", "10", "99", "199", "255", "0255", "00000007", "12.0", '"5"', "+5"]
wrong = ["256", "259", "300", "999", "0256", "1012", "2560", "", " ", "-1", "3.5", "a", "1,2", "1\n2", "\r", "1_0", "٣"]
field = st.sampled_from(fine * 4 + wrong)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.lists(field, min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_fast_road_takes_nothing_that_the_exact_road_refuses(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    text = "label,a,b,c,d\n" + "\n".join(",".join(row) for row in rows)
    path = put(tmp_path_factory.getbasetemp(), text, "refuse.csv")
    sheet = open_sheet(path, None)
    fast = read_table(sheet.table)
    try:
        exact = read_rows(path, sheet.table, sheet.header)
    except DataError as error:
        assert "\n" not in str(error)
        assert fast is None, text
    else:
        if fast is not None:
            np.testing.assert_array_equal(fast[0], exact[0])
            assert [str(n) for piece in fast[1] for n in piece] == exact[1]


def test_every_number_is_parsed_or_refused_by_the_fast_road(tmp_path: Path) -> None:
    numbers = [str(n) for n in range(10_000)] + [f"{n:04d}" for n in range(300)]
    for number in [*numbers[:1300], *numbers[2500:2600], *numbers[9990:]]:
        for before in ("7", "255"):
            sheet = open_sheet(put(tmp_path, f"1,{before},{number},1,0\n2,0,0,0,0\n"), "0")
            fast = read_table(sheet.table)
            if int(number) > 255:
                assert fast is None, number
            else:
                assert fast is not None and fast[0][0].tolist() == [int(before), int(number), 1, 0], number


@pytest.mark.parametrize("at", [0, 1, 400, 783, 784])
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_many_blocks_takes_the_fast_road(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, words: bool, end: str
) -> None:
    monkeypatch.setattr(digits, "BLOCK_BYTES", 1 << 14)
    pixels = table(400)
    names = [("cat", "dog", "Été")[n % 3] if words else str(n % 10) for n in range(400)]
    path = put(tmp_path, text_of(pixels, names, at=at).replace("\n", end))
    fast = read_table(open_sheet(path, None).table)
    assert fast is not None and len(fast[1]) > 40
    np.testing.assert_array_equal(fast[0], pixels)
    found = read_csv(path)
    assert [found.classes[n] for n in found.labels] == names


def test_lines_longer_than_a_block_are_read(tmp_path: Path) -> None:
    pixels = table(3, 3 * 256 * 256)
    found = read_csv(put(tmp_path, text_of(pixels, ["1", "0", "2"])))
    assert found.shape == (256, 256, 3)
    np.testing.assert_array_equal(found.images.reshape(3, -1), pixels)
