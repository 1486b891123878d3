"""Which runs a comparison is about: named one by one or by their study, and grouped by what was trained."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.recipes.overrides import flat
from sightlab.recipes.schema import Recipe
from sightlab.records import Run
from sightlab.records.identity import START, Identity, what_differs
from sightlab.store.annotations import read_labels
from sightlab.store.bundle import read_bundle
from sightlab.store.run_folder import (
    home_folder,
    identity_in,
    locate,
    read_facts,
    recipe_in,
    run_folders,
    status_of,
)

LONGEST_NAME = 40
OWN = "module "  # how the name of a network given from Python begins in a run's record
SILENT = ("name", "notes", "seed", "callbacks", "format")  # keys that two trainings of one kind may differ in


def chosen(words: Sequence[Run | str | Path], home: str | Path | None = None) -> list[Path]:
    """The folders of runs: each word a run, what names one, or a study; each run once, in the order named.

    Raises RunError for a word that is neither, or a run without a test score.
    """
    place = home_folder(home)
    folders: list[Path] = []
    for word in words:
        members = study_runs(word, place) if isinstance(word, str) else []
        here = word.folder if isinstance(word, Run) else None
        folders += [one for one in members or [here or located(word, place)] if one not in folders]
    for folder in folders:
        if not (folder / "run.json").is_file():
            raise RunError(f"{folder}: a bundle without its run's record; name a run folder")
        status = status_of(read_facts(folder))
        if status == "trained":
            raise RunError(
                f"{folder.name}: trained, and its test split is still sealed; `sightlab train --resume {folder.name}` "
                "tests it"
            )
        if status != "finished":
            raise RunError(f"{folder.name}: {status}; only finished runs have a test score to compare")
    return folders


def located(word: Run | str | Path, home: Path) -> Path:
    """The folder of a run that is named. Raises RunError, which says that there is no such study either."""
    try:
        return locate(str(word), home)
    except RunError as error:
        raise RunError(f"{error}; and no finished run is in a study of that name") from error


def study_runs(name: str, home: Path) -> list[Path]:
    """The finished runs that are in this study, oldest first."""
    found = [one for one in run_folders(home) if any(study.name == name for study in read_labels(one).studies)]
    return [one for one in found if status_of(read_facts(one)) == "finished"]


def replicates(folders: Sequence[Path]) -> tuple[list[Path], tuple[str, ...]]:
    """The runs that tell something of their own, in order, and a line for each that is left out.

    A second run of one training with the same seed, and a copy of a run, are no replicates: they would make a spread
    over seeds too small.
    """
    kept: list[Path] = []
    notes = []
    seeds: dict[tuple[Any, ...], Path] = {}
    weights: dict[tuple[Any, ...], Path] = {}
    for folder in folders:
        facts = read_facts(folder)
        seed = (kind_of(folder, facts), facts.get("seed"))
        copy = (weights_of(folder), facts.get("recipe_hash"))
        if copy in weights:
            first = weights[copy]
            names = (folder, first) if folder.name == first.name else (folder.name, first.name)
            notes.append(f"{names[0]} is not counted: it has the same weights as {names[1]}.")
        elif seed in seeds:
            notes.append(
                f"{folder.name} is not counted: it is the same training as {seeds[seed].name}, with the same seed "
                f"({facts.get('seed')}), and so no replicate."
            )
        else:
            kept.append(folder)
            seeds[seed] = weights[copy] = folder
    return kept, tuple(notes)


def weights_of(folder: Path) -> str:
    """The sha256 of a run's weights; the folder's name where it has no whole bundle."""
    try:
        return read_bundle(folder).facts.weights_sha256
    except RunError:
        return folder.name


def kind_of(folder: Path, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What runs of one training with several seeds have in common, and no others.

    A run without an identity on record is grouped by what else is known; one whose identity is not whole stands alone.
    """
    identity = identity_in(facts)
    if identity is not None:
        return ("identity", identity.key_but_seed if identity.whole else folder.name)
    recipe = recipe_in(folder)[0].model_copy(update={"seed": 0})
    teacher = (facts.get("teacher") or {}).get("sha256")
    content = [facts.get("data", {}).get("key"), facts.get("validation_key"), facts.get("test_key")]
    return ("known", recipe.hash, *(str(one) for one in (facts["model"], facts["parameters"], *content, teacher)))


