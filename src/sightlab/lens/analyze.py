"""Runs analyses over networks: which fit, on which images, and what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sightlab.data.content_hash import content_of
from sightlab.data.imageset import Progress
from sightlab.errors import ModelError, RunError, suggestion
from sightlab.evaluation import bundle_of
from sightlab.lens.analyses.table import ANALYSES, PAIRS, Analysis
from sightlab.lens.subject import IMAGES, Subject, Tick, subject_of
from sightlab.models.pretrained_networks import is_pretrained
from sightlab.records import Run
from sightlab.records.analyses import AnalysisResult
from sightlab.store.analyses import save_analyses
from sightlab.store.bundle import own_network
from sightlab.store.database.upsert import record
from sightlab.store.run_folder import home_folder
from sightlab.training.device import own_process


@dataclass(frozen=True, eq=False)
class Found:
    """What analyses found.

    results: by analysis, one for each network that it fits, in the order of the networks; of analyses of pairs, one for
    the first network with each other. titles: of the analyses that were asked for. source: the images, in words.
    left_out: analyses that fit none of the networks, and why. folder: of the run where there is one, else the current
    folder. subjects: what the networks are called. notes: of the images.
    """

    results: Mapping[str, tuple[AnalysisResult, ...]]
    titles: Mapping[str, str]
    source: str
    left_out: Mapping[str, str]
    folder: Path
    subjects: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "source": self.source,
            "notes": list(self.notes),
            "left_out": dict(self.left_out),
            "analyses": {name: [one.to_json() for one in results] for name, results in self.results.items()},
        }


def analyze(
    runs: Sequence[Run | str | Path] | Run | str | Path,
    *,
    only: Sequence[str] | None = None,
    data: str | Path | None = None,
    limit: int | None = IMAGES,
    code: str | None = None,
    device: str = "auto",
    home: Path | None = None,
    progress: Progress | None = None,
    tick: Tick | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Found:
    """Find out how trained networks see, and keep the figures with each run.

    runs: one or several; also `pretrained/NAME` and `timm/NAME`, which need `data`. only: names of ANALYSES; None takes
    all that fit the network, and the expensive ones (landscape) only where they are asked for. data: labelled images
    instead of the validation split; the test split stays sealed. limit: the most images. code: FILE.py:NAME of a
    network of the user's own.

    Raises SightlabError: an unknown analysis, one that fits none of the networks, networks whose images differ.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sightlab.analyze(sightlab.train(tiny, home=folder), only=["calibration"])
    >>> list(found.results), found.results["calibration"][0].analysis
    (['calibration'], 'calibration')
    """
    table, pairs = chosen_analyses(only)
    several = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    results: dict[str, list[AnalysisResult]] = {name: [] for name in table}
    reasons: dict[str, str] = {}
    subjects: list[Subject] = []
    with own_process():
        for word in several:
            subject = opened(word, data, limit, code, device, home, progress)
            check_same_images(subjects[0] if subjects else None, subject)
            subjects.append(subject)
            own = analyzed(subject, table, reasons, say, tick)
            keep(word, home, own, subject, say)
            for result in own:
                results[result.analysis].append(result)
        for name in pairs:
            results[name] = compared(subjects, name, reasons, say, tick)
    left_out = {name: reasons[name] for name, found in results.items() if not found and name in reasons}
    if only is not None and left_out:
        name, reason = next(iter(left_out.items()))
        raise ModelError(f"analysis {name}: {reason}")
    folder = run_folder(several[0], home) if len(several) == 1 else None
    titles = {name: ANALYSES[name].title for name in table} | {name: PAIRS[name].title for name in pairs}
    names = tuple(one.name for one in subjects)
    made = {name: tuple(found) for name, found in results.items() if found}
    return Found(made, titles, subjects[0].source, left_out, folder or Path(), names, subjects[0].notes)


def compared(
    subjects: Sequence[Subject], name: str, reasons: dict[str, str], say: Callable[[str], None], tick: Tick | None
) -> list[AnalysisResult]:
    """What an analysis of pairs finds of the first network with each other."""
    if len(subjects) < 2:
        reasons[name] = "it compares two networks; name another run"
        return []
    found = []
    for other in subjects[1:]:
        say(f"{subjects[0].name} and {other.name}: {name}")
        try:
            found.append(PAIRS[name].run(subjects[0], other, tick or (lambda _done, _total: None)))
        except (ModelError, RunError) as error:
            reasons[name] = str(error)
    return found


def chosen_analyses(only: Sequence[str] | None) -> tuple[dict[str, Analysis], list[str]]:
    """The analyses of these names, of single networks and of pairs; without names, those that are made by default.

    Raises ModelError for an unknown name, or none.
    """
    if only is None:
        return {name: one for name, one in ANALYSES.items() if one.by_default}, list(PAIRS)
    for name in only:
        if name not in ANALYSES and name not in PAIRS:
            raise ModelError(f"unknown analysis {name!r}; {suggestion(name, [*ANALYSES, *PAIRS])}")
    if not only:
        raise ModelError(f"no analysis is named; there are {', '.join([*ANALYSES, *PAIRS])}")
    return {name: one for name, one in ANALYSES.items() if name in only}, [name for name in PAIRS if name in only]


def opened(
    word: Run | str | Path,
    data: str | Path | None,
    limit: int | None,
    code: str | None,
    device: str,
    home: Path | None,
    progress: Progress | None,
) -> Subject:
    """The network that a word names, and its images."""
    own = None
    if code is not None and not (isinstance(word, str) and is_pretrained(word)):
        own = own_network(bundle_of(word, home), code)
    return subject_of(word, data, limit=limit, model=own, device=device, home=home, progress=progress)


def check_same_images(first: Subject | None, second: Subject) -> None:
    """Raises RunError where two networks are looked at with different images; of the first there is nothing to say."""
    if first is None or (len(first.images) == len(second.images) and same_pictures(first, second)):
        return
    raise RunError(
        f"{first.name} and {second.name} are looked at with different images ({first.source}; {second.source}); "
        "name the same for all with --data SOURCE"
    )


def same_pictures(first: Subject, second: Subject) -> bool:
    """Whether the images are the same; those of other sizes count as the same where their labels are, in order."""
    if first.images.shape == second.images.shape:
        return content_of(first.images) == content_of(second.images)
    return bool((first.images.labels == second.images.labels).all())


def analyzed(
    subject: Subject,
    table: Mapping[str, Analysis],
    reasons: dict[str, str],
    say: Callable[[str], None],
    tick: Tick | None,
) -> list[AnalysisResult]:
    """What the analyses that fit a network found of it. reasons: told why others do not."""
    found = []
    for name, one in table.items():
        reason = one.unfit(subject)
        if reason:
            reasons[name] = f"{subject.name}: {reason}"
            continue
        say(f"{subject.name}: {name}")
        started = time.perf_counter()
        with torch.random.fork_rng(devices=[]):
            result = one.run(subject, tick or (lambda _done, _total: None))
        found.append(replace(result, seconds=time.perf_counter() - started))
    return found


def keep(
    word: Run | str | Path,
    home: Path | None,
    results: Sequence[AnalysisResult],
    subject: Subject,
    say: Callable[[str], None],
) -> None:
    """Keep what was found with the run, where there is one that may be written to."""
    folder = run_folder(word, home)
    if folder is None or not results:
        return
    try:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        save_analyses(folder, results, subject.source, at, content_of(subject.images))
        record(folder)
    except OSError as error:
        say(f"{folder}: cannot be written ({error.strerror}), so the figures are not kept with the run")


def run_folder(word: Run | str | Path, home: Path | None) -> Path | None:
    """The run folder that a word names; None for a bundle alone and for networks that others trained."""
    if isinstance(word, str) and is_pretrained(word):
        return None
    return bundle_of(word, home or home_folder()).run_folder
