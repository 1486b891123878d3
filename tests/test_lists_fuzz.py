"""Whatever a list, a JSON or an export holds, it is read, passed over, or refused in one short line."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sightlab.errors import DataError
from tests.picture_files import flat, zipped
from tests.reading import claim

PICTURES = dict.fromkeys(("1.png", "2.png", "a/3.png", "train/4.png"), flat(1, 2))
WORDS: tuple[dict[str, Any], ...] = (
    {"layout": "list"},
    {"label": "1"},
    {"skip_broken": True},
    {"split": "0"},
    {"list": "*"},
)
MORE = st.sampled_from(WORDS)
CELL = st.one_of(
    st.sampled_from(
        ["1.png", "2.png", "a/3.png", "3", "1", "cat", "dog", "", "nan", "0", "1.0", "-1", "label", "file"]
    ),
    st.sampled_from(
        ["split", "train", "test", "#x", "1.PNG", "C:\\1.png", "a b", "9" * 5000, "x" * 300, "[1,2]", "{}"]
    ),
    st.sampled_from(["../1.png", "/", "\\", "..", ".", " ", "%", "%00", "?d=", "s3://", "http://a.example/1.png?x"]),
    st.sampled_from(['"a\nb"', '"1.png\n"', "é", "e\u0301", "\ud800", "it's", "|", "a|b"]),
    st.text(max_size=6),
)
KEYS = st.sampled_from(
    (
        *("images", "annotations", "categories", "id", "file_name", "image_id", "category_id", "name", "data", "image"),
        *("result", "value", "choices", "from_name", "label", "train", "test", "labels", "_via_img_metadata"),
    )
)
DOCUMENT = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=True), CELL),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(KEYS, CELL), inner, max_size=5)),
    max_leaves=25,
)


def attempt(files: dict[str, bytes], words: dict[str, Any], **more: Any) -> None:
    """Read the files as they are, and once more with such words."""
    with tempfile.TemporaryDirectory() as folder:
        path = zipped(Path(folder) / "x.zip", PICTURES | files)
        for how in ({}, words):
            try:
                claim(path, **(how | more))
            except DataError as error:
                assert len(str(error)) <= 300 and "\n" not in str(error)


def written(document: Any) -> bytes:
    return json.dumps(document).encode()


@given(
    st.lists(st.lists(CELL, max_size=5), max_size=8),
    st.sampled_from([",", ";", "\t", " ", "|"]),
    st.sampled_from(["labels.csv", "train.txt", "x.tsv", "classes.txt"]),
    MORE,
)
def test_rows_of_anything(rows: list[list[str]], mark: str, name: str, words: dict[str, Any]) -> None:
    attempt({name: "\n".join(mark.join(row) for row in rows).encode("utf-8", "surrogatepass")}, words)


@given(DOCUMENT, st.sampled_from(["a.json", "m.jsonl"]), MORE)
def test_json_of_anything(document: Any, name: str, words: dict[str, Any]) -> None:
    attempt({name: written(document)}, words)


@given(st.lists(DOCUMENT, max_size=3), DOCUMENT, MORE)
def test_coco_of_anything(rows: list[Any], other: Any, words: dict[str, Any]) -> None:
    attempt({"a.json": written({"images": rows, "annotations": rows, "categories": rows})}, words)
    attempt({"a.json": written({"images": other, "annotations": rows, "categories": other})}, words)


@given(
    st.lists(st.fixed_dictionaries({"data": st.dictionaries(CELL, DOCUMENT, max_size=2), "annotations": DOCUMENT})),
    MORE,
)
def test_tasks_of_anything(tasks: list[Any], words: dict[str, Any]) -> None:
    attempt({"a.json": written(tasks)}, words)


@given(st.binary(max_size=60), MORE)
def test_bytes_of_anything(data: bytes, words: dict[str, Any]) -> None:
    attempt({"a.csv": data, "b.json": data, "c.xml": data}, words)


@given(CELL, MORE)
def test_patterns_of_anything(text: str, words: dict[str, Any]) -> None:
    attempt({}, words, label_from=f"{text}{{label}}.png", label=None, split=None, list=None)
