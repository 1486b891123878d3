"""Filters: read, written back, and true of the same runs in Python, on SQLite and on PostgreSQL."""

import json
import random
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select
from sqlalchemy.engine import make_url

from sightlab.errors import RunError
from sightlab.recipes.keys import leaf_keys
from sightlab.store.database import orm_tables
from sightlab.store.database.engine import engine_of
from sightlab.store.database.query_fields import FIELDS, field_named
from sightlab.store.database.query_filters import (
    Among,
    Both,
    Compare,
    Condition,
    Either,
    Like,
    Missing,
    Not,
    fields_in,
    to_text,
)
from sightlab.store.database.query_parser import parse
from sightlab.store.database.query_sql import expression, order_by, sort_field
from tests.database.conftest import on_server

TEXTS = ["", "a", "A", "Z", "b%", "a_b", "ä", "é", "it's", 'say "x"', "x\\y", "*", "[a]", "日本", "a\nb", "\\"]
NUMBERS = [-1, 0, 0.5, 1, 2.5, 10**12, 1e-7]
TIMES = ["2026-01-02", "2026-01-02 03:04", "2026-01-02T03:04:05", "2026-01-02 03:04:05.25", "2026-01-02 04:04+01:00"]
PATTERNS = ["%", "_", "a%", "%a%", "a_b", "A", "[a]", "*", "b%", "\\", "%\\%", "日_", "%\n%", "??"]
SIGNS = ["=", "!=", "<", "<=", ">", ">="]

# Fields of each kind, and the values that a filter may hold them against.
TEXT_FIELDS = ["model", "reason", "tag", "note", "study", "averaging.name", "options.x"]
NUMBER_FIELDS = ["seed", "test_accuracy", "epochs", "lr", "recipe.seed", "averaging.alpha", "options.x"]
TRUTH_FIELDS = ["git_dirty", "recipe.test_flips", "options.x"]
MANY = {"tag": "tags", "note": "notes", "study": "studies"}
PATHS = {
    "lr": ("optimizer", "lr"),
    "averaging.name": ("averaging", "name"),
    "averaging.alpha": ("averaging", "alpha"),
    "recipe.seed": ("seed",),
    "recipe.test_flips": ("test_flips",),
    "options.x": ("model", "options", "x"),
}

compared = st.one_of(
    st.builds(Compare, st.sampled_from(TEXT_FIELDS), st.sampled_from(SIGNS), st.sampled_from(TEXTS)),
    st.builds(Compare, st.sampled_from(NUMBER_FIELDS), st.sampled_from(SIGNS), st.sampled_from(NUMBERS)),
    st.builds(Compare, st.sampled_from(TRUTH_FIELDS), st.sampled_from(["=", "!="]), st.booleans()),
    st.builds(Compare, st.just("started"), st.sampled_from(SIGNS), st.sampled_from(TIMES)),
    st.builds(Like, st.sampled_from(TEXT_FIELDS), st.sampled_from(PATTERNS)),
    st.builds(Among, st.sampled_from(TEXT_FIELDS), st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map(tuple)),
    st.builds(Among, st.sampled_from(NUMBER_FIELDS), st.lists(st.sampled_from(NUMBERS), min_size=1).map(tuple)),
    st.builds(Among, st.just("started"), st.lists(st.sampled_from(TIMES), min_size=1, max_size=2).map(tuple)),
    st.builds(Missing, st.sampled_from([*TEXT_FIELDS, *NUMBER_FIELDS, *TRUTH_FIELDS, "started", "optimizer.betas"])),
)


