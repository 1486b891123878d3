"""Predicts what a study will take: a few steps of each kind of training are measured before it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sightlab.recipes.overrides import changed
from sightlab.recipes.part_groups import Constant, CustomOptimizer
from sightlab.recipes.schema import Recipe
from sightlab.runs.index import RunIndex
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.studies.study_plan import Job
from sightlab.training.device import own_process, threads
from sightlab.training.forecast import forecast
from sightlab.training.prepare import prepare

FINALIZE_SECONDS = 4.0  # of pictures, bundle and report, as measured with 10,000 test images


def predicted(jobs: Sequence[Job], say: Callable[[str], None] = lambda _: None) -> dict[Job, float]:
    """Seconds that each training will take on one thread, from its first step to its report.

    Trainings that cost the same (all but seed, optimizer, schedule and epochs alike) are measured once. A training by
    several processes is taken to need the same work. Raises what preparing a training raises: data, models or options
    that do not fit are found here, before anything is trained.
    """
    pace: dict[str, tuple[float, float]] = {}
    found = {}
    for job in jobs:
        alike = kind_of(job.recipe)
        if alike.hash not in pace:
            say(f"measuring {job.recipe.name}")
            pace[alike.hash] = measured(alike)
        epoch, test = pace[alike.hash]
        found[job] = job.recipe.epochs * epoch + test + FINALIZE_SECONDS
    return found


def kind_of(recipe: Recipe) -> Recipe:
    """The recipe of one epoch that costs what an epoch of this one does."""
    optimizer = recipe.optimizer
    usual = optimizer if isinstance(optimizer, CustomOptimizer) else type(optimizer)()
    plain = recipe.model_copy(update={"optimizer": usual, "schedule": Constant()})
    return changed(plain, {"seed": 0, "epochs": 1, "early_stop": None})


def measured(recipe: Recipe) -> tuple[float, float]:
    """Seconds of one epoch, and of the test, on one thread."""
    with own_process(), threads(1):
        recipe = with_runs_found(recipe)
        prepared = prepare(recipe, teacher=teacher_of(recipe.distillation))
        found = forecast(prepared)
        return found.seconds, len(prepared.splits.test) * found.look_seconds


def wall_seconds(seconds: Sequence[float], workers: int) -> float:
    """Seconds that `workers` processes take for trainings of so many seconds each, the longest first.

    >>> wall_seconds([3.0, 3.0, 2.0, 2.0, 2.0], 2)
    7.0
    """
    free = [0.0] * workers
    for one in sorted(seconds, reverse=True):
        free[free.index(min(free))] += one
    return max(free)


def unfinished(jobs: Sequence[Job], index: RunIndex) -> list[tuple[Job, Path | None]]:
    """The trainings without a finished run, each with the interrupted run to resume, if any.

    One that has diverged would diverge again: that is its result.
    """
    left: list[tuple[Job, Path | None]] = []
    for job in jobs:
        known = index.on_this_data(job.recipe, job.processes)
        if index.diverged(job.recipe, job.processes):
            continue
        if known is None or known[1] != "finished":
            left.append((job, known[0] if known else None))
    return left
