"""The driver of a search: asks for trials, submits their runs to workers, judges them, writes everything down."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.records import Epoch
from sightlab.report.phrases import counted
from sightlab.runs.executor import POLL_SECONDS, Executor
from sightlab.runs.segments import FailedResult, PausedResult, train_segment
from sightlab.runs.tasks import Message, Result, Task, TaskContext, TaskEnd, TaskError, WorkerLost
from sightlab.training.callbacks import Paused, Tick
from sightlab.tune.asha import promotable_trials, reserves_epochs
from sightlab.tune.cost_model import CostModel
from sightlab.tune.progress import CostLog, SearchCallback
from sightlab.tune.search_state import (
    Job,
    SearchState,
    add_trial,
    elapsed,
    epochs_left,
    fail,
    is_own,
    open_trials,
    out_of_time,
    pass_rung,
    promote,
    replay,
    total_trials,
)
from sightlab.tune.shared_storage import Records
from sightlab.tune.status import job_title, rung_text, title_of_total, view_of
from sightlab.tune.trials import SeedRun, Trial, curves_of

PEER_SECONDS = 1.0  # between two looks at what other drivers do
MOST_DUPLICATES = 20  # proposals in a row that are duplicates, after which a search is exhausted
MOST_DEATHS = 2  # of a process in the same epoch, after which its run has failed


@dataclass
class Tuner:
    """Drives a search: its state changes here as events happen, each written down before anything follows from it.

    submitted: tasks so far, the number of the last. no_work_at: when there was last nothing to submit.
    """

    state: SearchState
    record: Records
    home: Path
    executor: Executor
    callback: SearchCallback = field(default_factory=SearchCallback)
    cost_model: CostModel | None = None
    cost_log: CostLog = field(default_factory=CostLog)
    submitted: int = 0
    stopping: bool = False
    no_work_at: float = -PEER_SECONDS

    def __post_init__(self) -> None:
        with self.turn():
            pass

    def note(self, kind: str, **facts: Any) -> None:
        """Write an event down, with the seconds that the search has taken."""
        self.record.note(kind, **facts, clock=round(elapsed(self.state), 3))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Bring the state up to date with the record; until the end of the block nobody else writes to that."""
        with self.record.turn():
            for event in self.record.new_events():
                replay(self.state, event)
            yield

    def run(self) -> None:
        """Run the search until there are no more trials, or the budget is used up. Raises Paused when asked to stop."""
        started = time.monotonic()
        while True:
            while self.executor.idle and not self.stopping and self.may_submit() and self.submit():
                pass
            if not self.state.jobs and not self.wait_for_peers():
                break
            for event in self.executor.events(POLL_SECONDS):
                job = self.state.jobs[event.number]
                if isinstance(event, Message):
                    self.on_progress(job, event.message)
                else:
                    self.on_end(job, event)
            self.callback.on_progress(view_of(self.state))
            if not self.stopping and (self.callback.should_pause() or out_of_time(self.state)):
                self.stopping = True
                self.executor.stop()
        self.cost_log.wall = time.monotonic() - started
        self.note("rest")
        if self.callback.should_pause():
            raise Paused(self.state.plan.name)

    # Submitting runs.

    def may_submit(self) -> bool:
        """Whether to look for work: in a shared search not again at once where there was none."""
        return not self.state.shared or time.monotonic() - self.no_work_at >= PEER_SECONDS

    def submit(self) -> bool:
        """Submit the next segment of a run to a worker; False where there is none, or no budget for it."""
        state = self.state
        if self.callback.should_pause() or out_of_time(state):
            return False
        with self.turn():
            self.judge_all()
            found = self.next_run() if epochs_left(state) >= 1 else None
            if found is None:
                self.no_work_at = time.monotonic()
                return False
            trial, run = found
            until = min(trial.target, len(run.epochs) + int(min(epochs_left(state), trial.target)))
            if state.shared:
                self.note("given", run=run.recipe.hash, epochs=until - len(run.epochs))
        run.running = True
        self.submitted += 1
        state.jobs[self.submitted] = Job(trial, run, until, len(run.epochs), time.monotonic())
        context = TaskContext(run.recipe, self.home, run.folder)
        self.executor.submit(self.submitted, Task(partial(train_segment, until=until), context))
        return True

    def next_run(self) -> tuple[Trial, SeedRun] | None:
        """The next run to train: of the oldest trial that has one, of a promoted trial, or of a new one."""
        while True:
            for trial in self.own_open_trials():
                for run in self.state.runs.of(trial):
                    if not run.running and not run.failure and not run.has(trial.target):
                        return trial, run
            if not self.promote_next() and not self.start_trial():
                return None

    def own_open_trials(self) -> list[Trial]:
        """The open trials of this driver, oldest first."""
        return [trial for trial in open_trials(self.state) if is_own(self.state, trial)]

    def promote_next(self) -> bool:
        """Promote one of this driver's paused trials; False where none is to continue now."""
        paused = promotable_trials(self.state, self.executor.workers)
        trial = next((one for one in paused if is_own(self.state, one)), None)
        if trial is None:
            return False
        self.note("promoted", trial=trial.number)
        promote(self.state, trial)
        epochs = counted(trial.target, "epoch")
        self.callback.on_message(f"{title_of_total(self.state.plan, trial)} promoted: continues to {epochs}")
        self.judge(trial)
        return True

    def start_trial(self) -> bool:
        """Ask the searcher for one more trial; False where there is none."""
        state, number = self.state, len(self.state.trials)
        if number == total_trials(state) or reserves_epochs(state, self.executor.workers):
            return False
        last = state.trials[-MOST_DUPLICATES:]
        if len(last) == MOST_DUPLICATES and all(trial.duplicate_of is not None for trial in last):
            self.callback.on_message(f"the last {len(last)} trials were duplicates: the search ends after {number}")
            state.exhausted = True
            return self.promote_next()
        values = state.searcher.ask(number)
        if values is None:
            state.exhausted = True
            return self.promote_next()
        self.note("asked", trial=number, values=values)
        trial = add_trial(state, values, self.record.driver)
        if trial.reason:
            self.fail(trial, trial.reason)
        self.judge(trial)
        return True

    # What workers report.

    def on_progress(self, job: Job, message: object) -> None:
        """A run has trained an epoch, or some steps of one."""
        if isinstance(message, Tick):
            job.tick = message
        elif isinstance(message, Epoch):
            job.tick = None
            job.run.epochs = (*job.run.epochs, message)
            self.state.used_epochs += 1
            self.cost_log.epochs += 1
            self.note("epoch", run=job.run.recipe.hash, epoch=message.epoch)

    def on_end(self, job: Job, end: TaskEnd) -> None:
        """A segment has ended. Raises RunError for an unexpected error."""
        del self.state.jobs[end.number]
        run = job.run
        run.running = False
        self.no_work_at = -PEER_SECONDS
        self.cost_log.add(job, self.cost_model.pace(job.trial.values) if self.cost_model is not None else None)
        if self.state.shared:
            self.note("kept", run=run.recipe.hash)
        if isinstance(end, TaskError):
            raise RunError(f"{job_title(job)}: {end.error}; what was trained is kept")
        if isinstance(end, WorkerLost):
            self.on_death(job, end)
        elif isinstance(end, Result) and isinstance(end.result, PausedResult):
            run.update(end.result)
        elif isinstance(end, Result) and isinstance(end.result, FailedResult):
            run.failure = end.result.reason
        with self.turn():
            self.judge_all()

    def on_death(self, job: Job, lost: WorkerLost) -> None:
        """A process has died: its run is resumed by another, unless it has cost two in the same epoch."""
        run = job.run
        self.state.runs.reload(run)
        epoch = len(run.epochs) + 1
        self.callback.on_message(f"{job_title(job)}: its process died in epoch {epoch} ({lost.reason})")
        if lost.node_died:
            return
        run.deaths.append(len(run.epochs))
        if run.deaths.count(len(run.epochs)) >= MOST_DEATHS:
            run.failure = f"its process was killed {MOST_DEATHS} times in epoch {epoch} ({lost.reason}): out of memory?"

    def judge_all(self) -> None:
        """Judge every trial of this driver: another one may have asked for a duplicate of one of its own."""
        for trial in self.own_open_trials():
            self.judge(trial)

    def judge(self, trial: Trial) -> None:
        """Take a trial past every rung that its runs have reached."""
        while trial.state == "open" and is_own(self.state, trial):
            runs = self.state.runs.of(trial)
            failed = next((run for run in runs if run.failure), None)
            if failed is not None:
                self.fail(trial, failed.failure)
            elif any(run.running or not run.has(trial.target) for run in runs):
                return
            else:
                self.pass_rung(trial, runs)

    def fail(self, trial: Trial, reason: str) -> None:
        """A trial has failed."""
        self.note("failed", trial=trial.number, reason=reason)
        fail(self.state, trial, reason)
        self.callback.on_message(f"{title_of_total(self.state.plan, trial)} failed: {reason}")

    def pass_rung(self, trial: Trial, runs: Sequence[SeedRun]) -> None:
        """All runs of a trial have reached its rung: its value there, and whether it continues."""
        rung, epochs = trial.rung, trial.target
        value = sum(run.value(self.state.plan.metric, epochs) for run in runs) / len(runs)
        continues = pass_rung(self.state, trial, value)
        curves = {"curves": curves_of(runs)} if self.state.shared else {}
        self.note("rung", trial=trial.number, rung=rung, epochs=epochs, value=value, goes_on=continues, **curves)
        if trial.state != "open":
            self.callback.on_message(rung_text(self.state, trial))

    # Other drivers of a shared search.

    def wait_for_peers(self) -> bool:
        """Wait a moment where others work on trials that may become this driver's; False where there is nothing left.

        The trials of a driver that stopped, or that submits nothing more, become this one's.
        """
        state = self.state
        if not state.shared or self.stopping:
            return False
        time.sleep(PEER_SECONDS)
        with self.turn():
            working = state.peers.working(self.record.other_drivers())
            theirs = [one for one in open_trials(state) if not is_own(state, one)]
            orphans = [one for one in theirs if one.owner not in working]
            paused = promotable_trials(state, self.executor.workers) if epochs_left(state) >= 1 else []
            if any(is_own(state, one) for one in paused):
                return True
            orphans += [one for one in paused if one.owner not in working]
            if orphans and epochs_left(state) >= 1:
                self.take_over(orphans)
                self.callback.on_message(f"took over {counted(len(orphans), 'trial')} from drivers that stopped")
                return True
            if len(orphans) < len(theirs) and not state.peers.announced:
                state.peers.announced = True
                waits_for = counted(len(theirs), "trial")
                self.callback.on_message(f"nothing left to start; waiting for {waits_for} of other drivers")
            return len(orphans) < len(theirs)

    def take_over(self, trials: Sequence[Trial]) -> None:
        """Make trials this driver's: runs that are in its home are resumed, the others trained anew."""
        self.note("taken", trials=[trial.number for trial in trials])
        self.state.runs.refresh()
        self.no_work_at = -PEER_SECONDS
        for trial in trials:
            trial.owner = self.record.driver

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Take over those trials whose drivers are gone, and whose runs are in this driver's home."""
        with self.turn():
            living = self.record.other_drivers()
            for trial in trials:
                if not is_own(self.state, trial) and trial.owner not in living and self.state.runs.has_runs_of(trial):
                    self.take_over([trial])
