"""Queries for runs in the database; results are plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Table, select

from sightlab.store.database import orm_tables
from sightlab.store.database.engine import Place, Session, place_of, reading
from sightlab.store.database.query_fields import field_named
from sightlab.store.database.query_filters import fields_in
from sightlab.store.database.query_parser import parse
from sightlab.store.database.query_sql import expression, order_by, sort_field
from sightlab.store.database.reconcile import BIN, correct, folders_in, home_diff, home_of
from sightlab.store.run_folder import LAST, home_folder, the_one

Say = Callable[[str], None]
Plain = dict[str, Any]
BY_NAME = (orm_tables.runs.c.id, orm_tables.runs.c.home)  # the last criterion of every order
NEWEST_FIRST = (orm_tables.runs.c.started.desc().nulls_last(), *(column.desc() for column in BY_NAME))
KEY = ("home", "id", "binned_at")  # of these a run's folder is made up


def runs(
    home: str | Path | None = None,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    *,
    binned: bool = False,
    columns: Sequence[str] | None = None,
    say: Say = lambda _: None,
) -> list[Plain]:
    """The runs of a home that a filter is true of, as plain values; the newest last.

    home: None means SIGHTLAB_HOME or ./runs, and in a database of several homes all of them. where: a filter, see
    docs/runs.md. sort: a field, with a minus in front from the largest down; runs without a value count as smallest.
    limit: so many at most, the newest ones, or the first ones of the order asked for. binned: with those in the bin.
    columns: the only ones to read. say: called with a line for each thing that was repaired.
    Raises RunError: a filter that cannot be read, a database that cannot be opened.

    >>> runs(Path("nowhere"))
    []
    """
    condition = parse(where) if where is not None else None
    order = sort_field(sort) if sort is not None else None
    place = place_of(home_folder(home))
    if not refreshed(place, say):
        return []
    table = orm_tables.runs
    with reading(place.folder) as session:
        dialect = session.connection.dialect.name
        query = select(*(column for column in table.c if columns is None or column.name in (*KEY, *columns)))
        if home is not None:
            query = query.where(table.c.home == place.home)
        if not binned:
            query = query.where(table.c.binned_at.is_(None))
        if condition is not None:
            query = query.where(expression(condition, dialect))
        query = query.order_by(*((*order_by(*order, dialect), *BY_NAME) if order else NEWEST_FIRST))
        found = session.connection.execute(query.limit(limit)).all()
        return with_labels(session, found if order else found[::-1])


def find(text: str, home: str | Path | None = None, *, say: Say = lambda _: None) -> Plain:
    """Everything about one run: that of an id or its beginning, `last`, or a run folder. Runs in the bin come last.

    Beside what `runs` gives: `history`, its epochs, and `opened`, every opening of a labelled split.
    Raises RunError when there is none, or when a beginning means several.
    """
    text, place = named(text, home)
    everything = runs(place, binned=True, say=say)
    kept = [run for run in everything if run["binned_at"] is None]
    binned = [run for run in everything if run["binned_at"] is not None]
    last = ", ".join(run["run"] for run in kept[-5:])
    help_ = f"the last ones are {last}" if last else "there are none; `sightlab train` makes one"
    here = any(text == LAST or run["run"].startswith(text) for run in kept)
    return with_history(only(text, kept if here else binned, place, help_), place_of(home_folder(place)))


def find_binned(text: str, home: str | Path | None = None) -> Plain:
    """A run in the bin, as `find` gives it. Raises RunError."""
    text, place = named(text, home)
    binned = [run for run in runs(place, binned=True) if run["binned_at"] is not None]
    help_ = f"in its bin are {', '.join(run['run'] for run in binned[-5:])}" if binned else "its bin is empty"
    return with_history(only(text, binned, place, help_), place_of(home_folder(place)))


def named(text: str, home: str | Path | None) -> tuple[str, str | Path | None]:
    """What names a run, and its home: a run folder names both."""
    folder = Path(text).expanduser()
    return (folder.absolute().name, home_of(folder)) if (folder / "run.json").is_file() else (text, home)


def only(text: str, found: list[Plain], home: str | Path | None, help_: str) -> Plain:
    """The one run that is meant. Raises RunError where it is none or several."""
    ids = [run["run"] for run in found]
    shown = [run["folder"] for run in found] if len(set(ids)) < len(ids) else ids
    return found[the_one(text, ids, home_folder(home), help_, shown)]


def chosen_on_test(where: str | None, sort: str | None) -> list[str]:
    """A line for each field by which runs are chosen on their test scores. Raises RunError.

    >>> chosen_on_test(None, "-test_loss")[0].partition(":")[0]
    'test_loss'
    """
    names = fields_in(parse(where)) if where is not None else []
    fields = [field_named(name) for name in names]
    fields += [sort_field(sort)[0]] if sort is not None else []
    asked = dict.fromkeys(field.name for field in fields if field.of_test)
    return [
        f"{name}: this is selection on the test split, after which its score is too good; "
        f"choose by {'validation_loss' if name == 'test_loss' else 'validation_accuracy'}, and look at the test score "
        "of what you chose"
        for name in asked
    ]


def refreshed(place: Place, say: Say) -> bool:
    """Bring a home's rows up to date with its folders. Whether there is anything to list."""
    if place.file and not place.file.exists() and not folders_in(place.folder):
        return False
    if place.folder.is_dir():
        found = home_diff(place.folder)
        if found.new:
            take_in(place, found.new, say)
        if found.gone:
            names = ", ".join(found.gone[:3]) + (", ..." if len(found.gone) > 3 else "")
            say(f"without a folder in {place.folder}: {names}; `sightlab runs rebuild` drops them from the database")
    correct(place.folder)
    return True


