"""`sightlab study list|show|plan|run|report`."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.output import JSON_OPTION, Home, RunsBar, as_json, out, progress_bar, say, table
from sightlab.cli.stdio import printable
from sightlab.cli.train import STOPPED, asked_to_pause

if TYPE_CHECKING:
    from sightlab.studies.study_plan import Plan
    from sightlab.studies.study_schema import Study

LIST_EXAMPLES = """\b
Examples:
  sightlab study list
  sightlab study list --json
"""
SHOW_EXAMPLES = """\b
Examples:
  sightlab study show kmnist-mini-resnet
  sightlab study show cifar10-resnet34 --scale laptop --json
"""
RUN_EXAMPLES = """\b
Examples:
  sightlab study run kmnist-mini-resnet --scale smoke
  sightlab study run cifar10-resnet34 --scale laptop --seeds 3
  sightlab study run fashion-csv --data my-images.csv --scale laptop
"""
PLAN_EXAMPLES = """\b
Examples:
  sightlab study plan cifar100-senet-scaled --detect 1.0
  sightlab study plan cifar100-senet-scaled --detect 0.5 --scale full --json
"""
REPORT_EXAMPLES = """\b
Examples:
  sightlab study report kmnist-mini-resnet
  sightlab study report kmnist-mini-resnet -o page.md
  sightlab study report tune-cnn-3fa2c1
"""
app = typer.Typer(help="Rerun published studies: as published, and repaired.", no_args_is_help=True)


class ScaleWord(StrEnum):
    """The sizes at which a study can be run."""

    smoke = "smoke"
    laptop = "laptop"
    full = "full"


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name from `sightlab study list`, or a YAML file.")]
Size = Annotated[ScaleWord, typer.Option("--scale", help="smoke: seconds; laptop: an hour on two cores; full: a GPU.")]
Source = Annotated[
    str | None, typer.Option("--data", metavar="SOURCE", help="Train on this data instead of the study's.")
]
Target = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Page to write, .html or .md; default NAME-SCALE.html."),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Runs trained at the same time; default: one per core.")]
Seeds = Annotated[int | None, typer.Option(help="Seeds per row; default: as the scale says.")]


@app.command("list", epilog=LIST_EXAMPLES)
def list_(json: bool = JSON_OPTION) -> None:
    """List the built-in studies, and how many runs each scale takes."""
    from sightlab.studies.study_files import read_study, shipped_studies
    from sightlab.studies.study_plan import plan_study

    found = [read_study(name) for name in shipped_studies()]
    runs = [{scale: len(plan_study(one, scale, Path("runs")).jobs) for scale in one.scales} for one in found]
    if json:
        named = [{"name": one.name, "title": one.title, "question": " ".join(one.question.split())} for one in found]
        as_json({"studies": [facts | {"runs": counts} for facts, counts in zip(named, runs, strict=True)]})
        return
    rows = [
        [one.name, *(str(counts.get(scale.value, "-")) for scale in ScaleWord), one.title]
        for one, counts in zip(found, runs, strict=True)
    ]
    table(["study", *(f"{scale}" for scale in ScaleWord), "what it is about"], rows, right=(1, 2, 3))
    out("\nruns at each scale; `sightlab study show NAME` says more, `sightlab study run NAME --scale smoke` tries one")


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    name: Name,
    scale: Size = ScaleWord.laptop,
    data: Source = None,
    seeds: Seeds = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Show a study: question, published figures, faults, and runs."""
    from sightlab.studies.study_plan import id_of

    plan = planned(name, scale, data, seeds, home)
    if json:
        as_json(plan_json(plan))
        return
    study = plan.study
    for text in (study.title, study.question, study.source):
        out(" ".join(text.split()) + "\n")
    table(["row", "form", "published", "model", "epochs", "seeds"], [row_cells(plan, n) for n in range(len(plan.rows))])
    for grid in plan.grids:
        axes = f"{grid.grid.x.key} {list(grid.xs)} x {grid.grid.y.key} {list(grid.ys)}"
        out(f"grid {grid.grid.id}: {axes}, {grid.grid.name}")
    for one in plan.analyses:
        what = f"{', '.join(one.looks.only)} of {', '.join(map(id_of, one.of))}"
        out(f"analyses {one.looks.id}: {what}, {one.images:,} images at most")
    out(f"\nscale {plan.scale}, {len(plan.jobs)} runs: {' '.join(plan.says.split())}")
    if study.faults:
        out("\nwhat was wrong")
    for fault in study.faults:
        out(f"- {' '.join(fault.what.split())} {' '.join(fault.shows.split())}")
    out(f"\nfor the published figures: {' '.join(study.full.split())}")


