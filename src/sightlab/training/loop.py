"""The training loop, in sight: it moves a `Training` forward, step by step, and yields the facts of each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from sightlab.errors import DivergedError, MetricError, one_line
from sightlab.metrics import constant_outputs, last_batch_accuracy, mean_cross_entropy, top_k_accuracy
from sightlab.records import Epoch, Predictions
from sightlab.training.callbacks import NOTHING, PAUSE, STOP, Callbacks, Paused, TrainingContext
from sightlab.training.state import Metric, Plan, Training
from sightlab.training.step import GradientStep

Validate = Callable[[nn.Module], Predictions]


def epochs(
    context: TrainingContext, steps: GradientStep, validate: Validate | None, callbacks: Callbacks
) -> Iterator[Epoch]:
    """Train from where the training stands to the plan's end; yield each epoch's facts once it is validated.

    When an epoch is yielded the training stands at the start of the next one, ready to be kept. After every step the
    callbacks are called; where one asks for a pause, Paused is raised with the training between two steps, just as
    ready; where one asks for a stop, the epoch is cut short and is the last. Without `validate` the first epoch that
    ends is the last, and nothing is yielded.
    Raises DivergedError when a loss is not a finite number, naming epoch, step and learning rate; CallbackError.
    """
    training, plan = context.training, context.plan
    optimizer, scaler = training.optimizer, training.scaler
    gradients = steps.gradients
    while not is_over(training, plan):
        context.epoch = training.epoch
        training.classifier.train()
        callbacks.call("on_epoch_start", context)
        earlier, started = training.seconds, time.perf_counter()
        while training.step < plan.steps_per_epoch:
            step = (training.epoch - 1) * plan.steps_per_epoch + training.step
            factor = plan.schedule(step)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            optimizer.zero_grad(set_to_none=True)
            sums = gradients(training.classifier, training.epoch, training.step)
            if plan.clip_norm is not None:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(training.classifier.parameters(), plan.clip_norm)
            scaler.step(optimizer)
            scaler.update()
            if training.averages:
                training.averages.update(step)
            training.add_step(sums.loss, sums.correct)
            training.seconds = earlier + time.perf_counter() - started
            if context.may_look:
                check_finite(training)
            context.step_loss = sums.loss
            callbacks.call("on_step_end", context)
            if request := steps.agreed(context.request, training.step):
                context.request = request
                break
        if context.request == PAUSE:
            raise paused(context)
        if validate is None:
            return
        record = end_epoch(context, validate, callbacks)
        if request := steps.agreed(context.request, plan.steps_per_epoch):
            training.stopped = context.reason if request == STOP else ""
            context.request = request
        yield record
        if context.request == PAUSE:
            raise paused(context)


def paused(context: TrainingContext) -> Paused:
    """The exception for a pause that was asked for; the request is met by it."""
    context.request = NOTHING
    return Paused()


def is_over(training: Training, plan: Plan) -> bool:
    """Whether there is nothing left to train: all epochs are done, patience has run out, or a callback said stop."""
    return training.epoch > plan.epochs or bool(training.stopped) or out_of_patience(training.history, plan.early_stop)


def end_epoch(context: TrainingContext, validate: Validate, callbacks: Callbacks) -> Epoch:
    """Validate the epoch under way, keep its weights if they are the best, and start the next one."""
    training, plan = context.training, context.plan
    check_finite(training)
    started, images = time.perf_counter(), plan.images_after(training.step)
    with training.averages.averaged() if training.averages else nullcontext():
        predictions = validate(training.classifier)
        if not np.isfinite(predictions.logits).all():
            raise diverged(training, "validation", training.step)
        record = Epoch(
            epoch=training.epoch,
            train_loss=float(training.loss_sum) / images,
            train_accuracy=int(training.correct) / images,
            validation_loss=mean_cross_entropy(predictions.logits, predictions.labels),
            validation_accuracy=top_k_accuracy(predictions.logits, predictions.labels, 1),
            lr=training.optimizer.param_groups[0]["lr"],
            seconds=training.seconds,
            images_per_second=images / training.seconds,
            best=False,
            dead_outputs=constant_outputs(predictions.logits),
            last_batch_accuracy=last_batch_accuracy(predictions, plan.batch_size),
            metrics=measured(plan.metrics, predictions),
        )
        best = plan.is_best(record, training.history)
        if best:
            training.best = {name: value.clone() for name, value in training.classifier.state_dict().items()}
    seconds = training.seconds + time.perf_counter() - started
    record = replace(record, best=best, seconds=seconds)
    training.history.append(record)
    training.start_epoch(training.epoch + 1)
    if observe := getattr(plan.schedule, "observe", None):
        observe(plan.selected(record)[0])
    context.record, context.predictions = record, predictions
    callbacks.call("on_epoch_end", context)
    return record


def measured(metrics: Mapping[str, Metric], predictions: Predictions) -> dict[str, float]:
    """The metrics of predictions, by name. Raises MetricError for one that fails or is not a finite number."""
    values = {}
    for name, metric in metrics.items():
        try:
            values[name] = float(metric(predictions))
        except Exception as error:
            raise MetricError(f"metric {name} failed: {type(error).__name__}: {one_line(error)}") from error
        if not math.isfinite(values[name]):
            raise MetricError(f"metric {name} is {values[name]} on validation; a metric must be a finite number")
    return values


def check_finite(training: Training) -> None:
    """Raise DivergedError if a step of the epoch had a loss that is no finite number. This waits for the device."""
    if (bad := int(training.first_bad)) >= 0:
        raise diverged(training, "training", bad + 1)


def out_of_patience(history: list[Epoch], early_stop: int | None) -> bool:
    """Whether the last `early_stop` epochs brought nothing better."""
    best = max((e.epoch for e in history if e.best), default=0)
    return early_stop is not None and bool(history) and history[-1].epoch - best >= early_stop


def diverged(training: Training, split: str, step: int) -> DivergedError:
    """The error for a loss that is no number, with the place and what would help."""
    lr = training.optimizer.param_groups[0]["lr"]
    return DivergedError(
        f"the {split} loss is not a finite number: epoch {training.epoch}, step {step}, learning rate {lr:.4g}; "
        "a lower lr, warmup_epochs=1 or clip_norm=1 may help"
    )
