"""sightlab: a workbench for image classifiers.

What the commands do, these functions do:

>>> import sightlab
>>> sightlab.recipe("demo").data.source
'fashion-mini'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightlab.version import __version__

if TYPE_CHECKING:
    from sightlab.comparison.comparing import Comparison, compare
    from sightlab.data.imageset import ImageSet
    from sightlab.data.load import load
    from sightlab.data.splits import Splits
    from sightlab.errors import SightlabError
    from sightlab.lens.structure import Structure, structure
    from sightlab.models.classifier import Classifier
    from sightlab.prediction import predict
    from sightlab.recipes.changes import recipe
    from sightlab.recipes.schema import Recipe
    from sightlab.records import Answer, ClassScore, Epoch, Predictions, Run, Score
    from sightlab.report.writing import write_report
    from sightlab.runs.differing import Difference, diff
    from sightlab.runs.life import Watch, epochs, resume, train
    from sightlab.runs.life import open_run as open  # noqa: A004 - sightlab.open, as the builtin opens files
    from sightlab.store.bundle import Bundle
    from sightlab.store.database.listing import runs as find_runs
    from sightlab.testing import Tested, evaluate, test

# Where each public name lives; a name is imported when it is first used, so that `import sightlab` is quick.
HOMES = {
    "Answer": "records",
    "Bundle": "store.bundle",
    "ClassScore": "records",
    "Classifier": "models.classifier",
    "Comparison": "comparison.comparing",
    "Difference": "runs.differing",
    "Epoch": "records",
    "ImageSet": "data.imageset",
    "Predictions": "records",
    "Recipe": "recipes.schema",
    "Run": "records",
    "Score": "records",
    "SightlabError": "errors",
    "Splits": "data.splits",
    "Structure": "lens.structure",
    "Tested": "testing",
    "Watch": "runs.life",
    "compare": "comparison.comparing",
    "diff": "runs.differing",
    "epochs": "runs.life",
    "evaluate": "testing",
    "find_runs": "store.database.listing:runs",
    "load": "data.load",
    "open": "runs.life:open_run",
    "predict": "prediction",
    "recipe": "recipes.changes",
    "resume": "runs.life",
    "structure": "lens.structure",
    "test": "testing",
    "train": "runs.life",
    "write_report": "report.writing",
}

__all__ = [
    "Answer",
    "Bundle",
    "ClassScore",
    "Classifier",
    "Comparison",
    "Difference",
    "Epoch",
    "ImageSet",
    "Predictions",
    "Recipe",
    "Run",
    "Score",
    "SightlabError",
    "Splits",
    "Structure",
    "Tested",
    "Watch",
    "__version__",
    "compare",
    "diff",
    "epochs",
    "evaluate",
    "find_runs",
    "load",
    "open",
    "predict",
    "recipe",
    "resume",
    "structure",
    "test",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'sightlab' has no attribute {name!r}")
    room, _, own = HOMES[name].partition(":")
    return getattr(import_module(f"sightlab.{room}"), own or name)


def __dir__() -> list[str]:
    return __all__
