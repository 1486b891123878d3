"""The process that drives a search: asks for trials, hands their runs to workers, judges them, writes it down."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sightlab.errors import RecipeError, RunError
from sightlab.records import Epoch
from sightlab.runs.segments import FailedResult, PausedResult, train_stretch
from sightlab.runs.tasks import Executor, Message, Result, Task, TaskContext, TaskError, TaskEvent, WorkerLost
from sightlab.training.loop import Paused, Tick
from sightlab.tune.asha import keeps_epochs, take_up, total
from sightlab.tune.budget import Budget
from sightlab.tune.cost_model import Costs
from sightlab.tune.peers import WAIT_SECONDS, Others, waits
from sightlab.tune.progress import Account, Job, Watch, words_of
from sightlab.tune.search_plan import Plan
from sightlab.tune.searcher import search_of
from sightlab.tune.shared_storage import Records
from sightlab.tune.status import end_words, trial_words, view_of
from sightlab.tune.trials import RunCache, SeedRun, Trial, curves_of, new_trial, under_way

LOOK_SECONDS = 0.2  # between two looks at what the workers say
TWINS = 20  # proposals in a row that were made before, after which a search has nothing new to say
DEATHS = 2  # of a process in the same epoch, after which its run has failed


@dataclass
class Tuner:
    """A search under way. used: seconds and epochs of earlier sittings, then of all."""

    plan: Plan
    record: Records
    home: Path
    crew: Executor
    budget: Budget
    watch: Watch
    book: RunCache
    costs: Costs | None = None
    trials: list[Trial] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)
    given: int = 0
    used_seconds: float = 0.0
    used_epochs: int = 0
    started: float = field(default_factory=time.monotonic)
    account: Account = field(default_factory=Account)
    stopping: bool = False
    exhausted: bool = False
    refused: float = -WAIT_SECONDS

    def __post_init__(self) -> None:
        self.search = search_of(self.plan)
        self.others = Others()
        with self.turn():
            pass

    # What the record says.

    def note(self, kind: str, **facts: Any) -> None:
        """Write an event down, with the time that the search has taken by now."""
        self.record.note(kind, **facts, clock=round(self.clock(), 3))

    def clock(self) -> float:
        """Seconds that the search has taken by now, over all sittings."""
        return self.used_seconds + time.monotonic() - self.started

    def taken(self) -> float:
        """Seconds that the search had taken when this driver last wrote something down."""
        ours = [event for event in self.record.events if event.get("driver", "") == self.record.me]
        return max((float(event.get("clock", 0.0)) for event in ours), default=0.0)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Bring trials and search to where the record stands; until the end of the block nobody else writes it."""
        with self.record.turn():
            for event in self.record.news():
                self.replay(event)
            yield

    def replay(self, event: Mapping[str, Any]) -> None:
        """Do in memory what an event says: of an earlier sitting, or of another driver."""
        kind, by = event["event"], event.get("driver", "")
        if not self.record.shared:
            self.used_seconds = max(self.used_seconds, float(event.get("clock", 0.0)))
        self.others.hear(event, by)
        if kind == "epoch":
            self.used_epochs += 1
        elif kind == "asked":
            self.search.ask(event["trial"], event["values"])
            self.take(event["trial"], event["values"], by)
        elif kind == "taken":
            for number in event["trials"]:
                self.trials[number].owner = by
        elif kind == "promoted":
            self.promote(self.trials[event["trial"]])
        elif kind == "rung":
            self.book.hear(event.get("curves", {}))
            self.pass_rung(self.trials[event["trial"]], event["value"], event["goes_on"])
        elif kind == "failed":
            self.fail(self.trials[event["trial"]], event["reason"])

    def mine(self, trial: Trial) -> bool:
        """Whether this driver trains the runs of a trial."""
        return trial.owner == self.record.me

    def take(self, number: int, values: dict[str, Any], by: str) -> Trial:
        """Put a trial among the others. by: the driver that asked; one that repeats another is that one's owner's."""
        try:
            trial = new_trial(self.plan, number, values, self.trials)
        except RecipeError as error:
            trial = Trial(number, values, self.plan.recipe, (self.plan.recipe.epochs,), reason=str(error))
        trial.owner = by if trial.twin is None else self.trials[trial.twin].owner
        self.trials.append(trial)
        return trial

    def pass_rung(self, trial: Trial, value: float, known: bool | None = None) -> bool:
        """A trial has reached its next rung with this value; whether it goes on. known: what the record says."""
        trial.values_at.append(value)
        if trial.rung == len(trial.rungs) - 1:
            trial.state = "complete"
            self.search.tell(trial.number, value)
            return True
        goes_on = self.search.report(trial.number, trial.rung, value)
        goes_on = goes_on if known is None else known
        trial.rung += 1
        if goes_on:
            self.search.promote(trial.number)
        else:
            trial.state = "pruned"
            self.search.stop(trial.number)
        return goes_on

    def promote(self, trial: Trial) -> None:
        """A trial that was set aside at a rung goes on."""
        trial.state = "open"
        self.search.promote(trial.number)

    def fail(self, trial: Trial, reason: str) -> None:
        """A trial has failed."""
        trial.state, trial.reason = "failed", reason
        self.search.tell(trial.number, None)

    # The search.

    def run(self) -> None:
        """Work trials off until there are no more, or the budget is used. Raises Paused when asked to stop."""
        begun = time.monotonic()
        while True:
            while self.crew.idle and not self.stopping and self.may_ask() and self.give():
                pass
            if not self.jobs and not waits(self):
                break
            for news in self.crew.news(LOOK_SECONDS):
                self.hear(news)
            self.watch.look(view_of(self))
            if not self.stopping and (self.watch.pause() or self.out_of_time()):
                self.stopping = True
                self.crew.stop()
        self.account.wall = time.monotonic() - begun
        self.note("rest")
        if self.watch.pause():
            raise Paused(self.plan.name)

    def may_ask(self) -> bool:
        """Whether to look for work: of a shared record not at once again where there was none."""
        return not self.record.shared or time.monotonic() - self.refused >= WAIT_SECONDS

    def out_of_time(self) -> bool:
        """Whether the budget's time is used."""
        return self.budget.seconds is not None and self.clock() >= self.budget.seconds

    def epochs_left(self) -> float:
        """Epochs of the budget that are neither trained nor promised to a run under way."""
        if self.budget.epochs is None:
            return float("inf")
        promised = sum(max(0, job.until - len(job.run.epochs)) for job in self.jobs.values())
        return self.budget.epochs - self.used_epochs - promised - self.others.promised()

    def give(self) -> bool:
        """Hand the next stretch to a worker; False where there is none, or no budget for it."""
        if self.watch.pause() or self.out_of_time():
            return False
        with self.turn():
            self.advance_all()
            found = self.next_run() if self.epochs_left() >= 1 else None
            if found is None:
                self.refused = time.monotonic()
                return False
            trial, run = found
            until = min(trial.target, len(run.epochs) + int(min(self.epochs_left(), trial.target)))
            if self.record.shared:
                self.note("given", run=run.recipe.hash, epochs=until - len(run.epochs))
        run.busy = True
        self.given += 1
        self.jobs[self.given] = Job(trial, run, until, len(run.epochs), time.monotonic())
        context = TaskContext(run.recipe, self.home, run.folder)
        self.crew.give(self.given, Task(partial(train_stretch, until=until), context))
        return True

    def next_run(self) -> tuple[Trial, SeedRun] | None:
        """The next run to train: of the oldest trial that has one, of one that is taken up again, or of a new trial."""
        while True:
            for trial in filter(self.mine, under_way(self.trials)):
                for run in self.book.of(trial):
                    if not run.busy and not run.reason and not run.there(trial.target):
                        return trial, run
            if not take_up(self) and not self.begin():
                return None

    def begin(self) -> bool:
        """Ask for one more trial; False where there is none."""
        number = len(self.trials)
        if number == total(self) or keeps_epochs(self):
            return False
        if number >= TWINS and all(trial.twin is not None for trial in self.trials[-TWINS:]):
            self.watch.say(f"the search only proposes what it has proposed before; it ends after {number} trials")
            self.exhausted = True
            return take_up(self)
        values = self.search.ask(number)
        if values is None:
            self.exhausted = True
            return take_up(self)
        self.note("asked", trial=number, values=values)
        trial = self.take(number, values, self.record.me)
        if trial.reason:
            self.failed(trial, trial.reason)
        self.advance(trial)
        return True

    def hear(self, news: TaskEvent) -> None:
        """What a worker has told."""
        job = self.jobs[news.number]
        if isinstance(news, Message):
            self.progress(job, news.message)
            return
        del self.jobs[news.number]
        job.run.busy = False
        self.refused = -WAIT_SECONDS
        self.settle(job)
        if isinstance(news, TaskError):
            raise RunError(f"{words_of(job)}: {news.error}; what was trained is kept")
        if isinstance(news, WorkerLost):
            self.bury(job, news)
        elif isinstance(news, Result) and isinstance(news.result, PausedResult):
            job.run.folder, job.run.epochs, job.run.finished = (
                news.result.folder,
                news.result.epochs,
                news.result.finished,
            )
        elif isinstance(news, Result) and isinstance(news.result, FailedResult):
            job.run.reason = news.result.reason
        with self.turn():
            self.advance_all()

    def progress(self, job: Job, message: object) -> None:
        """A run has gone on by an epoch, or by some steps."""
        if isinstance(message, Tick):
            job.tick = message
        elif isinstance(message, Epoch):
            job.tick = None
            job.run.epochs = (*job.run.epochs, message)
            self.used_epochs += 1
            self.account.epochs += 1
            self.note("epoch", run=job.run.recipe.hash, epoch=message.epoch)

    def settle(self, job: Job) -> None:
        """Put a stretch's end into the account."""
        self.account.add(job, self.costs.pace(job.trial.values) if self.costs is not None else None)
        if self.record.shared:
            self.note("kept", run=job.run.recipe.hash)

    def bury(self, job: Job, news: WorkerLost) -> None:
        """A process has died: its run goes on in another, unless it has cost two in the same epoch."""
        run = job.run
        self.book.look_again(run)
        epoch = len(run.epochs) + 1
        self.watch.say(f"{words_of(job)}: its process has died in epoch {epoch} ({news.why})")
        if news.blameless:
            return
        run.deaths.append(len(run.epochs))
        if run.deaths.count(len(run.epochs)) >= DEATHS:
            run.reason = f"its process was killed {DEATHS} times in epoch {epoch} ({news.why}): out of memory?"

    def advance_all(self) -> None:
        """Judge every trial as far as its runs allow: another driver may have asked for one that repeats ours."""
        for trial in list(filter(self.mine, under_way(self.trials))):
            self.advance(trial)

    def advance(self, trial: Trial) -> None:
        """Judge a trial as far as its runs allow."""
        while trial.state == "open" and self.mine(trial):
            runs = self.book.of(trial)
            failed = next((run for run in runs if run.reason), None)
            if failed is not None:
                self.failed(trial, failed.reason)
            elif any(run.busy or not run.there(trial.target) for run in runs):
                return
            else:
                self.judge(trial, runs)

    def failed(self, trial: Trial, reason: str) -> None:
        """Write down that a trial has failed."""
        self.note("failed", trial=trial.number, reason=reason)
        self.fail(trial, reason)
        self.watch.say(f"{trial_words(self.plan, trial)} failed: {reason}")

    def judge(self, trial: Trial, runs: list[SeedRun]) -> None:
        """A trial's runs have reached its rung: what they are worth, and whether it goes on."""
        place, epochs = trial.rung, trial.target
        value = sum(run.value(self.plan.metric, epochs) for run in runs) / len(runs)
        goes_on = self.pass_rung(trial, value)
        curves = {"curves": curves_of(runs)} if self.record.shared else {}
        self.note("rung", trial=trial.number, rung=place, epochs=epochs, value=value, goes_on=goes_on, **curves)
        if trial.state != "open":
            self.watch.say(end_words(self, trial))
