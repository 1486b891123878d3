"""How large a study has to be: seeds and hours to see a difference, from the spread of runs at hand."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sightlab.comparison.candidates import Candidate
from sightlab.comparison.compare_runs import result_of
from sightlab.comparison.grouping import grouped, replicates
from sightlab.comparison.power import MOST_SEEDS, Noise, detectable, noise_of, seeds_needed
from sightlab.errors import StudyError
from sightlab.files import write_text
from sightlab.store.run_folder import read_facts, run_folders, status_of
from sightlab.studies.runtime_estimate import predicted, wall_seconds
from sightlab.studies.study_plan import Plan

SEEDS_SHOWN = (2, 3, 4, 5, 8, 10, 15, 20)


@dataclass(frozen=True)
class PowerPlan:
    """The size of a study, planned before it is trained.

    detect: the difference to see, in points of accuracy. images: of the test split. comparisons: rows that are
    compared with a twin, which share the error of 5 %. noise: of the pilots. pilots: names of the trainings that it is
    from, each with its seeds. seeds: the fewest that see the difference in four of five studies, None above 100.
    seconds: of one seed of every row, on one thread each. jobs: trained at the same time. made: when, ISO 8601.
    """

    detect: float
    images: int
    comparisons: int
    noise: Noise
    pilots: tuple[tuple[str, int], ...]
    seeds: int | None
    seconds: tuple[float, ...]
    jobs: int
    made: str

    def detectable(self, seeds: int) -> float:
        """The smallest difference that so many seeds see in four of five studies, in points."""
        return 100 * detectable(self.noise, seeds, self.images, self.comparisons)

    def hours(self, seeds: int) -> float:
        """Hours that the study takes with so many seeds."""
        return wall_seconds([one for one in self.seconds for _ in range(seeds)], self.jobs) / 3600

    @property
    def table(self) -> list[tuple[int, float, float]]:
        """(seeds, points that they see, hours) for a few numbers of seeds, the planned one among them."""
        counts = sorted({*SEEDS_SHOWN, *([self.seeds] if self.seeds else [])})
        return [(seeds, self.detectable(seeds), self.hours(seeds)) for seeds in counts]

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {
            "table": [{"seeds": n, "detectable": points, "hours": hours} for n, points, hours in self.table]
        }

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Self:
        """The plan that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        values = {key: facts[key] for key in cls.__dataclass_fields__}
        pilots = tuple((str(name), int(seeds)) for name, seeds in values["pilots"])
        values |= {"noise": Noise(**values["noise"]), "pilots": pilots, "seconds": tuple(values["seconds"])}
        return cls(**values)


def plan_power(
    plan: Plan, home: Path, detect: float, jobs: int, say: Callable[[str], None] = lambda _: None
) -> PowerPlan:
    """Plan a study's size. detect: the difference to see, in points of accuracy, above 0 and below 100.

    The noise is that of finished runs in `home` on the study's data: every pair of trainings that were tested on the
    same images. Raises StudyError where there are none with two seeds, or for another difference.
    """
    if not 0 < detect < 100:
        raise StudyError(f"--detect {detect:g}: a difference in points of accuracy, above 0 and below 100, such as 1.0")
    candidates = pilots_in(home, plan.data)
    pairs = list(itertools.combinations([one.correct for one in candidates], 2))
    if not pairs or all(len(one.results) < 2 for one in candidates):
        raise StudyError(
            f"{home}: holds no two trainings on {plan.data} of which one has two seeds, so nothing is known of their "
            f"spread; train pilots first: sightlab study run {plan.study.name} --scale {plan.scale} --seeds 2"
        )
    noise = noise_of(pairs)
    images = len(candidates[0].results[0].labels)
    comparisons = max(1, sum(row.row.twin is not None for row in plan.rows))
    first = [row.jobs[0] for row in plan.rows]
    seconds = predicted(first, say)
    return PowerPlan(
        detect=detect,
        images=images,
        comparisons=comparisons,
        noise=noise,
        pilots=tuple((one.name, len(one.results)) for one in candidates),
        seeds=seeds_needed(noise, detect / 100, images, comparisons, MOST_SEEDS),
        seconds=tuple(seconds[job] for job in first),
        jobs=jobs,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def pilots_in(home: Path, data: str) -> list[Candidate]:
    """The trainings on these data whose finished runs were tested on the same images: those of the most runs."""
    by_test: dict[str, list[Path]] = defaultdict(list)
    for folder in run_folders(home):
        facts = read_facts(folder)
        if status_of(facts) == "finished" and facts.get("data", {}).get("source") == data and facts.get("test_key"):
            by_test[facts["test_key"]].append(folder)
    if not by_test:
        return []
    kept, _ = replicates(max(by_test.values(), key=len))
    return [Candidate(name, tuple(map(result_of, runs))) for name, runs in grouped(kept).items()]


def power_file(plan: Plan, home: Path) -> Path:
    """Where the plan of a study's size is kept, for its page."""
    return home / "studies" / f"{plan.study.name}-{plan.scale}-power.json"


def save_power(plan: Plan, home: Path, found: PowerPlan) -> Path:
    """Keep the plan of a study's size. Raises OSError as writing does."""
    file = power_file(plan, home)
    write_text(file, json.dumps(found.to_json(), indent=1))
    return file


def read_power(plan: Plan, home: Path) -> PowerPlan | None:
    """The plan of a study's size that is kept in `home`; None where there is none, or not a whole one."""
    try:
        return PowerPlan.from_json(json.loads(power_file(plan, home).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
