"""Metrics by name: functions of predictions that a recipe can ask for after every epoch and select by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sightlab.metrics.calibration import calibration_error
from sightlab.metrics.per_class import balanced_accuracy
from sightlab.metrics.probability import brier_score, mean_cross_entropy
from sightlab.metrics.ranking import mean_roc_auc, top_k_accuracy
from sightlab.records import Predictions


@dataclass(frozen=True)
class NamedMetric:
    """A function of predictions, and whether higher values are better."""

    function: Callable[[Predictions], float | None]
    higher_is_better: bool = True

    def __call__(self, predictions: Predictions) -> float:
        """The metric. Raises ValueError where it is not defined: the area under a curve without both kinds of image."""
        value = self.function(predictions)
        if value is None:
            raise ValueError("it is not defined for these predictions")
        return value


METRICS = {
    "accuracy": NamedMetric(lambda one: top_k_accuracy(one.logits, one.labels, 1)),
    "loss": NamedMetric(lambda one: mean_cross_entropy(one.logits, one.labels), higher_is_better=False),
    "top5": NamedMetric(lambda one: top_k_accuracy(one.logits, one.labels, 5)),
    "balanced_accuracy": NamedMetric(balanced_accuracy),
    "auc": NamedMetric(mean_roc_auc),
    "calibration_error": NamedMetric(calibration_error, higher_is_better=False),
    "brier": NamedMetric(brier_score, higher_is_better=False),
}
