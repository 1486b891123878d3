"""From a word on the command line to a model: one to be built by name, or one that a run trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sightlab.errors import ModelError
from sightlab.lens.layer_graph import Shape
from sightlab.lens.structure import Structure, structure, structure_of
from sightlab.models import check_name
from sightlab.store.bundle import Bundle, open_model
from sightlab.store.run_folder import LAST, home_folder, locate, run_folders

if TYPE_CHECKING:
    from torch import nn

    from sightlab.models.classifier import Classifier

DEFAULT_SHAPE: Shape = (1, 28, 28)
DEFAULT_CLASSES = 10


@dataclass(frozen=True, eq=False)
class ResolvedModel:
    """A model's structure; for a trained run also its bundle, and its classifier with the trained weights."""

    structure: Structure
    bundle: Bundle | None = None
    classifier: Classifier | None = None


def resolve_run(bundle: Bundle, name: str, net: nn.Module | None = None) -> ResolvedModel:
    """The model of a trained run. name: what to call it; net: the network, where it is the user's own code."""
    classifier = open_model(bundle, net)
    facts = bundle.facts
    shape = (facts.channels, facts.height, facts.width)
    return ResolvedModel(structure_of(classifier.net, f"{facts.model} ({name})", shape), bundle, classifier)


def resolve_model(word: str, shape: Shape | None, classes: int | None) -> ResolvedModel:
    """An untrained model for such images: 1x28x28 and 10 classes by default."""
    return ResolvedModel(structure(word, shape or DEFAULT_SHAPE, classes or DEFAULT_CLASSES))


def find_run(word: str, home: Path | None) -> Path | None:
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
        if not runs_with_prefix(word, home):
            raise ModelError(f"no run's id begins with '{word}', and {error}") from error
        return locate(word, home)
    return None


def runs_with_prefix(word: str, home: Path | None) -> list[Path]:
    """The runs whose ids begin with a word."""
    return [folder for folder in run_folders(home or home_folder()) if folder.name.startswith(word)]
