"""What a word on the command line names: a model that can be built, or a run that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.errors import ModelError
from sightlab.lens.structure import Shape, Structure, structure, structure_of
from sightlab.models import check_name
from sightlab.store.bundle import Bundle, open_model
from sightlab.store.run_folder import LAST, home_folder, locate, run_folders

if TYPE_CHECKING:
    from torch import nn

    from sightlab.models.classifier import Classifier

USUAL: Shape = (1, 28, 28)
USUAL_CLASSES = 10


@dataclass(frozen=True, eq=False)
class Opened:
    """A structure, and for a trained run its bundle and its classifier with its weights."""

    structure: Structure
    bundle: Bundle | None = None
    classifier: Classifier | None = None


def opened_run(bundle: Bundle, name: str, net: nn.Module | None = None) -> Opened:
    """A trained run. name: what it is called; net: the network, where it is code of the user's own."""
    classifier = open_model(bundle, net)
    facts = bundle.facts
    shape = (facts.channels, facts.height, facts.width)
    return Opened(structure_of(classifier.net, f"{facts.model} ({name})", shape), bundle, classifier)


def opened_model(word: str, shape: Shape | None, classes: int | None) -> Opened:
    """A model that is not trained, for such images: 1x28x28 and 10 classes unless said otherwise."""
    return Opened(structure(word, shape or USUAL, classes or USUAL_CLASSES))


def run_named(word: str, home: Path | None) -> Path | None:
    """The folder of the run or bundle that a word names; None where it names a model.

    Raises ModelError for a word that is neither, RunError for one that could be several runs.
    """
    if word == LAST or Path(word).expanduser().exists():
        return locate(word, home)
    try:
        check_name(word)
    except ModelError as error:
        if "/" in word or ".py:" in word:
            raise
        if not began_with(word, home):
            raise ModelError(f"no run begins with '{word}', and {error}") from error
        return locate(word, home)
    return None


def began_with(word: str, home: Path | None) -> list[Path]:
    """The runs whose ids begin with a word."""
    return [folder for folder in run_folders(home or home_folder()) if folder.name.startswith(word)]
