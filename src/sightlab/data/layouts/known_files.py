"""Helpers of the layouts of public data sets: their files found by name, read as lines or as MATLAB variables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from sightlab.data.formats.mat import plain_values
from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, ReadOptions, refused
from sightlab.data.messages import counted, shortened
from sightlab.data.tables.finder import Finder, as_path
from sightlab.data.tables.sheet import lines_of as text_lines
from sightlab.errors import DataError

_BY_LAST: WeakKeyDictionary[Inventory, dict[str, list[str]]] = WeakKeyDictionary()

Matches = Callable[[Inventory, ReadOptions], Claim | None]


class UnreadableError(DataError):
    """A file of a known form that is damaged, or does not fit the others."""


def known_form(layout: str, matches: Matches) -> Matches:
    """The matches of a known form: of folders and archives alone, and with a refusal where its files are unreadable."""

    def checked(inventory: Inventory, options: ReadOptions) -> Claim | None:
        if inventory.only:
            return None
        try:
            return matches(inventory, options)
        except UnreadableError as error:
            return refused(layout, str(error), KNOWN)

    return checked


def still_packed(inventory: Inventory, layout: str) -> Claim | None:
    """The refusal of a known form whose pictures are in archives beside its lists; None where they are not."""
    archives = inventory.kinds.get("archive", ())
    if inventory.pictures or not archives:
        return None
    held = counted(archives, "archive", "archives")
    return refused(
        layout, f"{shortened(inventory.label, 80)}: its pictures are still in {held}; unpack them there", KNOWN
    )


def folder_of(name: str) -> str:
    """What stands before a file's last part, the slash with it; "" at the top.

    >>> folder_of("a/b/c.txt"), folder_of("c.txt")
    ('a/b/', '')
    """
    return name[: name.rfind("/") + 1]


def called(inventory: Inventory, *lasts: str) -> list[str]:
    """The files, pictures apart, whose last part is one of these, in small letters; the least deep first."""
    if inventory not in _BY_LAST:
        found: dict[str, list[str]] = defaultdict(list)
        for kind, names in inventory.kinds.items():
            for name in names if kind != "picture" else ():
                found[name.rpartition("/")[2].casefold()].append(name)
        _BY_LAST[inventory] = dict(found)
    fitting = [name for last in lasts for name in _BY_LAST[inventory].get(last, ())]
    return sorted(fitting, key=lambda name: (name.count("/"), natural_key(name)))


def together(inventory: Inventory, *lasts: str) -> str | None:
    """The folder, as `folder_of` gives it, that holds files of all these names; None where there is none."""
    found = [{folder_of(name) for name in called(inventory, last)} for last in lasts]
    folders = sorted(set.intersection(*found), key=lambda folder: (folder.count("/"), folder))
    return folders[0] if folders else None


def the_picture(finder: Finder, text: str) -> str | None:
    """The one picture whose path ends with a text, its suffix put aside where need be; None for none, or several."""
    path = as_path(text)
    found = finder.by_end(path) or finder.by_loose_end(path)
    return found[0] if len(found) == 1 else None


def lines_of(inventory: Inventory, name: str) -> list[str]:
    """The lines of a text that are not blank, stripped. Raises UnreadableError for what is no text."""
    table = inventory.tables.get(name) or inventory.table(name)
    if table is None:
        raise UnreadableError(f"{inventory.shown(name)}: holds no lines of text; fetch it again")
    return [line for _, line in text_lines(table)]


def pairs_of_lines(inventory: Inventory, name: str) -> list[tuple[str, str]]:
    """The first word of each line and the rest of it. Raises UnreadableError for a line of one word.

    As in `0034309 Boeing 707-320`, where a class has blanks in its name. Lines that begin with `#` are left out.
    """
    found = []
    for line in lines_of(inventory, name):
        first, *rest = line.split(maxsplit=1)
        if not rest:
            raise UnreadableError(
                f"{inventory.shown(name)}: `{line[:60]}` has one word where two are needed; fetch the file again"
            )
        if not first.startswith("#"):
            found.append((first, rest[0]))
    return found


def mat_of(inventory: Inventory, name: str) -> dict[str, Any]:
    """The variables of a MATLAB file of versions 5 to 7, as `plain_values` gives them. Raises UnreadableError."""
    try:
        return plain_values(inventory.file(name))
    except DataError as error:
        raise UnreadableError(str(error)) from None


def as_list(value: Any) -> list[Any]:
    """A MATLAB variable as a list, also where it holds one value."""
    return list(value) if isinstance(value, list | tuple) else [value]


def numbers_in(inventory: Inventory, name: str, value: Any) -> list[int]:
    """A MATLAB variable of whole numbers as a list. Raises UnreadableError for other values."""
    try:
        return [int(one) for one in as_list(value)]
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError(
            f"{inventory.shown(name)}: holds other values where numbers are; fetch it again"
        ) from None


def structs_in(value: Any, *fields: str) -> list[dict[str, Any]]:
    """Those of the structs of a MATLAB variable that have these fields."""
    return [one for one in as_list(value) if isinstance(one, dict) and one.keys() >= set(fields)]
