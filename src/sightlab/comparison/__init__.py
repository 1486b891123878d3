"""Comparisons of runs on the same test images: which is better, by how much, and how certain that is."""

from sightlab.comparison.difference import difference, mirrored
from sightlab.comparison.multiple_testing import holm, ranks
from sightlab.comparison.paired import bootstrap_interval, mcnemar
from sightlab.comparison.seed_interval import spread
from sightlab.comparison.sentences import sentence

__all__ = ["bootstrap_interval", "difference", "holm", "mcnemar", "mirrored", "ranks", "sentence", "spread"]
