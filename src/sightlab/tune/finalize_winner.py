"""What is done when all trials have ended: tasks are given to the crew once more, and the winner's runs are ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sightlab.errors import RunError
from sightlab.recipes.overrides import changed
from sightlab.records import Run
from sightlab.runs.segments import FailedResult, PausedResult, train_stretch
from sightlab.runs.tasks import Executor, Result, Task, TaskContext, TaskError, WorkerLost
from sightlab.store.run_folder import read_run
from sightlab.training.loop import Paused
from sightlab.tune.trials import SeedRun, Trial
from sightlab.tune.tuner import Tuner


def runs_at_end(tuner: Tuner, trial: Trial) -> list[SeedRun]:
    """The runs on which a trial's last value stands."""
    return tuner.book.of(trial, max(0, len(trial.values_at) - 1))


def opened(tuner: Tuner, winner: Trial, retrain: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """End the winner's runs, which opens their test splits, and train and test it with further seeds."""
    runs = runs_at_end(tuner, winner)
    seeds = range(winner.recipe.seed + len(runs), winner.recipe.seed + len(runs) + retrain)
    more = [tuner.book.run_of(changed(winner.recipe, {"seed": seed})) for seed in seeds]
    every = [*runs, *more]
    left = [run for run in every if not run.finished]
    tasks = [Task(train_stretch, TaskContext(run.recipe, tuner.home, run.folder)) for run in left]
    if left:
        tuner.watch.say(f"testing the winner{f', trained with {retrain} further seeds' if retrain else ''}")
    for run, result in zip(left, worked_off(tuner.crew, tasks, tuner.watch.pause), strict=True):
        if isinstance(result, FailedResult):
            run.reason = result.reason
            tuner.watch.say(f"the winner with seed {run.recipe.seed} failed: {result.reason}")
        elif isinstance(result, PausedResult):
            run.folder, run.epochs, run.finished = result.folder, result.epochs, result.finished
    folders = [run.folder for run in every if run.finished and run.folder is not None]
    if not tuner.record.shared:
        tuner.note("tested", trial=winner.number, runs=[folder.name for folder in folders])
    done = [[read_run(run.folder) for run in part if run.finished and run.folder] for part in (runs, more)]
    return tuple(done[0]), tuple(done[1])


def worked_off(crew: Executor, tasks: Sequence[Task], pause: Callable[[], bool]) -> list[Any]:
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
            if isinstance(news, Result):
                results[news.number] = news.result
            elif isinstance(news, TaskError):
                raise RunError(news.error)
            elif isinstance(news, WorkerLost) and news.blameless:
                waiting.append(news.number)
            elif isinstance(news, WorkerLost):
                raise RunError(
                    f"a worker process has gone ({news.why}: killed, or out of memory); the same command goes on"
                )
    return [results[number] for number in range(len(tasks))]
