"""`sightlab tune`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.show import JSON_OPTION, Home, as_json, out, progress_bar, say
from sightlab.cli.train import STOPPED, asked_to_pause
from sightlab.errors import StudyError

if TYPE_CHECKING:
    from sightlab.tune.choosing import Verdict
    from sightlab.tune.driver import Driver
    from sightlab.tune.plan import Plan
    from sightlab.tune.watching import View

EXAMPLES = """\b
Examples:
  sightlab tune cnn lr=0.01,0.03,0.1 batch_size=32,64 epochs=3
  sightlab tune mini-resnet-v4 data=kmnist lr=0.003..0.3:log weight_decay=1e-5..1e-2:log --budget 30m
  sightlab tune cnn lr=0.001..0.3:log model=cnn,lenet epochs=9 --method asha --trials 30 --workers 2
  sightlab tune --resume tune-cnn-3fa2c1 --budget 2h
"""


class Method(StrEnum):
    """How trials are proposed and ended."""

    grid = "grid"
    random = "random"
    tpe = "tpe"
    cmaes = "cmaes"
    asha = "asha"
    hyperband = "hyperband"


class Metric(StrEnum):
    """What a trial is worth."""

    val_loss = "val_loss"
    val_accuracy = "val_accuracy"


def tune(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE] KEY=V1,V2... KEY=LOW..HIGH[:log]", help="A recipe, and what of it is to be searched."
        ),
    ] = None,
    method: Annotated[
        Method | None, typer.Option(help="Default: grid for lists alone, tpe where there is a range.")
    ] = None,
    metric: Annotated[Metric | None, typer.Option(help="Of validation; default val_accuracy.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds of each trial; default 1.")] = None,
    budget: Annotated[str | None, typer.Option(metavar="30m|2h|40epochs", help="What the search may take.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="How many trials at most.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at once; default one for each core.")] = None,
    study: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the search.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="STUDY", help="Go on with a search that was stopped.")] = None,
    retrain: Annotated[int, typer.Option(min=0, help="Train the winner with so many further seeds.")] = 0,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Open the winner's test split, once.")] = True,
    target: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The page: .html or .md; default in the study.")
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> int:
    """Search recipes: lists make a grid, ranges a search; the best by validation is tested once.

    Every trial is a run, and one that is there already is not trained again. What it will take is measured on a few
    batches and said first. Ctrl-C and kills lose at most the epoch under way: the same command, or --resume, goes on.
    """
    if study is not None and resume is not None:
        raise StudyError(f"--study {study}: --resume {resume} names the study already; leave one of them out")
    if retrain and not test:
        raise StudyError(f"--retrain {retrain}: trains to test, and --no-test leaves the test split sealed; keep one")
    if target is not None and target.suffix not in (".html", ".md"):
        raise StudyError(f"--out {target}: a page is .html or .md, such as {target.with_suffix('.html')}")
    from sightlab.store.folder import home_folder
    from sightlab.training.loop import Paused
    from sightlab.training.workers import trainings_at_once
    from sightlab.tune.budget import parse_budget
    from sightlab.tune.running import Asked, kept_budget

    asked = Asked(tuple(words or ()), method and method.value, metric and metric.value, seeds, trials, study=study)
    place = home or home_folder()
    limit = kept_budget(resume, place) if resume is not None and budget is None else parse_budget(budget)
    with asked_to_pause() as stop:
        plan = plan_of(asked, resume, place, limit)
        say(f"study {plan.name}: {plan.method}, {plan.metric}, {', '.join(axes_of(plan))}")
        try:
            driver, verdict = searched(plan, place, limit, workers or trainings_at_once(), stop, (test, retrain))
        except Paused:
            say(f"paused; go on with: sightlab tune --resume {plan.name}" + (f" --budget {budget}" if budget else ""))
            return STOPPED
    return show(driver, verdict, target, json)


def plan_of(asked: Any, resume: str | None, home: Path, budget: Any) -> Plan:
    """The search that is asked for, or that a study was begun with."""
    from sightlab.tune.running import planned, resumed

    with progress_bar("reading pictures") as decoding:
        if resume is not None:
            return resumed(resume, asked, home, budget, decoding)
        return planned(asked, home, budget, decoding)


def axes_of(plan: Plan) -> list[str]:
    """What varies, as it was given."""
    from sightlab.tune.plan import axis_words

    return [f"{key}={axis_words(axis)}" for key, axis in plan.space.axes.items()]


def searched(
    plan: Plan, home: Path, budget: Any, workers: int, stop: list[int], after: tuple[bool, int]
) -> tuple[Driver, Verdict | None]:
    """Work the search off, and choose. after: whether the winner is tested, and with how many further seeds."""
    from sightlab.runs.crew import Crew
    from sightlab.tune.choosing import chosen
    from sightlab.tune.running import search
    from sightlab.tune.watching import Watch

    with Crew(workers) as crew, live_view() as (tell, look):
        driver = search(plan, home, crew, budget, Watch(tell, look, None, lambda: bool(stop)))
        tell(f"{driver.account}")
        return driver, chosen(driver, test=after[0], retrain=after[1])


@contextlib.contextmanager
def live_view() -> Iterator[tuple[Callable[[str], None], Callable[[View], None]]]:
    """Where lines and the state of a search go: a live table for a person, plain lines for everyone else."""
    if not sys.stderr.isatty():
        yield say, lambda _view: None
        return
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    def tell(text: str) -> None:
        live.console.print(text, markup=False, highlight=False)

    with live:
        yield tell, lambda view: live.update(drawn(view))


def drawn(view: View) -> Any:
    """How a search stands, as a table of its workers under a line on the whole."""
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


def show(driver: Driver, verdict: Verdict | None, file: Path | None, json: bool) -> int:
    """What the search came to; its page and the winner's recipe are written."""
    from sightlab.tune.telling import as_values, best_recipe, ends, lines

    record = driver.record
    if verdict is None:
        reasons = [trial.reason for trial in driver.trials if trial.reason]
        raise StudyError(
            f"study {driver.plan.name}: no trial has a value ({ends(driver)})"
            + (f"; the first failed: {reasons[0]}" if reasons else "; give a larger --budget")
        )
    best = record.written("best.yaml", best_recipe(driver, verdict))
    written = [best, *write_page(driver, verdict, file or record.folder / "report.html")]
    if json:
        as_json(as_values(driver, verdict) | {"written": [str(path) for path in written]})
        return 0
    for line in lines(driver, verdict):
        out(line)
    out(f"\npage: {written[1]}")
    out(f"recipe: {best}")
    out(f"next    sightlab train {best}")
    return 0


def write_page(driver: Driver, verdict: Verdict, file: Path) -> list[Path]:
    """Write the page in the form that its name says."""
    from sightlab.report.article import write_html, write_markdown
    from sightlab.tune.page import page_of

    article = page_of(driver, verdict)
    return write_html(article, file) if file.suffix == ".html" else write_markdown(article, file)
