"""Learning-rate range test: the loss while the learning rate rises (Smith 2017, "Cyclical learning rates", 3.3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sightlab.errors import RecipeError
from sightlab.training.loop import Tick
from sightlab.training.prepare import Prepared, stepper_of

SMOOTHING = 0.95
GIVE_UP_AT = 4.0


@dataclass(frozen=True)
class LRFinderResult:
    """What a range test saw.

    lrs: of each step. losses: the running mean of the steps' losses, exponentially weighted and corrected for its
    start (Kingma and Ba 2015, 3). suggestion: a tenth of the learning rate at the lowest loss, where the loss still
    falls fast and a step too large is some way off.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float


def find_lr(
    prepared: Prepared,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    tick: Callable[[Tick], None] | None = None,
) -> LRFinderResult:
    """Train for some steps while the learning rate rises from low to high, evenly in its logarithm.

    It ends early once the loss is four times its lowest, or no number. The training is used up by it. Raises
    RecipeError when low, high and steps make no range.
    """
    if not 0 < low < high or steps < 10:
        raise RecipeError(f"learning rates from {low:g} to {high:g} in {steps} steps are no range; 1e-5, 10, 100 are")
    training, batches = prepared.training, prepared.work.batches
    stepper = stepper_of(prepared)
    training.classifier.train()
    lrs: list[float] = []
    losses: list[float] = []
    running = 0.0
    try:
        for step in range(steps):
            lr = low * (high / low) ** (step / (steps - 1))
            for group in training.optimizer.param_groups:
                group["lr"] = group["initial_lr"] / prepared.recipe.optimizer.lr * lr
            training.optimizer.zero_grad(set_to_none=True)
            epoch, place = divmod(step, batches.steps)
            sums = stepper(training.classifier, epoch + 1, place)
            training.optimizer.step()
            loss = float(sums.loss) / len(batches.indices(epoch + 1, place))
            if not math.isfinite(loss):
                break
            running = SMOOTHING * running + (1 - SMOOTHING) * loss
            lrs.append(lr)
            losses.append(running / (1 - SMOOTHING ** (step + 1)))
            if tick:
                tick(Tick(1, step + 1, steps, loss, 0.0, 0.0))
            if losses[-1] > GIVE_UP_AT * min(losses):
                break
    finally:
        stepper.close()
    return LRFinderResult(tuple(lrs), tuple(losses), suggested(lrs, losses))


def suggested(lrs: list[float], losses: list[float]) -> float:
    """A tenth of the learning rate at the lowest loss, to two digits.

    >>> suggested([0.01, 0.1, 1.0], [2.0, 1.5, 1.8])
    0.01
    """
    if not lrs:
        raise RecipeError("the loss was no number at the lowest learning rate; a lower --low may help")
    return float(f"{lrs[losses.index(min(losses))] / 10:.2g}")
