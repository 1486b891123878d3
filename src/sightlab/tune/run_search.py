"""A search from its words to its end: planned, measured, told what it will take, worked off."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
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
from sightlab.report.phrases import counted
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.runs.tasks import Executor, Result, Task, TaskContext, TaskError, WorkerLost
from sightlab.store.annotations import Labels, Study, now_text, read_labels
from sightlab.store.database.upsert import relabel
from sightlab.training.loop import Paused
from sightlab.training.prepare import splits_of
from sightlab.tune.budget import Budget, check_budget
from sightlab.tune.cost_model import Costs, Kind, Pace, kind_of, kinds, probe, told
from sightlab.tune.draws import drawn
from sightlab.tune.progress import Watch
from sightlab.tune.search_plan import TRIALS, Plan, axis_words, check_same, checked, default_method, name_of
from sightlab.tune.search_record import Record, find_record
from sightlab.tune.searcher import search_of
from sightlab.tune.shared_storage import Records, SharedRecord, find_shared
from sightlab.tune.space import Choice, Values, parse_space
from sightlab.tune.trials import RunCache, new_trial
from sightlab.tune.tuner import Tuner


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a search. None: what is usual, or what a study was begun with."""

    words: tuple[str, ...] = ()
    method: str | None = None
    metric: str | None = None
    seeds: int | None = None
    trials: int | None = None
    study: str | None = None


def planned(asked: Asked, home: Path, budget: Budget, progress: Progress | None = None) -> Plan:
    """The search that is asked for. Raises SightlabError for what cannot be searched, or pictures not there."""
    names = [word for word in asked.words if "=" not in word]
    if len(names) > 1:
        raise RecipeError(f"unexpected {names[1]!r}: the recipe is already {names[0]!r}; changes look like KEY=VALUE")
    fixed, space = parse_space([word for word in asked.words if "=" in word])
    recipe = changed(read_recipe(names[0] if names else "demo"), fixed)
    seeds = 1 if asked.seeds is None else asked.seeds
    if seeds < 1:
        raise StudyError(f"--seeds {seeds}: at least one seed is needed")
    method = asked.method or default_method(space)
    endless = space.cells is None and asked.trials is None and budget == Budget()
    plan = Plan(
        name=asked.study or name_of(recipe, space, method, seeds),
        recipe=with_runs_found(recipe, home),
        space=space,
        method=method,
        metric=asked.metric or "val_accuracy",
        seeds=seeds,
        trials=TRIALS if endless else asked.trials,
        words=asked.words,
        asked=recipe.hash,
    )
    checked(plan)
    search_of(plan)  # what a method needs is found missing before the study is begun
    for name in models_of(plan):
        check_name(name)
    return replace(plan, data=splits_of(plan.recipe, None, progress).key)


def models_of(plan: Plan) -> list[str]:
    """The names of the models that its trials may have."""
    axis = plan.space.axes.get("model.name")
    return list(axis.values) if isinstance(axis, Choice) else [plan.recipe.model.name]


def found_record(home: Path, name: str, share: bool) -> Records:
    """The record of a study that has been begun. share: on the server. Raises StudyError, naming those there are."""
    return find_shared(home, name) if share else find_record(home, name)


def resumed(
    name: str, asked: Asked, home: Path, budget: Budget, progress: Progress | None = None, share: bool = False
) -> Plan:
    """The search that a study was begun with, its recipe as it is now held against it. Raises StudyError."""
    kept = found_record(home, name, share).plan()
    begun = Asked(asked.words or kept.words, kept.method, kept.metric, kept.seeds, kept.trials, name)
    given = {key: value for key, value in vars(asked).items() if value is not None and key not in ("words", "study")}
    now = kept
    if asked.words or recipe_is_there(kept.words):
        now = planned(replace(begun, **given), home, budget, progress)
    check_same(now, kept)
    return replace(kept, trials=now.trials if asked.trials is None else asked.trials)


def kept_budget(name: str, home: Path, share: bool = False) -> Budget:
    """The budget of a study's last sitting. Raises StudyError for a study that has not been begun."""
    record = found_record(home, name, share)
    with record.turn():
        sittings = record.of_kind("sitting")
    return Budget(**sittings[-1]["budget"]) if sittings else Budget()


def recipe_is_there(words: Sequence[str]) -> bool:
    """Whether the recipe that a study was begun with can still be read; a file may be gone, the study has a copy."""
    names = [word for word in words if "=" not in word]
    with suppress(RecipeError):
        read_recipe(names[0] if names else "demo")
        return True
    return False


def opened(plan: Plan, home: Path, facts: dict[str, Any], share: bool) -> Records:
    """The record of a search, begun or gone on with, of which this process is a driver from now on."""
    record = SharedRecord(home, plan.name) if share else Record.of(home, plan.name)
    if not record.begun:
        record.begin(plan)
    check_same(plan, record.plan())
    record.sit_down(facts)
    return record