def joined(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | st.builds(Both, several) | st.builds(Either, several)


conditions: st.SearchStrategy[Condition] = st.recursive(compared, joined, max_leaves=8)


# What a filter means, over plain values: True, False, or None for neither.


def holds(condition: Condition, run: dict[str, Any]) -> bool | None:
    match condition:
        case Both(parts):
            found = [holds(part, run) for part in parts]
            return False if False in found else None if None in found else True
        case Either(parts):
            found = [holds(part, run) for part in parts]
            return True if True in found else None if None in found else False
        case Not(part):
            found_one = holds(part, run)
            return None if found_one is None else not found_one
        case Among(field, values):
            return holds(Either(tuple(Compare(field, "=", value) for value in values)), run)
        case Missing(field):
            return value_of(field, run) in (None, [])
        case Like(field, pattern):
            return held(field, run, lambda value: like(value, pattern) if isinstance(value, str) else None)
        case Compare(field, "!=", value) if field in MANY:
            return not holds(Compare(field, "=", value), run)
        case Compare(field, sign, value):
            return held(field, run, lambda found: against(found, sign, value))


def held(field: str, run: dict[str, Any], test: Any) -> bool | None:
    """Of several values one is enough; without any there is none."""
    value = value_of(field, run)
    return any(test(one) for one in value) if field in MANY else None if value is None else test(value)


def value_of(field: str, run: dict[str, Any]) -> Any:
    if field in MANY:
        return run[MANY[field]]
    value: Any = run["settings"]
    path = PATHS.get(field, ("optimizer", "betas") if field == "optimizer.betas" else ())
    for part in path:
        value = value.get(part) if value else None
    return value if path else run[field]


def against(found: Any, sign: str, value: Any) -> bool | None:
    if isinstance(found, datetime):
        length = {10: timedelta(days=1), 16: timedelta(minutes=1), 19: timedelta(seconds=1)}
        start = datetime.fromisoformat(value)
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
        end = start + (timedelta(minutes=1) if "+" in value else length.get(len(value), timedelta(microseconds=1)))
        found = start if start <= found < end else found  # within what is meant is the same
        value = start
    elif kind(found) != kind(value):
        return None
    return {
        "=": found == value, "!=": found != value, "<": found < value,
        "<=": found <= value, ">": found > value, ">=": found >= value,
    }[sign]  # fmt: skip


def kind(value: Any) -> str:
    kinds: dict[str, Any] = {"truth": bool, "text": str, "number": (int, float)}
    return next((name for name, type_ in kinds.items() if isinstance(value, type_)), "several")


def like(value: str, pattern: str) -> bool:
    shape = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(shape, value, re.DOTALL) is not None


# Random runs.


def random_runs(count: int) -> list[dict[str, Any]]:
    draw = random.Random(20260131)
    base = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    moments = [base + timedelta(seconds=s) for s in (0, 0.25, 1, -5, 60, -3600, 86_400, -86_400)]
    anything = [None, True, False, *TEXTS, *NUMBERS, [1], {"y": 1}]

    def some(values: list[Any]) -> Any:
        return draw.choice([None, *values])

    return [
        {
            "id": f"{n:06}", "home": ".", "status": "finished", "recipe": "r", "recipe_hash": "h", "openings": 1,
            "machine": {}, "versions": {}, "model": draw.choice(TEXTS), "reason": some(TEXTS),
            "seed": some([-1, 0, 1, 10**12]), "test_accuracy": some([0.0, 0.5, 1.0, 1e-7]),
            "epochs": draw.choice([0, 1, 10]), "started": some(moments), "git_dirty": some([True, False]),
            "settings": {
                "seed": draw.choice([0, 1, 10**12]), "test_flips": some([True, False]),
                "optimizer": {"lr": some(NUMBERS), "betas": some([[0.9, 0.999]])},
                "averaging": {"name": draw.choice(TEXTS), "alpha": some(["falling", 0.5, 1])},
                "model": {"options": {"x": draw.choice(anything)} if draw.random() < 0.8 else {}},
            },
            "tags": draw.sample(TEXTS, draw.choice([0, 0, 1, 3])),
            "notes": draw.choices(TEXTS, k=draw.choice([0, 1, 2])),
            "studies": draw.sample(TEXTS, draw.choice([0, 1, 2])),
        }
        for n in range(count)
    ]  # fmt: skip


RUNS = random_runs(150)


@pytest.fixture(scope="module", params=["sqlite", on_server])
def connection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A database of each kind with the random runs in it."""
    name = f"filters_{uuid.uuid4().hex}"
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('filters') / 'runs.db'}"
    else:
        server = request.getfixturevalue("server")
        server.run(f"CREATE SCHEMA {name}")
        url = server.url(name)
    with engine_of(make_url(url)).connect() as connection:
        orm_tables.metadata.create_all(connection)
        columns = set(orm_tables.runs.c.keys())
        empty = dict.fromkeys(columns)
        connection.execute(
            insert(orm_tables.runs), [empty | {k: v for k, v in run.items() if k in columns} for run in RUNS]
        )
        studies = [{"home": ".", "name": text, "question": "", "created": None, "facts": {}} for text in TEXTS]
        connection.execute(insert(orm_tables.studies), studies)
        several = {
            orm_tables.tags: ("tags", "tag"),
            orm_tables.notes: ("notes", "text"),
            orm_tables.study_runs: ("studies", "study"),
        }
        for table, (key, column) in several.items():
            number = {"number": 0, "at": None} if table is orm_tables.notes else {}
            rows = [
                {"home": ".", "run": run["id"], column: text} | {k: v if v is None else n for k, v in number.items()}
                for run in RUNS
                for n, text in enumerate(run[key])
            ]
            connection.execute(insert(table), rows)
        connection.commit()
        yield connection
    if request.param != "sqlite":
        server.run(f"DROP SCHEMA {name} CASCADE")


def found_by(connection: Connection, condition: Condition) -> list[str]:
    query = (
        select(orm_tables.runs.c.id)
        .where(expression(condition, connection.dialect.name))
        .order_by(orm_tables.runs.c.id)
    )
    return list(connection.execute(query).scalars())


@settings(max_examples=80, deadline=None)
@given(condition=conditions)
def test_a_filter_finds_the_runs_that_it_is_true_of(connection: Connection, condition: Condition) -> None:
    expected = [run["id"] for run in RUNS if holds(condition, run)]
    assert found_by(connection, condition) == expected


def test_each_comparison_finds_some_runs_and_leaves_some(connection: Connection) -> None:
    """So that the test above compares more than empty lists."""
    texts = """model = 'a'; model < 'a'; reason like 'a%'; tag = 'Z'; tag != 'Z'; note like '%a%'; lr > 0
        averaging.alpha = 'falling'; averaging.alpha = 0.5; options.x = true; options.x > 0; options.x = 'a'
        study in ('a', 'b%')
        recipe.test_flips = false; started >= '2026-01-02'; started = '2026-01-02 03:04'; git_dirty = true"""
    for text in re.split(r";|\n", texts):
        assert 0 < len(found_by(connection, parse(text))) < len(RUNS), text


@pytest.mark.parametrize("name", ["model", "seed", "started", "git_dirty", "lr", "options.x", "averaging.name"])
@pytest.mark.parametrize("descending", [False, True])
def test_runs_are_sorted_by_any_field_alike_everywhere(connection: Connection, name: str, descending: bool) -> None:
    field, backwards = sort_field("-" * descending + name)
    query = select(orm_tables.runs.c.id).order_by(
        *order_by(field, backwards, connection.dialect.name), orm_tables.runs.c.id
    )
    ids = list(connection.execute(query).scalars())
    by_id = {run["id"]: run for run in RUNS}
    values = [value_of(name, by_id[one]) for one in ids]
    present = [v for v in values if isinstance(v, str | bool | int | float | datetime)]
    missing = [v is None for v in values]
    if name == "options.x":
        present = [v for v in present if kind(v) == "number"]
    else:
        assert missing == sorted(missing, reverse=not descending)
    assert present == sorted(present, reverse=descending)


@given(condition=conditions)
def test_a_filter_that_is_written_is_read_as_the_same(condition: Condition) -> None:
    assert repr(parse(to_text(condition))) == repr(condition)


@given(
    value=st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0")),
)
def test_any_value_is_read_as_it_was_written(value: float, text: str) -> None:
    for condition in (Compare("options.x", "=", value), Compare("options.x", "<", text), Like("model", text)):
        assert repr(parse(to_text(condition))) == repr(condition)


WORDS = [
    *("and", "or", "not", "(", ")", "in", "is", "null", "like", ",", "=", "==", "<>", "<=", "'a'", '"b"', "'%", "'"),
    *("1", "-2.5e3", "90%", "1e999", "..", "true", "model", "seed", "tag", "lr", "started", "'2026-01-02'", "recipe.x"),
]


@settings(max_examples=200, deadline=None)
@given(text=st.text() | st.lists(st.sampled_from([*WORDS, "\0"]), max_size=12).map(" ".join))
def test_any_text_is_a_filter_or_one_line(connection: Connection, text: str) -> None:
    try:
        condition = parse(text)
    except RunError as error:
        assert re.match(r"--where: position \d+: ", str(error))
        assert len(str(error).splitlines()) == 1 or "\n" in text or not text.isprintable()
    else:
        found_by(connection, condition)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model = 'a' and test_acuracy > 3", "position 17: unknown field 'test_acuracy'; did you mean test_accuracy?"),
        ("quux = 3", "position 1: unknown field 'quux'; docs/runs.md lists the fields"),
        ("model = resnet18", "position 9: expected a value to compare model with, found resnet18; texts are quoted"),
        ("model > 3", "position 9: model is a text; write it in quotes"),
        ("test_accuracy > 'high'", "position 17: test_accuracy is a number, without quotes, found 'high'"),
        ("seed = true", "position 8: seed is a number"),
        ("git_dirty = 1", "position 13: git_dirty is true or false"),
        ("git_dirty < true", "position 11: git_dirty is true or false; = and != compare it, < does not"),
        ("started > 'soon'", "position 11: started is a time in quotes, such as '2026-01-31'"),
        ("started > '2026-02-30'", "position 11: started is a time"),
        ("betas = 3", "position 9: betas holds several values"),
        ("seed like '4%'", "position 11: seed is a number"),
        ("options.x like 4", "position 16: `like` compares texts with patterns in quotes"),
        ("model = null", "position 9: nothing equals null; write `model is null`"),
        ("(model = 'a'", "position 13: expected ) for the ( at position 1, found the end"),
        ("model = 'a')", "position 12: expected `and`, `or` or the end, found )"),
        ("model = 'a", "position 9: a text without its closing '"),
        ("model ~ 'a'", "position 7: cannot read '~'"),
        ("model", "position 6: expected = != < <= > >= like, in or is after model, found the end"),
        ("model in 'a'", "position 10: expected ( after `in`, found 'a'"),
        ("model in ('a' 'b')", "position 15: expected ) after the values, found 'b'"),
        ("not", "position 4: expected a field such as model or test_accuracy, found the end"),
        ("", "position 1: expected a field"),
        ("distillation = 'x'", "position 1: distillation is a group of a recipe's keys; name one of them"),
        ("seed > 1e999", "position 8: 1e999 is too large"),
        ("seed > " + "1" * 200, "position 8: 11111111111111111111... is too long"),
        ("(" * 60 + "seed = 1" + ")" * 60, "position 16: more than 15 parentheses"),
        ("not " * 60 + "seed = 1", "more than 15 parentheses"),
        ("seed in (" + "1," * 600 + "1)", "more than 500 values"),
        ("model = 'a\0'", "position 9: a text with a character that is none"),
        ("model = '\udcff'", "position 9: a text with a character that is none"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_a_mistake_names_its_place(text: str, says: str) -> None:
    with pytest.raises(RunError) as caught:
        parse(text)
    assert str(caught.value).startswith("--where: ")
    assert says in str(caught.value)


def test_a_filter_that_is_too_long_is_one_line() -> None:
    with pytest.raises(RunError, match=r"--where: 20,011 characters; 10,000 are the most"):
        parse("model = '" + "a" * 20_001 + "'")


def test_the_most_that_is_allowed_can_be_asked(connection: Connection) -> None:
    many = " or ".join(f"lr = {n}" for n in range(500))
    refused = "not " * 14 + "started != '2026-01-02'"
    nested = "averaging.alpha = 1 or options.x = 'a' and (" * 14 + "tag like 'x'" + ")" * 14
    for text in (many, refused, nested):
        assert found_by(connection, parse(text))


def test_words_may_be_written_in_either_case_and_signs_in_two_ways() -> None:
    assert parse("seed == 1 AND NOT model <> 'a'") == Both((Compare("seed", "=", 1), Not(Compare("model", "!=", "a"))))
    assert parse("not seed = 1 and epochs = 2 or seed = 3") == Either(
        (Both((Not(Compare("seed", "=", 1)), Compare("epochs", "=", 2))), Compare("seed", "=", 3))
    )


def test_values_are_read_in_all_their_ways() -> None:
    assert parse("test_accuracy > 90%") == Compare("test_accuracy", ">", 0.9)
    assert parse("test_accuracy > 92.5%") == Compare("test_accuracy", ">", 0.925)
    assert parse('model = "it\'s"') == parse("model = 'it''s'") == Compare("model", "=", "it's")
    assert parse('model = "a ""b"" c"') == Compare("model", "=", 'a "b" c')
    assert parse("seed in (1, -2,+3 , .5, 1e3)") == Among("seed", (1, -2, 3, 0.5, 1000.0))
    assert parse("ended is not null") == Not(Missing("ended"))


def test_every_key_of_a_recipe_is_a_field() -> None:
    for key in leaf_keys():
        assert field_named(f"recipe.{key}").path == tuple(key.split("."))


def test_a_field_that_is_a_column_has_its_kind() -> None:
    kinds = {"text": str, "number": (int, float), "truth": bool, "time": datetime}
    for field in FIELDS.values():
        table, _, column = field.column.rpartition(".")
        found = orm_tables.metadata.tables[table or "runs"].c[column or field.name].type
        python = datetime if isinstance(found, orm_tables.UtcTime) else found.python_type
        assert issubclass(python, kinds[field.kind]), field.name


def test_the_fields_of_a_filter_are_known() -> None:
    assert fields_in(parse("not (seed = 1 or tag = 'a') and seed in (2)")) == ["seed", "tag"]


def test_what_a_user_writes_never_becomes_sql(connection: Connection) -> None:
    for text in ("'; DROP TABLE runs; --", "' OR '1'='1", "\\'; --", "$1", "%(x)s", ":x", "?"):
        assert found_by(connection, Compare("model", "=", text)) == []
        assert found_by(connection, Compare("options.x", "=", text)) == []
    assert json.dumps(len(found_by(connection, Not(Missing("model"))))) == str(len(RUNS))


def test_a_recipes_option_may_have_any_name_that_is_a_word(connection: Connection, tmp_path: Path) -> None:
    assert found_by(connection, parse("model.options.a.b.c = 1 or options.__class__ = 'x'")) == []
