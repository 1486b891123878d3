"""The files that publicly known forms consist of: found by name, read as lines or as MATLAB variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, ReadOptions, refused
from sightlab.data.tables.finder import Finder, as_path
from sightlab.data.tables.sheet import lines_of as text_lines
from sightlab.errors import DataError, one_line

MOST_BYTES = 2**28
WORDS = ("label", "split", "list", "label_from", "shape")

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


def can_honour(options: ReadOptions, layout: str, *honoured: str) -> bool:
    """Whether a layout can do all that the user asks of how labels are found.

    honoured: those of `WORDS` that it can do. Raises DataError where the user has chosen the layout, and it cannot.
    """
    asked = [word for word in WORDS if getattr(options, word) and word not in honoured]
    if asked and options.layout == layout:
        raise DataError(f"`layout={layout}` takes no `{asked[0]}=`; leave one of the two out")
    return not asked


def folder_of(name: str) -> str:
    """What stands before a file's last part, the slash with it; "" at the top.

    >>> folder_of("a/b/c.txt"), folder_of("c.txt")
    ('a/b/', '')
    """
    return name[: name.rfind("/") + 1]


def called(inventory: Inventory, *lasts: str) -> list[str]:
    """The files whose last part is one of these, in small letters, the least deep first."""
    every = [name for kind, names in inventory.kinds.items() if kind != "picture" for name in names]
    found = [name for name in every if name.rpartition("/")[2].casefold() in lasts]
    return sorted(found, key=lambda name: (name.count("/"), natural_key(name)))


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
    """The variables of a MATLAB file up to version 7. Raises UnreadableError for what is none, or is of version 7.3."""
    from scipy.io import loadmat

    file = inventory.file(name)
    if file.size > MOST_BYTES:
        raise UnreadableError(f"{file}: has {file.size:,} bytes; a list of labels has far fewer")
    try:
        with file.open() as stream:
            return dict(loadmat(stream, squeeze_me=True, struct_as_record=False, chars_as_strings=True))
    except NotImplementedError as error:
        raise UnreadableError(f"{file}: is a MATLAB 7.3 file; save it with `-v7`") from error
    except Exception as error:  # scipy raises many kinds for damaged files
        raise UnreadableError(f"{file}: cannot be read as a MATLAB file: {one_line(error)[:80]}") from error


def as_list(value: Any) -> Sequence[Any]:
    """A MATLAB variable as a list, also where it holds one value."""
    import numpy as np

    return list(np.atleast_1d(value))
