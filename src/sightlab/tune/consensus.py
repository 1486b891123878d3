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
from sightlab.training.callbacks import Paused
from sightlab.tune.finalize_winner import finalize
from sightlab.tune.search_state import is_own, open_trials
from sightlab.tune.shared_storage import Records
from sightlab.tune.trials import Trial
from sightlab.tune.tuner import Tuner

POLL_SECONDS = 0.5  # between two looks at what the other drivers have written

Answers = dict[int, NDArray[np.bool_]]


def exchange_answers(tuner: Tuner, own: Mapping[int, NDArray[np.bool_]], wanted: Sequence[int]) -> Answers:
    """The answers of every wanted trial's runs, by the trial's number; without those whose driver is gone.

    own: of this driver's trials, written here for the others.
    """
    with tuner.turn():
        known = {event["trial"] for event in tuner.record.of_kind("answers")}
        for number, correct in own.items():
            if number not in known:
                tuner.note("answers", trial=number, **packed(correct))
    while True:
        with tuner.turn():
            written = {event["trial"]: unpacked(event) for event in tuner.record.of_kind("answers")}
        found = {number: written[number] for number in wanted if number in written}
        living = tuner.record.other_drivers()
        missing = [tuner.state.trials[number] for number in wanted if number not in found]
        if not any(trial.owner in living for trial in missing):
            for trial in missing:
                why = driver_gone(tuner.record, trial)
                tuner.callback.on_message(f"trial {trial.number + 1} is not compared with others: {why}")
            return found
        wait(tuner)


def finalize_once(tuner: Tuner, winner: Trial, retrain: int) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The winner's runs, finalized by the driver that has them; none where that one is gone."""
    tuner.adopt([winner])
    working = tuner.state.peers.working(tuner.record.other_drivers())
    if any(trial.owner in working for trial in open_trials(tuner.state)):
        tuner.callback.on_message("other drivers continue the search: the winner is not tested yet")
        return (), ()
    while True:
        with tuner.turn():
            tested = [event for event in tuner.record.of_kind("tested") if event["trial"] == winner.number]
        if tested:
            kinds = (tested[-1]["tested"], tested[-1]["retrained"])
            own, further = (tuple(run_from(tuner.home / str(one["run"]), one) for one in runs) for runs in kinds)
            return own, further
        if is_own(tuner.state, winner):
            own, further = finalize(tuner, winner, retrain)
            facts = {"tested": [read_facts(run.folder) for run in own]}
            facts |= {"retrained": [read_facts(run.folder) for run in further]}
            tuner.note("tested", trial=winner.number, **facts)
            return own, further
        if winner.owner not in tuner.record.other_drivers():
            tuner.callback.on_message(f"the winner is not tested: {driver_gone(tuner.record, winner)}")
            return (), ()
        wait(tuner)


def wait(tuner: Tuner) -> None:
    """Wait a moment. Raises Paused when asked to."""
    if tuner.callback.should_pause():
        raise Paused(tuner.state.plan.name)
    time.sleep(POLL_SECONDS)


def driver_gone(record: Records, trial: Trial) -> str:
    """That a trial's driver is gone, in words."""
    host = record.host_of(trial.owner)
    return f"its runs are in the home of driver {trial.owner}{f' on {host}' if host else ''}, which has stopped"


def packed(correct: NDArray[np.bool_]) -> dict[str, Any]:
    """Answers as plain values. correct: bool [seeds, N].

    >>> facts = packed(np.array([[True, False, True]]))
    >>> unpacked(facts)
    array([[ True, False,  True]])
    """
    return {"shape": list(correct.shape), "right": base64.b64encode(np.packbits(correct).tobytes()).decode()}


def unpacked(facts: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The inverse of `packed`."""
    seeds, images = facts["shape"]
    bits = np.frombuffer(base64.b64decode(facts["right"]), np.uint8)
    return np.unpackbits(bits, count=seeds * images).reshape(seeds, images).astype(bool)
