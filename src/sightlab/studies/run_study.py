"""A study's trainings: those that are there already are taken, the others trained, on all cores."""

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
from sightlab.runs.parallel import Training, train_side_by_side
from sightlab.runs.torchrun import train_by_processes
from sightlab.store.annotations import Labels, Study, now_text
from sightlab.store.database.upsert import relabel
from sightlab.studies.runtime_estimate import predicted, unfinished, wall_seconds
from sightlab.studies.study_plan import CsvFiles, Job, Plan

Say = Callable[[str], None]
Left = tuple[Job, Path | None]  # a training, and the interrupted run to go on with


@dataclass(frozen=True)
class Watch:
    """Who is told what while a study runs.

    say: a line. epoch: a training's name and an epoch of it. ended: how many trainings are done, of how many. decoding:
    pictures read and in all. pause: asked several times a second; when it says yes, runs are kept and Paused is raised.
    """

    say: Say = lambda _: None
    epoch: Callable[[str, Epoch], None] = lambda _name, _epoch: None
    ended: Progress = lambda _done, _total: None
    decoding: Progress | None = None
    pause: Callable[[], bool] = lambda: False


SILENT = Watch()


@dataclass
class Account:
    """Predicted against real. to_train: trainings that were not there; there: those that were.

    expected: seconds predicted for all that are to be trained; predicted, real: for those that have ended, and what
    they took; all three on one thread, added up. wall: seconds in all.

    >>> str(Account(to_train=2, there=1, trained=2, expected=60, predicted=60, real=66, wall=34))
    "2 trained in 34 s: 1:06 min of one core's time against 1:00 min predicted; 1 were there already"
    """

    to_train: int = 0
    there: int = 0
    trained: int = 0
    expected: float = 0.0
    predicted: float = 0.0
    real: float = 0.0
    wall: float = 0.0

    def __str__(self) -> str:
        if not self.trained:
            return f"all {self.there} runs were there already"
        said = f"{self.trained} trained in {duration(self.wall)}: {duration(self.real)} of one core's time"
        said += f" against {duration(self.predicted)} predicted"
        return said + (f"; {self.there} were there already" if self.there else "")

    @property
    def left(self) -> float:
        """Seconds on one thread that are left, by the prediction and by how true it has been so far."""
        pace = self.real / self.predicted if self.predicted else 1.0
        return pace * (self.expected - self.predicted)


def run_study(plan: Plan, home: Path, workers: int, watch: Watch = SILENT) -> Account:
    """Train what of a plan is not trained yet, each run kept in `home` and labelled with the study's name.

    Says beforehand how many runs there are, what they will take, and what is there already. workers: processes of one
    thread each. Raises SightlabError as training does, Paused when asked to.
    """
    if plan.csv:
        write_files(plan.csv, watch)
    left = unfinished(plan.jobs, RunIndex(home))
    account = Account(to_train=len(left), there=len(plan.jobs) - len(left))
    if left:
        cost = predicted([job for job, _ in left], watch.say)
        account.expected = sum(cost.values())
        watch.say(
            f"{len(left)} of {len(plan.jobs)} runs to train, about {duration(expected_wall(left, cost, workers))} "
            f"with {counted_workers(workers)} ({account.there} are there already)"
        )
        started = time.monotonic()
        train_left(left, cost, home, workers, watch, account)
        account.wall = time.monotonic() - started
    keep_together(plan, home)
    return account


def expected_wall(left: Sequence[Left], cost: Mapping[Job, float], workers: int) -> float:
    """Seconds until all is trained: what one process does alone, then what several share."""
    alone = [cost[job] for job, _ in left if job.processes == 1]
    shared = sum(cost[job] / job.processes for job, _ in left if job.processes > 1)
    return shared + (wall_seconds(alone, workers) if alone else 0.0)


def counted_workers(workers: int) -> str:
    """By whom trainings are worked off."""
    return "one process" if workers == 1 else f"{workers} processes of one thread"


def train_left(
    left: Sequence[Left], cost: Mapping[Job, float], home: Path, workers: int, watch: Watch, account: Account
) -> None:
    """Train, the longest first so that no core waits long at the end; those of several processes last, one by one."""
    alone = sorted((one for one in left if one[0].processes == 1), key=lambda one: -cost[one[0]])
    shared = [one for one in left if one[0].processes > 1]

    def ended(job: Job, seconds: float, reason: str = "") -> None:
        account.trained += 1
        account.predicted += cost[job]
        account.real += seconds
        how = f"failed: {reason}" if reason else f"{duration(seconds)} ({duration(cost[job])} predicted)"
        watch.say(f"{title(job)}: {how}; about {duration(account.left / workers)} left")
        watch.ended(account.trained, account.to_train)

    for done in train_side_by_side(
        [Training(job.recipe, known) for job, known in alone],
        home,
        min(workers, len(alone) or 1),
        epoch=lambda number, facts: watch.epoch(title(alone[number][0]), facts),
        pause=watch.pause,
    ):
        ended(alone[done.number][0], done.seconds, done.reason)
    for job, known in shared:
        started, reason = time.monotonic(), ""
        try:
            train_by_processes(job.recipe, job.processes, home, known, pause=watch.pause)
        except DivergedError as error:
            reason = str(error)
        ended(job, (time.monotonic() - started) * job.processes, reason)


def title(job: Job) -> str:
    """What a training is called in a line."""
    return f"{job.recipe.name}, seed {job.recipe.seed}"


def write_files(csv: CsvFiles, watch: Watch) -> None:
    """Write the CSV files of a study, where they are not there yet. Raises StudyError, DataError."""
    if csv.train.is_file() and csv.hidden.is_file():
        return
    splits = load_parts(csv.source, progress=watch.decoding).parts.splits
    first = splits.get("train", splits.get(UNDIVIDED))
    if first is None or "test" not in splits:
        raise StudyError(
            f"{csv.source}: has {', '.join(splits)}; this study hands a training and a test split over as CSV"
        )
    for images, file in ((first, csv.train), (splits["test"], csv.hidden)):
        if not file.is_file():
            try:
                write_csv(images, file, csv.rows)
            except OSError as error:
                raise StudyError(f"{file}: cannot be written: {error.strerror}") from error
            watch.say(f"written: {file}")


def keep_together(plan: Plan, home: Path) -> None:
    """Label every finished run of the plan with the study and its scale."""
    name = f"{plan.study.name}-{plan.scale}"
    kept = Study(name, " ".join(plan.study.question.split()), now_text(), {"scale": plan.scale, "data": plan.data})
    index = RunIndex(home)
    for job in plan.jobs:
        folder = index.finished(job.recipe, job.processes)
        if folder is not None:
            relabel(folder, partial(labelled, study=kept))


def labelled(labels: Labels, study: Study) -> Labels:
    """The labels with the study, as they are where it is among them already."""
    return labels if any(one.name == study.name for one in labels.studies) else labels.with_study(study)


def keep_account(plan: Plan, account: Account, home: Path) -> None:
    """Keep what the runs took beside them, for the study's page; an account of nothing is not kept."""
    if not account.trained:
        return
    folder = home / "studies"
    facts = {"trained": account.trained, "predicted": account.predicted, "real": account.real, "wall": account.wall}
    write_text(folder / f"{plan.study.name}-{plan.scale}.json", json.dumps(facts, indent=1))
