"""`sightlab tune`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, progress_bar, say
from sightlab.cli.train import STOPPED, asked_to_pause
from sightlab.errors import StudyError

if TYPE_CHECKING:
    from sightlab.runs.ray_executor import RayExecutor
    from sightlab.runs.worker_pool import WorkerPool
    from sightlab.tune.budget import Budget
    from sightlab.tune.progress import View
    from sightlab.tune.run_search import SearchOptions
    from sightlab.tune.search_plan import Plan
    from sightlab.tune.selection import Selection
    from sightlab.tune.tuner import Tuner

EXAMPLES = """\b
Examples:
  sightlab tune cnn lr=0.01,0.03,0.1 batch_size=32,64 epochs=3
  sightlab tune mini-resnet-v4 data=kmnist lr=0.003..0.3:log weight_decay=1e-5..1e-2:log --budget 30m
  sightlab tune cnn lr=0.001..0.3:log model=cnn,lenet epochs=9 --method asha --trials 30 --jobs 2
  sightlab tune --resume tune-cnn-3fa2c1 --budget 2h
  sightlab tune cnn lr=0.001..0.3:log epochs=9 --method asha --trials 100 --on ray://head:10001 --cpus 2 --gpus 0.25
"""


class Method(StrEnum):
    """How trials are proposed and ended."""

    grid = "grid"
    random = "random"
    tpe = "tpe"
    cmaes = "cmaes"
    asha = "asha"
    hyperband = "hyperband"


def tune(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE] KEY=V1,V2... KEY=LOW..HIGH[:log]", help="Recipe, and the values to search."),
    ] = None,
    method: Annotated[
        Method | None, typer.Option(help="Search method; default: grid for lists alone, tpe with a range.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="validation_accuracy (default), validation_loss, or a metric that the recipe computes."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds per trial; default 1.")] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="30m|2h|40epochs", help="Time or epochs for the whole search.")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Most trials to run.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Trials run at the same time; default: one per core, or all that fit the cluster."),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="ray[://HOST:PORT]", help="Run trials on a Ray cluster; default: this machine."),
    ] = None,
    cpus: Annotated[float | None, typer.Option(help="CPUs per trial on a cluster; default 1.")] = None,
    gpus: Annotated[float | None, typer.Option(help="GPUs per trial on a cluster, such as 0.25; default 0.")] = None,
    share: Annotated[
        bool,
        typer.Option(
            "--share", help="Share the search with other processes, through the PostgreSQL server of SIGHTLAB_DB."
        ),
    ] = False,
    study: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the search.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="STUDY", help="Resume a search; last: the latest.")] = None,
    retrain: Annotated[int, typer.Option(min=0, help="Train the winner with this many more seeds.")] = 0,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Test the winner, once.")] = True,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Page to write, .html or .md; default: report.html in the study folder."
        ),
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> int:
    """Search hyperparameters within a budget; test the winner once.

    Lists make a grid, ranges a search; the winner is chosen on validation. Every trial is a run, and finished runs are
    reused. The time it takes is estimated from a few batches and printed first. Ctrl-C or a kill loses at most the
    current epoch: the same command, or --resume, continues the search.
    """
    if study is not None and resume is not None:
        raise StudyError(f"--study {study}: --resume {resume} names the study already; leave one of them out")
    if retrain and not test:
        raise StudyError(f"--retrain {retrain}: trains to test, and --no-test leaves the test split sealed; keep one")
    from sightlab.report.article import page_file

    if target is not None:
        page_file(target)
    check_share(on, cpus, gpus)
    from sightlab.store.run_folder import home_folder
    from sightlab.training.callbacks import Paused
    from sightlab.tune.budget import parse_budget
    from sightlab.tune.run_search import SearchOptions, last_budget

    options = SearchOptions(tuple(words or ()), method and method.value, metric, seeds, trials, study=study)
    place = home or home_folder()
    limit = last_budget(resume, place, share) if resume is not None and budget is None else parse_budget(budget)
    with asked_to_pause() as stop:
        plan = plan_of(options, resume, place, limit, share)
        say(f"study {plan.name}: {plan.method}, {plan.metric}, {', '.join(axes_of(plan))}")
        try:
            executor = executor_of(jobs, on, cpus, gpus)
            tuner, selection = run_search(plan, place, limit, executor, stop, (test, retrain), share)
        except Paused:
            again = [*(["--share"] if share else []), *([f"--budget {budget}"] if budget else [])]
            say(" ".join(["paused; resume with: sightlab tune --resume", plan.name, *again]))
            return STOPPED
    return show(tuner, selection, target, json)


def plan_of(options: SearchOptions, resume: str | None, home: Path, budget: Budget, share: bool) -> Plan:
    """The plan of a new search, or of the study to resume."""
    from sightlab.tune.run_search import plan_resumed, plan_search

    with progress_bar("reading images") as decoding:
        if resume is not None:
            return plan_resumed(resume, options, home, budget, decoding, share)
        return plan_search(options, home, budget, decoding)


def check_share(on: str | None, cpus: float | None, gpus: float | None) -> None:
    """Raise StudyError for a share of a cluster that makes no sense, or without a cluster."""
    for option, share in (("--cpus", cpus), ("--gpus", gpus)):
        if share is not None and on is None:
            raise StudyError(f"{option} {share:g} is for a cluster; add --on ray, or use --jobs on this machine")
        if share is not None and not 0 <= share < 1e6:
            raise StudyError(f"{option} {share:g}: give a number from 0 up, such as 1 or 0.25")
    if cpus == 0 and not gpus:
        raise StudyError("--cpus 0: a trial needs a CPU or a share of a GPU; leave it out for 1 CPU")


def executor_of(jobs: int | None, on: str | None, cpus: float | None, gpus: float | None) -> WorkerPool | RayExecutor:
    """Processes of this machine, or a cluster. Raises StudyError where the cluster does not answer."""
    if on is None:
        from sightlab.runs.worker_pool import WorkerPool
        from sightlab.training.device import trainings_at_once

        return WorkerPool(jobs or trainings_at_once())
    from sightlab.runs.ray_client import connect
    from sightlab.runs.ray_executor import RayExecutor

    return RayExecutor(connect(on), jobs, 1.0 if cpus is None else cpus, gpus or 0.0, say)


def axes_of(plan: Plan) -> list[str]:
    """What varies, as it was given."""
    from sightlab.tune.search_plan import axis_words

    return [f"{key}={axis_words(axis)}" for key, axis in plan.space.axes.items()]


def run_search(
    plan: Plan,
    home: Path,
    budget: Budget,
    executor: WorkerPool | RayExecutor,
    stop: list[int],
    after: tuple[bool, int],
    share: bool,
) -> tuple[Tuner, Selection | None]:
    """Run the search and select the winner. after: whether it is tested, and retrained with how many further seeds."""
    from sightlab.tune.progress import SearchCallback
    from sightlab.tune.run_search import search
    from sightlab.tune.selection import select

    with executor, live_view() as (on_message, on_progress):
        callback = SearchCallback(on_message, on_progress, lambda: bool(stop))
        tuner = search(plan, home, executor, budget, callback, share)
        on_message(str(tuner.cost_log))
        try:
            return tuner, select(tuner, test=after[0], retrain=after[1])
        finally:
            tuner.record.leave()


@contextlib.contextmanager
def live_view() -> Iterator[tuple[Callable[[str], None], Callable[[View], None]]]:
    """Where messages and views of a search go: to a live table on a terminal, else to plain lines."""
    if not sys.stderr.isatty():
        yield say, lambda _view: None
        return
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    def on_message(text: str) -> None:
        live.console.print(text, markup=False, highlight=False)

    with live:
        yield on_message, lambda view: live.update(drawn(view))


def drawn(view: View) -> Any:
    """A search as a table of its workers below a line of totals."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from sightlab.records import duration

    of = f" of {view.most}" if view.most is not None else ""
    parts = [f"{view.ended}{of} trials ended", *([f"best {view.best}"] if view.best else []), duration(view.seconds)]
    table = Table.grid(padding=(0, 2))
    for words, epoch, until, share in view.workers:
        bar = ProgressBar(total=1.0, completed=share, width=20)
        table.add_row(Text(words), f"epoch {min(epoch, until)}/{until}", bar)
    return Group(Text("; ".join([*parts, *([view.left] if view.left else [])])), table)


