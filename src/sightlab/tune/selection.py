"""The winner of a search: chosen on validation alone, held against the runner-up, tested once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison import difference, spread
from sightlab.records import Difference, Run, Spread
from sightlab.runs.answers import validation_answers
from sightlab.runs.tasks import Task, TaskContext
from sightlab.store.run_folder import read_run
from sightlab.tune.consensus import exchanged, opened_by_one
from sightlab.tune.finalize_winner import opened, runs_at_end, worked_off
from sightlab.tune.peers import adopt
from sightlab.tune.selection_bias import Luck, luck_of, out_of_bag
from sightlab.tune.trials import Trial, best_of, ranked
from sightlab.tune.tuner import Tuner

CANDIDATES = 16  # the best trials, among which the winner of other images would be found too


@dataclass(frozen=True)
class Selection:
    """What a search came to.

    ranked: the trials that could be chosen, the winner first. gain: of the winner over the runner-up on the validation
    images, None where there is one trial alone. expected: the accuracy that a winner picked in this way has on images
    that it was not picked by (`out_of_bag`); None where there is one trial alone, or the loss decides. tested: the
    winner's runs, their test splits opened; retrained: further ones with other seeds. luck: None where nothing was
    tested.
    """

    ranked: tuple[Trial, ...]
    difference: Difference | None
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


def chosen(tuner: Tuner, *, test: bool, retrain: int) -> Selection | None:
    """Choose the winner of a search; None where no trial has a value.

    test: open its runs' test splits, once. retrain: train it with so many further seeds, each tested at its end.
    A winner that the budget cut short is not tested: its runs have not come to their end. Raises RunError.
    """
    order = ranked(tuner.plan, tuner.trials)
    if not order:
        return None
    known, right = answers(tuner, order[:CANDIDATES]) if len(order) > 1 else ([], [])
    tested: tuple[Run, ...] = ()
    again: tuple[Run, ...] = ()
    if test and order[0].state == "complete":
        tested, again = (
            opened_by_one(tuner, order[0], retrain) if tuner.record.shared else opened(tuner, order[0], retrain)
        )
    beaten = known[:2] == order[:2]  # both of them, whose answers may be out of reach where a driver has gone
    expected = expected_of(right) if beaten and tuner.plan.high else None
    held = against_runner_up(order, right) if beaten else None
    return Selection(tuple(order), held, expected, tested, again, luck_on_test(tested))


def told_again(tuner: Tuner) -> Selection | None:
    """What a search came to, from its record: nothing is tested, and what was tested by then is told with it."""
    verdict = chosen(tuner, test=False, retrain=0)
    events = tuner.record.of_kind("tested")
    if verdict is None or not events or events[-1]["trial"] != verdict.winner.number:
        return verdict
    runs = [read_run(tuner.home / name) for name in events[-1]["runs"]]
    count = len(runs_at_end(tuner, verdict.winner))
    tested, again = tuple(runs[:count]), tuple(runs[count:])
    return replace(verdict, tested=tested, retrained=again, luck=luck_on_test(tested))


def answers(tuner: Tuner, trials: Sequence[Trial]) -> tuple[list[Trial], list[NDArray[np.bool_]]]:
    """What trials' runs have right of the validation images: bool [seeds, N] each; and of which trials it is known.

    Of a search that is shared each driver tells what its own runs answer.
    """
    if tuner.record.shared:
        adopt(tuner, trials)
    ours = [trial for trial in trials if tuner.mine(trial)]
    if ours:
        tuner.watch.say(f"what the best {len(ours)} trials answer on the validation images")
    sides = [[run for run in runs_at_end(tuner, trial) if run.folder is not None] for trial in ours]
    tasks = [
        Task(validation_answers, TaskContext(run.recipe, tuner.home, run.folder)) for side in sides for run in side
    ]
    given = iter(worked_off(tuner.crew, tasks, tuner.watch.pause))
    found = {trial.number: np.stack([next(given) for _ in side]) for trial, side in zip(ours, sides, strict=True)}
    if tuner.record.shared:
        found = exchanged(tuner, found, [trial.number for trial in trials])
    known = [trial for trial in trials if trial.number in found]
    return known, [found[trial.number] for trial in known]


def against_runner_up(trials: Sequence[Trial], right: Sequence[NDArray[np.bool_]]) -> Difference:
    """The winner's gain over the runner-up on the same validation images. trials, right: the winner's first."""
    names = [f"trial {trial.number + 1}" for trial in trials[:2]]
    return difference(names[1], right[1], names[0], right[0])


def expected_of(right: Sequence[NDArray[np.bool_]]) -> float:
    """What such a winner is worth on other validation images, in [0, 1]."""
    return out_of_bag(np.stack([one.mean(axis=0) for one in right]))


def luck_on_test(tested: Sequence[Run]) -> Luck | None:
    """The winner's luck, from its runs whose test splits are opened; None where nothing was tested."""
    scored = [(run.validation, run.test, run) for run in tested if run.test is not None and run.validation is not None]
    if not scored:
        return None
    validation = sum(best_of(run.epochs).validation_accuracy for _, _, run in scored) / len(scored)
    test = sum(one.accuracy for _, one, _ in scored) / len(scored)
    return luck_of(validation, scored[0][0].count, test, scored[0][1].count)
