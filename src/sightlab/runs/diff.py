"""How two runs differ: recipe, identity, curves, classes, and the images on which they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab import charts, metrics, pictures
from sightlab.comparison import difference, sentence
from sightlab.comparison.agreement import agreement, class_changes, disagreements
from sightlab.comparison.candidates import check_same_images
from sightlab.comparison.compare_runs import result_of
from sightlab.comparison.grouping import chosen, identity_notes
from sightlab.data.content_hash import content_of
from sightlab.data.imageset import ImageSet, Progress
from sightlab.errors import RunError, SightlabError, one_line
from sightlab.evaluation import checked_reason, on_record
from sightlab.recipes.overrides import changed_keys
from sightlab.records import Agreement, ClassChange, Difference, Predictions, Run
from sightlab.records.identity import START, what_differs
from sightlab.store.bundle import read_bundle, record_opening
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import identity_in, read_facts, recipe_in, run_from
from sightlab.training.prepare import splits_of

if TYPE_CHECKING:
    from altair import TopLevelMixin

SHOWN, CELL = 40, 120  # images of the sheet; the longer side of each, pixels, at most


@dataclass(frozen=True, eq=False)
class RunDiff:
    """How two runs differ.

    keys: recipe keys that differ, {dotted path: (first, second)}. identity: what else differs, {network, loss, training
    data, ...: (first, second)}, if both runs have it on record. difference: of the second run to the first, on the test
    split. split: validation or test, of which classes, counts and disagreements are. predictions: both runs' on it.
    rows: images on which they disagree, the most confident mistake first. images: of the split, None where they cannot
    be had. notes: what a reader must know.

    >>> import sightlab, tempfile
    >>> tiny = {"model": "lenet", "limit_per_class": 20, "epochs": 1, "report": False}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     runs = [sightlab.train(sightlab.recipe("cnn", seed=n, **tiny), home=folder) for n in (1, 2)]
    ...     found = sightlab.diff(*runs)
    >>> list(found.keys), found.split, sum(found.counts.to_json().values()) == len(found.predictions[0])
    (['seed'], 'validation', True)
    """

    runs: tuple[Run, Run]
    keys: dict[str, tuple[Any, Any]]
    identity: dict[str, tuple[str, str]]
    difference: Difference
    split: str
    predictions: tuple[Predictions, Predictions]
    classes: tuple[ClassChange, ...]
    counts: Agreement
    rows: NDArray[np.int64]
    images: ImageSet | None
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which is better on the test split, in words."""
        return sentence(self.difference)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON. `gain` is an older name of difference."""
        difference = self.difference.to_json()
        return {
            "runs": [run.to_json() for run in self.runs],
            "keys": {key: list(values) for key, values in self.keys.items()},
            "identity": {name: list(values) for name, values in self.identity.items()},
            "difference": difference,
            "gain": difference,
            "split": self.split,
            "classes": [one.to_json() for one in self.classes],
            "counts": self.counts.to_json(),
            "disagreements": self.rows.tolist(),
            "notes": list(self.notes),
        }


def diff(
    first: Run | str | Path,
    second: Run | str | Path,
    *,
    open_test: str | None = None,
    home: Path | str | None = None,
    progress: Progress | None = None,
) -> RunDiff:
    """How two finished runs differ: recipe, identity, score, classes, and the images on which they disagree.

    open_test: the reason for looking at test images; without one the images are those of validation, which is not
    sealed. home: where runs are found by the beginning of their id. Raises RunError for other than two runs, or runs of
    different images.

    >>> import sightlab
    >>> try:
    ...     sightlab.diff("no-such-run", "last", home="nowhere")
    ... except sightlab.SightlabError as error:
    ...     print(str(error)[:20])
    no run 'no-such-run'
    """
    checked_reason(open_test)
    folders = chosen([first, second], home)
    if len(folders) != 2:
        raise RunError(f"{', '.join(one.name for one in folders)}: `diff` takes two runs; name two")
    return run_diff(folders[0], folders[1], open_test, progress)


def run_diff(first: Path, second: Path, open_test: str | None, progress: Progress | None) -> RunDiff:
    """The difference of two finished runs' folders."""
    folders = (first, second)
    results = [result_of(folder) for folder in folders]
    check_same_images(results)
    facts = [read_facts(folder) for folder in folders]
    split = "test" if open_test is not None else "validation"
    predictions = tuple(read_predictions(folder / f"predictions-{split}.safetensors") for folder in folders)
    key = f"{split}_key"
    if facts[0].get(key) != facts[1].get(key):
        raise RunError(
            f"{first.name} and {second.name} have different {split} images, so they cannot be compared "
            "image by image; give both the same data, data.validation and data.split_seed"
        )
    images, notes = pictures_of_split(first, split, str(facts[0].get(key)), progress)
    if images is not None and open_test is not None:
        for folder in folders:
            bundle = read_bundle(folder)
            record_opening(bundle, str(facts[0][key]), "sightlab diff", open_test)
            notes = (*notes, *on_record(bundle))
    notes = (*notes, *identity_notes({folder.name: [folder] for folder in folders}))
    a, b = predictions
    return RunDiff(
        runs=(run_from(first, facts[0]), run_from(second, facts[1])),
        keys=changed_keys(recipe_in(first)[0], recipe_in(second)[0]),
        identity=identity_changes(facts[0], facts[1]),
        difference=difference(results[0].id, results[0].correct[None], results[1].id, results[1].correct[None]),
        split=split,
        predictions=(a, b),
        classes=tuple(class_changes(a, b)),
        counts=agreement(a, b),
        rows=disagreements(a, b),
        images=images,
        notes=notes,
    )