def row_cells(plan: Plan, place: int) -> list[str]:
    """The cells of a planned row."""
    from sightlab.studies.study_results import percent

    planned_row = plan.rows[place]
    row, recipe = planned_row.row, planned_row.jobs[0].recipe
    return [
        row.name,
        row.form,
        percent(row.figures.accuracy),
        recipe.model.name,
        str(recipe.epochs),
        str(len(planned_row.jobs)),
    ]


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan as plain values."""
    from sightlab.studies.study_plan import id_of

    study: Study = plan.study
    return {
        "name": study.name,
        "title": study.title,
        "question": " ".join(study.question.split()),
        "scale": plan.scale,
        "data": plan.data,
        "runs": len(plan.jobs),
        "rows": [
            {
                "id": one.row.id,
                "name": one.row.name,
                "form": one.row.form,
                "twin": one.row.twin,
                "published": one.row.figures.model_dump(mode="json"),
                "recipes": [job.recipe.hash for job in one.jobs],
                "recipe": one.jobs[0].recipe.model_dump(mode="json", exclude_defaults=True),
            }
            for one in plan.rows
        ],
        "grids": [{"id": one.grid.id, "x": list(one.xs), "y": list(one.ys)} for one in plan.grids],
        "analyses": [
            {"id": one.looks.id, "of": list(map(id_of, one.of)), "only": list(one.looks.only), "images": one.images}
            for one in plan.analyses
        ],
        "left_out": plan.left_out,
    }


@app.command("plan", epilog=PLAN_EXAMPLES)
def plan(
    name: Name,
    detect: Annotated[float, typer.Option(metavar="POINTS", help="Difference of accuracies to see, in points.")] = 1.0,
    scale: Size = ScaleWord.laptop,
    data: Source = None,
    jobs: Jobs = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Plan how many seeds a study needs, and its hours.

    The spread is that of finished runs on the same data, two seeds of one training at least. The plan is kept beside
    the runs, for the study's page.
    """
    from sightlab.store.run_folder import home_folder
    from sightlab.studies.study_power import plan_power, save_power
    from sightlab.training.device import trainings_at_once

    place = home or home_folder()
    whole = planned(name, scale, data, 1, place)
    found = plan_power(whole, place, detect, jobs or trainings_at_once(), say)
    file = save_power(whole, place, found)
    if json:
        as_json({"study": whole.study.name, "scale": whole.scale, **found.to_json()})
        return
    pilots = ", ".join(f"{printable(name)} ({seeds})" for name, seeds in found.pilots)
    out(f"pilots     {pilots} (seeds), on {found.images:,} test images")
    spread = f"standard deviation {100 * found.noise.seeds**0.5:.2f} points over seeds"
    out(f"spread     {spread}, estimated with {found.noise.freedom} degrees of freedom")
    needed = f"{found.seeds} seeds" if found.seeds else "more test images; seeds alone do not do it"
    out(f"to see     {found.detect:g} points in four of five studies: {needed}\n")
    rows = [[str(seeds), f"{points:.2f}", f"{hours:.1f}"] for seeds, points, hours in found.table]
    table(["seeds", "points seen", "hours"], rows, right=(0, 1, 2))
    out(f"\nkept for the study's page: {file}")


