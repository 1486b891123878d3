"""Reading what a user names for prediction: picture files, folders and archives, lists, tables, arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from sightlab.data.containers.base import DataFile
from sightlab.data.containers.folders import lone_file
from sightlab.data.containers.nested import with_archives
from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory, inventory_of, look
from sightlab.data.local_paths import checked_path
from sightlab.data.messages import counted, shortened
from sightlab.data.pictures.magic import HEAD_BYTES, kind_of_head, remedy_of
from sightlab.data.tables.finder import without_suffix
from sightlab.data.unlabelled.list_input import Entry, Located, PictureList, picture_list, pictures_beside
from sightlab.data.unlabelled.picture_input import Picture, Wanted, decoded
from sightlab.data.unlabelled.table_input import array_pictures, arrow_pictures, row_pictures
from sightlab.data.webshards.sample_names import expanded, is_pattern
from sightlab.errors import DataError

ARROW = ("parquet", "arrow")
ARRAYS = ("npy", "npz", "idx", "mat", "h5")
# What says nothing of the pictures beside which it lies.
UNTOLD = ("prose", "empty")
SUBMISSION = re.compile(r"(.*/)?sample.?submission[^/]*", re.IGNORECASE)


def read_unlabelled(source: str | Path, wanted: Wanted) -> Iterator[Picture]:
    """Every picture of a source: a file, a folder or an archive at any depth, a list, a table, arrays.

    source: a path, a file:// address, or a brace pattern of shards. Folders come in natural order, archives as they are
    packed, lists and tables in their own order. Raises DataError: no such file, no pictures, what cannot be read.
    """
    text = str(source)
    for path in expanded(text) if is_pattern(text) else (checked_path(text),):
        inventory = looked_into(path, wanted.encoding)
        for note in inventory.notes:
            wanted.on_note(f"{inventory.label}: {note}")
        if path.is_file() and set(inventory.kinds) == {"npy"} and inventory.only is None:
            yield from array_pictures(DataFile.at(path), wanted)  # an .npz file, which is a zip of arrays
        else:
            yield from pictures_in(inventory, wanted)


def looked_into(path: Path, encoding: str | None = None) -> Inventory:
    """What lies at a path, the archives inside as folders where nothing but them is data, shards too."""
    inventory = look(path, encoding)
    archives = inventory.kinds.get("archive", ())
    if (
        inventory.only is not None
        or not archives
        or any(inventory.kinds.get(kind) for kind in ("picture", *ARROW, *ARRAYS))
    ):
        return inventory
    return inventory_of(with_archives(inventory.container, archives), None, inventory.encoding)


def pictures_in(inventory: Inventory, wanted: Wanted) -> Iterator[Picture]:
    """The pictures of an inventory: picture files where there are any, else its tables of pictures, else its one table
    of numbers. Raises DataError.
    """
    if inventory.only is not None:
        yield from lone_pictures(inventory, inventory.only, wanted)
    elif inventory.pictures:
        tell_of_others(inventory, wanted)
        yield from file_pictures(inventory, sorted(inventory.pictures, key=natural_key), wanted)
    elif tables := [name for kind in ARROW for name in inventory.kinds.get(kind, ())]:
        for name in tables:
            yield from arrow_pictures(inventory.file(name), wanted)
    else:
        yield from lone_pictures(inventory, only_table(inventory), wanted)


def lone_pictures(inventory: Inventory, name: str, wanted: Wanted) -> Iterator[Picture]:
    """The pictures of one file, whatever it is."""
    kind = next(kind for kind, names in inventory.kinds.items() if name in names)
    if kind in ARROW:
        yield from arrow_pictures(inventory.file(name), wanted)
    elif kind in ARRAYS:
        yield from array_pictures(inventory.file(name), wanted)
    elif kind == "text":
        yield from text_pictures(inventory, name, wanted)
    else:
        refuse_known(inventory, name)
        yield from file_pictures(inventory, [name], wanted)


def file_pictures(inventory: Inventory, names: Sequence[str], wanted: Wanted) -> Iterator[Picture]:
    """Picture files, decoded in the order their container streams them."""
    container = inventory.container

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for place, (name, data) in enumerate(container.stream(names)):
            yield place, container.shown(name), data

    ids = ((container.shown(name), without_suffix(name.rpartition("/")[2])) for name in names)
    return decoded(pictures, ids, wanted)


def tell_of_others(inventory: Inventory, wanted: Wanted) -> None:
    """Say which files lie beside the pictures that nobody answers."""
    others = [
        name
        for kind, names in inventory.kinds.items()
        for name in names
        if kind not in ("picture", *UNTOLD) and not SUBMISSION.fullmatch(name)
    ]
    if others:
        wanted.on_note(f"{inventory.label}: {counted(others, 'file', 'files')} beside the pictures ignored")


def text_pictures(inventory: Inventory, name: str, wanted: Wanted) -> Iterator[Picture]:
    """The pictures that a text names, or whose pixels it holds."""
    refuse_known(inventory, name)
    table = inventory.table(name)
    if table is None:
        raise DataError(f"{inventory.shown(name)}: is no picture, no list of pictures and no table of pixels")
    beside = partial(pictures_beside, inventory)
    found = picture_list(table, beside) if table.file.path is not None else None
    if found is None:
        return row_pictures(table.file, wanted)
    return listed_pictures(found, Located(table.file, found.entries, beside), wanted)


def listed_pictures(found: PictureList, located: Located, wanted: Wanted) -> Iterator[Picture]:
    """The pictures that a list names, in its order."""
    if found.note:
        wanted.on_note(found.note)
    entries: list[tuple[Entry, Path]] = list(located.found(wanted.left_out))

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for place, (_, path) in enumerate(entries):
            for _, data in lone_file(path).stream([path.name]):
                yield place, str(path), data

    own_id = any(entry.id != path.name for entry, path in entries)
    return decoded(pictures, ((str(path), entry.id) for entry, path in entries), wanted, own_id=own_id)


def refuse_known(inventory: Inventory, name: str) -> None:
    """Raises DataError for a file of a kind that is known and never read, with the way out."""
    kind = kind_of_head(inventory.file(name).head(HEAD_BYTES))
    if kind is not None and name not in inventory.pictures:
        raise DataError(f"{inventory.shown(name)}: is {kind}; {remedy_of(kind)}")


def only_table(inventory: Inventory) -> str:
    """The one table or array of a folder or an archive without pictures. Raises DataError where there is not one."""
    arrays = [name for kind in ARRAYS for name in inventory.kinds.get(kind, ())]
    texts = [name for name, table in inventory.tables.items() if table.separator and not SUBMISSION.fullmatch(name)]
    found = [*arrays, *texts]
    if len(found) == 1:
        return found[0]
    if found:
        is_packed = inventory.file(found[0]).path is None
        way = "unpack it, and name" if is_packed else f"name, as in {shortened(inventory.shown(found[0]))},"
        raise DataError(
            f"{inventory.label}: holds no pictures, and {counted(found, 'table or array', 'tables or arrays')}; "
            f"{way} the one to answer"
        )
    unread = [name for kind, names in inventory.kinds.items() for name in names if kind not in UNTOLD]
    if unread:
        refuse_known(inventory, unread[0])
        raise DataError(f"{inventory.label}: holds no pictures ({counted(unread, 'file', 'files')} of other kinds)")
    raise DataError(f"{inventory.label}: holds no pictures")