def identity_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What differs beside keys of the recipe and starting weights; nothing for runs without an identity."""
    a, b = identity_in(first), identity_in(second)
    if a is None or b is None:
        return {}
    names = [name for name in a.differing(b) if name not in ("recipe", "seed", START)]
    return {what_differs(name): (a.value_of(name), b.value_of(name)) for name in names}


def pictures_of_split(
    folder: Path, split: str, key: str, progress: Progress | None
) -> tuple[ImageSet | None, tuple[str, ...]]:
    """The images of a run's split, from its recipe's source; None, and a note, where they are gone or have changed."""
    recipe = recipe_in(folder)[0]
    try:
        splits = splits_of(recipe.data, None, progress)
    except SightlabError as error:
        return None, (f"no images: {one_line(error)}",)
    images = splits.validation if split == "validation" else splits.test.open("sightlab diff")
    if content_of(images) != key:
        return None, (f"no images: {recipe.data.source} no longer has the images of {folder.name}",)
    return images, ()


def draw(found: RunDiff, folder: Path) -> list[Path]:
    """Draw both runs' curves, the classes' changes, and the images on which they disagree. Gives what was written."""
    a, b = found.runs
    curves = charts.comparison_curves([(run.id, run.epochs) for run in found.runs])
    changes = charts.class_changes(found.classes, (a.id, b.id))
    drawn: dict[str, TopLevelMixin] = {"curves": curves, "classes": changes}
    written = [folder / f"{name}.{kind}" for name in drawn for kind in ("png", "svg")]
    for name, chart in drawn.items():
        charts.save_chart(chart, *(path for path in written if path.stem == name))
    if found.images is not None and len(found.rows):
        written.append(folder / "disagreements.png")
        pictures.save_picture(sheet(found, found.images), written[-1])
    return written


def sheet(found: RunDiff, images: ImageSet) -> Image.Image:
    """The images on which the runs disagree, the most confident mistake first, with each run's prediction."""
    rows = found.rows[:SHOWN]
    a, b = found.predictions
    probabilities = [metrics.probabilities(one.logits[rows]) for one in found.predictions]
    lines = []
    for place, row in enumerate(rows):
        true = a.classes[a.labels[row]]
        predicted = []
        for letter, shares in zip("AB", probabilities, strict=True):
            guess = int(shares[place].argmax())
            mark = " " if guess == a.labels[row] else " x "
            predicted.append(f"{letter}{mark}{shares[place, guess]:.0%} {b.classes[guess]}")
        lines.append("\n".join([true, *predicted]))
    title = f"Where A ({found.runs[0].id}) and B ({found.runs[1].id}) disagree; x: wrong, the most confident first"
    return pictures.contact_sheet(images.gather(rows), lines, title=title, columns=8, cell=CELL)
