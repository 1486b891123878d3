"""The winner of a search: chosen on validation alone, held against the runner-up, tested once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison import gain, spread
from sightlab.errors import RunError
from sightlab.recipes.changes import changed
from sightlab.records import Gain, Run, Spread
from sightlab.runs.answers import validation_answers
from sightlab.runs.stretches import Failed, Kept, train_stretch
from sightlab.runs.tasks import Broken, Desk, Done, Gone, Hands, Task
from sightlab.store.folder import read_run
from sightlab.training.loop import Paused
from sightlab.tune.driver import Driver
from sightlab.tune.luck import Luck, luck_of, out_of_bag
from sightlab.tune.trials import Seeded, Trial, best_of, ranked

CANDIDATES = 16  # the best trials, among which the winner of other images would be found too


@dataclass(frozen=True)
class Verdict:
    """What a search came to.

    ranked: the trials that could be chosen, the winner first. gain: of the winner over the runner-up on the validation
    images, None where there is one trial alone. expected: the accuracy that a winner picked in this way has on images
    that it was not picked by (`out_of_bag`); None where there is one trial alone, or the loss decides. tested: the
    winner's runs, their test splits opened; retrained: further ones with other seeds. luck: None where nothing was
    tested.
    """

    ranked: tuple[Trial, ...]
    gain: Gain | None
    expected: float | None
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
    right = answers(driver, order[:CANDIDATES]) if len(order) > 1 else []
    tested: tuple[Run, ...] = ()
    again: tuple[Run, ...] = ()
    if test and order[0].state == "complete":
        tested, again = opened(driver, order[0], retrain)
    expected = expected_of(right) if right and driver.plan.high else None
    return Verdict(
        tuple(order), against_runner_up(order, right) if right else None, expected, tested, again, luck_on_test(tested)
    )


def runs_at_end(driver: Driver, trial: Trial) -> list[Seeded]:
    """The runs on which a trial's last value stands."""
    return driver.book.of(trial, max(0, len(trial.values_at) - 1))


def answers(driver: Driver, trials: Sequence[Trial]) -> list[NDArray[np.bool_]]:
    """What each trial's runs have right of the validation images: bool [seeds, N] each."""
    sides = [[run for run in runs_at_end(driver, trial) if run.folder is not None] for trial in trials]
    tasks = [Task(validation_answers, Desk(run.recipe, driver.home, run.folder)) for side in sides for run in side]
    driver.watch.say(f"what the best {len(trials)} trials answer on the validation images")
    found = iter(worked_off(driver.crew, tasks, driver.watch.pause))
    return [np.stack([next(found) for _ in side]) for side in sides]


def against_runner_up(trials: Sequence[Trial], right: Sequence[NDArray[np.bool_]]) -> Gain:
    """The winner's gain over the runner-up on the same validation images. trials, right: the winner's first."""
    names = [f"trial {trial.number + 1}" for trial in trials[:2]]
    return gain(names[1], right[1], names[0], right[0])


def expected_of(right: Sequence[NDArray[np.bool_]]) -> float:
    """What such a winner is worth on other validation images, in [0, 1]."""
    return out_of_bag(np.stack([one.mean(axis=0) for one in right]))


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


def luck_on_test(tested: Sequence[Run]) -> Luck | None:
    """The winner's luck, from its runs whose test splits are opened; None where nothing was tested."""
    scored = [(run.validation, run.test, run) for run in tested if run.test is not None and run.validation is not None]
    if not scored:
        return None
    validation = sum(best_of(run.epochs).validation_accuracy for _, _, run in scored) / len(scored)
    test = sum(one.accuracy for _, one, _ in scored) / len(scored)
    return luck_of(validation, scored[0][0].count, test, scored[0][1].count)
