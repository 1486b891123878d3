"""Predictions and their scores."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from sightlab.records.phrases import times

if TYPE_CHECKING:  # the command line imports this room, and must answer at once
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's predictions on a labelled split.

    logits: float32 [N, C], before softmax. labels: int64 [N]. index: int64 [N], each sample's place in its split.
    classes: C names.

    >>> import numpy as np
    >>> predictions = Predictions(np.zeros((3, 2), np.float32), np.array([0, 1, 1]), np.arange(3), ("cat", "dog"))
    >>> len(predictions)
    3
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Score:
    """A model's score on a whole labelled split.

    accuracy: in [0, 1]; interval: its 95 % Wilson interval. loss: mean cross-entropy in nats. top5: share of
    images whose label is among the five largest logits, None where there are five classes or fewer.
    openings: how often this run has opened this test split, None for a split that is not sealed.

    >>> print(Score(0.9, 0.3, 1000, 900, (0.8799, 0.9171)))
    90.00% (95 % interval 87.99% to 91.71%, n = 1,000)
    >>> print(Score(0.9, 0.3, 1000, 900, (0.8799, 0.9171), openings=2))
    90.00% (95 % interval 87.99% to 91.71%, n = 1,000, opened twice)
    """

    accuracy: float
    loss: float
    count: int
    correct: int
    interval: tuple[float, float]
    top5: float | None = None
    openings: int | None = None

    def __str__(self) -> str:
        low, high = self.interval
        opened = "" if self.openings is None else f", opened {times(self.openings)}"
        return f"{self.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}, n = {self.count:,}{opened})"

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """The score that `to_json` wrote."""
        values = {f.name: facts.get(f.name) for f in fields(cls)} | {"interval": tuple(facts["interval"])}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"interval": list(self.interval)}

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(str(self))}</b><br>loss {self.loss:.4f}</p>"


@dataclass(frozen=True)
class ClassScore:
    """One class's scores. precision, recall and f1 in [0, 1]; 0 where undefined. support: images of the class.

    interval: the 95 % Wilson interval of the recall, which is the accuracy on the class; None without images.

    >>> ClassScore("cat", precision=0.5, recall=1.0, f1=2 / 3, support=4).name
    'cat'
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Averages:
    """Precision, recall and F1 over the classes, each in [0, 1]: plain means (macro) or by the classes' images.

    Classes that have no images and were never predicted are left out.

    >>> Averages(precision=0.8, recall=0.75, f1=0.77).recall
    0.75
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions whose confidence, the probability of the predicted class, lies in one bin.

    low, high: the bin, [low, high) in [0, 1]; the last bin holds 1 too. count: predictions in it. confidence: their
    mean; accuracy: the share of them that is correct; interval: its 95 % Wilson interval. All three are None for an
    empty bin.

    >>> one = ReliabilityBin(0.8, 0.9, 10, confidence=0.85, accuracy=0.7, interval=(0.3968, 0.8922))
    >>> f"{one.confidence - one.accuracy:+.2f}"  # overconfident
    '+0.15'
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Scorecard:
    """Everything that is measured of predictions on a labelled split.

    score: accuracy, interval, top 5, loss. classes: a ClassScore each. macro, weighted: averages over the classes.
    balanced_accuracy: mean recall of the classes that have images. auc: mean one-vs-rest area under the ROC curve of
    the classes that have images and lack some, None where there is no such class. calibration_error: expected
    calibration error of the top answer, 15 bins, in [0, 1]. brier: mean squared distance of the probabilities from the
    truth over all classes, in [0, 2].
    """

    score: Score
    classes: tuple[ClassScore, ...]
    macro: Averages
    weighted: Averages
    balanced_accuracy: float
    auc: float | None
    calibration_error: float
    brier: float


@dataclass(frozen=True)
class Answer:
    """What a model took one picture for.

    file: the picture's file, or the table and its row (from 1) as `x.csv:3`. probability: of the predicted class, in
    [0, 1]. top: the most probable classes with their probabilities, the predicted one first. id: what a submission
    calls the picture: its own id in a table or a list, a row's number, or the file's name without its suffix.
    own_id: whether the id is the table's or the list's own. set: where a coverage was asked for, classes that hold the
    true one with that probability, the most probable first.

    >>> Answer("a.png", "cat", 0.9, (("cat", 0.9), ("dog", 0.1))).to_json()["class"]
    'cat'
    """

    file: str
    predicted: str
    probability: float
    top: tuple[tuple[str, float], ...]
    id: str = ""
    own_id: bool = False
    set: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON; the id where it is the source's own, the set where there is one."""
        top = [{"class": name, "probability": share} for name, share in self.top]
        own = {"id": self.id} if self.own_id else {}
        several = {} if self.set is None else {"set": list(self.set)}
        answer = {"file": self.file, **own, "class": self.predicted, "probability": self.probability, "top": top}
        return answer | several
