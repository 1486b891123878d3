"""Column detection in Parquet and Arrow tables: images and labels, by type, by name, by elimination."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightlab.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE_NAMES = ("image", "img", "picture", "images", "photo", "jpg", "jpeg", "png", "pixels", "pixel_values")
PATH_NAMES = ("file_name", "filename", "file", "image_path", "filepath", "file_path", "path", "image", "img")
LABEL_NAMES = ("label", "labels", "fine_label", "class", "classes", "target", "targets", "category", "y", "cls")
# Columns that are labels where there is none of the names above, and that never make those ambiguous.
OTHER_LABEL_NAMES = ("class_name", "label_name", "class_label", "label_text", "class_id", "label_id", "category_id")
COARSE = re.compile(r"(coarse|super).*(label|class|category)", re.IGNORECASE)
# Columns of few values that say nothing of what a picture shows.
NEVER = re.compile(
    r"(.*_)?(id|ids|idx|index|key|uuid|hash|md5|sha256|file_?name|filename|path|url|uri|width|height|size|channels?"
    r"|mode|format|split|subset|fold|license|source|date|time|timestamp|caption|text|description|bbox)|__.*",
    re.IGNORECASE,
)
PIXEL = re.compile(r"(pixel|pix|px|p|x|v|f|feature|attr|col|column)?[-_ ]?\d+([-_x]\d+)*", re.IGNORECASE)
LEAST_PIXELS = 16
LISTED = 8


@dataclass(frozen=True)
class Columns:
    """What was found in a schema.

    kind: of the pictures: "bytes", "paths" of files, "lists" of pixels, or "pixels" in a column each. pictures: their
    column, or the pixel columns in order. label: the label column. note: on the choice, or "".
    """

    kind: str
    pictures: tuple[str, ...]
    label: str
    note: str = ""


def listed(schema: pa.Schema) -> str:
    """The first columns and their types, for messages.

    >>> import pyarrow as pa
    >>> listed(pa.schema([("image", pa.binary()), ("dx", pa.int64())]))
    'columns: image (binary), dx (int64)'
    """
    shown = [f"{cut(field.name, 20)} ({cut(field.type, 16)})" for field in schema]
    more = f", ... ({len(shown):,} in all)" if len(shown) > LISTED else ""
    return f"columns: {', '.join(shown[:LISTED])}{more}"


def cut(text: object, most: int) -> str:
    """The beginning of a text, where it is long, in one line."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds files: bytes, or struct{bytes, path}."""
    import pyarrow as pa

    types = pa.types
    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and holds_bytes(kind.field(place).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def holds_pixels(kind: pa.DataType) -> bool:
    """Whether a column holds lists of numbers, in lists or not."""
    import pyarrow as pa

    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return holds_pixels(kind.storage_type)
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    return bool(types.is_integer(inner) or types.is_floating(inner) or holds_pixels(inner))


def holds_labels(kind: pa.DataType) -> bool:
    """Whether a column may hold labels: whole numbers, text, yes or no, or decimals that turn out to be whole."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_integer(kind) or types.is_boolean(kind) or types.is_floating(kind) or is_text(kind))


def picture_columns(schema: pa.Schema, shown: str) -> tuple[str, tuple[str, ...]] | None:
    """(kind, columns) of a schema's pictures, see `Columns`; None for none. Raises DataError where two may be meant."""
    for kind, fits in (("bytes", holds_bytes), ("lists", holds_pixels)):
        found = [field.name for field in schema if fits(field.type)]
        if kind == "lists":
            found = [name for name in found if len(found) == 1 or name.casefold() in IMAGE_NAMES]
        named = [name for name in found if name.casefold() in IMAGE_NAMES]
        if len(named or found) > 1:
            one, two = (named or found)[:2]
            raise DataError(
                f"{shown}: columns `{one}` and `{two}` both hold pictures and neither is named `image`; "
                f"write a file with one of them; {listed(schema)}"
            )
        if found:
            return kind, ((named or found)[0],)
    pixels = tuple(field.name for field in schema if PIXEL.fullmatch(field.name) and is_number(field.type))
    if len(pixels) >= LEAST_PIXELS:
        return "pixels", pixels
    paths = [f.name for name in PATH_NAMES for f in schema if f.name.casefold() == name and is_text(f.type)]
    return ("paths", (paths[0],)) if paths else None


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def label_column(
    schema: pa.Schema,
    pictures: Sequence[str],
    names: Mapping[str, tuple[str, ...]],
    asked: str | None,
    few_values: Callable[[str], bool],
    shown: str,
) -> tuple[str, str]:
    """(the label column, a note on the choice).

    names: class names by column, where they are known. asked: the column's name or number, as the user gives it.
    few_values: whether a column has few different values for its rows. Raises DataError where no column, or more
    than one, can be meant.
    """
    if asked is not None:
        return asked_column(schema, asked, shown), ""
    able = [field.name for field in schema if field.name not in pictures and holds_labels(field.type)]
    for known in (LABEL_NAMES, OTHER_LABEL_NAMES):
        named = [name for wanted in known for name in able if name.casefold() == wanted]
        if named:
            return one_of(named, shown), coarse_note(named[0], able)
    unfit = [field for field in schema if field.name.casefold() in LABEL_NAMES and field.name not in pictures]
    if unfit:
        raise unfit_labels(unfit[0], shown)
    declared = [name for name in able if name in names]
    left = declared or [n for n in able if not NEVER.fullmatch(n) and not PIXEL.fullmatch(n) and few_values(n)]
    if not left:
        raise DataError(f"{shown}: no label column; `label=NAME` names it; {listed(schema)}")
    column = one_of(left, shown)
    return column, f"labels are column `{column}`" if not declared else ""


def asked_column(schema: pa.Schema, asked: str, shown: str) -> str:
    """The column whose name or number the user gives. Raises DataError where there is none, or it holds no labels."""
    exact = [field for field in schema if field.name == asked]
    found = exact or [field for field in schema if field.name.casefold() == asked.casefold()]
    if not found and asked.isdecimal() and int(asked) < len(schema):
        found = [schema.field(int(asked))]
    if not found:
        raise DataError(f"{shown}: no column `{one_line(asked)[:40]}`; {listed(schema)}")
    if not holds_labels(found[0].type):
        raise unfit_labels(found[0], shown)
    name: str = found[0].name
    return name


def unfit_labels(field: pa.Field, shown: str) -> DataError:
    """The error for a column whose values are no labels."""
    kind = cut(field.type, 40)
    why = (
        "several labels a picture are not read"
        if holds_pixels(field.type) or "list" in kind
        else "labels are text or whole numbers"
    )
    return DataError(f"{shown}: column `{field.name}` holds {kind}; {why}; `label=NAME` names another column")


def one_of(named: Sequence[str], shown: str) -> str:
    """The only column, or the fine one beside a coarse one. Raises DataError where two could be meant."""
    if len(named) == 1:
        return named[0]
    fine = [name for name in named if not COARSE.fullmatch(name)]
    if len(fine) == 1:
        return fine[0]
    one, two = (fine or list(named))[:2]
    raise DataError(
        f"{shown}: columns `{one}` and `{two}` could both be the labels; say `label={one}` or `label={two}`"
    )


def coarse_note(column: str, able: Sequence[str]) -> str:
    """The note where a coarser label stands beside."""
    coarse = [name for name in able if name != column and COARSE.fullmatch(name)]
    return f"labels are column `{column}`; `label={coarse[0]}` reads the coarser ones" if coarse else ""
