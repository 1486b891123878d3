"""Frozen facts that pass between the rooms. Nothing here computes with images, trains or draws."""

from sightlab.records.comparisons import Agreement, ClassChange, Difference, RankedCandidate, Spread
from sightlab.records.run import Epoch, Run, duration, epoch_line
from sightlab.records.scores import Answer, Averages, ClassScore, Predictions, ReliabilityBin, Score, Scorecard

__all__ = [
    "Agreement",
    "Answer",
    "Averages",
    "ClassChange",
    "ClassScore",
    "Difference",
    "Epoch",
    "Predictions",
    "RankedCandidate",
    "ReliabilityBin",
    "Run",
    "Score",
    "Scorecard",
    "Spread",
    "duration",
    "epoch_line",
]
