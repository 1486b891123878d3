"""sightlab's own training loop, some steps at a time, without validation."""

from __future__ import annotations

from contextlib import suppress

from sightlab.training import loop
from sightlab.training.callbacks import Callback, Callbacks, Paused, TrainingContext
from sightlab.training.prepare import Prepared


class OwnLoop(Callback):
    """The loop of a prepared training; call `close` at the end."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.steps = prepared.gradient_step()
        self.until = 0

    def train(self, steps: int) -> int:
        """So many more steps, at most to the end of the epoch; how many images they saw."""
        training, plan = self.prepared.training, self.prepared.plan
        if training.step == plan.steps_per_epoch:
            training.start_epoch(training.epoch + 1)
        before = plan.images_after(training.step)
        self.until = min(plan.steps_per_epoch, training.step + steps)
        context = TrainingContext(training, plan, self.prepared.recipe)
        with suppress(Paused):
            for _ in loop.epochs(context, self.steps, None, Callbacks([self])):
                pass
        return plan.images_after(training.step) - before

    def on_step_end(self, context: TrainingContext) -> None:
        """Stop there."""
        if context.step >= self.until:
            context.pause()

    def close(self) -> None:
        """End the processes that share the batches."""
        self.steps.close()