def search(plan: Plan, home: Path, crew: Executor, budget: Budget, watch: Watch, share: bool = False) -> Tuner:
    """Work a search off as far as the budget goes. Raises SightlabError, and Paused when asked to stop.

    share: with others, on the server of SIGHTLAB_DB; `record.leave` is then to be called when all is done.
    """
    facts = {"budget": {"seconds": budget.seconds, "epochs": budget.epochs}, "workers": crew.workers}
    record = opened(plan, home, facts, share)
    since = str(record.of_kind("sitting")[0]["at"])
    tuner = Tuner(plan, record, home, crew, budget, watch, RunCache(plan, home, since, record.me))
    try:
        predict(tuner, to_train(tuner))
    except SightlabError:
        record.withdraw()
        raise
    try:
        tuner.run()
    except BaseException:
        record.leave()  # nobody is to wait for what this driver was about to tell
        raise
    keep_together(tuner)
    return tuner


def predict(tuner: Tuner, left: Sequence[Values]) -> None:
    """Measure and tell what is left to train. Raises SightlabError where it cannot be trained, or not in the budget."""
    if not left:
        return
    begun = time.monotonic()
    tuner.costs = measured(tuner, left)
    tuner.account.measuring = time.monotonic() - begun
    check_budget(tuner.budget, tuner.costs.cheapest_epoch())
    lines, seconds = told(tuner.costs, left, tuner.budget, tuner.crew.workers)
    for line in lines:
        tuner.watch.say(line)
    tuner.note("predicted", seconds=seconds)


def reopened(name: str, home: Path, crew: Executor, watch: Watch) -> Tuner:
    """A search as its record in a home has it, for its page: nothing is trained, nothing written. Raises StudyError."""
    record = find_record(home, name)
    plan = record.plan()
    since = str(record.of_kind("sitting")[0]["at"]) if record.of_kind("sitting") else ""
    return Tuner(plan, record, home, crew, Budget(), watch, RunCache(plan, home, since))


def keep_together(tuner: Tuner) -> None:
    """Label every run of the trials with the study's name."""
    axes = ", ".join(f"{key}={axis_words(axis)}" for key, axis in tuner.plan.space.axes.items())
    study = Study(tuner.plan.name, f"Which of {axes} is best by {tuner.plan.metric}?", now_text())
    for run in tuner.book.runs.values():
        if run.folder is not None and all(one.name != study.name for one in read_labels(run.folder).studies):
            relabel(run.folder, partial(Labels.with_study, study=study))


def to_train(tuner: Tuner) -> Sequence[Values]:
    """The trials still to be trained, as far as they are known beforehand: a grid's, or such as random draws."""
    plan, book = tuner.plan, tuner.book
    ended = [trial.values for trial in tuner.trials if trial.state != "open" or not tuner.mine(trial)]
    if plan.space.cells is None:
        count = (plan.most or max(TRIALS, len(ended) + 1)) - len(ended)
        draws = [np.random.default_rng([plan.recipe.seed, number]) for number in range(count)]
        return [drawn(plan.space, one) for one in draws]
    left = []
    for values in plan.space.grid():
        if values in ended:
            continue
        try:
            trial = new_trial(plan, len(tuner.trials), values, ())
        except RecipeError:
            continue
        runs = [book.run_of(changed(trial.recipe, {"seed": plan.recipe.seed + n})) for n in range(plan.seeds)]
        if not all(run.there(trial.rungs[-1]) or run.reason for run in runs):
            left.append(values)
    known = plan.space.cells - len(left)
    if known:
        tuner.watch.say(f"{known} of {plan.space.cells} trials are there already")
    return left[: max(0, (plan.most or 0) - len(ended))]


def measured(tuner: Tuner, values: Sequence[Values]) -> Costs:
    """Measure a few steps of each kind of trial. Raises RunError for one that cannot be trained at all."""
    plan, crew, watch = tuner.plan, tuner.crew, tuner.watch
    wanted = {kind_of(plan.space, one) for one in values} if plan.space.cells is not None else None
    probed = {kind: recipe for kind, recipe in kinds(plan).items() if wanted is None or kind in wanted}
    queue = list(probed.items())
    watch.say(f"measuring {counted(len(queue), 'kind')} of trial")
    paces: dict[Kind, Pace] = {}
    jobs: dict[int, Kind] = {}
    number = 0
    while queue or jobs:
        while queue and crew.idle and not watch.pause():
            kind, recipe = queue.pop(0)
            number -= 1  # counted down, so that no stretch has the same number
            jobs[number] = kind
            crew.give(number, Task(probe, TaskContext(recipe, tuner.home)))
        for news in crew.news(0.2):
            kind = jobs.pop(news.number)
            if isinstance(news, WorkerLost) and news.blameless:
                queue.append((kind, probed[kind]))
                continue
            result = news.result if isinstance(news, Result) else None
            if isinstance(news, TaskError) or isinstance(result, str):
                raise RunError(news.error if isinstance(news, TaskError) else str(result))
            if isinstance(result, Pace):
                paces[kind] = result
            else:
                watch.say(f"{dict(kind)}: cannot be measured, memory does not suffice; its trials will show")
        if watch.pause() and not jobs:
            raise Paused(plan.name)
    return Costs(plan, paces)
