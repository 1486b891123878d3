"""Random lists whose meaning is known are read as they are meant, or refused; never otherwise."""

import csv
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.errors import DataError
from tests.picture_files import flat, zipped
from tests.reading import claim

PIXELS = flat(1, 2)
STEMS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.integers(0, 999).map("img_{:04d}".format),
    st.integers(0, 99).map("my cat {}".format),
    st.sampled_from(["a, b", "über", "x.y", "IMG-1 (2)", "0a00f38", "c#1", "50%", "it's", "don't; stop", "1e5", "猫"]),
    st.text("abcXYZ019_- ", min_size=1, max_size=8).map(str.strip).filter(bool),
)
SUFFIXES = st.sampled_from([".png", ".jpg", ".JPG", ".jpeg"])
LABELS = st.one_of(
    st.lists(
        st.sampled_from(["cat", "dog", "polar bear", "T-shirt/top", "café", "n01440764", "A", "true"]),
        min_size=2,
        max_size=4,
        unique=True,
    ),
    st.lists(st.integers(-3, 300).map(str), min_size=2, max_size=4, unique=True),
    st.lists(st.integers(0, 9).map("{}.0".format), min_size=2, max_size=4, unique=True),
)
FOLDERS = st.sampled_from([("",), ("images",), ("part_1", "part_2"), ("deep/a/b",), ("img", "img/more")])


@dataclass(frozen=True)
class Meant:
    """A list as it is meant. truth: (split, label) of each picture. rows: what is written of each picture."""

    truth: dict[str, tuple[str, str]]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heading: bool
    separator: str
    quoting: int
    name: str
    end: str = "\n"
    before: str = ""
    more: tuple[str, ...] = ()
    words: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=self.separator, quoting=self.quoting, lineterminator=self.end)  # type: ignore[arg-type]
        if self.heading:
            writer.writerow(self.columns)
        writer.writerows(self.rows)
        return self.before + stream.getvalue()


def plain(label: str, labels: Sequence[str]) -> str:
    """The class that a label means: numbers are numbers where all labels are."""
    try:
        return str(int(float(label))) if all(float(one).is_integer() for one in labels) else label
    except ValueError:
        return label


def written(style: str, picture: str) -> str:
    """A picture's name as a list beside the folders writes it."""
    stem, _, suffix = picture.rpartition("/")[2].rpartition(".")
    return {
        "path": picture,
        "here": f"./{picture}",
        "base": f"{stem}.{suffix}",
        "absolute": f"/home/u/data/{picture}",
        "windows": "C:\\data\\" + picture.replace("/", "\\"),
        "address": f"s3://bucket/{picture}",
        "quoted": quote(picture),
        "case": f"{picture.rpartition('.')[0]}.{suffix.swapcase()}",
        "id": stem,
    }[style]


STYLES = ("path", "here", "base", "absolute", "windows", "address", "quoted", "case", "id")


@st.composite
def lists(draw: st.DrawFn) -> Meant:
    """A list of which every row is as it should be, with nothing in it that could be meant otherwise."""
    stems = draw(st.lists(STEMS, min_size=6, max_size=14, unique_by=str.casefold))
    folders = draw(FOLDERS)
    pictures = [
        "/".join(filter(None, (folders[place % len(folders)], stem + draw(SUFFIXES))))
        for place, stem in enumerate(stems)
    ]
    labels = draw(LABELS)
    each = [labels[place // 2 % len(labels)] for place in range(len(pictures))]
    style = draw(st.sampled_from(STYLES))
    cells = [written(style, picture) for picture in pictures]
    splits = [draw(st.sampled_from(["train", "val", "test"])) for _ in pictures] if draw(st.booleans()) else None
    heading = draw(st.booleans()) or splits is not None
    columns = {
        draw(st.sampled_from(["image", "file", "filename", "image_id", "path", "img"])): cells,
        draw(st.sampled_from(["label", "class", "target", "dx", "breed", "category"])): each,
    }
    if splits is not None:
        columns[draw(st.sampled_from(["split", "set", "subset"]))] = splits
    if heading:
        for extra in draw(st.lists(st.sampled_from(["", "width", "age", "sex"]), unique=True, max_size=3)):
            columns[extra] = extra_cells(extra, len(pictures))
    order = draw(st.permutations(list(columns)))
    order = [name for name in order if name == ""] + [name for name in order if name != ""]
    rows = tuple(zip(*(columns[name] for name in order), strict=True))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    known = {"train": "train", "val": "validation", "test": "test"}
    if splits is not None and "train" not in splits:
        splits = ["train", *splits[1:]]
        rows = tuple(
            tuple(splits[n] if name in ("split", "set", "subset") else row[c] for c, name in enumerate(order))
            for n, row in enumerate(rows)
        )
    truth = {
        picture: (known[splits[n]] if splits else "all", plain(each[n], labels)) for n, picture in enumerate(pictures)
    }
    return Meant(
        truth,
        tuple(order),
        rows,
        heading,
        separator,
        draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        draw(st.sampled_from(["labels.csv", "list.txt", "annotations.tsv", "pets.lst"])),
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.sampled_from(["", "\ufeff", "# by hand\n"])),
    )


def extra_cells(name: str, count: int) -> list[str]:
    """A column that is no label: an index, a size, an age, a sex."""
    return {
        "": [str(n) for n in range(count)],
        "width": ["32"] * count,
        "age": [str(40 + n / 4) for n in range(count)],
        "sex": ["f" if n % 3 else "m" for n in range(count)],
    }[name]


def read(meant: Meant) -> dict[str, tuple[str, str]]:
    """(split, label) of each picture as it is read."""
    with tempfile.TemporaryDirectory() as folder:
        files = dict.fromkeys([*meant.truth, *meant.more], PIXELS) | {meant.name: meant.text().encode()}
        found = claim(zipped(Path(folder) / "x.zip", files), layout="list", one_class=True, **meant.words)  # type: ignore[arg-type]
    assert found.pairs is not None
    return {name: (split, label) for split, pairs in found.pairs.items() for name, label in pairs}


def learnable(meant: Meant) -> bool:
    """Whether every class has a picture for training."""
    splits = {split for split, _ in meant.truth.values()}
    train = {label for split, label in meant.truth.values() if split in ("train", "all")}
    return "train" not in splits or {label for _, label in meant.truth.values()} <= train


@given(lists())
def test_a_list_is_read_as_it_is_meant(meant: Meant) -> None:
    if not learnable(meant):
        with pytest.raises(DataError, match="has no picture in train"):
            read(meant)
    else:
        assert read(meant) == meant.truth


def refused_or(meant: Meant, truth: dict[str, tuple[str, str]]) -> None:
    """Asserts that a list is refused in one short line, or read as it is meant."""
    try:
        found = read(meant)
    except DataError as error:
        assert len(str(error)) <= 300 and "\n" not in str(error)
        return
    assert found == truth


@given(lists(), st.data())
def test_a_picture_that_is_not_there_is_never_taken_for_another(meant: Meant, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(meant.truth)))
    base = gone.rpartition("/")[2]
    near = data.draw(st.sampled_from([(), (f"old/{base}",), (f"a/{base}", f"b/{base}"), ("other/zz.png",)]))
    kept = {name: said for name, said in meant.truth.items() if name != gone}
    found: dict[str, tuple[str, str]] = {}
    try:
        found = read(replace(meant, truth=kept, more=near))
    except DataError as error:
        assert len(str(error)) <= 300
    # A name alone, without its folder, may mean the one picture of that name that is left.
    assert not found or (near == (f"old/{base}",) and found == {**kept, near[0]: meant.truth[gone]})


