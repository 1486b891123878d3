"""Time to accuracy: the fast recipes over three seeds, tested once each, and what study 2's ResNet-18 costs."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import mean

from measure import Row, with_threads
from training import our_loop

import sightlab
from sightlab.errors import SightlabError
from sightlab.records import Run
from sightlab.training.device import physical_cores

SEEDS = (1, 2, 3)
# recipe, least mean test accuracy, most seconds
ASKED = (("fashion-fast", 0.9243, 300), ("kmnist-fast", 0.965, 300), ("digits-fast", 0.99, 60))
# Study 2: ResNet-18 with a 3x3 stem, 48,000 images an epoch in batches of 128, 30 epochs.
STUDY = {"images": 48_000, "batch": 128, "epochs": 30, "measured": 200}


def study_seconds() -> float:
    """What the study's training would take here, from 200 of its batches."""

    def measure() -> float:
        images = sightlab.load_data("fashion-mini", validation=0.01).train
        steps = our_loop(images, "resnet18", STUDY["batch"], 1)
        next(steps)
        started, seen = time.perf_counter(), 0
        for _ in range(STUDY["measured"]):
            seen += next(steps)
        return (time.perf_counter() - started) / seen * STUDY["images"] * STUDY["epochs"]

    return with_threads(physical_cores(), measure)


def rows() -> tuple[list[Row], dict[str, object]]:
    """Accuracies in percent, seconds of whole runs (data, training, validation, test, charts)."""
    os.environ.setdefault("SIGHTLAB_DATA", str(Path("../shared/data").absolute()))
    found = []
    for name, least, most in ASKED:
        try:
            runs, seconds = trained(name)
        except SightlabError as error:
            print(f"{name}: left out: {error}")
            continue
        tests = [run.test.accuracy for run in runs if run.test]
        flips = [run.test_flips.accuracy for run in runs if run.test_flips]
        what = f"{name}, mean of {len(runs)} seeds"
        accuracy = [100 * value for value in tests]
        reached = mean(tests) >= least
        found.append(
            Row(
                "accuracy",
                what,
                "test",
                mean(accuracy),
                "",
                None,
                "%",
                None,
                f"at least {100 * least:g} %",
                reached,
                accuracy,
            )
        )
        if flips:
            mirrored = [100 * value for value in flips]
            found.append(
                Row("accuracy", what, "test with flips", mean(mirrored), "", None, "%", None, "", None, mirrored)
            )
        longest = max(seconds)
        found.append(
            Row(
                "accuracy",
                name,
                "longest run",
                longest,
                "",
                None,
                "s",
                None,
                f"at most {most} s",
                longest <= most,
                seconds,
            )
        )
        if name == "fashion-fast":
            theirs = study_seconds()
            found.append(
                Row(
                    "accuracy",
                    name,
                    "mean run",
                    mean(seconds),
                    "study 2's ResNet-18, 30 epochs",
                    theirs,
                    "s",
                    theirs / mean(seconds),
                )
            )
    return found, {"seeds": ", ".join(map(str, SEEDS))}


def trained(name: str) -> tuple[list[Run], list[float]]:
    """A recipe's runs, a seed each, and the seconds that each took from its start to its end."""
    runs, seconds = [], []
    for seed in SEEDS:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            runs.append(sightlab.train(sightlab.recipe(name, seed=seed), home=folder))
        seconds.append(time.perf_counter() - started)
    return runs, seconds
