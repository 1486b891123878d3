"""All metrics of a split's predictions: the score, and the full scorecard."""

from __future__ import annotations

from sightlab.metrics.calibration import calibration_error
from sightlab.metrics.checks import check_predictions
from sightlab.metrics.intervals import wilson_interval
from sightlab.metrics.per_class import balanced_accuracy, class_scores, is_correct, macro_average, weighted_average
from sightlab.metrics.probability import brier_score, mean_cross_entropy
from sightlab.metrics.ranking import mean_roc_auc, top_k_accuracy
from sightlab.records import Predictions, Score, Scorecard


def score(predictions: Predictions, openings: int | None = None) -> Score:
    """Accuracy with its 95 % Wilson interval, mean cross-entropy and, for more than five classes, top-5 accuracy.

    openings: how often a sealed test split has been opened, for the Score.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> import numpy as np
    >>> logits = np.array([[2, 1], [0, 3], [0, 1]], np.float32)
    >>> print(score(Predictions(logits, np.array([0, 0, 1]), np.arange(3), ("cat", "dog"))))
    66.67% (95 % interval 20.77% to 93.85%, n = 3)
    """
    check_predictions(predictions)
    logits, labels, count = predictions.logits, predictions.labels, len(predictions)
    correct = int(is_correct(predictions).sum())
    return Score(
        accuracy=correct / count,
        loss=mean_cross_entropy(logits, labels),
        count=count,
        correct=correct,
        interval=wilson_interval(correct, count),
        top5=top_k_accuracy(logits, labels, 5) if len(predictions.classes) > 5 else None,
        openings=openings,
    )


def scorecard(predictions: Predictions, openings: int | None = None) -> Scorecard:
    """Every metric of predictions on a labelled split; see the record `Scorecard` for each.

    openings: how often a sealed test split has been opened, for the Score.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> import numpy as np
    >>> logits = np.array([[2, 1], [0, 3], [0, 1]], np.float32)
    >>> card = scorecard(Predictions(logits, np.array([0, 0, 1]), np.arange(3), ("cat", "dog")))
    >>> card.balanced_accuracy, card.auc, card.macro.recall
    (0.75, 0.5, 0.75)
    """
    scores = class_scores(predictions)
    return Scorecard(
        score=score(predictions, openings),
        classes=tuple(scores),
        macro=macro_average(predictions),
        weighted=weighted_average(predictions),
        balanced_accuracy=balanced_accuracy(predictions),
        auc=mean_roc_auc(predictions),
        calibration_error=calibration_error(predictions),
        brier=brier_score(predictions),
    )
