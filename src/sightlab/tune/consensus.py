"""How the drivers of one search come to one result: they exchange answers, and one of them opens the test split."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.records import Run
from sightlab.store.run_folder import read_facts, run_from
from sightlab.training.loop import Paused
from sightlab.tune.finalize_winner import opened
from sightlab.tune.peers import adopt
from sightlab.tune.trials import Trial, under_way
from sightlab.tune.tuner import Tuner

LOOK_SECONDS = 0.5  # between two looks at what the other drivers have told

Answers = dict[int, NDArray[np.bool_]]


def exchanged(tuner: Tuner, ours: Mapping[int, NDArray[np.bool_]], wanted: Sequence[int]) -> Answers:
    """What every wanted trial's runs answer, by the trial's number; without those whose driver has gone.

    ours: of this driver's trials, told to the others here.
    """
    with tuner.turn():
        known = {event["trial"] for event in tuner.record.of_kind("answers")}
        for number, right in ours.items():
            if number not in known:
                tuner.note("answers", trial=number, **packed(right))
    while True:
        with tuner.turn():
            told = {event["trial"]: unpacked(event) for event in tuner.record.of_kind("answers")}
        found = {number: told[number] for number in wanted if number in told}
        living = tuner.record.others()
        missing = [number for number in wanted if number not in found]
        if not any(tuner.trials[number].owner in living for number in missing):
            for number in missing:
                tuner.watch.say(f"trial {number + 1} is not held against others: {gone(tuner, number)}")
            return found
        wait(tuner)


def opened_by_one(tuner: Tuner, winner: Trial, retrain: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The winner's runs, their test splits opened by the driver that has them; none where that one has gone."""
    adopt(tuner, [winner])
    if any(trial.owner in tuner.others.at_work(tuner.record.others()) for trial in under_way(tuner.trials)):
        tuner.watch.say("other drivers go on with the search: the winner is not tested yet")
        return (), ()
    while True:
        with tuner.turn():
            told = [event for event in tuner.record.of_kind("tested") if event["trial"] == winner.number]
        if told:
            return runs_of(tuner, told[-1]["tested"]), runs_of(tuner, told[-1]["retrained"])
        if tuner.mine(winner):
            tested, again = opened(tuner, winner, retrain)
            facts = {"tested": [facts_of(run) for run in tested], "retrained": [facts_of(run) for run in again]}
            tuner.note("tested", trial=winner.number, **facts)
            return tested, again
        if winner.owner not in tuner.record.others():
            tuner.watch.say(f"the winner is not tested: {gone(tuner, winner.number)}")
            return (), ()
        wait(tuner)


def wait(tuner: Tuner) -> None:
    """Wait a moment. Raises Paused when asked to."""
    if tuner.watch.pause():
        raise Paused(tuner.plan.name)
    time.sleep(LOOK_SECONDS)


def gone(tuner: Tuner, number: int) -> str:
    """That a trial's driver has gone, in words."""
    owner = tuner.trials[number].owner
    host = tuner.record.host_of(owner)
    return f"its runs are in the home of driver {owner}{f' on {host}' if host else ''}, which has gone"


def packed(right: NDArray[np.bool_]) -> dict[str, Any]:
    """Answers as plain values. right: bool [seeds, N].

    >>> facts = packed(np.array([[True, False, True]]))
    >>> unpacked(facts)
    array([[ True, False,  True]])
    """
    return {"shape": list(right.shape), "right": base64.b64encode(np.packbits(right).tobytes()).decode()}


def unpacked(facts: Mapping[str, Any]) -> NDArray[np.bool_]:
    """What `packed` packed."""
    seeds, images = facts["shape"]
    bits = np.frombuffer(base64.b64decode(facts["right"]), np.uint8)
    return np.unpackbits(bits, count=seeds * images).reshape(seeds, images).astype(bool)


def facts_of(run: Run) -> dict[str, Any]:
    """What a run's record says, for drivers that have not got its folder."""
    return read_facts(run.folder)


def runs_of(tuner: Tuner, facts: Sequence[Mapping[str, Any]]) -> tuple[Run, ...]:
    """Runs of another driver, from what it has told of them."""
    return tuple(run_from(tuner.home / str(one["run"]), one) for one in facts)
