"""Lists of pictures in JSON: lines of objects, arrays of objects or pairs, mappings of file to label."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.file_io import opened
from sightlab.data.layouts.split_words import exact_split
from sightlab.data.pictures.suffixes import is_picture_name, suffix_of
from sightlab.data.tables.finder import as_path
from sightlab.data.tables.sheet import Sheet
from sightlab.errors import DataError, one_line

MOST_BYTES = 1 << 29
MOST_COLUMNS = 256
SPLIT = "split"
# Keys under which a document has its rows and nothing else that matters here.
WRAPPERS = ("labels", "data", "items", "samples", "records", "rows", "images", "annotations", "examples")


def is_json(name: str, head: bytes) -> bool:
    """Whether a file is JSON by its suffix and its first byte that is no white space."""
    suffix = suffix_of(name.removesuffix(".gz"))
    return suffix in ("json", "jsonl", "ndjson") and head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"{", b"[")


def document_of(file: DataFile, encoding: str | None = None) -> tuple[Any, bool] | None:
    """What a JSON file holds, and whether it is lines of JSON, given as [(line, value)]; None where it is too large.

    Raises DataError for what is no JSON, and for keys that stand twice in an object.
    """
    with opened(file) as (stream, _):
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return None
    try:
        text = data.decode(encoding or json.detect_encoding(data)).lstrip("\ufeff")
        if suffix_of(file.name.removesuffix(".gz")) == "json":
            with suppress(json.JSONDecodeError):
                return json.loads(text, object_pairs_hook=once), False
        lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        return [(n, json.loads(line, object_pairs_hook=once)) for n, line in lines], True
    except (ValueError, LookupError, RecursionError) as error:
        raise DataError(f"{file}: is not whole JSON: {one_line(error)[:120]}; write it again") from error


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON as a dict. Raises ValueError for a key that stands twice: one value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key `{twice[:60]}` stands twice in one object")
    return found


def json_sheet(name: str, shown: str, document: Any, lines: bool) -> Sheet | None:
    """The rows of a document; None where it is of another form. lines: whether it is [(line, value)]."""
    if lines:
        numbers = [number for number, _ in document]
        found = rows_of([value for _, value in document])
        if found is None or len(found[1]) != len(numbers):
            return None
        return Sheet(name, shown, list(zip(numbers, found[1], strict=True)), found[0], headless=True)
    found = rows_of(document)
    if found is None or not found[1]:
        return None
    return Sheet(name, shown, list(enumerate(found[1], 1)), found[0], "entry", headless=True)


Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


def rows_of(document: Any) -> Rows | None:
    """The heading, () for none, and the rows of an array or a mapping; None where it is of another form.

    >>> rows_of([{"file": "1.png", "label": 3}]), rows_of({"train": [["1.png", 3]]})
    ((('file', 'label'), [('1.png', '3')]), (('0', '1', 'split'), [('1.png', '3', 'train')]))
    """
    if isinstance(document, list):
        return rows_of_array(document)
    if not isinstance(document, dict) or not document:
        return None
    if all(exact_split(key) for key in document):
        return rows_of_splits(document)
    if isinstance(via := document.get("_via_img_metadata", ""), dict):
        return rows_of_array(list(via.values()))  # VGG Image Annotator
    held = [key for key in WRAPPERS if isinstance(document.get(key), list) and document[key]]
    if held:
        return rows_of_array(document[held[0]]) if len(held) == 1 else None
    return rows_of_mapping(document)


def rows_of_array(values: Sequence[Any]) -> Rows | None:
    """The rows of an array of objects, or of arrays."""
    if values and all(isinstance(value, dict) for value in values):
        if any(is_task(value) for value in values[:50]):
            return None
        flat = [flattened(value) for value in values]
        heading = tuple(dict.fromkeys(key for one in flat for key in one))
        if len(heading) > MOST_COLUMNS:
            return None
        return heading, [tuple(one.get(key, "") for key in heading) for one in flat]
    if values and all(isinstance(value, list) and value for value in values):
        return (), [tuple(cell_of(cell) for cell in value) for value in values]
    return None


def is_task(value: Mapping[str, Any]) -> bool:
    """Whether an object is a task of Label Studio's, which is read by the layout of that name."""
    return isinstance(value.get("data"), dict) and any(key in value for key in ("annotations", "completions"))


def rows_of_splits(document: Mapping[str, Any]) -> Rows | None:
    """The rows of a mapping of splits to rows, with a column more for the split."""
    heading: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = []
    for split, values in document.items():
        if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
            values = [[value] for value in values]
        found = rows_of(values)
        own = found and (found[0] or tuple(map(str, range(max(map(len, found[1]), default=0)))))
        if not found or not own or (heading and heading != own):
            return None
        heading = own
        rows += [(*row, *[""] * (len(own) - len(row)), split) for row in found[1]]
    return ((*heading, SPLIT), rows) if SPLIT not in heading else None


def rows_of_mapping(document: Mapping[str, Any]) -> Rows | None:
    """The rows of a mapping: of file to label, of file to an object, or of label to its files."""
    values = list(document.values())
    if all(isinstance(value, dict) for value in values):
        found = rows_of_array(values)
        return found and (("", *found[0]), [(key, *row) for key, row in zip(document, found[1], strict=True)])
    if all(isinstance(value, list) for value in values):
        files = [cell for value in values for cell in value]
        if files and all(isinstance(file, str) for file in files) and mostly_pictures(files):
            return (), [(file, key) for key, value in document.items() for file in value]
    return (), [(key, cell_of(value)) for key, value in document.items()]


def mostly_pictures(cells: Sequence[str]) -> bool:
    """Whether most of these are names of pictures by their suffixes."""
    return 2 * sum(is_picture_name(as_path(cell)) for cell in cells) > len(cells)


def flattened(value: Mapping[str, Any]) -> dict[str, str]:
    """An object's values as cells, those of objects in it under `outer.inner`."""
    return dict(pairs_of(value))


def pairs_of(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, cell) of an object and the objects in it."""
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from ((f"{key}.{own}", cell_of(cell)) for own, cell in inner.items())
        else:
            yield key, cell_of(inner)


def cell_of(value: Any) -> str:
    """A value of JSON as a cell; an array of one thing is that thing.

    >>> [cell_of(value) for value in ("cat", 3, None, True, ["dog"], ["a", "b"])]
    ['cat', '3', '', 'true', 'dog', '["a", "b"]']
    """
    if isinstance(value, list) and len(value) == 1:
        return cell_of(value[0])
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
