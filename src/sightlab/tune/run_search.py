"""Runs a search from the words of a command to its end: plan it, predict what it takes, train it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sightlab.data.imageset import Progress
from sightlab.errors import RecipeError, RunError, SightlabError, StudyError
from sightlab.models.names import check_name
from sightlab.recipes.loader import read_recipe
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.report.phrases import counted
from sightlab.runs.executor import Executor, run_tasks
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.runs.tasks import Result, Task, TaskContext, TaskError
from sightlab.store.annotations import Labels, Study, now_text, read_labels
from sightlab.store.database.upsert import relabel
from sightlab.training.prepare import splits_of
from sightlab.tune.budget import Budget, check_budget
from sightlab.tune.cost_model import CostModel, Kind, Pace, kind_of, kinds, prediction_lines, probe
from sightlab.tune.methods import searcher_of
from sightlab.tune.progress import SearchCallback
from sightlab.tune.random_search import sample
from sightlab.tune.search_plan import (
    TRIALS,
    Plan,
    axis_words,
    check_plan,
    check_same,
    default_method,
    higher_is_better,
    metric_name,
    name_of,
)
from sightlab.tune.search_record import Record, find_record, study_lock
from sightlab.tune.search_state import SearchState, is_own
from sightlab.tune.shared_storage import Records, SharedRecord, find_shared
from sightlab.tune.space import Choice, Values, parse_space
from sightlab.tune.trials import RunCache, new_trial
from sightlab.tune.tuner import Tuner


@dataclass(frozen=True)
class SearchOptions:
    """What the command line says of a search. None: the default, or what a resumed study was created with."""

    words: tuple[str, ...] = ()
    method: str | None = None
    metric: str | None = None
    seeds: int | None = None
    trials: int | None = None
    study: str | None = None


def plan_search(options: SearchOptions, home: Path, budget: Budget, progress: Progress | None = None) -> Plan:
    """The plan of a new search. Raises SightlabError for what cannot be searched, or images that are not there."""
    names = [word for word in options.words if "=" not in word]
    if len(names) > 1:
        raise RecipeError(
            f"unexpected {names[1]!r}: the recipe is already {names[0]!r}; what is searched looks like KEY=VALUE,VALUE"
        )
    fixed, space = parse_space([word for word in options.words if "=" in word])
    recipe = changed(read_recipe(names[0] if names else "demo"), fixed)
    seeds = 1 if options.seeds is None else options.seeds
    if seeds < 1:
        raise StudyError(f"--seeds {seeds}: at least one seed is needed")
    method = options.method or default_method(space)
    metric = metric_name(options.metric or "validation_accuracy", recipe)
    endless = space.cells is None and options.trials is None and budget == Budget()
    plan = Plan(
        name=options.study or name_of(recipe, space, method, seeds),
        recipe=with_runs_found(recipe, home),
        space=space,
        method=method,
        metric=metric,
        maximize=higher_is_better(metric, recipe),
        seeds=seeds,
        trials=TRIALS if endless else options.trials,
        words=options.words,
        asked=recipe.hash,
    )
    check_plan(plan)
    searcher_of(plan)  # a library that a method needs is found missing before the study is created
    for name in models_of(plan):
        check_name(name)
    return replace(plan, data=splits_of(plan.recipe.data, None, progress).key)


def models_of(plan: Plan) -> list[str]:
    """The names of the models that its trials may have."""
    axis = plan.space.axes.get("model.name")
    return list(axis.values) if isinstance(axis, Choice) else [plan.recipe.model.name]


def find_study(home: Path, name: str, share: bool) -> Records:
    """The record of an existing study. share: on the server. Raises StudyError, naming those there are."""
    return find_shared(home, name) if share else find_record(home, name)


def plan_resumed(
    name: str, options: SearchOptions, home: Path, budget: Budget, progress: Progress | None = None, share: bool = False
) -> Plan:
    """The plan of an existing study, compared with its recipe as it is now. Raises StudyError."""
    kept = find_study(home, name, share).plan()
    original = SearchOptions(
        options.words or kept.words, kept.method, kept.metric, kept.seeds, kept.trials, study=kept.name
    )
    given = {key: value for key, value in vars(options).items() if value is not None and key not in ("words", "study")}
    now = kept
    if options.words or recipe_is_readable(kept.words):
        now = plan_search(replace(original, **given), home, budget, progress)
    check_same(now, kept)
    return replace(kept, trials=now.trials if options.trials is None else options.trials)


def last_budget(name: str, home: Path, share: bool = False) -> Budget:
    """The budget of a study's last session. Raises StudyError for a study that does not exist."""
    record = find_study(home, name, share)
    with record.turn():
        sessions = record.of_kind("session")
    return Budget(**sessions[-1]["budget"]) if sessions else Budget()


def recipe_is_readable(words: Sequence[str]) -> bool:
    """Whether the recipe that a study was created with can still be read; a file may be gone, the study has a copy."""
    names = [word for word in words if "=" not in word]
    with suppress(RecipeError):
        read_recipe(names[0] if names else "demo")
        return True
    return False


def start_session(plan: Plan, home: Path, facts: dict[str, Any], share: bool) -> Records:
    """Create or open a study, of which this process is a driver from now on. Raises StudyError where another is."""
    with nullcontext() if share else study_lock(home):
        record = SharedRecord(home, plan.name) if share else Record.of(home, plan.name)
        if not record.exists:
            record.create(plan)
        check_same(plan, record.plan())
        record.start_session(facts)
    return record


