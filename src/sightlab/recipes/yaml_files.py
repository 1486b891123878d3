"""YAML files of the user's own: their text, and the mapping in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sightlab.errors import SightlabError, one_line

SUFFIXES = (".yaml", ".yml")


def is_file_name(name: str) -> bool:
    """Whether a name is a YAML file, rather than the name of something that ships."""
    return Path(name).suffix in SUFFIXES or Path(name).is_file()


def read_text(path: Path, what: str, error: type[SightlabError]) -> str:
    """The text of a file. what: its kind, for messages; error: raised, one line, if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not a text file"
        raise error(f"{path}: cannot be read as a {what}: {reason}") from problem


def mapping_of(text: str, where: str, what: str, error: type[SightlabError]) -> dict[Any, Any]:
    """The mapping in a YAML text. where: how errors name its place; what: it should be, with an example of its keys.

    Raises `error`, one line, for a text that is not YAML, or holds something else.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise error(f"{where}: not YAML: {one_line(problem)}") from problem
    if not isinstance(values, dict):
        raise error(f"{where}: holds {type(values).__name__}, {what}")
    return values
