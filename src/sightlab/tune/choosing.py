"""The winner of a search: chosen on validation alone, held against the runner-up, tested once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison import gain, spread
from sightlab.errors import RunError
from sightlab.metrics.intervals import wilson_interval
from sightlab.recipes.changes import changed
from sightlab.records import Gain, Run, Spread
from sightlab.runs.answers import validation_answers
from sightlab.runs.crew import Broken, Crew, Done, Gone, Job
from sightlab.runs.stretches import Failed, Kept, Stretch, train_stretch
from sightlab.store.folder import read_run
from sightlab.training.loop import Paused
from sightlab.tune.driver import Driver
from sightlab.tune.trials import Seeded, Trial, best_of, ranked


@dataclass(frozen=True)
class Luck:
    """How much better the winner looks on validation than on test.

    validation, test: accuracy in [0, 1], means over its runs. difference: of the two; interval: its 95 % interval.
    images: of validation and test.
    """

    validation: float
    test: float
    difference: float
    interval: tuple[float, float]
    images: tuple[int, int]


@dataclass(frozen=True)
class Verdict:
    """What a search came to.

    ranked: the trials that could be chosen, the winner first. gain: of the winner over the runner-up on the validation
    images, None where there is one trial alone. tested: the winner's runs, their test splits opened; retrained: further
    ones with other seeds. luck: None where nothing was tested.
    """

    ranked: tuple[Trial, ...]
    gain: Gain | None
    tested: tuple[Run, ...]
    retrained: tuple[Run, ...]
    luck: Luck | None

    @property
    def winner(self) -> Trial:
        """The best trial by validation."""
        return self.ranked[0]

    @property
    def test(self) -> Spread | None:
        """Test accuracy over the winner's runs, with those that were trained again; None where nothing was tested."""
        scores = [run.test.accuracy for run in (*self.tested, *self.retrained) if run.test is not None]
        return spread(scores) if scores else None


def chosen(driver: Driver, *, test: bool, retrain: int) -> Verdict | None:
    """Choose the winner of a search; None where no trial has a value.

    test: open its runs' test splits, once. retrain: train it with so many further seeds, each tested at its end.
    A winner that the budget cut short is not tested: its runs have not come to their end. Raises RunError.
    """
    order = ranked(driver.plan, driver.trials)
    if not order:
        return None
    told = against_runner_up(driver, order)
    tested: tuple[Run, ...] = ()
    again: tuple[Run, ...] = ()
    if test and order[0].state == "complete":
        tested, again = opened(driver, order[0], retrain)
    return Verdict(tuple(order), told, tested, again, luck_of(tested))


def runs_at_end(driver: Driver, trial: Trial) -> list[Seeded]:
    """The runs on which a trial's last value stands."""
    return driver.book.of(trial, max(0, len(trial.values_at) - 1))


def against_runner_up(driver: Driver, order: Sequence[Trial]) -> Gain | None:
    """The winner's gain over the runner-up on the same validation images; None where there is no runner-up."""
    if len(order) < 2:
        return None
    sides = [[run.folder for run in runs_at_end(driver, trial)] for trial in order[:2]]
    folders = [[folder for folder in side if folder is not None] for side in sides]
    jobs: list[Job] = [partial(validation_answers, folder=folder) for side in folders for folder in side]
    found = worked_off(driver.crew, jobs, driver.watch.pause)
    rows: list[NDArray[np.bool_]] = [np.stack(found[: len(folders[0])]), np.stack(found[len(folders[0]) :])]
    names = [f"trial {trial.number + 1}" for trial in order[:2]]
    return gain(names[1], rows[1], names[0], rows[0])


def opened(driver: Driver, winner: Trial, retrain: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """End the winner's runs, which opens their test splits, and train and test it with further seeds."""
    runs = runs_at_end(driver, winner)
    seeds = range(winner.recipe.seed + len(runs), winner.recipe.seed + len(runs) + retrain)
    more = [driver.book.run_of(changed(winner.recipe, {"seed": seed})) for seed in seeds]
    every = [*runs, *more]
    left = [run for run in every if not run.finished]
    jobs: list[Job] = [partial(train_stretch, stretch=Stretch(run.recipe, driver.home, run.folder)) for run in left]
    for run, result in zip(left, worked_off(driver.crew, jobs, driver.watch.pause), strict=True):
        if isinstance(result, Failed):
            run.reason = result.reason
            driver.watch.say(f"the winner with seed {run.recipe.seed} failed: {result.reason}")
        elif isinstance(result, Kept):
            run.folder, run.epochs, run.finished = result.folder, result.epochs, result.finished
    folders = [run.folder for run in every if run.finished and run.folder is not None]
    driver.note("tested", trial=winner.number, runs=[folder.name for folder in folders])
    done = [[read_run(run.folder) for run in part if run.finished and run.folder] for part in (runs, more)]
    return tuple(done[0]), tuple(done[1])


def worked_off(crew: Crew, jobs: Sequence[Job], pause: Callable[[], bool]) -> list[Any]:
    """The results of jobs, in their order. Raises RunError where one breaks or dies, Paused when asked to."""
    results: dict[int, Any] = {}
    waiting = list(range(len(jobs)))
    while len(results) < len(jobs):
        if pause():
            crew.stop()
            if not crew.busy:
                raise Paused
        while waiting and crew.idle and not pause():
            number = waiting.pop(0)
            crew.give(number, jobs[number])
        for news in crew.news(1.0):
            if isinstance(news, Done):
                results[news.number] = news.result
            elif isinstance(news, Broken):
                raise RunError(news.error)
            elif isinstance(news, Gone):
                raise RunError("a worker process has gone (killed, or out of memory); the same command goes on")
    return [results[number] for number in range(len(jobs))]


def luck_of(tested: Sequence[Run]) -> Luck | None:
    """Validation accuracy of the winner's runs less their test accuracy; None where nothing was tested."""
    scored = [run for run in tested if run.test is not None and run.validation is not None]
    if not scored:
        return None
    validation = sum(best_of(run.epochs).validation_accuracy for run in scored) / len(scored)
    test = sum(run.test.accuracy for run in scored if run.test is not None) / len(scored)
    first = scored[0]
    assert first.test is not None
    assert first.validation is not None
    images = (first.validation.count, first.test.count)
    interval = newcombe(round(validation * images[0]), images[0], round(test * images[1]), images[1])
    return Luck(validation, test, validation - test, interval, images)


def newcombe(correct: int, images: int, correct2: int, images2: int) -> tuple[float, float]:
    """95 % interval of the difference of two accuracies, first less second, on images that are not the same.

    correct of images are right in the first, correct2 of images2 in the second. Wilson's intervals (l, u) put together:
    d - sqrt((p1 - l1)^2 + (u2 - p2)^2) to d + sqrt((u1 - p1)^2 + (p2 - l2)^2). Newcombe 1998, "Interval estimation for
    the difference between independent proportions: comparison of eleven methods", method 10.

    >>> low, high = newcombe(56, 70, 48, 80)
    >>> f"{low:.4f} {high:.4f}"
    '0.0524 0.3339'
    """
    first, second = correct / images, correct2 / images2
    (low1, high1), (low2, high2) = wilson_interval(correct, images), wilson_interval(correct2, images2)
    below = math.hypot(first - low1, high2 - second)
    above = math.hypot(high1 - first, second - low2)
    return max(-1.0, first - second - below), min(1.0, first - second + above)
