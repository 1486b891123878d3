"""Makes the analyses of a study that are not at hand, and keeps them with the networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightlab.data.content_hash import content_of
from sightlab.data.sources import find
from sightlab.errors import StudyError
from sightlab.files import write_text
from sightlab.lens.analyses.table import ANALYSES
from sightlab.lens.analyze import analyzed, check_same_images
from sightlab.lens.subject import Subject, Tick, subject_of
from sightlab.models.pretrained_networks import pretrained_network
from sightlab.store.analyses import kept_result, save_analyses
from sightlab.store.database.upsert import record
from sightlab.studies.study_analyses import FORMAT, Network, index_file, networks_of
from sightlab.studies.study_plan import Plan, PlannedRow, id_of
from sightlab.training.callbacks import Paused
from sightlab.training.device import own_process


def run_analyses(
    plan: Plan,
    home: Path,
    folders: Mapping[str, Sequence[Path]],
    say: Callable[[str], None],
    tick: Tick | None = None,
    should_pause: Callable[[], bool] = lambda: False,
) -> int:
    """Make the analyses of a plan that are not at hand; gives how many were made.

    What was found of the same network and the same images by the same version is reused, whoever made it. folders: of
    the finished runs of each row. Each analysis is kept as soon as it is made. Raises SightlabError as analyses do,
    Paused when asked to.
    """
    made = 0
    looked: dict[str, list[dict[str, Any]]] = {}
    with own_process():
        for planned in plan.analyses:
            first: Subject | None = None
            for one in planned.of:
                for network in networks_of(one, folders, home):
                    subject = subject_of(network.word, planned.looks.data, limit=planned.images, home=home)
                    check_same_images(first, subject)
                    first = first or subject
                    images = content_of(subject.images)
                    unfit: dict[str, str] = {}
                    for name in planned.looks.only:
                        if should_pause():
                            raise Paused
                        if kept_result(network.folder, name, images) is None:
                            made += look(network, subject, name, images, unfit, say, tick)
                    entry = {"id": id_of(one), "network": network.key, "images": images, "unfit": unfit}
                    looked.setdefault(planned.looks.id, []).append(entry | {"source": subject.source})
    write_text(index_file(plan, home), json.dumps({"format": FORMAT, "groups": looked}, ensure_ascii=False, indent=1))
    return made


def check_subjects(plan: Plan) -> None:
    """Find the images of a plan's analyses and load the networks that others trained, before hours of training.

    Raises DataError, or ModelError for a package that is not installed and weights that cannot be had.
    """
    for planned in plan.analyses:
        if planned.looks.data is not None:
            find(planned.looks.data)
        for one in planned.of:
            if not isinstance(one, PlannedRow):
                pretrained_network(one.model)


def look(
    network: Network,
    subject: Subject,
    name: str,
    images: str,
    unfit: dict[str, str],
    say: Callable[[str], None],
    tick: Tick | None,
) -> int:
    """Make one analysis and keep it; gives whether there was one to make. unfit: told why not."""
    reasons: dict[str, str] = {}
    results = analyzed(subject, {name: ANALYSES[name]}, reasons, lambda _: say(f"{network.name}: {name}"), tick)
    unfit |= {key: reason.removeprefix(f"{subject.name}: ") for key, reason in reasons.items()}
    if not results:
        return 0
    network.folder.mkdir(parents=True, exist_ok=True)
    try:
        save_analyses(network.folder, results, subject.source, datetime.now(UTC).isoformat(timespec="seconds"), images)
    except OSError as error:
        raise StudyError(f"{network.folder}: cannot be written: {error.strerror}") from error
    if isinstance(network.word, Path):
        record(network.folder)
    return len(results)
