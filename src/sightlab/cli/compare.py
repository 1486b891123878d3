"""`sightlab compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, say, table
from sightlab.cli.train import asked_to_pause
from sightlab.errors import RecipeError, RunError
from sightlab.records import duration

if TYPE_CHECKING:
    from sightlab.comparison.compare_runs import Comparison
    from sightlab.records import Difference, RankedCandidate

EXAMPLES = """\b
Examples:
  sightlab compare 3fa2 91bc
  sightlab compare model=mini-resnet-v1,mini-resnet-v4 --seeds 3 data=kmnist epochs=5
  sightlab compare cnn lr=0.01,0.03,0.1 --seeds 3 --study learning-rates
  sightlab compare learning-rates --out learning-rates/
"""


def compare(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... | [RECIPE] KEY=V1,V2...",
            help="Runs and studies, or a recipe with lists of values to train first.",
        ),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds per recipe, where runs are trained first.")] = 1,
    study: Annotated[str | None, typer.Option(metavar="NAME", help="Group the runs under this name.")] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write charts and report.")] = Path(
        "comparison"
    ),
    home: Home = None,
    json: bool = JSON_OPTION,
) -> int:
    """Compare runs on the same test images, with significance tests.

    Runs that differ only in their seed are grouped; copies and runs with equal seeds count once. KEY=V1,V2 describes
    runs to train first, one for each value; finished runs with the same recipe, seed, data and code are reused. Stored
    predictions are compared: no test split is opened.
    """
    from sightlab.comparison.compare_runs import compare_runs
    from sightlab.comparison.grouping import chosen
    from sightlab.store.run_folder import home_folder

    place = home_folder(home)
    if any("=" in word for word in words):
        folders = trained(words, seeds, place)
        if folders is None:
            return 130
    elif seeds != 1:
        raise RunError(
            f"--seeds {seeds}: these runs are already trained; to train new ones give a recipe and KEY=V1,V2"
        )
    else:
        folders = chosen(words, place)
    found = compare_runs(folders)
    if study is not None:
        keep_together(study, folders)
    show(found, folder, json)
    return 0


def trained(words: Sequence[str], seeds: int, home: Path) -> list[Path] | None:
    """Train what the words describe; the runs' folders, or None when Ctrl-C paused it."""
    from sightlab.callbacks.progress import TrainingProgress
    from sightlab.recipes.loader import read_recipe
    from sightlab.recipes.overrides import changed, parse_lists, recipe_word
    from sightlab.runs.run_many import recipes_of, train_all
    from sightlab.training.callbacks import Paused, Watch

    shipped = read_recipe(recipe_word(words), say)
    lists = parse_lists([word for word in words if "=" in word])
    fixed = {key: values[0] for key, values in lists.items() if len(values) == 1}
    base = changed(shipped, fixed)
    recipes = recipes_of(base, {key: values for key, values in lists.items() if len(values) > 1}, seeds)
    if len(recipes) < 2:
        raise RecipeError("a comparison needs two runs or more; list values, as in model=A,B, or give --seeds N")
    with asked_to_pause() as asked, TrainingProgress() as progress:
        callbacks = (Watch(pause=lambda: bool(asked)), progress)
        try:
            return [run.folder for run in train_all(recipes, home, callbacks)]
        except Paused as paused:
            say(f"paused at {paused}; the same command resumes it")
            return None


def keep_together(study: str, folders: Sequence[Path]) -> None:
    """Add the runs to a study, in their folders and in the database."""
    from functools import partial

    from sightlab.store.annotations import Labels, Study, now_text
    from sightlab.store.database.upsert import relabel

    kept = Study(study, created=now_text())
    for folder in folders:
        relabel(folder, partial(Labels.with_study, study=kept))


def show(found: Comparison, target: Path, json: bool) -> None:
    """Write report and charts, and print."""
    written = drawn(found, target)
    if json:
        as_json(found.to_json() | {"written": [str(path) for path in written]})
    else:
        result(found, written)


def drawn(found: Comparison, folder: Path) -> list[Path]:
    """Write the comparison as a report and as charts, PNG and SVG; returns the paths, the report first."""
    from sightlab import charts
    from sightlab.report.comparison_page import FILE, comparison_charts, write_comparison

    svgs = comparison_charts(found)
    written = [write_comparison(found, folder / FILE, drawn=svgs)]
    for name, svg in svgs.items():
        written += [folder / f"{name}.png", folder / f"{name}.svg"]
        charts.save_svg(svg, *written[-2:])
    return written


def result(found: Comparison, written: Sequence[Path]) -> None:
    """Print the comparison."""
    from sightlab.comparison import sentence

    rows = [row_of(one) for one in found.candidates]
    header = [
        "",
        "model",
        "parameters",
        "MFLOP",
        "top-1 ± sd",
        "95 % interval",
        "top-5",
        "time",
        "images/s",
        "opened",
        "points",
    ]
    table(header, rows, right=(2, 3, 4, 6, 7, 8, 9))
    out("")
    for difference in found.differences:
        out(sentence(difference))
    for note in found.notes:
        out(note)
    out(f"report: {written[0]}; charts beside it: " + ", ".join(dict.fromkeys(path.stem for path in written[1:])))


def row_of(one: RankedCandidate) -> list[str]:
    """A row of the table. Ranks are by test score; equal ranks do not differ significantly."""
    low, high = one.interval
    spread = one.accuracy.deviation
    top1 = f"{one.accuracy.mean:.2%}" + (f" ± {100 * spread:.2f}" if spread is not None else "")
    return [
        f"{one.rank}.",
        one.name,
        f"{one.parameters:,}",
        f"{one.flops / 1e6:,.1f}" if one.flops is not None else "-",
        top1,
        f"{low:.2%} to {high:.2%}",
        f"{one.top5.mean:.2%}" if one.top5 else "-",
        duration(one.seconds),
        f"{one.images_per_second:,.0f}",
        f"{one.openings}x",
        difference(one.difference),
    ]


def difference(difference: Difference | None) -> str:
    """The difference to the first, in percentage points."""
    if difference is None:
        return "-"
    low, high = (100 * end for end in difference.interval)
    mark = " *" if difference.significant else ""
    return f"{100 * difference.difference:+.2f} ({low:+.2f} to {high:+.2f}){mark}"
