"""The runs of a home by identity: which run is the result of which training."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sightlab.data.content_hash import contents_of
from sightlab.errors import DataError, RunError
from sightlab.recipes.schema import Data, Recipe
from sightlab.records.identity import Identity
from sightlab.runs.resolve_teacher import teacher_bundle
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.store.run_folder import home_folder, identity_in, read_facts, recipe_in, run_folders, status_of
from sightlab.training.identity import identity_on, plain_hash
from sightlab.training.prepare import splits_of

Known = tuple[Path, dict[str, Any]]
STANDING = ("finished", "trained", "interrupted")  # runs that can be returned or resumed
NOT_FINITE = "is not a finite number"  # what the loop says of a loss that has diverged


class RunIndex:
    """The runs of a home by their identity.

    Records are read once: a run that is started or changed later has to be added. A run whose identity is not whole, or
    not on record, matches no training.

    >>> from sightlab.runs.index import RunIndex
    >>> RunIndex("no-such-home").finished(Recipe(data="fashion-mini")) is None
    True
    """

    def __init__(self, home: str | Path | None) -> None:
        self.home = home_folder(home)
        self.by_key: dict[str, list[Known]] = defaultdict(list)
        self.by_hash: dict[str, list[Known]] = defaultdict(list)
        self.recipes: set[str] = set()
        self.contents: dict[Data, dict[str, str]] = {}
        self.expected: dict[tuple[str, int], Identity] = {}
        for folder in run_folders(self.home):
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Add a run, or read its record again. A run with a damaged record is left out."""
        try:
            facts = read_facts(folder)
        except RunError:
            return
        identity = identity_in(facts)
        places = [self.by_hash[str(facts.get("recipe_hash"))]]
        if identity is not None and identity.whole:
            self.recipes.add(identity.recipe)
            places.append(self.by_key[identity.key])
        for known in places:
            known[:] = [*(one for one in known if one[0] != folder), (folder, facts)]

    def matching(self, identity: Identity, statuses: Iterable[str] = STANDING) -> list[Path]:
        """The runs of a training that have one of these statuses, oldest first."""
        return [folder for folder, _ in self._matching(identity, statuses)]

    def identity_of(self, recipe: Recipe, processes: int = 1) -> Identity:
        """The identity that a recipe's run would have, with data, files and teacher as they are now. Builds no network.

        Raises DataError for data, and RunError for files and teachers, that are not there.
        """
        key = recipe.hash, max(processes, recipe.processes)
        if key not in self.expected:
            recipe = with_runs_found(recipe, self.home)
            teacher = (
                teacher_bundle(str(recipe.distillation.teacher), self.home).facts.weights_sha256
                if recipe.distillation.asks
                else None
            )
            self.expected[key] = identity_on(self._contents(recipe), recipe, {}, key[1], teacher)
        return self.expected[key]

    def on_this_data(self, recipe: Recipe, processes: int = 1) -> tuple[Path, str] | None:
        """The newest finished run of a recipe as it is now, else the newest that can be resumed; with its status."""
        found = [(folder, status_of(facts)) for folder, facts in self.standing(recipe, processes, STANDING)]
        finished = [one for one in found if one[1] == "finished"]
        return finished[-1] if finished else found[-1] if found else None

    def finished(self, recipe: Recipe, processes: int = 1) -> Path | None:
        """The newest finished run of a recipe; None where there is none.

        For showing results, not for training: where the data are gone, or no run with an identity is there, an older
        one counts by what is known of it.
        """
        older = self.by_hash.get(recipe.hash, [])
        try:
            found = self.standing(recipe, processes, ("finished",))
            older = [one for one in older if identity_in(one[1]) is None]
        except (DataError, RunError):
            found = []
        found = found or [one for one in older if self._as_far_as_known(one, recipe, processes)]
        return found[-1][0] if found else None

    def diverged(self, recipe: Recipe, processes: int = 1) -> str | None:
        """Why the newest run of a recipe ended in a loss that is no number; None where there is none that did.

        On a CPU the same recipe diverges again, at the same step. Raises as `identity_of`.
        """
        failed = [facts for _, facts in self.standing(recipe, processes, ("failed",))]
        reason = str(failed[-1].get("reason", "")) if failed else ""
        return reason if NOT_FINITE in reason else None

    def standing(self, recipe: Recipe, processes: int, statuses: Iterable[str]) -> list[Known]:
        """The runs of a recipe by so many processes with one of these statuses, and their records, oldest first."""
        if plain_hash(recipe, own_model=False) not in self.recipes:
            return []  # without a look at its data
        return self._matching(self.identity_of(recipe, processes), statuses)

    def _matching(self, identity: Identity, statuses: Iterable[str]) -> list[Known]:
        wanted = tuple(statuses)
        known = self.by_key.get(identity.key, ())
        return [one for one in known if same(identity, one[1]) and status_of(one[1]) in wanted]

    def _contents(self, recipe: Recipe) -> dict[str, str]:
        """The content of a recipe's data; hashed once for the same data."""
        if recipe.data not in self.contents:
            self.contents[recipe.data] = contents_of(splits_of(recipe.data))
        return self.contents[recipe.data]

    def _as_far_as_known(self, known: Known, recipe: Recipe, processes: int) -> bool:
        """Whether an old finished run is of this recipe: by its network, its data's name and its processes."""
        folder, facts = known
        same = facts.get("model") == recipe.model.name and processes_of(folder) == max(processes, recipe.processes)
        return same and status_of(facts) == "finished" and recipe_in(folder)[0].data == recipe.data


def same(identity: Identity, facts: Mapping[str, Any]) -> bool:
    """Whether a run's record has this identity."""
    known = identity_in(facts)
    return known is not None and known.same_training(identity)


def processes_of(folder: Path) -> int:
    """How many processes shared the batches of a run; 1 where its record does not tell."""
    try:
        return int(json.loads((folder / "environment.json").read_text(encoding="utf-8")).get("processes", 1))
    except (OSError, ValueError, TypeError, AttributeError):
        return 1
