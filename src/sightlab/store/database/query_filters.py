"""Filters: what `--where` says, as a small tree of frozen values, and back to text.

    filter     := both { "or" both }
    both       := part { "and" part }
    part       := "not" part | "(" filter ")" | comparison
    comparison := FIELD ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) VALUE
                | FIELD [ "not" ] "like" TEXT
                | FIELD [ "not" ] "in" "(" VALUE { "," VALUE } ")"
                | FIELD "is" [ "not" ] "null"
    VALUE      := TEXT | NUMBER | "true" | "false"

As in SQL, a comparison with what a run does not have is neither true nor false, and so is its `not`: only `is null`
finds those runs. In `like`, % stands for any text and _ for one character; case counts.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = bool | int | float | str


@dataclass(frozen=True)
class Compare:
    """A field against a value. operator: = != < <= > or >=."""

    field: str
    operator: str
    value: Value


@dataclass(frozen=True)
class Like:
    """A text against a pattern."""

    field: str
    pattern: str


@dataclass(frozen=True)
class Among:
    """A field that equals one of several values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Missing:
    """A field that the run has no value of."""

    field: str


@dataclass(frozen=True)
class Not:
    """What is false."""

    part: Condition


@dataclass(frozen=True)
class Both:
    """All of two or more parts: `and`."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    """Any of two or more parts: `or`."""

    parts: tuple[Condition, ...]


Condition = Compare | Like | Among | Missing | Not | Both | Either


def to_text(condition: Condition) -> str:
    """The filter as text that means the same.

    >>> to_text(Not(Both((Compare("model", "=", "it's"), Compare("test_accuracy", ">", 0.9)))))
    "not (model = 'it''s' and test_accuracy > 0.9)"
    """
    match condition:
        case Compare(field, operator, value):
            return f"{field} {operator} {value_text(value)}"
        case Like(field, pattern):
            return f"{field} like {value_text(pattern)}"
        case Among(field, values):
            return f"{field} in ({', '.join(map(value_text, values))})"
        case Missing(field):
            return f"{field} is null"
        case Not(part):
            return f"not {bracketed(part)}"
        case Both(parts):
            return " and ".join(map(bracketed, parts))
        case Either(parts):
            return " or ".join(map(bracketed, parts))


def bracketed(condition: Condition) -> str:
    """The filter as text, in parentheses where it would fall apart without."""
    text = to_text(condition)
    return f"({text})" if isinstance(condition, Both | Either) else text


def value_text(value: Value) -> str:
    """A value as a filter writes it.

    >>> value_text(True), value_text(0.5), value_text("it's")
    ('true', '0.5', "'it''s'")
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"


def fields_in(condition: Condition) -> list[str]:
    """The names of the fields that a filter reads, in its order, each once.

    >>> fields_in(Both((Compare("seed", "=", 1), Missing("ended"), Compare("seed", "=", 2))))
    ['seed', 'ended']
    """
    match condition:
        case Both(parts) | Either(parts):
            found = [name for part in parts for name in fields_in(part)]
        case Not(part):
            found = fields_in(part)
        case _:
            found = [condition.field]
    return list(dict.fromkeys(found))
