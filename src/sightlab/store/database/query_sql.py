"""Filters as SQL expressions. Every value is a bound parameter; nothing a user writes becomes SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    not_,
    nulls_first,
    nulls_last,
    or_,
)

from sightlab.errors import RunError
from sightlab.store.database import orm_tables
from sightlab.store.database.query_fields import Field, field_named
from sightlab.store.database.query_filters import Among, Both, Compare, Condition, Either, Like, Missing, Not, Value
from sightlab.store.database.time_words import span

Holds = Callable[[ColumnElement[Any]], ColumnElement[bool]]
SIGNS: dict[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def expression(condition: Condition, dialect: str) -> ColumnElement[bool]:
    """The filter as an expression over the table `runs`. dialect: sqlite or postgresql."""
    match condition:
        case Both(parts):
            return and_(*(expression(part, dialect) for part in parts))
        case Either(parts):
            return or_(*(expression(part, dialect) for part in parts))
        case Not(part):
            return not_(expression(part, dialect))
        case Missing(name):
            return missing(field_named(name), dialect)
        case Like(name, pattern):
            return like(field_named(name), pattern, dialect)
        case Compare(name, sign, value):
            return compared(field_named(name), sign, value, dialect)
        case Among(name, values):
            return or_(*(compared(field_named(name), "=", value, dialect) for value in values))


def compared(field: Field, sign: str, value: Value, dialect: str) -> ColumnElement[bool]:
    """A field against a value. Where a run may have several, one that fits is enough, and != means that none is."""
    if field.many:
        if sign == "!=":
            return not_(compared(field, "=", value, dialect))
        return one_of(field, lambda column: SIGNS[sign](ordered(column, sign, dialect), literal(value, Text)))
    if field.kind == "time":
        return timed(column_of(field), sign, str(value))
    if isinstance(value, bool):
        return SIGNS[sign](of_kind(field, "truth", dialect), literal(value, Boolean))
    if isinstance(value, str):
        return SIGNS[sign](ordered(of_kind(field, "text", dialect), sign, dialect), literal(value, Text))
    return SIGNS[sign](
        of_kind(field, "number", dialect), literal(value, BigInteger if isinstance(value, int) else Double)
    )


def timed(column: ColumnElement[Any], sign: str, text: str) -> ColumnElement[bool]:
    """A time against a day, a minute or a second: equal within it, larger after it, smaller before it."""
    meant = span(text)
    assert meant is not None  # the parser has read it
    start, end = (literal(moment, orm_tables.UtcTime) for moment in meant)
    within = and_(column >= start, column < end)
    return {
        "=": within,
        "!=": not_(within),
        "<": column < start,
        "<=": column < end,
        ">": column >= end,
        ">=": column >= start,
    }[sign]


def like(field: Field, pattern: str, dialect: str) -> ColumnElement[bool]:
    """A text against a pattern with % and _; case counts on both databases, and a backslash is a backslash."""

    def holds(column: ColumnElement[Any]) -> ColumnElement[bool]:
        if dialect != "sqlite":
            return column.like(literal(pattern.replace("\\", "\\\\"), Text))
        # SQLite's own LIKE takes a for A.
        shape = "".join({"%": "*", "_": "?"}.get(c, f"[{c}]" if c in "*?[" else c) for c in pattern)
        return column.op("GLOB", is_comparison=True)(literal(shape, Text))

    return one_of(field, holds) if field.many else holds(of_kind(field, "text", dialect))


def missing(field: Field, dialect: str) -> ColumnElement[bool]:
    """That a run has no value of a field."""
    if field.many:
        return not_(one_of(field, lambda column: column.is_not(None)))
    if not field.path:
        return column_of(field).is_(None)
    return extracted(field, dialect).is_(None)


def one_of(field: Field, holds: Holds) -> ColumnElement[bool]:
    """That something is true of one of the several that a run may have."""
    table_name, _, column = field.column.partition(".")
    table, runs = orm_tables.metadata.tables[table_name], orm_tables.runs
    of_this_run = and_(table.c.home == runs.c.home, table.c.run == runs.c.id)
    return exists().where(of_this_run, holds(table.c[column])).correlate(runs)


def column_of(field: Field) -> ColumnElement[Any]:
    """The column of the table `runs` that a field is."""
    return orm_tables.runs.c[field.column or field.name]


def of_kind(field: Field, kind: str, dialect: str) -> ColumnElement[Any]:
    """A field's value if it is of this kind, else NULL: what a recipe's key holds may differ from run to run."""
    if not field.path:
        return column_of(field)
    value = extracted(field, dialect)
    if dialect == "sqlite":
        place = "$" + "".join(f'."{part}"' for part in field.path)
        found = func.json_type(orm_tables.runs.c[field.document], literal(place, Text), type_=Text)
        names = {"number": ("integer", "real"), "text": ("text",), "truth": ("true", "false")}
        return case((found.in_(names[kind]), value))
    parts = [literal(part, Text) for part in field.path]
    found = func.json_typeof(func.json_extract_path(orm_tables.runs.c[field.document], *parts), type_=Text)
    types: dict[str, tuple[str, Any]] = {
        "number": ("number", Double),
        "text": ("string", Text),
        "truth": ("boolean", Boolean),
    }
    name, type_ = types[kind]
    return case((found == literal(name, Text), cast(value, type_)))


def extracted(field: Field, dialect: str) -> ColumnElement[Any]:
    """What a recipe holds at a key; NULL for null and for a key that it does not have."""
    if dialect == "sqlite":
        place = "$" + "".join(f'."{part}"' for part in field.path)
        return func.json_extract(orm_tables.runs.c[field.document], literal(place, Text))
    return func.json_extract_path_text(orm_tables.runs.c[field.document], *(literal(part, Text) for part in field.path))


def ordered(column: ColumnElement[Any], sign: str, dialect: str) -> ColumnElement[Any]:
    """A text to be put in order: by its code points on both databases, not by the server's language."""
    return column.collate("C") if dialect != "sqlite" and sign not in ("=", "!=") else column


def sort_field(text: str) -> tuple[Field, bool]:
    """The field to sort by, and whether from the largest down. Raises RunError.

    >>> field, descending = sort_field("-validation_accuracy")
    >>> field.name, descending
    ('validation_accuracy', True)
    """
    try:
        field = field_named(text.removeprefix("-"))
    except RunError as error:
        raise RunError(f"--sort: {error}") from error
    if field.many or field.kind == "list":
        raise RunError(f"--sort: a run may have several of {field.name}; sort by a field that has one value")
    return field, text.startswith("-")


def order_by(field: Field, descending: bool, dialect: str) -> list[ColumnElement[Any]]:
    """The order of a field: runs without a value first, from the largest down last."""
    kinds = ("number", "text") if field.kind == "any" else (field.kind,)
    values = [of_kind(field, kind, dialect) for kind in kinds]
    texts = [
        ordered(value, "<", dialect) if kind == "text" else value for kind, value in zip(kinds, values, strict=True)
    ]
    return [nulls_last(value.desc()) if descending else nulls_first(value.asc()) for value in texts]