def grouped(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Runs that differ in nothing but their seed stand together, under a name that distinguishes the groups.

    A group has the name of its network, and of what else differs: `resnet18, lr 0.03`. Groups that no key of their
    recipes distinguishes (other data, code or teacher under the same name) are called by their first run.
    """
    groups: dict[tuple[str, ...], list[Path]] = {}
    for folder in folders:
        groups.setdefault(kind_of(folder, read_facts(folder)), []).append(folder)
    recipes = [shown_recipe(members[0]) for members in groups.values()]
    return dict(zip(names_of(recipes, groups), groups.values(), strict=True))


def shown_recipe(folder: Path) -> Recipe:
    """A run's recipe, which says of a network given from Python what that is called."""
    recipe, model = recipe_in(folder)[0], str(read_facts(folder)["model"])
    if not model.startswith(OWN):
        return recipe
    name = model.removeprefix(OWN).rpartition(".")[2]
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"name": name})})


def names_of(recipes: Sequence[Recipe], groups: Mapping[Any, Sequence[Path]]) -> list[str]:
    """A name for each group, all different: what of the recipes differs, else the first run's id."""
    values = [flat(recipe) for recipe in recipes]
    differing = [key for key in values[0] if key not in SILENT and len({repr(one[key]) for one in values}) > 1]
    rest = [key for key in differing if key != "model.name"][:3]
    names = []
    for recipe, own in zip(recipes, values, strict=True):
        parts = [recipe.model.name, *(f"{key.rpartition('.')[2]} {shown(key, own[key])}" for key in rest)]
        name = ", ".join(parts)
        names.append(name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip() + "…")
    first = [members[0].name for members in groups.values()]
    return [run if names.count(name) > 1 else name for run, name in zip(first, names, strict=True)]


def shown(key: str, value: Any) -> str:
    """A recipe's value as a name has it: of a teacher, whose path would fill the name, the run.

    >>> shown("optimizer.lr", 0.03), shown("distillation.teacher", "/home/me/runs/3fa2c1-resnet18/bundle")
    ('0.03', '3fa2c1-resnet18')
    """
    if key != "distillation.teacher" or value is None:
        return str(value)
    path = Path(value)
    return path.parent.name if path.name == "bundle" else path.name


def identity_notes(groups: Mapping[str, Sequence[Path]]) -> tuple[str, ...]:
    """What is not sure about which runs are seeds of one training."""
    notes = []
    known = {folder: identity_in(read_facts(folder)) for members in groups.values() for folder in members}
    old = [folder.name for folder, identity in known.items() if identity is None]
    if old:
        notes.append(
            f"Identity not whole: {', '.join(old)}; from before runs kept an identity, so grouped by recipe, network, "
            "parameters, data and teacher. Changed code does not show in these."
        )
    loose = [folder.name for folder, identity in known.items() if identity is not None and not identity.whole]
    if loose:
        notes.append(
            f"Identity not whole: {', '.join(loose)}; a part from Python could not be pinned down, so each of these "
            "stands alone."
        )
    notes += same_recipe_notes([(name, known[members[0]]) for name, members in groups.items()])
    for name, members in groups.items():
        starts = {identity.parts.get(START) for folder in members if (identity := known[folder]) is not None}
        if len(starts) > 1:
            notes.append(f"Each run of {name} started from weights of its own, as they were given from Python.")
    return tuple(notes)


def same_recipe_notes(groups: Sequence[tuple[str, Identity | None]]) -> list[str]:
    """A line for groups that no key of their recipes distinguishes: what does. groups: name and identity of each."""
    notes = []
    for (a, first), (b, second) in itertools.combinations(groups, 2):
        if first is not None and second is not None and first.recipe == second.recipe:
            names = [name for name in first.differing(second) if name not in ("seed", START)]
            words = dict.fromkeys(what_differs(name) for name in names)
            notes.append(
                f"{a} and {b} have the same recipe and are not seeds of one training; they differ in: "
                f"{', '.join(words) or 'nothing that could be pinned down'}."
            )
    return notes
