"""A run, or a comparison of runs, as one HTML file that opens anywhere: numbers, words, charts and pictures."""

from sightlab.report.writer import write_report

__all__ = ["write_report"]
