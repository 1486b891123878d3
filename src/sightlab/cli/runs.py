"""`sightlab runs` and what may follow it: show, tag, note, rm, restore, rebuild, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, progress_bar, say
from sightlab.errors import RunError

EXAMPLES = """\b
Examples:
  sightlab runs
  sightlab runs --where "model = 'resnet18' and validation_accuracy > 0.9" --sort -validation_accuracy
  sightlab runs --where "optimizer.lr >= 0.01 and tag = 'baseline'" --json
  sightlab runs show last
"""
SHOW_EXAMPLES = """\b
Examples:
  sightlab runs show last
  sightlab runs show 3fa2 --json
"""
TAG_EXAMPLES = """\b
Examples:
  sightlab runs tag last baseline
  sightlab runs tag 3fa2 baseline first --remove
"""
NOTE_EXAMPLES = """\b
Examples:
  sightlab runs note last "the learning rate was too high"
"""
RM_EXAMPLES = """\b
Examples:
  sightlab runs rm 3fa2 81c0
  sightlab runs rm 3fa2 --purge --yes
"""
RESTORE_EXAMPLES = """\b
Examples:
  sightlab runs restore 3fa2
"""
REBUILD_EXAMPLES = """\b
Examples:
  sightlab runs rebuild
  sightlab runs rebuild --home ~/experiments
"""
EXPORT_EXAMPLES = """\b
Examples:
  sightlab runs export last > run.json
  sightlab runs export 3fa2 81c0 --to csv -o runs.csv
  sightlab runs export last --to tensorboard
"""
app = typer.Typer(epilog=EXAMPLES, invoke_without_command=True)
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The first characters of a run's id, `last`, or a run folder.")
]
RunsArgument = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help="First characters of run ids, `last`, or run folders.", show_default=False),
]


@app.callback()
def runs(
    context: typer.Context,
    where: Annotated[str | None, typer.Option(metavar="FILTER", help="List only the runs that match.")] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="[-]FIELD", help="Sort by a field; with - in descending order.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many: the newest, or the first by --sort.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Include runs in the bin.")] = False,
    home: Home = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print all fields as CSV.")] = False,
    json: bool = JSON_OPTION,
) -> None:
    """List, filter, tag, remove and export runs.

    The newest run is last. FILTER compares fields such as model, status, validation_accuracy, started, tag or recipe
    keys (optimizer.lr) by = != < <= > >= like, in (...), is null; combine comparisons with and, or, not and
    parentheses. docs/runs.md lists the fields.
    """
    context.obj = {"home": home, "json": json}
    if context.invoked_subcommand is not None:
        given = {"--where": where, "--sort": sort, "--limit": limit, "--all": all, "--csv": csv}
        misplaced = [name for name, value in given.items() if value]
        if misplaced:
            raise RunError(
                f"{misplaced[0]} is for the list of runs; leave it out of `runs {context.invoked_subcommand}`"
            )
        return
    if csv and json:
        raise RunError("--csv and --json: give one of them")
    from sightlab.cli import runs_list
    from sightlab.store.database import run_queries

    cautions = run_queries.chosen_on_test(where, sort)
    columns = None if json or csv else runs_list.COLUMNS
    found = run_queries.runs(home, where, sort, limit, binned=all, columns=columns, say=say)
    for caution in cautions:
        say(caution)
    if json:
        as_json(runs_list.facts(home, where, sort, found, cautions))
    elif csv:
        out(runs_list.csv_text(found).rstrip("\n"))
    else:
        runs_list.for_a_person(home, found, filtered=where is not None)


@app.command("show", epilog=SHOW_EXAMPLES)
def show(context: typer.Context, run: RunArgument, home: Home = None, json: bool = JSON_OPTION) -> None:
    """Show everything recorded about a run."""
    from sightlab.cli import runs_show

    found = the_run(context, run, home)
    if wants_json(context, json):
        as_json(found)
    else:
        runs_show.for_a_person(found)


@app.command("tag", epilog=TAG_EXAMPLES)
def tag(
    context: typer.Context,
    run: RunArgument,
    tags: Annotated[list[str], typer.Argument(metavar="TAG", help="Tags to add or remove.", show_default=False)],
    remove: Annotated[bool, typer.Option("--remove", help="Remove these tags.")] = False,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Add tags to a run, or remove them.

    `sightlab runs --where "tag = 'TAG'"` finds runs by tag.
    """
    from sightlab.store.annotations import checked_tag
    from sightlab.store.database.trash import folder_here
    from sightlab.store.database.upsert import relabel

    words = [checked_tag(word) for word in tags]
    found = the_run(context, run, home)
    absent = [word for word in words if word not in found["tags"]]
    if remove and absent:
        has = f"has {', '.join(found['tags'])}" if found["tags"] else "has no tags"
        raise RunError(f"{found['run']} has no tag {absent[0]!r}; it {has}")
    change = (lambda labels: labels.without_tags(words)) if remove else (lambda labels: labels.with_tags(words))
    labels = relabel(folder_here(found), change)
    if wants_json(context, json):
        as_json({"run": found["run"], "tags": list(labels.tags)})
    else:
        out(f"{found['run']}: {', '.join(labels.tags) or 'no tags'}")


