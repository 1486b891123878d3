"""What is done when all trials have ended: tasks are given to the crew once more, and the winner's runs are ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sightlab.errors import RunError
from sightlab.recipes.changes import changed
from sightlab.records import Run
from sightlab.runs.stretches import Failed, Kept, train_stretch
from sightlab.runs.tasks import Broken, Desk, Done, Gone, Hands, Task
from sightlab.store.folder import read_run
from sightlab.training.loop import Paused
from sightlab.tune.driver import Driver
from sightlab.tune.trials import Seeded, Trial


def runs_at_end(driver: Driver, trial: Trial) -> list[Seeded]:
    """The runs on which a trial's last value stands."""
    return driver.book.of(trial, max(0, len(trial.values_at) - 1))


def opened(driver: Driver, winner: Trial, retrain: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """End the winner's runs, which opens their test splits, and train and test it with further seeds."""
    runs = runs_at_end(driver, winner)
    seeds = range(winner.recipe.seed + len(runs), winner.recipe.seed + len(runs) + retrain)
    more = [driver.book.run_of(changed(winner.recipe, {"seed": seed})) for seed in seeds]
    every = [*runs, *more]
    left = [run for run in every if not run.finished]
    tasks = [Task(train_stretch, Desk(run.recipe, driver.home, run.folder)) for run in left]
    if left:
        driver.watch.say(f"testing the winner{f', trained with {retrain} further seeds' if retrain else ''}")
    for run, result in zip(left, worked_off(driver.crew, tasks, driver.watch.pause), strict=True):
        if isinstance(result, Failed):
            run.reason = result.reason
            driver.watch.say(f"the winner with seed {run.recipe.seed} failed: {result.reason}")
        elif isinstance(result, Kept):
            run.folder, run.epochs, run.finished = result.folder, result.epochs, result.finished
    folders = [run.folder for run in every if run.finished and run.folder is not None]
    if not driver.record.shared:
        driver.note("tested", trial=winner.number, runs=[folder.name for folder in folders])
    done = [[read_run(run.folder) for run in part if run.finished and run.folder] for part in (runs, more)]
    return tuple(done[0]), tuple(done[1])


def worked_off(crew: Hands, tasks: Sequence[Task], pause: Callable[[], bool]) -> list[Any]:
    """The results of tasks, in their order. Raises RunError where one breaks or dies, Paused when asked to.

    A task whose machine died is given again.
    """
    results: dict[int, Any] = {}
    waiting = list(range(len(tasks)))
    while len(results) < len(tasks):
        if pause():
            crew.stop()
            if not crew.busy:
                raise Paused
        while waiting and crew.idle and not pause():
            number = waiting.pop(0)
            crew.give(number, tasks[number])
        for news in crew.news(1.0):
            if isinstance(news, Done):
                results[news.number] = news.result
            elif isinstance(news, Broken):
                raise RunError(news.error)
            elif isinstance(news, Gone) and news.blameless:
                waiting.append(news.number)
            elif isinstance(news, Gone):
                raise RunError(
                    f"a worker process has gone ({news.why}: killed, or out of memory); the same command goes on"
                )
    return [results[number] for number in range(len(tasks))]
