"""Which runs of a home stand for which trainings, looked up once for many of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sightlab.recipes.schema import Data, Recipe
from sightlab.store.bundle import is_own_code
from sightlab.store.run_folder import read_facts, run_folders, status_of
from sightlab.training.prepare import splits_of

STANDING = ("finished", "interrupted")
NOT_FINITE = "is not a finite number"  # what the loop says of a loss that has diverged


class RunIndex:
    """The runs of a home, by the hash of their recipe.

    A run stands for a recipe of the same hash (which covers the seed), trained by as many processes. Its record is read
    when the archive is made; a run that ends later is not in it.

    >>> RunIndex(Path("no-such-home")).finished(Recipe()) is None
    True
    """

    def __init__(self, home: Path) -> None:
        self.by_hash: dict[str, list[tuple[Path, dict[str, Any]]]] = defaultdict(list)
        self.keys: dict[Data, str] = {}
        for folder in run_folders(home):
            facts = read_facts(folder)
            self.by_hash[str(facts.get("recipe_hash"))].append((folder, facts))

    def finished(self, recipe: Recipe, processes: int = 1) -> Path | None:
        """The newest finished run of a recipe, whatever its data were like then; None where there is none."""
        found = list(self.standing(recipe, processes, ("finished",)))
        return found[-1][0] if found else None

    def on_this_data(self, recipe: Recipe, processes: int = 1) -> tuple[Path, str] | None:
        """The newest run of a recipe on the data as they are now, and its status: finished or interrupted.

        None where there is none, and for a network that is the user's own code or that starts from weights or learns
        from a teacher: what the recipe names by a path may have changed. Raises DataError for data that are not there.
        """
        if is_own_code(recipe.model.name) or recipe.model.weights or recipe.distillation.teacher:
            return None
        for folder, facts in reversed(list(self.standing(recipe, processes, STANDING))):
            if facts.get("data", {}).get("key") == self.key_of(recipe):
                return folder, status_of(facts)
        return None

    def diverged(self, recipe: Recipe, processes: int = 1) -> str | None:
        """Why the newest run of a recipe ended in a loss that is no number; None where there is none that did.

        On a CPU the same recipe diverges again, at the same step.
        """
        failed = [facts for _, facts in self.standing(recipe, processes, ("failed",))]
        reason = str(failed[-1].get("reason", "")) if failed else ""
        return reason if NOT_FINITE in reason else None

    def standing(
        self, recipe: Recipe, processes: int, statuses: Iterable[str]
    ) -> Iterable[tuple[Path, dict[str, Any]]]:
        """The runs of a recipe by so many processes that have one of these statuses, oldest first."""
        for folder, facts in self.by_hash.get(recipe.hash, ()):
            if status_of(facts) in statuses and processes_of(folder) == max(processes, recipe.processes):
                yield folder, facts

    def key_of(self, recipe: Recipe) -> str:
        """The content of a recipe's data as a hash; looked up once for the same data."""
        if recipe.data not in self.keys:
            self.keys[recipe.data] = splits_of(recipe, None, None).key
        return self.keys[recipe.data]


def processes_of(folder: Path) -> int:
    """How many processes shared the batches of a run; 1 where its record does not tell."""
    try:
        return int(json.loads((folder / "environment.json").read_text(encoding="utf-8")).get("processes", 1))
    except (OSError, ValueError, TypeError, AttributeError):
        return 1
