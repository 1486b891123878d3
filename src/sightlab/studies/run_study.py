"""Trains a study: existing runs are reused, the others trained on all cores."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sightlab.data.formats.csv import write_csv
from sightlab.data.imageset import UNDIVIDED, Progress
from sightlab.data.load import load_parts
from sightlab.errors import DivergedError, StudyError
from sightlab.files import write_text
from sightlab.records import Epoch, duration
from sightlab.runs.index import RunIndex
from sightlab.runs.parallel import Training, train_parallel
from sightlab.runs.torchrun import train_by_processes
from sightlab.store.annotations import Labels, Study, now_text, read_labels
from sightlab.store.database.upsert import relabel
from sightlab.studies.runtime_estimate import predicted, unfinished, wall_seconds
from sightlab.studies.study_plan import CsvFiles, Job, Plan

Left = tuple[Job, Path | None]  # a training, and the interrupted run to resume


@dataclass(frozen=True)
class StudyCallback:
    """Callbacks of a study; all default to no-ops.

    on_message: a line of text. on_epoch: a training's name and one of its epochs. on_run_end: how many trainings have
    ended, of how many. on_data_progress: images read, and in all. should_pause: asked several times a second; once it
    says yes, runs are saved and Paused is raised.
    """

    on_message: Callable[[str], None] = lambda _: None
    on_epoch: Callable[[str, Epoch], None] = lambda _name, _epoch: None
    on_run_end: Progress = lambda _done, _total: None
    on_data_progress: Progress | None = None
    should_pause: Callable[[], bool] = lambda: False


@dataclass
class CostLog:
    """Predicted against measured cost of a study's runs.

    to_train: trainings without a run; existing: those with one. expected: seconds predicted for all that are to be
    trained; predicted, measured: for those that have ended; all three on one thread, added up. wall: seconds in all.

    >>> str(CostLog(to_train=2, existing=1, trained=2, expected=60, predicted=60, measured=66, wall=34))
    '2 trained in 34 s: 1:06 min of core time, 1:00 min predicted; 1 existed already'
    """

    to_train: int = 0
    existing: int = 0
    trained: int = 0
    expected: float = 0.0
    predicted: float = 0.0
    measured: float = 0.0
    wall: float = 0.0

    def __str__(self) -> str:
        if not self.trained:
            return f"all {self.existing} runs existed already"
        text = f"{self.trained} trained in {duration(self.wall)}: {duration(self.measured)} of core time"
        text += f", {duration(self.predicted)} predicted"
        return text + (f"; {self.existing} existed already" if self.existing else "")

    @property
    def left(self) -> float:
        """Seconds on one thread that are left, by the prediction and its error so far."""
        pace = self.measured / self.predicted if self.predicted else 1.0
        return pace * (self.expected - self.predicted)


def run_study(plan: Plan, home: Path, jobs: int, callback: StudyCallback) -> CostLog:
    """Train what of a plan has no run yet; every run is stored in `home` and labelled with the study's name.

    Says beforehand how many runs there are, what they will take, and how many exist already. jobs: processes of one
    thread each. Raises SightlabError as training does, Paused when asked to.
    """
    if plan.csv:
        write_files(plan.csv, callback)
    left = unfinished(plan.jobs, RunIndex(home))
    costs = CostLog(to_train=len(left), existing=len(plan.jobs) - len(left))
    if left:
        predictions = predicted([job for job, _ in left], callback.on_message)
        costs.expected = sum(predictions.values())
        processes = "one process" if jobs == 1 else f"{jobs} processes of one thread"
        callback.on_message(
            f"{len(left)} of {len(plan.jobs)} runs to train, about {duration(expected_wall(left, predictions, jobs))} "
            f"with {processes} ({costs.existing} exist already)"
        )
        started = time.monotonic()
        train_left(left, predictions, home, jobs, callback, costs)
        costs.wall = time.monotonic() - started
    label_runs(plan, home)
    return costs


def expected_wall(left: Sequence[Left], predictions: Mapping[Job, float], jobs: int) -> float:
    """Seconds until all is trained: first what single processes train, then what several share."""
    single = [predictions[job] for job, _ in left if job.processes == 1]
    shared = sum(predictions[job] / job.processes for job, _ in left if job.processes > 1)
    return shared + (wall_seconds(single, jobs) if single else 0.0)


def train_left(
    left: Sequence[Left],
    predictions: Mapping[Job, float],
    home: Path,
    jobs: int,
    callback: StudyCallback,
    costs: CostLog,
) -> None:
    """Train, the longest first so that no core idles long at the end; those of several processes last, one by one."""
    single = sorted((one for one in left if one[0].processes == 1), key=lambda one: -predictions[one[0]])
    shared = [one for one in left if one[0].processes > 1]

    def on_end(job: Job, seconds: float, reason: str) -> None:
        costs.trained += 1
        costs.predicted += predictions[job]
        costs.measured += seconds
        how = f"failed: {reason}" if reason else f"{duration(seconds)} ({duration(predictions[job])} predicted)"
        callback.on_message(f"{title(job)}: {how}; about {duration(costs.left / jobs)} left")
        callback.on_run_end(costs.trained, costs.to_train)

    for end in train_parallel(
        [Training(job.recipe, folder) for job, folder in single],
        home,
        min(jobs, len(single) or 1),
        on_epoch=lambda number, epoch: callback.on_epoch(title(single[number][0]), epoch),
        should_pause=callback.should_pause,
    ):
        on_end(single[end.number][0], end.seconds, end.reason)
    for job, folder in shared:
        started, reason = time.monotonic(), ""
        try:
            train_by_processes(job.recipe, job.processes, home, folder, should_pause=callback.should_pause)
        except DivergedError as error:
            reason = str(error)
        on_end(job, (time.monotonic() - started) * job.processes, reason)


def title(job: Job) -> str:
    """What a training is called in messages."""
    return f"{job.recipe.name}, seed {job.recipe.seed}"


def write_files(csv: CsvFiles, callback: StudyCallback) -> None:
    """Write the CSV files of a study, where they do not exist yet. Raises StudyError, DataError."""
    if csv.train.is_file() and csv.hidden.is_file():
        return
    splits = load_parts(csv.source, progress=callback.on_data_progress).parts.splits
    first = splits.get("train", splits.get(UNDIVIDED))
    if first is None or "test" not in splits:
        raise StudyError(f"{csv.source}: has {', '.join(splits)}; this study needs a training and a test split")
    for images, file in ((first, csv.train), (splits["test"], csv.hidden)):
        if not file.is_file():
            try:
                write_csv(images, file, csv.rows)
            except OSError as error:
                raise StudyError(f"{file}: cannot be written: {error.strerror}") from error
            callback.on_message(f"written: {file}")


def label_runs(plan: Plan, home: Path) -> None:
    """Label every finished run of the plan with the study and its scale."""
    name = f"{plan.study.name}-{plan.scale}"
    study = Study(name, " ".join(plan.study.question.split()), now_text(), {"scale": plan.scale, "data": plan.data})
    index = RunIndex(home)
    for job in plan.jobs:
        folder = index.finished(job.recipe, job.processes)
        if folder is not None and all(one.name != name for one in read_labels(folder).studies):
            relabel(folder, partial(Labels.with_study, study=study))


def save_costs(plan: Plan, costs: CostLog, home: Path) -> None:
    """Store what the runs took beside them, for the study's page; nothing where none was trained."""
    if not costs.trained:
        return
    facts = {"trained": costs.trained, "predicted": costs.predicted, "real": costs.measured, "wall": costs.wall}
    write_text(home / "studies" / f"{plan.study.name}-{plan.scale}.json", json.dumps(facts, indent=1))