@app.command("note", epilog=NOTE_EXAMPLES)
def note(
    context: typer.Context,
    run: RunArgument,
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="Text of the note.", show_default=False)],
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Add a note to a run, with the time."""
    from sightlab.store.database.trash import folder_here
    from sightlab.store.database.upsert import relabel

    words = " ".join(text).strip()
    if not words:
        raise RunError("the note is empty; give its text, in quotes")
    found = the_run(context, run, home)
    labels = relabel(folder_here(found), lambda before: before.with_note(words))
    if wants_json(context, json):
        as_json({"run": found["run"], "notes": [{"at": one.at, "text": one.text} for one in labels.notes]})
    else:
        out(f"{found['run']}: {words}")


@app.command("rm", epilog=RM_EXAMPLES)
def rm(
    context: typer.Context,
    run: RunsArgument,
    purge: Annotated[bool, typer.Option("--purge", help="Delete permanently, including runs in the bin.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation before --purge.")] = False,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Move runs to the bin; --purge deletes them permanently.

    The bin is HOME/.bin; `sightlab runs restore` takes runs back from it.
    """
    from sightlab.store.database import trash

    found = [the_run(context, each, home) for each in run]
    found = list({one["folder"]: one for one in found}.values())
    if purge:
        agreed_to_delete([one["run"] for one in found], yes)
        for one in found:
            trash.purge(Path(one["folder"]))
    else:
        for folder in [trash.folder_here(one) for one in found]:
            trash.put_in(folder)
    names = [one["run"] for one in found]
    if wants_json(context, json):
        as_json({"purged" if purge else "binned": names})
        return
    for name in names:
        out(f"{name}: deleted" if purge else f"{name}: in the bin; `sightlab runs restore {short(name)}` takes it back")


def agreed_to_delete(names: list[str], yes: bool) -> None:
    """Ask a person before anything is deleted. Raises RunError where nobody can be asked, Abort on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise RunError("--purge deletes permanently and cannot ask for confirmation here; add --yes")
    typer.confirm(f"Delete {', '.join(names)} permanently?", abort=True, err=True)


@app.command("restore", epilog=RESTORE_EXAMPLES)
def restore(context: typer.Context, run: RunArgument, home: Home = None, json: bool = JSON_OPTION) -> None:
    """Restore a run from the bin."""
    from sightlab.store.database import run_queries, trash

    found = run_queries.find_binned(run, home_of(context, home))
    folder = trash.take_back(trash.folder_here(found))
    if wants_json(context, json):
        as_json({"run": found["run"], "folder": str(folder)})
    else:
        out(f"{found['run']}: back in {folder}/")


@app.command("rebuild", epilog=REBUILD_EXAMPLES)
def rebuild(context: typer.Context, home: Home = None, json: bool = JSON_OPTION) -> None:
    """Rebuild the database of runs from the run folders.

    Nothing is only in the database, so nothing is lost.
    """
    from sightlab.store.database.engine import place_of
    from sightlab.store.database.upsert import rebuild as rebuilt
    from sightlab.store.run_folder import home_folder

    place = home_folder(home_of(context, home))
    if not place.is_dir():
        raise RunError(f"{place}: no such folder; name the home of your runs with --home or SIGHTLAB_HOME")
    with progress_bar("reading run folders") as progress:
        found = rebuilt(place, progress)
    for problem in found.problems:
        say(problem)
    if wants_json(context, json):
        as_json({"database": str(place_of(place)), "recorded": found.recorded, "problems": list(found.problems)})
    else:
        out(f"{found.recorded:,} {'run' if found.recorded == 1 else 'runs'} in {place_of(place)}")


@app.command("export", epilog=EXPORT_EXAMPLES)
def export(
    context: typer.Context,
    run: RunsArgument,
    to: Annotated[str, typer.Option(metavar="FORMAT", help="json, csv, tensorboard, mlflow or wandb.")] = "json",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write; default: stdout.")
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Export runs as JSON or CSV, or to an experiment tracker.

    With --json a JSON object says what was written.
    """
    from sightlab.cli import runs_export

    write = runs_export.format_named(to)
    as_object = wants_json(context, json)
    if as_object and output is None and to != "json":
        raise RunError(f"--json with --to {to}: stdout cannot hold both; leave --json out, or give csv a file with -o")
    found = [the_run(context, each, home) for each in run]
    write(found, output)
    if output is None:
        return
    if as_object:
        as_json({"runs": [one["run"] for one in found], "format": to, "written": str(output)})
    else:
        out(f"written: {output}")


def the_run(context: typer.Context, text: str, home: Path | None) -> dict[str, Any]:
    """The run that a word on the command line means."""
    from sightlab.store.database import run_queries

    return run_queries.find(text, home_of(context, home), say=say)


def home_of(context: typer.Context, home: Path | None) -> Path | None:
    """--home, after the command or before it."""
    return home or context.obj["home"]


def wants_json(context: typer.Context, json: bool) -> bool:
    """--json, after the command or before it."""
    return json or bool(context.obj["json"])


def short(run: str) -> str:
    """The part of an id that is enough to name it."""
    return run.partition("-")[0]
