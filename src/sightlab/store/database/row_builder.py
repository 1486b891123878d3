"""Rows of the database, built from the files of a run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, Table, Text

from sightlab.errors import RunError, one_line
from sightlab.records import Epoch
from sightlab.store.analyses import figures_in
from sightlab.store.annotations import Labels, read_labels
from sightlab.store.database import orm_tables
from sightlab.store.liveness import alive
from sightlab.store.run_folder import identity_in, read_facts

Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """One run's rows, by table. studies: those the run is part of."""

    run: Row
    epochs: list[Row]
    openings: list[Row]
    tags: list[Row]
    notes: list[Row]
    studies: list[Row]
    study_runs: list[Row]


def rows_of(folder: Path, home: str, now: datetime, heard: datetime | None = None) -> Rows:
    """Read a run's folder. home: its name in the rows. heard: a heartbeat that may be newer than the folder's.

    A run whose process died is `interrupted`, whatever its file says. Raises RunError for a file that cannot be read or
    has values that do not fit.
    """
    path = folder / "run.json"
    facts = read_facts(folder)
    labels = read_labels(folder)
    key = {"home": home, "run": folder.name}
    openings = openings_of(folder)
    test_key = facts.get("test_key") or next((one["split"] for one in openings), None)
    counted = sum(one["split"] == test_key for one in openings)
    run = {
        "home": home,
        "id": folder.name,
        **training_of(facts, path, now, heard),
        **identity_of(facts),
        **data_of(facts, path),
        **scores_of(facts, path),
        **machine_of(folder, facts, path),
        "settings": settings_of(folder),
        "analyses": figures_in(folder) or None,
        "test_key": test_key,
        "openings": max(counted, part(facts, "test", path).get("openings") or 0),
        "binned_at": instant(labels.binned, path),
    }
    if run["seed"] is None:
        run["seed"] = run["settings"].get("seed")  # an older sightlab wrote it in the recipe alone
    history = listed(facts, "history", path)
    names = [field.name for field in fields(Epoch)]
    epochs = [{**key, **{name: one.get(name) for name in names}} for one in history if isinstance(one, dict)]
    return Rows(
        run=fitted(orm_tables.runs, run, path),
        epochs=[fitted(orm_tables.epochs, one, path) for one in epochs],
        openings=[
            fitted(orm_tables.openings, {**key, "number": n, **one, "at": instant(one["at"], path)}, path)
            for n, one in enumerate(openings, start=1)
        ],
        **label_rows(labels, key, path),
    )


def training_of(facts: Mapping[str, Any], path: Path, now: datetime, heard: datetime | None) -> Row:
    """What was trained, how far, and whether it is still running."""
    process = part(facts, "process", path)
    beats = [beat for beat in (instant(facts.get("heartbeat"), path), heard) if beat]
    heartbeat = max(beats, default=None)
    status = facts.get("status") or "finished"
    if status == "running" and not alive(process, heartbeat.isoformat() if heartbeat else "", now):
        status = "interrupted"
    same = ("reason", "recipe", "recipe_hash", "model", "seed", "parameters", "flops", "planned_epochs", "epochs")
    return {
        **{name: facts.get(name) for name in (*same, "best_epoch", "seconds", "images_per_second")},
        "status": status,
        "started": instant(facts.get("started"), path),
        "ended": instant(facts.get("ended"), path),
        "heartbeat": heartbeat,
        "process": process or None,
        "host": process.get("host"),
    }


def identity_of(facts: Mapping[str, Any]) -> Row:
    """The keys by which runs of the same training are found; null if the identity is not whole or not on record."""
    known = identity_in(facts)
    if known is None or not known.whole:
        return {"identity": None, "identity_but_seed": None}
    return {"identity": known.key, "identity_but_seed": known.key_but_seed}


def data_of(facts: Mapping[str, Any], path: Path) -> Row:
    """Which images."""
    data = part(facts, "data", path)
    counts = {f"{split}_images": data.get(split) for split in ("train", "validation", "test")}
    return {"data": data.get("source"), "data_key": data.get("key"), **counts}


def scores_of(facts: Mapping[str, Any], path: Path) -> Row:
    """Validation of the best epoch, and the test's score with its 95 % interval."""
    validation, test = part(facts, "validation", path), part(facts, "test", path)
    interval = test.get("interval")
    low, high = interval if isinstance(interval, list) and len(interval) == 2 else (None, None)
    return {
        "validation_accuracy": validation.get("accuracy"),
        "validation_loss": validation.get("loss"),
        **{f"test_{name}": test.get(name) for name in ("accuracy", "loss", "top5", "count", "correct")},
        "test_low": low,
        "test_high": high,
        "test_flips": part(facts, "test_flips", path) or None,
    }


