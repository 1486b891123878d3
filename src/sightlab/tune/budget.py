"""The budget of a search: time, or epochs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sightlab.errors import StudyError
from sightlab.records import duration
from sightlab.report.phrases import counted

UNITS = {"h": 3600, "m": 60, "s": 1}
TIME = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?")


@dataclass(frozen=True)
class Budget:
    """What a search may take in all. seconds: of wall time; epochs: the sum over all its trainings.

    >>> str(Budget(seconds=1800)), str(Budget(epochs=40)), str(Budget())
    ('30:00 min', '40 epochs', 'no limit')
    """

    seconds: float | None = None
    epochs: int | None = None

    def __str__(self) -> str:
        if self.seconds is not None:
            return duration(self.seconds)
        return counted(self.epochs, "epoch") if self.epochs is not None else "no limit"

    def left(self, seconds: float, epochs: int) -> str:
        """What is left after so much has been used, in words; "" where there is no limit."""
        if self.seconds is not None:
            return f"{duration(max(0.0, self.seconds - seconds))} left"
        return f"{counted(max(0, self.epochs - epochs), 'epoch')} left" if self.epochs is not None else ""


def parse_budget(text: str | None) -> Budget:
    """The budget that a text means: 30m, 2h, 1h30m, 90s, 40epochs, none; None is no limit either. Raises StudyError.

    >>> parse_budget("1h30m").seconds, parse_budget("40epochs").epochs
    (5400.0, 40)
    """
    if text is None or text.strip() == "none":
        return Budget()
    word = text.strip().replace(" ", "")
    epochs = re.fullmatch(r"(\d+)epochs?", word)
    if epochs:
        if int(epochs[1]) < 1:
            raise StudyError(f"--budget {text}: shorter than one epoch; at least 1epoch is needed")
        return Budget(epochs=int(epochs[1]))
    times = TIME.fullmatch(word)
    if not word or times is None:
        raise StudyError(f"--budget {text}: neither a time nor a number of epochs; use 30m, 2h, 1h30m or 40epochs")
    seconds = sum(UNITS[unit] * float(count) for unit, count in times.groupdict().items() if count is not None)
    if seconds <= 0:
        raise StudyError(f"--budget {text}: shorter than one epoch; give more, such as 30m")
    return Budget(seconds=seconds)


def check_budget(budget: Budget, epoch_seconds: float) -> None:
    """Raise StudyError for a time in which not even one epoch ends. epoch_seconds: of the cheapest epoch, predicted."""
    if budget.seconds is not None and budget.seconds < epoch_seconds:
        raise StudyError(
            f"--budget {duration(budget.seconds)}: shorter than one epoch, which takes about {duration(epoch_seconds)} "
            f"in the cheapest trial; give more than {duration(2 * epoch_seconds)}"
        )
