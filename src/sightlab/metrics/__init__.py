"""Metrics of predictions: accuracy with its interval, per-class scores, calibration, label issues.

Everything is exact over the rows it is given. Ties between logits go to the lower class index, in every function of
this package. Logits must be finite: a NaN would otherwise count as a wrong or even a correct prediction.
"""

from sightlab.metrics.calibration import calibration_error, calibration_interval, reliability
from sightlab.metrics.checks import check_logits, check_matrix
from sightlab.metrics.diagnostics import constant_outputs, last_batch_accuracy
from sightlab.metrics.intervals import wilson_interval
from sightlab.metrics.label_issues import find_label_issues
from sightlab.metrics.per_class import (
    balanced_accuracy,
    class_scores,
    confusion_matrix,
    is_correct,
    macro_average,
    weighted_average,
    worst_confusions,
)
from sightlab.metrics.probability import brier_score, mean_cross_entropy, probabilities
from sightlab.metrics.ranking import mean_roc_auc, roc_auc, top_k_accuracy
from sightlab.metrics.scorecard import score, scorecard

__all__ = [
    "balanced_accuracy",
    "brier_score",
    "calibration_error",
    "calibration_interval",
    "check_logits",
    "check_matrix",
    "class_scores",
    "confusion_matrix",
    "constant_outputs",
    "find_label_issues",
    "is_correct",
    "last_batch_accuracy",
    "macro_average",
    "mean_cross_entropy",
    "mean_roc_auc",
    "probabilities",
    "reliability",
    "roc_auc",
    "score",
    "scorecard",
    "top_k_accuracy",
    "weighted_average",
    "wilson_interval",
    "worst_confusions",
]
