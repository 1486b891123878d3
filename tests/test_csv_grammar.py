"""Random tables whose reading is known: each is read as it was meant, or refused in one line, and never otherwise."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.errors import DataError
from tests.csv_tables import drawn, put, read_csv, smooth

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Meant:
    """A table as somebody means it."""

    rows: int
    pictures: str
    labels: str
    order: str
    at: str
    heading: str
    values: str
    index: str
    split: bool
    empty_end: bool
    mark: str
    encoding: str
    quoting: int
    end: str
    packed: str
    seed: int


tables = st.builds(
    Meant,
    rows=st.integers(3, 60),
    pictures=st.sampled_from(["drawn", "drawn", "smooth", "smooth", "noise", "bits", "low", "colour", "dots"]),
    labels=st.sampled_from(["counted", "counted", "from one", "gaps", "words", "floats", "many", "two", "one-hot"]),
    order=st.sampled_from(["mixed", "sorted", "one of most"]),
    at=st.sampled_from(["first", "last", "middle"]),
    heading=st.sampled_from(["named", "named", "none", "none", "numbers", "letters and numbers", "other label"]),
    values=st.sampled_from(["{:.0f}", "{:.0f}", "{:.1f}", "/255", "-1..1"]),
    index=st.sampled_from(["", "", "", "first", "last"]),
    split=st.booleans(),
    empty_end=st.sampled_from([False, False, True]),
    mark=st.sampled_from([",", ",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    packed=st.sampled_from(["", "", "", " ", ", "]),
    seed=st.integers(0, 1000),
)


def pictures_of(meant: Meant) -> NDArray[np.uint8]:
    """uint8 [N, P], of 8 x 8 pixels or of 8 x 8 x 3."""
    generator = np.random.default_rng(meant.seed)
    if meant.pictures == "smooth":
        return smooth(meant.rows, seed=meant.seed).reshape(meant.rows, -1)
    if meant.pictures == "colour":
        return smooth(meant.rows, 8, 3, meant.seed).reshape(meant.rows, -1)
    if meant.pictures == "drawn":
        return drawn(meant.rows, seed=meant.seed)
    high = {"noise": 256, "bits": 2, "low": 16, "dots": 256}[meant.pictures]
    found = generator.integers(0, high, (meant.rows, 64))
    found[generator.random((meant.rows, 64)) < (0.9 if meant.pictures == "dots" else 0)] = 0
    found[0, 30] = high - 1
    return found.astype(np.uint8)


def labels_of(meant: Meant) -> list[str]:
    kinds = {"counted": 10, "from one": 5, "gaps": 3, "words": 3, "floats": 4, "many": 30, "two": 2, "one-hot": 4}
    many = kinds[meant.labels]
    numbers = np.random.default_rng(meant.seed + 1).integers(0, many, meant.rows)
    if meant.order == "one of most":
        numbers[: meant.rows * 9 // 10] = 0
    if meant.order == "sorted":
        numbers.sort()
    form = {"from one": lambda n: str(n + 1), "gaps": lambda n: str(10 * n + 7), "floats": lambda n: f"{n}.0"}
    words = {"words": lambda n: ("cat", "grüner Hund", "a,b;c")[n]}
    return [(form | words).get(meant.labels, str)(n) for n in numbers.tolist()]


def cells_of(meant: Meant, pixels: NDArray[np.uint8]) -> list[list[str]]:
    scaled = {"/255": pixels / 255, "-1..1": pixels / 127.5 - 1}.get(meant.values, pixels.astype(float))
    form = "{:.6f}" if meant.values in ("/255", "-1..1") else meant.values
    cells = [[form.format(value) for value in row] for row in scaled.tolist()]
    if meant.mark == ";" and meant.packed != ", " and meant.seed % 2:
        cells = [[cell.replace(".", ",") for cell in row] for row in cells]
    return cells


def heading_of(meant: Meant, width: int) -> tuple[list[str], str, str]:
    """Names of the pixels, of the label and of the index."""
    if meant.heading == "numbers":
        return [str(n) for n in range(width)], "label", "id"
    stem = "V" if meant.heading == "letters and numbers" else "pixel"
    label = "what it is" if meant.heading == "other label" else "Class"
    return [f"{stem}{n}" for n in range(width)], label, ("", "Unnamed: 0", "id")[meant.seed % 3]


def written(meant: Meant, pixels: NDArray[np.uint8], labels: list[str]) -> bytes:
    """The text of the table."""
    rows, width = cells_of(meant, pixels), pixels.shape[1]
    names, label_name, index_name = heading_of(meant, width)
    if meant.packed:
        rows, names = [[meant.packed.join(row)] for row in rows], ["pixels"]
    own = [[label] for label in labels]
    own_names = [label_name]
    if meant.labels == "one-hot":
        own = [["1" if n == int(label) else "0" for n in range(4)] for label in labels]
        own_names = [f"is_{n}" for n in range(4)]
    place = {"first": 0, "last": len(names), "middle": len(names) // 2}[meant.at]
    rows = [[*row[:place], *label, *row[place:]] for row, label in zip(rows, own, strict=True)]
    names = [*names[:place], *own_names, *names[place:]]
    if meant.index:
        at = 0 if meant.index == "first" else len(names)
        rows = [[*row[:at], str(100 + n), *row[at:]] for n, row in enumerate(rows)]
        names = [*names[:at], index_name, *names[at:]]
    if meant.split:
        rows, names = [[*row, SPLITS[n % 3]] for n, row in enumerate(rows)], [*names, "split"]
    if meant.empty_end:
        rows, names = [[*row, ""] for row in rows], [*names, ""]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=meant.mark, quoting=meant.quoting, lineterminator=meant.end)  # type: ignore[arg-type]
    writer.writerows(rows if meant.heading == "none" else [names, *rows])
    return out.getvalue().encode(meant.encoding)


def expected(meant: Meant, pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The bytes that the pictures may be read as: as they are, or stretched where they have few bits."""
    top = {"bits": 1, "low": 15}.get(meant.pictures)
    return [pixels] + ([np.rint(pixels * (255.0 / top)).astype(np.uint8)] if top else [])


def is_plain(meant: Meant) -> bool:
    """Whether nothing about a table is unclear, so that it must be read."""
    named = meant.heading in ("named", "numbers") and meant.labels != "one-hot"
    return named and meant.values != "-1..1" and meant.rows >= 12 and meant.pictures not in ("bits", "low")


@given(meant=tables)
def test_a_table_is_read_as_it_was_meant_or_refused(tmp_path_factory: pytest.TempPathFactory, meant: Meant) -> None:
    pixels, labels = pictures_of(meant), labels_of(meant)
    path = put(tmp_path_factory.getbasetemp(), written(meant, pixels, labels), "meant.csv")
    try:
        parts = read_csv(DataFile.at(path))
    except DataError as error:
        line = str(error)
        event("refused")
        assert "\n" not in line and len(line) <= 300 + len(str(path))
        if is_plain(meant):
            assert "train has no image of" in line, line
        return
    event(f"read: {meant.heading}")
    names = [label.removesuffix(".0") for label in labels]
    for split, images in parts.splits.items():
        rows = range(meant.rows) if split == "all" else range(SPLITS.index(split), meant.rows, 3)
        assert meant.split == (split != "all")
        assert [images.classes[n] for n in images.labels] == [names[n] for n in rows]
        own = images.images.reshape(len(images), -1)
        assert own.shape == (len(rows), pixels.shape[1])
        fitting = [(np.abs(own.astype(int) - other[list(rows)]) <= 0).all() for other in expected(meant, pixels)]
        assert any(fitting)
