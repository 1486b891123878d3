"""Which validation images a run classifies correctly, finished or not: no test split is opened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.errors import RunError
from sightlab.records import Predictions
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.tasks import Channel, TaskContext
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import read_facts, status_of
from sightlab.training import checkpoint
from sightlab.training.device import own_process
from sightlab.training.prepare import prepare


def validation_answers(_channel: Channel, context: TaskContext) -> NDArray[np.bool_]:
    """Whether the best epoch's weights of a run classify each validation image correctly: bool [N].

    Raises RunError for a run without a checkpoint.
    """
    folder = context.folder
    assert folder is not None
    if status_of(read_facts(folder)) == "finished":
        return correct(read_predictions(folder / "predictions-validation.safetensors"))
    recipe = context.recipe
    with own_process(recipe.deterministic):
        prepared = prepare(recipe, data=context.data, teacher=teacher_of(recipe.distillation))
        training = prepared.training
        if not checkpoint.restore(folder / "checkpoints", training, prepared.identity.key) or not training.best:
            raise RunError(f"{folder}: has no checkpoint of a whole epoch")
        training.classifier.load_state_dict(training.best)
        return correct(prepared.predictions(training.classifier, prepared.splits.validation))


def correct(predictions: Predictions) -> NDArray[np.bool_]:
    """Whether the largest logit is the label, for each image: bool [N]."""
    return np.asarray(predictions.logits.argmax(1) == predictions.labels, bool)
