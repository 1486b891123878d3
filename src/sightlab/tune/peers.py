"""What a driver of a shared search knows of the others, and what it does when they have gone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightlab.report.phrases import counted
from sightlab.runs.index import RunIndex
from sightlab.tune.asha import promotable
from sightlab.tune.trials import Trial, under_way

if TYPE_CHECKING:
    from sightlab.tune.tuner import Tuner

WAIT_SECONDS = 1.0  # between two looks at what other drivers do


@dataclass
class Others:
    """The other drivers, by what they have written. resting: those that give out nothing more.

    given: epochs that each has begun to train and not yet told of, by driver and the recipe's hash. waited_for: whether
    it has been said that they are.
    """

    resting: set[str] = field(default_factory=set)
    given: dict[tuple[str, str], int] = field(default_factory=dict)
    waited_for: bool = False

    def hear(self, event: Mapping[str, Any], by: str) -> None:
        """Take in an event of another driver, or of an earlier sitting."""
        kind = event["event"]
        if kind in ("rest", "left"):
            self.resting.add(by)
            self.given = {key: epochs for key, epochs in self.given.items() if key[0] != by}
        elif kind == "given":
            self.given[by, event["run"]] = event["epochs"]
        elif kind == "kept":
            self.given.pop((by, event["run"]), None)
        elif kind == "epoch" and (by, event["run"]) in self.given:
            self.given[by, event["run"]] -= 1

    def promised(self) -> int:
        """Epochs that others are about to train."""
        return sum(self.given.values())

    def at_work(self, living: set[str]) -> set[str]:
        """Those of the living that go on giving out work; promises of the dead are forgotten."""
        self.given = {key: epochs for key, epochs in self.given.items() if key[0] in living}
        return living - self.resting


def waits(tuner: Tuner) -> bool:
    """Whether others are at trials that may come to be this driver's: waits a moment, and looks for them.

    The trials of a driver that has gone, or that rests, become this one's.
    """
    if not tuner.record.shared or tuner.stopping:
        return False
    time.sleep(WAIT_SECONDS)
    with tuner.turn():
        at_work = tuner.others.at_work(tuner.record.others())
        theirs = [one for one in under_way(tuner.trials) if not tuner.mine(one)]
        left = [one for one in theirs if one.owner not in at_work]
        aside = promotable(tuner) if tuner.epochs_left() >= 1 else []
        if any(map(tuner.mine, aside)):
            return True
        left += [one for one in aside if one.owner not in at_work]
        if left and tuner.epochs_left() >= 1:
            take_over(tuner, left)
            tuner.watch.say(f"{counted(len(left), 'trial')} of drivers that have gone: taken over")
            return True
        if len(left) < len(theirs) and not tuner.others.waited_for:
            tuner.others.waited_for = True
            tuner.watch.say(f"nothing is left to begin; waiting for {counted(len(theirs), 'trial')} of other drivers")
        return len(left) < len(theirs)


def take_over(tuner: Tuner, trials: Sequence[Trial]) -> None:
    """Make trials this driver's: what of their runs lies in its home is gone on with, the rest trained anew."""
    tuner.note("taken", trials=[trial.number for trial in trials])
    tuner.book.index = RunIndex(tuner.home)
    tuner.refused = -WAIT_SECONDS
    for trial in trials:
        trial.owner = tuner.record.me


def adopt(tuner: Tuner, trials: Sequence[Trial]) -> None:
    """Make those trials this driver's whose drivers have gone, and whose runs lie in its home."""
    with tuner.turn():
        living = tuner.record.others()
        for trial in trials:
            if not tuner.mine(trial) and trial.owner not in living and tuner.book.lies_here(trial):
                take_over(tuner, [trial])