def search(
    plan: Plan, home: Path, executor: Executor, budget: Budget, callback: SearchCallback, share: bool = False
) -> Tuner:
    """Run a search as far as its budget goes. Raises SightlabError, and Paused when asked to stop.

    share: with others, on the server of SIGHTLAB_DB; `record.leave` is then to be called when all is done.
    """
    facts = {"budget": {"seconds": budget.seconds, "epochs": budget.epochs}, "workers": executor.workers}
    record = start_session(plan, home, facts, share)
    tuner = Tuner(state_of(plan, home, budget, record), record, home, executor, callback)
    try:
        predict(tuner)
    except SightlabError:
        record.withdraw()
        raise
    try:
        tuner.run()
    except BaseException:
        record.leave()  # nobody is to wait for what this driver was about to write
        raise
    label_runs(plan, tuner.state.runs)
    return tuner


def state_of(plan: Plan, home: Path, budget: Budget, record: Records) -> SearchState:
    """The state of a search before its record is replayed."""
    sessions = record.of_kind("session")
    since = str(sessions[0]["at"]) if sessions else ""
    runs = RunCache(plan, home, since, record.driver)
    return SearchState(plan, budget, searcher_of(plan), runs, record.driver)


def predict(tuner: Tuner) -> None:
    """Measure what is left to train and say what it takes. Raises SightlabError where it cannot be trained."""
    state, say = tuner.state, tuner.callback.on_message
    left, existing = untrained(state)
    if existing:
        say(f"{existing} of {state.plan.space.cells} trials exist already")
    if not left:
        return
    started = time.monotonic()
    tuner.cost_model = measure(state.plan, left, tuner.home, tuner.executor, tuner.callback)
    tuner.cost_log.measuring = time.monotonic() - started
    check_budget(state.budget, tuner.cost_model.cheapest_epoch())
    lines, seconds = prediction_lines(tuner.cost_model, left, state.budget, tuner.executor.workers)
    for line in lines:
        say(line)
    tuner.note("predicted", seconds=seconds)


def recorded_search(name: str, home: Path, executor: Executor, callback: SearchCallback) -> Tuner:
    """A search from its record in a home, for its page: nothing is trained or written. Raises StudyError."""
    record = find_record(home, name)
    return Tuner(state_of(record.plan(), home, Budget(), record), record, home, executor, callback)


def label_runs(plan: Plan, runs: RunCache) -> None:
    """Label every run of the trials with the study's name."""
    axes = ", ".join(f"{key}={axis_words(axis)}" for key, axis in plan.space.axes.items())
    study = Study(plan.name, f"Which of {axes} is best by {plan.metric}?", now_text())
    for run in runs.runs.values():
        if run.folder is not None and all(one.name != study.name for one in read_labels(run.folder).studies):
            relabel(run.folder, partial(Labels.with_study, study=study))


def untrained(state: SearchState) -> tuple[list[Values], int]:
    """The trials still to be trained, and how many cells of a grid exist already.

    As far as they are known beforehand: the cells of a grid, or random samples of a space with ranges.
    """
    plan = state.plan
    ended = [trial.values for trial in state.trials if trial.state != "open" or not is_own(state, trial)]
    if plan.space.cells is None:
        count = (plan.most or max(TRIALS, len(ended) + 1)) - len(ended)
        generators = [np.random.default_rng([plan.recipe.seed, number]) for number in range(count)]
        return [sample(plan.space, one) for one in generators], 0
    left: list[Values] = []
    existing = 0
    for values in plan.space.grid():
        if values in ended:
            existing += 1
            continue
        try:
            trial = new_trial(plan, len(state.trials), values, ())
        except RecipeError:
            continue
        runs = [state.runs.run_of(one) for one in state.runs.recipes_of(trial, trial.rungs[-1])]
        if all(run.has(trial.rungs[-1]) or run.failure for run in runs):
            existing += 1
        else:
            left.append(values)
    return left[: max(0, (plan.most or 0) - len(ended))], existing


def measure(
    plan: Plan, trials: Sequence[Values], home: Path, executor: Executor, callback: SearchCallback
) -> CostModel:
    """Measure a few steps of each kind of trial. Raises RunError for one that cannot be trained at all, Paused."""
    wanted = {kind_of(plan.space, one) for one in trials} if plan.space.cells is not None else None
    recipes: Mapping[Kind, Recipe] = {
        kind: recipe for kind, recipe in kinds(plan).items() if wanted is None or kind in wanted
    }
    callback.on_message(f"measuring {counted(len(recipes), 'kind')} of trial")
    every = list(recipes)
    tasks = [Task(probe, TaskContext(recipe, home)) for recipe in recipes.values()]
    paces: dict[Kind, Pace] = {}
    for end in run_tasks(executor, tasks, callback.should_pause):
        kind, result = every[end.number], end.result if isinstance(end, Result) else None
        if isinstance(end, TaskError) or isinstance(result, str):
            raise RunError(end.error if isinstance(end, TaskError) else str(result))
        if isinstance(result, Pace):
            paces[kind] = result
        else:
            callback.on_message(f"{dict(kind)}: not enough memory to measure it; its trials will show whether they fit")
    return CostModel(plan, paces)
