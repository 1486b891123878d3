"""Which trials of ASHA that were set aside are taken up again, and when a budget is kept for the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightlab.report.phrases import counted
from sightlab.tune.rungs import LEAST, is_prefix
from sightlab.tune.status import trial_words
from sightlab.tune.trials import Trial, furthest_first

if TYPE_CHECKING:
    from sightlab.tune.tuner import Tuner

CAUTION = 0.2  # of the time that is needed, kept beside it: epochs do not all take the same


def take_up(tuner: Tuner) -> bool:
    """Take one of a driver's trials up again that was set aside; False where there is none to go on by now."""
    trial = next(filter(tuner.mine, promotable(tuner)), None)
    if trial is None:
        return False
    tuner.note("promoted", trial=trial.number)
    tuner.promote(trial)
    tuner.watch.say(f"{trial_words(tuner.plan, trial)} goes on to {counted(trial.target, 'epoch')}")
    tuner.advance(trial)
    return True


def promotable(tuner: Tuner) -> list[Trial]:
    """The trials of a search that were set aside and are to go on by now, whosever they are; the next first."""
    if tuner.plan.method != "asha":
        return []
    best = short_of_budget(tuner)
    aside = [trial for trial in best if trial.state == "pruned"]
    if aside or (best and tuner.budget.epochs is not None):
        return aside
    return [tuner.trials[number] for number in tuner.search.promotable(total(tuner))]


def total(tuner: Tuner) -> int | None:
    """How many trials there will be; None where that hangs on the budget."""
    if tuner.exhausted:
        return len(tuner.trials)
    return None if tuner.plan.most is None else max(tuner.plan.most, len(tuner.trials))


def keeps_epochs(tuner: Tuner) -> bool:
    """Whether the epochs that are left are for the best trials alone. Of time, other workers may use what there is."""
    return tuner.budget.epochs is not None and bool(short_of_budget(tuner))


def short_of_budget(tuner: Tuner) -> list[Trial]:
    """The best trials of ASHA that are not at their end, once they need what the budget leaves to come there.

    So a search that a budget ends has LEAST trials with all their epochs, or one, where it suffices for them. Empty
    before, and where it does not suffice for one.
    """
    if tuner.plan.method != "asha" or (tuner.budget.seconds is None and tuner.budget.epochs is None):
        return []
    complete = sum(trial.state == "complete" for trial in tuner.trials)
    going = [trial for trial in tuner.trials if trial.state in ("open", "pruned")]
    best = furthest_first(tuner.plan, going)[: max(0, LEAST - complete)]
    while best:
        needed, available, more = need(tuner, best)
        if needed <= available:
            return best if available < needed + more else []
        best.pop()
    return []


def need(tuner: Tuner, trials: Sequence[Trial]) -> tuple[float, float, float]:
    """What trials need to come to their end, what the budget has for it, and how much more is to be left for now.

    In epochs, and then more is what the first rung of a further trial takes; or in seconds that pass.
    """
    seeds, left = tuner.plan.seeds, [epochs_to_end(tuner, trial) for trial in trials]
    if tuner.budget.epochs is not None:
        numbers = [trial.number for trial in trials]
        jobs = [job for job in tuner.jobs.values() if job.trial.number in numbers]
        promised = sum(max(0, job.until - len(job.run.epochs)) for job in jobs)
        return seeds * sum(left), tuner.epochs_left() + promised, seeds * trials[0].rungs[0]
    each = [epochs * pace(tuner, trial) for epochs, trial in zip(left, trials, strict=True)]
    together = min(tuner.crew.workers, seeds * len(trials))
    needed = max(*each, seeds * sum(each) / together)
    return needed, (tuner.budget.seconds or 0.0) - tuner.clock(), CAUTION * needed


def epochs_to_end(tuner: Tuner, trial: Trial) -> int:
    """Epochs that a seed of a trial has still to be trained for: of one run, or of a run for each rung."""
    place = len(trial.values_at)
    every = trial.rungs[-1] if is_prefix(trial.recipe) else sum(trial.rungs[place:])
    return every - len(tuner.book.of(trial, place)[0].shown)


def pace(tuner: Tuner, trial: Trial) -> float:
    """Seconds that an epoch of a trial has taken so far."""
    epochs = tuner.book.of(trial, len(trial.values_at) - 1)[0].shown
    return sum(epoch.seconds for epoch in epochs) / max(1, len(epochs))