def show(tuner: Tuner, selection: Selection | None, file: Path | None, json: bool) -> int:
    """Print the result of a search; write its page and the winner's recipe."""
    from sightlab.report.article import write_article
    from sightlab.tune.search_page import page_of
    from sightlab.tune.search_record import seconds_taken
    from sightlab.tune.summary import as_values, best_recipe, ends, lines

    record, plan, trials = tuner.record, tuner.state.plan, tuner.state.trials
    if selection is None:
        reasons = [trial.reason for trial in trials if trial.reason]
        raise StudyError(
            f"study {plan.name}: no trial has a value ({ends(trials)})"
            + (f"; the first failed: {reasons[0]}" if reasons else "; give a larger --budget")
        )
    best = record.write("best.yaml", best_recipe(plan, trials, selection.winner))
    page = page_of(tuner.state, tuner.cost_log, seconds_taken(record.events, record.driver), selection)
    written = [best, *write_article(page, file or record.folder / "report.html")]
    if json:
        as_json(as_values(tuner.state, tuner.cost_log, selection) | {"written": [str(path) for path in written]})
        return 0
    for line in lines(plan, trials, selection):
        out(line)
    out(f"\npage: {written[1]}")
    out(f"recipe: {best}")
    out(f"next    sightlab train {best}")
    return 0


def is_search(name: str, home: Path) -> bool:
    """Whether a study of this name is a search in a home, and not a built-in study."""
    from sightlab.studies.study_files import shipped_studies
    from sightlab.tune.search_record import FOLDER, PLAN

    return name not in shipped_studies() and (home / FOLDER / Path(name).name / PLAN).is_file()


def report_search(name: str, home: Path, target: Path | None, json: bool) -> None:
    """Write the page of a search again, from its record and its runs."""
    from sightlab.report.article import page_file
    from sightlab.runs.worker_pool import WorkerPool
    from sightlab.training.device import trainings_at_once
    from sightlab.tune.progress import SearchCallback
    from sightlab.tune.run_search import recorded_search
    from sightlab.tune.selection import selection_on_record

    file = None if target is None else page_file(target)
    with WorkerPool(trainings_at_once()) as pool:
        tuner = recorded_search(name, home, pool, SearchCallback(say))
        show(tuner, selection_on_record(tuner), file, json)
