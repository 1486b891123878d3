"""Predictions into numbers: accuracy with its interval, scores of each class, calibration, suspect labels.

Everything is exact over the rows it is given. Ties between logits go to the class of the lower number, here and in
every function of this room. Logits must be finite: a NaN would otherwise count as a wrong or even a right answer.
"""

from sightlab.metrics.calibration import calibration_error, reliability
from sightlab.metrics.checks import check_logits, check_matrix
from sightlab.metrics.diagnostics import constant_outputs, last_batch_accuracy
from sightlab.metrics.intervals import wilson_interval
from sightlab.metrics.label_issues import label_suspects
from sightlab.metrics.per_class import (
    balanced_accuracy,
    class_scores,
    confusion_matrix,
    macro_average,
    right_answers,
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
    "check_logits",
    "check_matrix",
    "class_scores",
    "confusion_matrix",
    "constant_outputs",
    "label_suspects",
    "last_batch_accuracy",
    "macro_average",
    "mean_cross_entropy",
    "mean_roc_auc",
    "probabilities",
    "reliability",
    "right_answers",
    "roc_auc",
    "score",
    "scorecard",
    "top_k_accuracy",
    "weighted_average",
    "wilson_interval",
    "worst_confusions",
]
