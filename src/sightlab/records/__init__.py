"""Frozen facts that pass between the rooms. Nothing here computes with images, trains or draws."""

from sightlab.records.gains import Agreement, ClassChange, Contender, Gain, Spread
from sightlab.records.runs import Epoch, Run, duration
from sightlab.records.scores import Answer, Averages, ClassScore, Predictions, ReliabilityBin, Score, Scorecard

__all__ = [
    "Agreement",
    "Answer",
    "Averages",
    "ClassChange",
    "ClassScore",
    "Contender",
    "Epoch",
    "Gain",
    "Predictions",
    "ReliabilityBin",
    "Run",
    "Score",
    "Scorecard",
    "Spread",
    "duration",
]
