"""data.yaml: the options for reading a folder, stated once in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sightlab.data.read_options import ReadWords
from sightlab.errors import DataError, one_line, suggestion

NAME = "data.yaml"
KEYS = ("path", *(word for word in ReadWords.__annotations__ if word != "one_class"))
# What the data.yaml of object detectors holds; such a file says nothing about classification.
FOREIGN = frozenset(("nc", "train", "val", "test", "roboflow", "download", "kpt_shape"))


def is_description(path: Path) -> bool:
    """Whether a source is a description by its name."""
    return path.suffix.casefold() in (".yaml", ".yml") and path.is_file()


def described(path: Path, words: ReadWords) -> tuple[Path, ReadWords, tuple[str, ...]]:
    """Where the data of a source are, the words for reading them, and notes: from its data.yaml where it has one.

    path: a folder, a description, or another file. words: the user's own, which win over those of the file. Raises
    DataError naming the file and the key.
    """
    if is_description(path):
        return with_file(path, words)
    if path.is_dir() and (path / NAME).is_file():
        stated = read_description(path / NAME)
        if FOREIGN & set(stated):
            return path, words, (f"{NAME} is an object detector's: ignored",)
        return with_file(path / NAME, words)
    return path, words, ()


def with_file(file: Path, words: ReadWords) -> tuple[Path, ReadWords, tuple[str, ...]]:
    """The place and the words that a description states."""
    stated = read_description(file)
    for key in stated:
        if key not in KEYS:
            raise DataError(f"{file}: unknown key {key!r}; {suggestion(str(key), KEYS)}")
    place = file.parent / str(stated.pop("path", "."))
    if not place.exists():
        raise DataError(f"{file}: path is {place}, and there is no such file or folder")
    own: Any = {key: plain(file, key, value) for key, value in stated.items()}
    given: Any = {word: value for word, value in words.items() if value is not None and value is not False}
    return place, own | given, (f"read as {file.name} says: {', '.join(stated)}",) if stated else ()


def read_description(file: Path) -> dict[Any, Any]:
    """The mapping in a YAML file. Raises DataError."""
    try:
        stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as YAML: {one_line(error)[:160]}") from error
    if stated is None:
        return {}
    if not isinstance(stated, dict):
        raise DataError(f"{file}: holds no keys; it states how data are read, as in `layout: class-folders`")
    return stated


def plain(file: Path, key: str, value: Any) -> Any:
    """A value as the words take it: a mapping of splits as text, lists of texts. Raises DataError."""
    if key == "split" and isinstance(value, dict):
        return ",".join(f"{split}:{place}" for split, place in value.items())
    if key == "names":
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict):
            raise DataError(f"{file}: names is {value!r}; it takes `label: class name` lines, or a list of names")
        return {str(label): str(name) for label, name in value.items()}
    if key in ("classes", "ignore", "shape") and isinstance(value, list):
        return (
            [int(one) for one in value]
            if key == "shape" and all(isinstance(n, int) for n in value)
            else [str(one) for one in value]
        )
    if isinstance(value, bool | int | str) or value is None:
        return value
    raise DataError(f"{file}: {key} is {one_line(value)[:60]!r}; it takes a text or a number")
