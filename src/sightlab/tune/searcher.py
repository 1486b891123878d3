"""What every search method implements: which trial is next, and whether one continues from a rung.

The driver of a search keeps the searcher in memory and tells it everything; when a search is resumed a new one is told
the record again, in the same order. So every proposal is a function of the plan's seed, the trial's number and what was
known by then, whichever process makes it.
"""

from __future__ import annotations

from typing import Any, Protocol

from sightlab.tune.space import Values


class Searcher(Protocol):
    """Proposes trials, and is told how they do."""

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """The values of trial `number`, counted from 0; None where the space has no more.

        known: the values that the record has for it already.
        """

    def report(self, number: int, rung: int, value: float) -> bool:
        """Whether a trial continues from a rung. rung: its place, from 0; value: of the metric there."""

    def tell(self, number: int, value: float | None) -> None:
        """A trial has ended with this value; None for one that failed."""

    def stop(self, number: int) -> None:
        """A trial was ended early; what it reported is all that is known of it."""

    def promotable(self, total: int | None) -> list[int]:
        """Trials that were ended early and are to continue, given what is known by now; the next one first.

        total: how many trials there will be in all; None where that is not known.
        """

    def promote(self, number: int) -> None:
        """A trial continues from a rung, at once or later."""
