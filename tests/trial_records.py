"""Trials of a search, made up for its charts."""

from sightlab.charts import ParameterAxis, TrialSummary
from sightlab.records import Epoch

AXES = (
    ParameterAxis("lr", ((0.0, "0.001"), (0.5, "0.01"), (1.0, "0.1"))),
    ParameterAxis("model", ((0.0, "cnn"), (1.0, "a model with quite a long name"))),
    ParameterAxis("batch_size", ((0.0, "32"), (1 / 3, "64"), (2 / 3, "128"), (1.0, "256"))),
)


def trial_summaries(count: int) -> list[TrialSummary]:
    """So many trials, the later the better; every third one ended early, the first failed."""
    found = [TrialSummary("failed", None, None, "failed")]
    for number in range(1, count):
        early = number % 3 == 0
        epochs = tuple(
            Epoch(n, 2.0, 0.3, 2.0 / (n + number), 0.5 + n / 100, 0.1, 1.0, 100.0, True)
            for n in range(1, 3 if early else 10)
        )
        shares = (number / count, float(number % 2), (number % 4) / 3)
        ended = "pruned" if early else "complete"
        found.append(
            TrialSummary(f"trial {number}", 0.5 + number / 100, count - number, ended, 3.0 * number, epochs, shares)
        )
    return found
