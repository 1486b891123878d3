"""Learning-rate finder: the loss while the learning rate rises (Smith 2017, "Cyclical learning rates", 3.3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sightlab.errors import DivergedError, RecipeError
from sightlab.training import loop
from sightlab.training.callbacks import Callback, Callbacks, TrainingContext
from sightlab.training.prepare import Prepared

SMOOTHING = 0.95
GIVE_UP_AT = 4.0


@dataclass(frozen=True)
class LRFinderResult:
    """What a learning-rate finder saw.

    lrs: of each step. losses: the running mean of the steps' losses, exponentially weighted and corrected for its
    start (Kingma and Ba 2015, 3). suggestion: a tenth of the learning rate at the lowest loss, where the loss still
    falls fast and a step too large is some way off.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float


@dataclass
class LossRecorder(Callback):
    """Records learning rate and loss after every step, and stops once the loss is far above its lowest."""

    lr_of: Callable[[int], float]
    steps: int
    progress: Callable[[int, int], None]
    lrs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    running: float = 0.0

    def on_step_end(self, context: TrainingContext) -> None:
        """See Callback."""
        step, plan = len(self.lrs), context.plan
        images = plan.images_after(context.step) - plan.images_after(context.step - 1)
        loss = float(context.step_loss) / images
        if not math.isfinite(loss):
            context.stop()
            return
        self.running = SMOOTHING * self.running + (1 - SMOOTHING) * loss
        self.lrs.append(self.lr_of(step))
        self.losses.append(self.running / (1 - SMOOTHING ** (step + 1)))
        self.progress(step + 1, self.steps)
        if step + 1 == self.steps or self.losses[-1] > GIVE_UP_AT * min(self.losses):
            context.stop()


def find_lr(
    prepared: Prepared,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> LRFinderResult:
    """Train for some steps while the learning rate rises from low to high, evenly in its logarithm.

    These are the steps of the recipe itself, clipping and mixed precision included; only the schedule is another. It
    ends early once the loss is four times its lowest, or no number. The training is used up by it. Raises
    RecipeError when low, high and steps make no range.
    """
    if not 0 < low < high or steps < 10:
        raise RecipeError(f"learning rates from {low:g} to {high:g} in {steps} steps are no range; 1e-5, 10, 100 are")
    base = prepared.recipe.optimizer.lr

    def lr_of(step: int) -> float:
        return float(low * (high / low) ** (step / (steps - 1)))

    plan = replace(prepared.plan, schedule=lambda step: lr_of(step) / base, epochs=steps)
    recorder = LossRecorder(lr_of, steps, progress)
    context = TrainingContext(prepared.training, plan, prepared.recipe)
    gradients = prepared.gradient_step()
    try:
        while not context.request:
            for _ in loop.epochs(context, gradients, None, Callbacks([recorder])):
                pass
            prepared.training.start_epoch(prepared.training.epoch + 1)
    except DivergedError:
        pass  # what the test looks for
    finally:
        gradients.close()
    return LRFinderResult(tuple(recorder.lrs), tuple(recorder.losses), suggested(recorder.lrs, recorder.losses))


def suggested(lrs: list[float], losses: list[float]) -> float:
    """A tenth of the learning rate at the lowest loss, to two digits.

    >>> suggested([0.01, 0.1, 1.0], [2.0, 1.5, 1.8])
    0.01
    """
    if not lrs:
        raise RecipeError("the loss was no number at the lowest learning rate; a lower --low may help")
    return float(f"{lrs[losses.index(min(losses))] / 10:.2g}")