@app.command("run", epilog=RUN_EXAMPLES)
def run(
    name: Name,
    scale: Size = ScaleWord.laptop,
    data: Source = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    target: Target = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> int:
    """Train the runs of a study, analyze them, and write its page.

    Finished runs and analyses are reused, and interrupted runs are resumed. The time it takes is estimated from a few
    steps and printed before training starts.
    """
    from sightlab.report.article import page_file, write_article
    from sightlab.store.run_folder import home_folder
    from sightlab.studies.hidden_csv import test_hidden
    from sightlab.studies.run_study import StudyCallback, run_study, save_costs
    from sightlab.studies.study_page import page_of
    from sightlab.studies.study_results import gather_results
    from sightlab.training.callbacks import Paused
    from sightlab.training.device import trainings_at_once

    place = home or home_folder()
    file = page_file(target or default_page(name, scale))
    plan = planned(name, scale, data, seeds, place)
    if plan.analyses:
        check_analyses(plan)
    with progress_bar("reading images") as decoding, asked_to_pause() as asked, contextlib.ExitStack() as shown:
        callback = StudyCallback(say, on_data_progress=decoding, should_pause=lambda: bool(asked))
        if sys.stderr.isatty():
            bar = RunsBar(len(plan.jobs))
            shown.enter_context(bar.bar)
            callback = replace(callback, on_message=bar.say, on_epoch=bar.epoch, on_run_end=bar.ended)
        try:
            costs = run_study(plan, place, jobs or trainings_at_once(), callback)
        except Paused:
            say("paused; the same command resumes it")
            return STOPPED
    save_costs(plan, costs, place)
    if plan.analyses and not analyze_runs(plan, place):
        return STOPPED
    results = gather_results(plan, place)
    test_hidden(results, say)
    written = write_article(page_of(results), file)
    say(str(costs))
    if json:
        as_json(
            {
                "study": plan.study.name,
                "scale": plan.scale,
                "written": [str(path) for path in written],
                **results_json(results),
            }
        )
        return 0
    show_results(results)
    out(f"\npage: {written[0]}")
    return 0


def check_analyses(plan: Plan) -> None:
    """Find what the analyses of a study need, so that what is missing is said before anything is trained."""
    from sightlab.studies.run_analyses import check_subjects

    check_subjects(plan)


def analyze_runs(plan: Plan, home: Path) -> bool:
    """Make the analyses of a study that are not at hand; gives whether all are made, and no signal came first."""
    from sightlab.studies.run_analyses import run_analyses
    from sightlab.studies.study_results import folders_of, gather_results
    from sightlab.training.callbacks import Paused

    folders = folders_of(gather_results(plan, home).rows)
    with progress_bar("analyzing") as tick, asked_to_pause() as asked:
        try:
            made = run_analyses(plan, home, folders, say, tick, lambda: bool(asked))
        except Paused:
            say("paused; the same command resumes it")
            return False
    say(f"{made} analyses made" if made else "all analyses existed already")
    return True


@app.command("report", epilog=REPORT_EXAMPLES)
def report(
    name: Name,
    scale: Size = ScaleWord.laptop,
    data: Source = None,
    seeds: Seeds = None,
    target: Target = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Write the page of a study from its finished runs.

    Nothing is trained and no test split is opened. NAME may also be a search of `sightlab tune`.
    """
    from sightlab.cli.tune import is_search, report_search
    from sightlab.report.article import page_file, write_article
    from sightlab.store.run_folder import home_folder
    from sightlab.studies.study_page import page_of
    from sightlab.studies.study_results import gather_results

    place = home or home_folder()
    if is_search(name, place):
        report_search(name, place, target, json)
        return
    file = page_file(target or default_page(name, scale))
    results = gather_results(planned(name, scale, data, seeds, place), place)
    written = write_article(page_of(results), file)
    if json:
        as_json({"written": [str(path) for path in written], **results_json(results)})
    else:
        show_results(results)
        out(f"\npage: {written[0]}")


def planned(name: str, scale: ScaleWord, data: str | None, seeds: int | None, home: Path | None) -> Plan:
    """The plan of the study that the command names."""
    from sightlab.store.run_folder import home_folder
    from sightlab.studies.study_files import read_study
    from sightlab.studies.study_plan import plan_study

    return plan_study(read_study(name), scale.value, home or home_folder(), data=data, seeds=seeds)


def default_page(name: str, scale: ScaleWord) -> Path:
    """The default file of a study's page."""
    return Path(f"{Path(name).stem}-{scale.value}.html")


def results_json(results: Any) -> dict[str, Any]:
    """The results as plain values."""
    rows = [
        {
            "id": row.planned.row.id,
            "runs": [one.run.id for one in row.runs],
            "published": row.planned.row.figures.accuracy,
            "accuracy": row.accuracy.to_json() if row.runs else None,
            "interval": list(row.interval) if row.runs else None,
        }
        for row in results.rows
    ]
    from sightlab.studies.claims import verdicts_on

    analyses = {
        looked.planned.looks.id: {
            one.id: {name: [result.to_json() for result in found] for name, found in one.results.items()}
            for one in looked.networks
        }
        for looked in results.analyses
    }
    claims = [
        {"says": one.claim.says, "verdict": one.verdict, "found": one.found.to_json() if one.found else None}
        for one in verdicts_on(results)
    ]
    return {
        "rows": rows,
        "analyses": analyses,
        "claims": claims,
        "gains": {id_: one.to_json() for id_, one in results.differences.items()},
        "missing": list(results.missing),
    }


def show_results(results: Any) -> None:
    """Print the table of a study."""
    from sightlab.comparison import sentence
    from sightlab.studies.claims import verdicts_on
    from sightlab.studies.study_page import table as page_table

    found = page_table(results)
    table(list(found.header), [list(row) for row in found.rows], right=found.right)
    for one in results.differences.values():
        out(f"{sentence(one)}.")
    for verdict in verdicts_on(results):
        needed = f" (needed: {verdict.needed})" if verdict.needed else ""
        out(printable(f"{verdict.claim.says}: {verdict.verdict}{needed}"))
