"""The winner of a search: selected on validation only, compared with the runner-up, tested once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison import difference, spread
from sightlab.records import Difference, Run, Spread
from sightlab.runs.answers import validation_answers
from sightlab.runs.executor import result_of, run_tasks
from sightlab.runs.tasks import Task, TaskContext
from sightlab.store.run_folder import read_run
from sightlab.tune.consensus import exchange_answers, finalize_once
from sightlab.tune.finalize_winner import finalize
from sightlab.tune.search_state import is_own
from sightlab.tune.selection_bias import Optimism, optimism_of, out_of_bag
from sightlab.tune.trials import Trial, best_of, ranked
from sightlab.tune.tuner import Tuner

CANDIDATES = 16  # the best trials, among which the winner on resampled images would be found too


@dataclass(frozen=True)
class Selection:
    """The result of a search.

    ranked: the trials that could be selected, the winner first. difference: of the winner to the runner-up on the
    validation images, None where there is one trial only. expected: the accuracy of a winner selected in this way on
    images that did not select it (`out_of_bag`); None where there is one trial only, or another metric decides. tested:
    the winner's runs, their test splits opened; retrained: further ones with other seeds. optimism: of validation, None
    where nothing was tested.
    """

    ranked: tuple[Trial, ...]
    difference: Difference | None
    expected: float | None
    tested: tuple[Run, ...]
    retrained: tuple[Run, ...]
    optimism: Optimism | None

    @property
    def winner(self) -> Trial:
        """The best trial by validation."""
        return self.ranked[0]

    @property
    def test(self) -> Spread | None:
        """Test accuracy over the winner's runs, with the retrained ones; None where nothing was tested."""
        scores = [run.test.accuracy for run in (*self.tested, *self.retrained) if run.test is not None]
        return spread(scores, 0.0, 1.0) if scores else None


def select(tuner: Tuner, *, test: bool, retrain: int) -> Selection | None:
    """Select the winner of a search; None where no trial has a value.

    test: open its runs' test splits, once. retrain: train it with so many further seeds, each tested at its end.
    A winner that the budget cut short is not tested: its runs have epochs left. Raises RunError, Paused.
    """
    order = ranked(tuner.state.plan, tuner.state.trials)
    if not order:
        return None
    known, correct = answers(tuner, order[:CANDIDATES]) if len(order) > 1 else ([], [])
    tested: tuple[Run, ...] = ()
    retrained: tuple[Run, ...] = ()
    if test and order[0].state == "complete":
        open_test = finalize_once if tuner.state.shared else finalize
        tested, retrained = open_test(tuner, order[0], retrain)
    both = known[:2] == order[:2]  # the answers of one may be out of reach where its driver is gone
    by_accuracy = tuner.state.plan.metric == "validation_accuracy"
    expected = expected_accuracy(correct) if both and by_accuracy else None
    beaten = to_runner_up(order, correct) if both else None
    return Selection(tuple(order), beaten, expected, tested, retrained, measured_optimism(tested))


def selection_on_record(tuner: Tuner) -> Selection | None:
    """The result of a search from its record: nothing is tested, and earlier tests are included."""
    found = select(tuner, test=False, retrain=0)
    events = tuner.record.of_kind("tested")
    if found is None or not events or events[-1]["trial"] != found.winner.number:
        return found
    runs = [read_run(tuner.home / name) for name in events[-1]["runs"]]
    count = len(tuner.state.runs.last_of(found.winner))
    tested, retrained = tuple(runs[:count]), tuple(runs[count:])
    return replace(found, tested=tested, retrained=retrained, optimism=measured_optimism(tested))


def answers(tuner: Tuner, trials: Sequence[Trial]) -> tuple[list[Trial], list[NDArray[np.bool_]]]:
    """Which validation images trials' runs classify correctly, bool [seeds, N] each; and of which trials it is known.

    In a shared search each driver reports the answers of its own runs.
    """
    if tuner.state.shared:
        tuner.adopt(trials)
    # A folder that was deleted leaves its trial's value on record, and nothing to compare.
    own = [
        trial
        for trial in trials
        if is_own(tuner.state, trial) and all(run.folder for run in tuner.state.runs.last_of(trial))
    ]
    if own:
        tuner.callback.on_message(f"comparing the best {len(own)} trials on the validation images")
    sides = [tuner.state.runs.last_of(trial) for trial in own]
    runs = [run for side in sides for run in side]
    tasks = [Task(validation_answers, TaskContext(run.recipe, tuner.home, run.folder)) for run in runs]
    ends = run_tasks(tuner.executor, tasks, tuner.callback.should_pause)
    results = {end.number: result_of(end) for end in ends}
    each = iter([results[number] for number in range(len(tasks))])
    found = {trial.number: np.stack([next(each) for _ in side]) for trial, side in zip(own, sides, strict=True)}
    if tuner.state.shared:
        found = exchange_answers(tuner, found, [trial.number for trial in trials])
    known = [trial for trial in trials if trial.number in found]
    return known, [found[trial.number] for trial in known]


def to_runner_up(trials: Sequence[Trial], correct: Sequence[NDArray[np.bool_]]) -> Difference:
    """The winner against the runner-up on the same validation images. trials, correct: the winner's first."""
    names = [f"trial {trial.number + 1}" for trial in trials[:2]]
    return difference(names[1], correct[1], names[0], correct[0])


def expected_accuracy(correct: Sequence[NDArray[np.bool_]]) -> float:
    """The accuracy of such a winner on other validation images, in [0, 1]."""
    return out_of_bag(np.stack([one.mean(axis=0) for one in correct]))


def measured_optimism(tested: Sequence[Run]) -> Optimism | None:
    """How much better the winner's finalized runs look on validation than on test; None where nothing was tested."""
    scored = [(run.validation, run.test, run) for run in tested if run.test is not None and run.validation is not None]
    if not scored:
        return None
    validation = sum(best_of(run.epochs).validation_accuracy for _, _, run in scored) / len(scored)
    test = sum(one.accuracy for _, one, _ in scored) / len(scored)
    return optimism_of(validation, scored[0][0].count, test, scored[0][1].count)
