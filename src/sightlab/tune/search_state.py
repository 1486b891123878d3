"""The state of a search: trials, running jobs, what of the budget is used; and what each event changes in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sightlab.errors import RecipeError
from sightlab.training.callbacks import Tick
from sightlab.tune.budget import Budget
from sightlab.tune.peers import Peers
from sightlab.tune.search_plan import Plan
from sightlab.tune.searcher import Searcher
from sightlab.tune.trials import RunCache, SeedRun, Trial, new_trial


@dataclass
class Job:
    """A run that a worker trains up to epoch `until`.

    first_epochs: how many it had when it was submitted; started: when, by the monotonic clock. tick: the last one.
    """

    trial: Trial
    run: SeedRun
    until: int
    first_epochs: int
    started: float
    tick: Tick | None = None

    @property
    def epochs_left(self) -> int:
        """Epochs that it has still to train."""
        return max(0, self.until - len(self.run.epochs))


@dataclass
class SearchState:
    """Everything a driver knows of its search; the functions below read and change it, and nothing else.

    runs: of all trials. driver: this one's id, "" where the search has one driver only. jobs: by the number of their
    task. used_seconds, used_epochs: of earlier sessions, the epochs of this one too. session_started: by the monotonic
    clock. exhausted: the searcher has no more trials.
    """

    plan: Plan
    budget: Budget
    searcher: Searcher
    runs: RunCache
    driver: str = ""
    trials: list[Trial] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)
    peers: Peers = field(default_factory=Peers)
    used_seconds: float = 0.0
    used_epochs: int = 0
    session_started: float = field(default_factory=time.monotonic)
    exhausted: bool = False

    @property
    def shared(self) -> bool:
        """Whether several drivers share the search."""
        return bool(self.driver)


def elapsed(state: SearchState) -> float:
    """Seconds that the search has taken, over all sessions."""
    return state.used_seconds + time.monotonic() - state.session_started


def out_of_time(state: SearchState) -> bool:
    """Whether the budget's time is used up."""
    return state.budget.seconds is not None and elapsed(state) >= state.budget.seconds


def epochs_left(state: SearchState) -> float:
    """Epochs of the budget that are neither trained nor promised to a running job."""
    if state.budget.epochs is None:
        return float("inf")
    promised = sum(job.epochs_left for job in state.jobs.values())
    return state.budget.epochs - state.used_epochs - promised - state.peers.promised_epochs()


def total_trials(state: SearchState) -> int | None:
    """How many trials there will be; None where that depends on the budget."""
    if state.exhausted:
        return len(state.trials)
    return None if state.plan.most is None else max(state.plan.most, len(state.trials))


def open_trials(state: SearchState) -> list[Trial]:
    """The trials that have not ended, oldest first, whichever driver owns them."""
    return [trial for trial in state.trials if trial.state == "open"]


def is_own(state: SearchState, trial: Trial) -> bool:
    """Whether this driver trains the runs of a trial."""
    return trial.owner == state.driver


def replay(state: SearchState, event: Mapping[str, Any]) -> None:
    """Apply an event that is on record: of an earlier session, or of another driver."""
    kind, driver = event["event"], event.get("driver", "")
    if not state.shared:
        state.used_seconds = max(state.used_seconds, float(event.get("clock", 0.0)))
    state.peers.apply(event, driver)
    if kind == "epoch":
        state.used_epochs += 1
    elif kind == "asked":
        state.searcher.ask(event["trial"], event["values"])
        add_trial(state, event["values"], driver)
    elif kind == "taken":
        for number in event["trials"]:
            state.trials[number].owner = driver
    elif kind == "promoted":
        promote(state, state.trials[event["trial"]])
    elif kind == "rung":
        state.runs.add_peer_epochs(event.get("curves", {}))
        pass_rung(state, state.trials[event["trial"]], event["value"], event["goes_on"])
    elif kind == "failed":
        fail(state, state.trials[event["trial"]], event["reason"])


def add_trial(state: SearchState, values: dict[str, Any], driver: str) -> Trial:
    """Append the trial of these values. driver: the one that asked; a duplicate belongs to the original's owner."""
    number = len(state.trials)
    try:
        trial = new_trial(state.plan, number, values, state.trials)
    except RecipeError as error:
        recipe = state.plan.recipe
        trial = Trial(number, values, recipe, (recipe.epochs,), reason=str(error))
    trial.owner = driver if trial.duplicate_of is None else state.trials[trial.duplicate_of].owner
    state.trials.append(trial)
    return trial


def pass_rung(state: SearchState, trial: Trial, value: float, recorded: bool | None = None) -> bool:
    """A trial has reached its next rung with this value; whether it continues. recorded: what the record says."""
    trial.values_at.append(value)
    if trial.rung == len(trial.rungs) - 1:
        trial.state = "complete"
        state.searcher.tell(trial.number, value)
        return True
    decided = state.searcher.report(trial.number, trial.rung, value)
    continues = decided if recorded is None else recorded
    trial.rung += 1
    if continues:
        state.searcher.promote(trial.number)
    else:
        trial.state = "pruned"
        state.searcher.stop(trial.number)
    return continues


def promote(state: SearchState, trial: Trial) -> None:
    """A trial that was paused at a rung continues."""
    trial.state = "open"
    state.searcher.promote(trial.number)


def fail(state: SearchState, trial: Trial, reason: str) -> None:
    """A trial has failed."""
    trial.state, trial.reason = "failed", reason
    state.searcher.tell(trial.number, None)
