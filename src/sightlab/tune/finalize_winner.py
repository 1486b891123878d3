"""Finalizes the winner of a search: its runs are resumed to their end, which opens their test splits."""

from __future__ import annotations

from sightlab.recipes.overrides import changed
from sightlab.records import Run
from sightlab.report.phrases import counted
from sightlab.runs.executor import result_of, run_tasks
from sightlab.runs.segments import FailedResult, PausedResult, train_segment
from sightlab.runs.tasks import Task, TaskContext
from sightlab.store.run_folder import read_run
from sightlab.tune.trials import Trial
from sightlab.tune.tuner import Tuner


def finalize(tuner: Tuner, winner: Trial, retrain: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Finalize the winner's runs, then train and test it with `retrain` further seeds; returns both kinds of runs.

    Raises RunError, and Paused when asked to: then some of the runs are not finalized, and none of them is returned.
    """
    say = tuner.callback.on_message
    own = tuner.state.runs.last_of(winner)
    seeds = range(winner.recipe.seed + len(own), winner.recipe.seed + len(own) + retrain)
    further = [tuner.state.runs.run_of(changed(winner.recipe, {"seed": seed})) for seed in seeds]
    left = [run for run in (*own, *further) if not run.finished]
    tasks = [Task(train_segment, TaskContext(run.recipe, tuner.home, run.folder)) for run in left]
    if left:
        more = f", and training it with {counted(retrain, 'further seed')}" if retrain else ""
        say(f"testing the winner{more}")
    for end in run_tasks(tuner.executor, tasks, tuner.callback.should_pause):
        run, result = left[end.number], result_of(end)
        if isinstance(result, FailedResult):
            run.failure = result.reason
            say(f"the winner with seed {run.recipe.seed} failed: {result.reason}")
        elif isinstance(result, PausedResult):
            run.update(result)
    folders = [run.folder for run in (*own, *further) if run.finished and run.folder is not None]
    if not tuner.state.shared:
        tuner.note("tested", trial=winner.number, runs=[folder.name for folder in folders])
    tested, retrained = (
        tuple(read_run(run.folder) for run in runs if run.finished and run.folder) for runs in (own, further)
    )
    return tested, retrained