@given(lists(), st.data())
def test_other_pictures_of_the_same_names_are_not_mixed_up(meant: Meant, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(meant.truth)), min_size=1, unique=True))
    folder = data.draw(st.sampled_from(["masks", "copy", "images2", "test", "a/b"]))
    more = tuple(f"{folder}/{name.rpartition('/')[2]}" for name in names)
    refused_or(replace(meant, more=tuple(name for name in more if name not in meant.truth)), meant.truth)


@given(lists(), st.data())
def test_two_labels_or_none_are_refused(meant: Meant, data: st.DataObject) -> None:
    place = next(
        c for c, name in enumerate(meant.columns) if name in ("label", "class", "target", "dx", "breed", "category")
    )
    row = data.draw(st.sampled_from(meant.rows))
    others = sorted({one[place] for one in meant.rows} - {row[place]})
    label = data.draw(st.sampled_from([*others, "", "nan"]))
    changed = tuple(label if c == place else cell for c, cell in enumerate(row))
    at = data.draw(st.integers(0, len(meant.rows)))
    rows = (*meant.rows[:at], changed, *meant.rows[at:])
    with pytest.raises(DataError):
        read(replace(meant, rows=rows))


@given(lists(), st.data())
def test_columns_of_any_heading_are_the_label_by_evidence_or_not_at_all(meant: Meant, data: st.DataObject) -> None:
    words = st.sampled_from(
        ["foo", "bar", "x", "name", "type", "id", "value", "col", "Unnamed: 0", "a b", "1", "quality"]
    )
    headings = tuple(data.draw(st.lists(words, min_size=len(meant.columns), max_size=len(meant.columns), unique=True)))
    headings = tuple(
        name if name in ("split", "set", "subset") else new for name, new in zip(meant.columns, headings, strict=True)
    )
    refused_or(replace(meant, columns=headings), meant.truth)


@given(lists(), st.sampled_from([",", ";", "\t", "|", " "]), st.booleans())
def test_cells_with_the_separator_in_them_and_no_quotes(meant: Meant, mark: str, heading: bool) -> None:
    lines = [meant.columns, *meant.rows] if meant.heading and heading else meant.rows
    text = "\n".join(mark.join(row) for row in lines)
    with tempfile.TemporaryDirectory() as folder:
        files = dict.fromkeys(meant.truth, PIXELS) | {meant.name: text.encode()}
        path = zipped(Path(folder) / "x.zip", files)
        try:
            found = claim(path, layout="list", one_class=True).pairs
        except DataError as error:
            assert len(str(error)) <= 300 and "\n" not in str(error)
            return
    assert found is not None
    splits = {split for split, _ in meant.truth.values()}
    read_as = {name: (split, label) for split, pairs in found.items() for name, label in pairs}
    if heading or splits == {"all"}:
        assert read_as == meant.truth
    else:
        assert {n: label for n, (_, label) in read_as.items()} == {n: label for n, (_, label) in meant.truth.items()}
