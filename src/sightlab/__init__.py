"""sightlab: a workbench for image classifiers.

What the commands do, these functions do:

>>> import sightlab
>>> sightlab.recipe("demo").data.source
'fashion-mini'
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightlab.version import __version__

if TYPE_CHECKING:
    from sightlab.comparison.compare_runs import Comparison, compare
    from sightlab.data.imageset import ImageSet
    from sightlab.data.load import load_data as load_data
    from sightlab.data.splits import Splits
    from sightlab.errors import SightlabError
    from sightlab.evaluation import Evaluation, evaluate
    from sightlab.lens.analyze import analyze
    from sightlab.lens.saliency.explain import explain
    from sightlab.lens.structure import Structure, structure
    from sightlab.models.classifier import Classifier
    from sightlab.prediction import predict
    from sightlab.recipes.overrides import recipe
    from sightlab.recipes.schema import Recipe
    from sightlab.records import Answer, ClassScore, Difference, Epoch, Predictions, Run, Score
    from sightlab.records.explained import Explanations
    from sightlab.report.writer import write_report
    from sightlab.runs.diff import RunDiff, diff
    from sightlab.runs.lifecycle import epochs, open_run, resume, train
    from sightlab.runs.own_loop import finish, prepare
    from sightlab.store.bundle import Bundle
    from sightlab.store.database.run_queries import runs as find_runs
    from sightlab.training.callbacks import Callback, TrainingContext
    from sightlab.training.prepare import Prepared

# Where each public name lives; a name is imported when it is first used, so that `import sightlab` is quick.
HOMES = {
    "Answer": "records",
    "Bundle": "store.bundle",
    "Callback": "training.callbacks",
    "ClassScore": "records",
    "Classifier": "models.classifier",
    "Comparison": "comparison.compare_runs",
    "Difference": "records",
    "Epoch": "records",
    "Evaluation": "evaluation",
    "Explanations": "records.explained",
    "ImageSet": "data.imageset",
    "Predictions": "records",
    "Prepared": "training.prepare",
    "Recipe": "recipes.schema",
    "Run": "records",
    "RunDiff": "runs.diff",
    "Score": "records",
    "SightlabError": "errors",
    "Splits": "data.splits",
    "Structure": "lens.structure",
    "TrainingContext": "training.callbacks",
    "Watch": "training.callbacks",
    "analyze": "lens.analyze",
    "compare": "comparison.compare_runs",
    "diff": "runs.diff",
    "epochs": "runs.lifecycle",
    "evaluate": "evaluation",
    "explain": "lens.saliency.explain",
    "finish": "runs.own_loop",
    "find_runs": "store.database.run_queries:runs",
    "load_data": "data.load:load_data",
    "open_run": "runs.lifecycle",
    "predict": "prediction",
    "prepare": "runs.own_loop",
    "recipe": "recipes.overrides",
    "resume": "runs.lifecycle",
    "structure": "lens.structure",
    "train": "runs.lifecycle",
    "write_report": "report.writer",
}
# Names of the release before, which answer with the new one and say so.
RENAMED = {"Tested": "Evaluation", "load": "load_data", "open": "open_run", "test": "evaluate"}

__all__ = [
    "Answer",
    "Bundle",
    "Callback",
    "ClassScore",
    "Classifier",
    "Comparison",
    "Difference",
    "Epoch",
    "Evaluation",
    "Explanations",
    "ImageSet",
    "Predictions",
    "Prepared",
    "Recipe",
    "Run",
    "RunDiff",
    "Score",
    "SightlabError",
    "Splits",
    "Structure",
    "TrainingContext",
    "__version__",
    "analyze",
    "compare",
    "diff",
    "epochs",
    "evaluate",
    "explain",
    "find_runs",
    "finish",
    "load_data",
    "open_run",
    "predict",
    "prepare",
    "recipe",
    "resume",
    "structure",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in RENAMED:
        message = f"sightlab.{name} is now sightlab.{RENAMED[name]}; the old name goes with the next release"
        warnings.warn(message, FutureWarning, stacklevel=2)
        return __getattr__(RENAMED[name])
    if name not in HOMES:
        raise AttributeError(f"module 'sightlab' has no attribute {name!r}")
    room, _, own = HOMES[name].partition(":")
    return getattr(import_module(f"sightlab.{room}"), own or name)


def __dir__() -> list[str]:
    return __all__