def take_in(place: Place, folders: Sequence[Path], say: Say) -> None:
    """Record folders that the database does not know: those of an older home, one that was copied into it."""
    from sightlab.store.database.upsert import read_folders  # its readers of YAML and labels take their time to load

    taken = read_folders(place.folder, folders)
    for problem in taken.problems:
        say(problem)
    if taken.recorded:
        what = "run folder was" if taken.recorded == 1 else "run folders were"
        say(f"{taken.recorded:,} {what} not yet in {place}; recorded now")


def with_labels(session: Session, rows: Sequence[Row[Any]]) -> list[Plain]:
    """Rows of `runs` as plain values, with folder, tags, notes and studies. A run's id is called `run`."""
    tags = of_each_run(session, orm_tables.tags, "tag")
    notes = of_each_run(session, orm_tables.notes, "at", "text")
    studies = of_each_run(session, orm_tables.study_runs, "study")
    found = []
    for row in rows:
        key = row.home, row.id
        values = zip(row._fields, row, strict=True)
        run: Plain = {"run": row.id, "folder": folder_of(row, session.place)}
        run |= {name: plain_value(value) for name, value in values if name != "id"}
        run["tags"] = [one["tag"] for one in tags.get(key, ())]
        run["notes"] = notes.get(key, [])
        run["studies"] = [one["study"] for one in studies.get(key, ())]
        found.append(run)
    return found


def of_each_run(session: Session, table: Table, *columns: str) -> dict[tuple[str, str], list[Plain]]:
    """The rows of a table by their run, in the order of its key."""
    found: dict[tuple[str, str], list[Plain]] = {}
    for row in session.connection.execute(select(table).order_by(*table.primary_key)).mappings():
        found.setdefault((row["home"], row["run"]), []).append({name: plain_value(row[name]) for name in columns})
    return found


def with_history(run: Plain, place: Place) -> Plain:
    """A run with its epochs and openings."""
    with reading(place.folder) as session:
        for name, table in (("history", orm_tables.epochs), ("opened", orm_tables.openings)):
            here = table.c.home == run["home"], table.c.run == run["run"]
            rows = session.connection.execute(select(table).where(*here).order_by(*table.primary_key)).mappings()
            run[name] = [{k: plain_value(v) for k, v in row.items() if k not in ("home", "run")} for row in rows]
    return run


def folder_of(row: Row[Any], place: Place) -> str:
    """Where a run's folder is. Some thousand of them are asked for at once, so no Path is made."""
    home = row.home if place.shared else str(place.folder)
    return "/".join([home, BIN, row.id] if row.binned_at else [home, row.id])


def plain_value(value: Any) -> Any:
    """A value as JSON holds it: times as ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else value
