"""A training's facts: its epochs, and the run they make."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from sightlab.records.scores import Score

KEPT_LATER = ("dead_outputs", "last_batch_accuracy", "metrics")  # facts of an epoch that older records do not have


@dataclass(frozen=True)
class Epoch:
    """One epoch's facts.

    epoch: from 1. Losses: in nats; accuracies: shares in [0, 1]; both over every image of the split (train: each image
    as augmented, with the weights of its step). validation_loss: mean cross-entropy. train_loss: mean of the loss that
    is minimised, which differs with smoothed or mixed labels, bce or a teacher. lr: of the epoch's last step.
    seconds: training and validation together. images_per_second: training alone. best: validation so far.
    dead_outputs: classes whose logit is the same for every validation image.
    last_batch_accuracy: over the last batch of validation alone, what a loop that forgets to sum would report; never
    used. Both are None in epochs from before they were kept. metrics: those of validation that the recipe asks for
    beside these, by name.

    >>> epoch = Epoch(1, 0.9, 0.7, 0.8, 0.75, 0.1, 12.0, 800.0, True)
    >>> Epoch.from_json(epoch.to_json()) == epoch
    True
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float
    images_per_second: float
    best: bool
    dead_outputs: int | None = None
    last_batch_accuracy: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """The epoch that `to_json` wrote. Raises KeyError for a fact that is missing and was always kept."""
        later = set(KEPT_LATER) - set(facts)
        return cls(**{f.name: facts[f.name] for f in fields(cls) if f.name not in later})

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON or CSV."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """One recipe with one seed, trained: what its folder says.

    folder holds recipe.yaml, environment.json, metrics.csv, bundle/, checkpoints/, predictions and pictures.
    validation and test are scores of the checkpoint that validation chose; test is None until the run has ended.
    test_flips: of each test image and its mirror image together, where the recipe asks for it; never instead of test.
    seconds: training and validation, over all sittings of the run.

    >>> place = Path("runs/3fa2c1-demo")
    >>> run = Run(place.name, place, "demo", "0" * 16, "cnn", 889_354, (), 0, None, None, 0.0, 0.0)
    >>> run.to_json()["model"], run.to_json()["test"]
    ('cnn', None)
    """

    id: str
    folder: Path
    recipe: str
    recipe_hash: str
    model: str
    parameters: int
    epochs: tuple[Epoch, ...]
    best_epoch: int
    validation: Score | None
    test: Score | None
    seconds: float
    images_per_second: float
    test_flips: Score | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts that `sightlab train --json` prints."""
        best = next((e for e in self.epochs if e.epoch == self.best_epoch), None)
        validation = {"accuracy": best.validation_accuracy, "loss": best.validation_loss} if best else None
        test = self.test.to_json() if self.test else None
        flips = {"test_flips": self.test_flips.to_json()} if self.test_flips else {}
        return {
            "run": self.id,
            "folder": str(self.folder),
            "recipe": self.recipe,
            "recipe_hash": self.recipe_hash,
            "model": self.model,
            "parameters": self.parameters,
            "epochs": len(self.epochs),
            "best_epoch": self.best_epoch,
            "validation": validation,
            "test": test,
            **flips,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
        }

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{e.epoch}{' ★' if e.best else ''}</td><td>{e.train_loss:.4f}</td>"
            f"<td>{e.train_accuracy:.2%}</td><td>{e.validation_loss:.4f}</td><td>{e.validation_accuracy:.2%}</td></tr>"
            for e in self.epochs
        )
        test = html.escape(str(self.test)) if self.test else "not yet opened"
        return (
            f"<h4>Run {html.escape(self.id)}: {html.escape(self.model)}, {self.parameters:,} parameters</h4>"
            f"<p>test accuracy <b>{test}</b></p>"
            "<table><tr><th>epoch</th><th>train loss</th><th>train accuracy</th><th>validation loss</th>"
            f"<th>validation accuracy</th></tr>{rows}</table>"
        )


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(8.2), duration(95), duration(4000)
    ('8 s', '1:35 min', '1:06 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """An epoch's facts in a line. epochs: how many the training has."""
    metrics = "".join(f"{name} {value:.4f}  " for name, value in epoch.metrics.items())
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  "
        f"train {epoch.train_loss:.4f} {epoch.train_accuracy:7.2%}  "
        f"validation {epoch.validation_loss:.4f} {epoch.validation_accuracy:7.2%}  {metrics}"
        f"lr {epoch.lr:.3g}  {epoch.seconds:.1f} s  {epoch.images_per_second:,.0f} images/s"
        f"{'  best' if epoch.best else ''}"
    )