def machine_of(folder: Path, facts: Mapping[str, Any], path: Path) -> Row:
    """Where it was trained, with which software, from which revision of the user's own code."""
    machine = read_json(folder / "environment.json")
    git = part(facts, "git", path)
    versions = {name: machine[name] for name in ("sightlab", "python", "torch") if name in machine}
    return {
        **{name: machine.get(name) for name in ("device", "cpu", "system")},
        "machine": machine,
        "versions": versions,
        "git_revision": git.get("revision"),
        "git_dirty": git.get("dirty"),
    }


def settings_of(folder: Path) -> Row:
    """The whole recipe as nested values; empty where the folder has none."""
    path = folder / "recipe.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe ones
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: damaged: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise RunError(f"{path}: damaged: not a recipe")
    return values


def openings_of(folder: Path) -> list[dict[str, Any]]:
    """Every opening of a labelled split for the run's model, as its bundle has them on record.

    A line that cannot be read still counts as an opening, of an unknown split.
    """
    path = folder / "bundle" / "openings.jsonl"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    found = []
    for line in filter(str.strip, lines):
        try:
            one = dict(json.loads(line))
        except (ValueError, TypeError):
            one = {"reason": "a line that cannot be read"}
        found.append({"at": one.get("at"), **{name: one.get(name) or "" for name in ("split", "source", "reason")}})
    return found


def label_rows(labels: Labels, key: Row, path: Path) -> dict[str, list[Row]]:
    """Tags, notes and studies."""
    notes = [
        {**key, "number": n, "at": instant(note.at, path), "text": note.text}
        for n, note in enumerate(labels.notes, start=1)
    ]
    studies = [
        {
            "home": key["home"],
            "name": one.name,
            "question": one.question,
            "created": instant(one.created, path),
            "facts": one.facts,
        }
        for one in labels.studies
    ]
    return {
        "tags": [{**key, "tag": tag} for tag in labels.tags],
        "notes": notes,
        "studies": [fitted(orm_tables.studies, one, path) for one in studies],
        "study_runs": [{**key, "study": one.name} for one in labels.studies],
    }


def read_json(path: Path) -> Row:
    """A JSON object from a file; empty where there is no file. Raises RunError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path}: damaged: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise RunError(f"{path}: damaged: not a JSON object")
    return values


def part(facts: Mapping[str, Any], name: str, path: Path) -> Row:
    """A part of run.json that holds facts of its own; empty where it is missing or null."""
    value = facts.get(name) or {}
    if not isinstance(value, dict):
        raise RunError(f"{path}: damaged: {name} is {value!r}, not an object")
    return value


def listed(facts: Mapping[str, Any], name: str, path: Path) -> list[Any]:
    """A part of run.json that is a list; empty where it is missing or null."""
    value = facts.get(name) or []
    if not isinstance(value, list):
        raise RunError(f"{path}: damaged: {name} is {value!r}, not a list")
    return value


def instant(value: object, path: Path) -> datetime | None:
    """A time from its ISO 8601 text, in UTC where it names no zone; None for none. Raises RunError."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RunError(f"{path}: damaged: {value!r} is not a time") from error


def fitted(table: Table, row: Row, path: Path) -> Row:
    """The row, every value of it one that its column can hold. Raises RunError."""
    return {name: fitting(table.c[name], value, path) for name, value in row.items()}


def fitting(column: Column[Any], value: Any, path: Path) -> Any:
    """A value that its column can hold."""
    value = plain(value)
    if value is None and not column.nullable:
        raise RunError(f"{path}: damaged: {column.name} is missing")
    fits = next((test for kind, test in FITS.items() if isinstance(column.type, kind)), None)
    if fits and value is not None and not fits(value):
        raise RunError(f"{path}: damaged: {column.name} is {one_line(repr(value))[:80]}")
    return value


def integer_of(bits: int) -> Callable[[object], bool]:
    """Whether a value is an integer of so many bits."""
    return lambda value: type(value) is int and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


# What each kind of column can hold. The first kind that a column's type is one of counts: BigInteger is an Integer too.
FITS: dict[type[Any], Callable[[Any], bool]] = {
    Boolean: lambda value: isinstance(value, bool),
    BigInteger: integer_of(64),
    Integer: integer_of(32),
    Double: lambda value: isinstance(value, float) or integer_of(64)(value),
    Text: lambda value: isinstance(value, str),
}


def plain(value: Any) -> Any:
    """The value as JSON and both databases hold it: no NaN, no infinity, no NUL and no half of a character in texts."""
    if isinstance(value, dict):
        return {plain(str(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return None if isinstance(value, float) and not -float("inf") < value < float("inf") else value
