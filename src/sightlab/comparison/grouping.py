"""Which runs a comparison is about: named one by one or by their study, and grouped by recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.recipes.overrides import changed, flat
from sightlab.recipes.schema import Recipe
from sightlab.records import Run
from sightlab.store.annotations import read_labels
from sightlab.store.run_folder import locate, read_facts, recipe_in, run_folders, status_of

LONGEST_NAME = 40
SILENT = ("name", "notes", "seed", "callbacks", "format")  # keys that two trainings of one kind may differ in


def chosen(words: Sequence[Run | str | Path], home: Path) -> list[Path]:
    """The folders of runs: each word a run, what names one, or a study; each run once, in the order named.

    Raises RunError for a word that is neither, or a run that has not ended.
    """
    folders: list[Path] = []
    for word in words:
        members = study_runs(word, home) if isinstance(word, str) else []
        here = word.folder if isinstance(word, Run) else None
        folders += [one for one in members or [here or located(word, home)] if one not in folders]
    for folder in folders:
        if not (folder / "run.json").is_file():
            raise RunError(f"{folder}: a bundle alone, without its run's record; name a run folder")
        status = status_of(read_facts(folder))
        if status != "finished":
            raise RunError(f"{folder.name}: {status}; only runs that have finished have a test score to compare")
    return folders


def located(word: Run | str | Path, home: Path) -> Path:
    """The folder of a run that is named. Raises RunError, which says that there is no such study either."""
    try:
        return locate(str(word), home)
    except RunError as error:
        raise RunError(f"{error}; and no finished run is of a study of that name") from error


def study_runs(name: str, home: Path) -> list[Path]:
    """The finished runs that carry this study's name, oldest first."""
    found = [one for one in run_folders(home) if any(study.name == name for study in read_labels(one).studies)]
    return [one for one in found if status_of(read_facts(one)) == "finished"]


def grouped(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Runs that differ in nothing but their seed stand together, under a name that tells the groups apart.

    A group has the name of its model where the models differ, and of what else differs: `resnet18, lr 0.03`. Groups
    whose recipes differ in nothing (data or a teacher that changed under the same name) are called by their first run.
    """
    recipes = {folder: recipe_in(folder)[0] for folder in folders}
    groups: dict[tuple[str, ...], list[Path]] = {}
    for folder, recipe in recipes.items():
        facts = read_facts(folder)
        taught_by = str((facts.get("teacher") or {}).get("sha256"))
        data = str(facts.get("data", {}).get("key"))
        alike = (changed(recipe, {"seed": 0}).hash, str(facts["model"]), data, taught_by)
        groups.setdefault(alike, []).append(folder)
    return dict(
        zip(names_of([recipes[members[0]] for members in groups.values()], groups), groups.values(), strict=True)
    )


def names_of(recipes: Sequence[Recipe], groups: Mapping[Any, Sequence[Path]]) -> list[str]:
    """A name for each group, all different: what of the recipes differs, else the first run's id."""
    values = [flat(recipe) for recipe in recipes]
    telling = [key for key in values[0] if key not in SILENT and len({repr(one[key]) for one in values}) > 1]
    rest = [key for key in telling if key != "model.name"][:3]
    names = []
    for recipe, own in zip(recipes, values, strict=True):
        parts = [recipe.model.name, *(f"{key.rpartition('.')[2]} {shown(key, own[key])}" for key in rest)]
        name = ", ".join(parts)
        names.append(name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…")
    doubled = len(set(names)) < len(names)
    return [members[0].name for members in groups.values()] if doubled else names


def shown(key: str, value: Any) -> str:
    """A recipe's value as a name has it: of a teacher, whose path would fill the name, the run.

    >>> shown("optimizer.lr", 0.03), shown("distillation.teacher", "/home/me/runs/3fa2c1-resnet18/bundle")
    ('0.03', '3fa2c1-resnet18')
    """
    if key != "distillation.teacher" or value is None:
        return str(value)
    path = Path(value)
    return path.parent.name if path.name == "bundle" else path.name
