"""Run folders: what a run writes while it trains, and how it is found again."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightlab.errors import RunError
from sightlab.files import write_text
from sightlab.records import Epoch, Run, Score
from sightlab.records.identity import Identity
from sightlab.store.liveness import alive

if TYPE_CHECKING:
    from sightlab.recipes.schema import Recipe

FORMAT = 1
LAST = "last"
# What a run may be: `trained` has all its epochs and its test split is still sealed, as of a search's trial.
STATUSES = ("running", "finished", "trained", "interrupted", "failed")


def home_folder(home: str | Path | None = None) -> Path:
    """Where runs are kept: the folder that is named, else SIGHTLAB_HOME, else `runs` in the current folder."""
    return Path(home if home is not None else os.environ.get("SIGHTLAB_HOME") or "runs").expanduser()


def new_folder(home: Path, name: str) -> Path:
    """A new, empty run folder `HOME/ID`, its id six hex digits and the recipe's name. Raises RunError."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") or "run"
    folder = home / f"{secrets.token_hex(3)}-{plain}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be made: {error.strerror}; name one you may write to with --home or SIGHTLAB_HOME"
        ) from error
    return folder


def write_facts(folder: Path, run: Run, status: str, extra: Mapping[str, Any]) -> None:
    """Write run.json and metrics.csv.

    status: one of STATUSES. extra: further facts, plain values. Raises OSError as writing does.
    """
    facts = run.to_json() | {
        "format": FORMAT,
        "status": status,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "history": [epoch.to_json() for epoch in run.epochs],
        "validation_score": run.validation.to_json() if run.validation else None,
        **extra,
    }
    del facts["folder"]  # a run folder may be moved
    write_text(folder / "run.json", json.dumps(facts, indent=1, ensure_ascii=False))
    write_text(folder / "metrics.csv", metrics_table(run.epochs))


def metrics_table(epochs: Sequence[Epoch]) -> str:
    """The epochs as CSV: a column for each fact and for each metric that the recipe asks for."""
    rows = [epoch.to_json() for epoch in epochs]
    rows = [row | row.pop("metrics") for row in rows]
    columns = [name for name in Epoch.__dataclass_fields__ if name != "metrics"]
    text = io.StringIO()
    table = csv.DictWriter(text, [*columns, *(epochs[0].metrics if epochs else ())], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def read_run(folder: Path) -> Run:
    """The run in a folder. Raises RunError for a folder without one, or one that cannot be read."""
    return run_from(folder, read_facts(folder))


def read_facts(folder: Path) -> dict[str, Any]:
    """The content of run.json. Raises RunError."""
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path}: damaged: {error}") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise RunError(f"{path}: not the record of a run")
    if facts["format"] > FORMAT:
        raise RunError(f"{path}: format {facts['format']} is from a newer sightlab, this one reads {FORMAT}; upgrade")
    return facts


def identity_in(facts: Mapping[str, Any]) -> Identity | None:
    """What makes a run the training that it is; None for a run from before that was kept, and where it is damaged."""
    try:
        return Identity.from_json(facts["identity"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def recipe_in(folder: Path) -> tuple[Recipe, str]:
    """The recipe a run was trained with, and its YAML. Raises RunError, or RecipeError for a damaged one."""
    from sightlab.recipes.loader import parse_recipe  # listing runs does without it, and is to be quick

    path = folder / "recipe.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise RunError(f"{path}: cannot be read: {reason}") from error
    return parse_recipe(text, str(path), stored=True), text


def run_from(folder: Path, facts: Mapping[str, Any]) -> Run:
    """The Run of a run.json's content."""
    try:
        return Run(
            id=facts["run"],
            folder=folder,
            recipe=facts["recipe"],
            recipe_hash=facts["recipe_hash"],
            model=facts["model"],
            parameters=facts["parameters"],
            epochs=tuple(Epoch.from_json(epoch) for epoch in facts["history"]),
            best_epoch=facts["best_epoch"],
            validation=Score.from_json(facts["validation_score"]) if facts["validation_score"] else None,
            test=test_score(folder, facts),
            seconds=facts["seconds"],
            images_per_second=facts["images_per_second"],
            test_flips=Score.from_json(facts["test_flips"]) if facts.get("test_flips") else None,
        )
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder / 'run.json'}: damaged: {error}") from error


def test_score(folder: Path, facts: Mapping[str, Any]) -> Score | None:
    """The score on the test split, with how often that has been opened so far."""
    if not facts["test"]:
        return None
    score = Score.from_json(facts["test"])
    count = sum(opening.get("split") == facts.get("test_key") for opening in read_openings(folder / "bundle"))
    return replace(score, openings=max(count, score.openings or 0))


def read_openings(bundle: Path) -> list[dict[str, Any]]:
    """The openings of labelled splits for a bundle's model, oldest first: when, why, and from which source."""
    try:
        lines = (bundle / "openings.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line]
    except (OSError, ValueError):
        return []


def status_of(facts: Mapping[str, Any]) -> str:
    """One of STATUSES; a run that says running and whose process has died is interrupted."""
    status = str(facts.get("status", ""))
    if status == "running" and not alive(facts.get("process") or {}, facts.get("heartbeat", ""), datetime.now(UTC)):
        return "interrupted"
    return status


def run_folders(home: Path) -> list[Path]:
    """The run folders of a folder, oldest first by when they were started."""
    if not home.is_dir():
        return []
    found = [p for p in home.iterdir() if (p / "run.json").is_file()]
    return sorted(found, key=lambda p: (started(p), p.name))


def started(folder: Path) -> str:
    """When a run was started, as ISO 8601; "" where its record is damaged."""
    try:
        return str(read_facts(folder).get("started", ""))
    except RunError:
        return ""


def locate(text: str | Path, home: str | Path | None = None) -> Path:
    """The folder of a run or a bundle: an id or its beginning, `last`, a run folder or a bundle.

    Raises RunError when there is none, or when a beginning means several.
    """
    path = Path(text).expanduser()
    if path.is_file() and path.name in ("bundle.json", "run.json"):
        return path.parent
    if path.is_dir():
        if (path / "run.json").is_file() or (path / "bundle.json").is_file():
            return path
        raise RunError(f"{path}: neither a run folder nor a bundle; it has no run.json and no bundle.json")
    place = home_folder(home)
    folders = run_folders(place)
    if not folders:
        raise RunError(f"no run '{text}': there are no runs in {place}/; `sightlab train` makes one")
    last = f"the last ones are {', '.join(folder.name for folder in folders[-5:])}"
    return folders[the_one(str(text), [folder.name for folder in folders], place, last)]


def the_one(text: str, ids: Sequence[str], home: Path, otherwise: str, shown: Sequence[str] = ()) -> int:
    """The place of the one run that a text means: its id, the beginning of its id, or `last`.

    ids: oldest first. An id that is the beginning of another still names its own run. otherwise: what to say beside
    that there is none. shown: what to call the runs where several are meant, their ids by default. Raises RunError.

    >>> the_one("3fa", ["3fa", "3fa2"], Path("runs"), ""), the_one("last", ["3fa", "3fa2"], Path("runs"), "")
    (0, 1)
    """
    places = range(len(ids))
    if text == LAST:
        found = list(places[-1:])
    else:
        found = [place for place in places if ids[place] == text]
        found = found or [place for place in places if ids[place].startswith(text)]
    if not found:
        raise RunError(f"no run {text!r} in {home}/; {otherwise}")
    if len(found) > 1:
        names = ", ".join((shown or ids)[place] for place in found[:5])
        raise RunError(f"run {text!r} could be any of {names}; give more of its id")
    return found[0]
