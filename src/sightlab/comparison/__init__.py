"""Runs held against each other on the same test images: which is better, by how much, and how sure that is."""

from sightlab.comparison.differences import gain, mirrored
from sightlab.comparison.families import holm, ranks
from sightlab.comparison.intervals import spread
from sightlab.comparison.paired import bootstrap_interval, mcnemar
from sightlab.comparison.wording import sentence

__all__ = ["bootstrap_interval", "gain", "holm", "mcnemar", "mirrored", "ranks", "sentence", "spread"]
