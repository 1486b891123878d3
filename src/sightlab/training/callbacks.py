"""Callbacks: code that runs at fixed points of a training, in the shape that users of Lightning and Keras know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sightlab.errors import RunError, one_line
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Predictions
from sightlab.training.state import Plan, Training

LOOK_EVERY = 20  # steps between two looks at what is on the device
NOTHING, STOP, PAUSE = range(3)  # what a callback can ask for; of several requests the higher one counts


class Paused(Exception):  # noqa: N818 - no error: the caller asked for it
    """The training stopped between two steps because it was asked to; it can be resumed from where it stands."""


class CallbackError(RunError):
    """A callback raised: which one, in which method, and what."""


@dataclass(frozen=True)
class Tick:
    """How far an epoch is, for a progress bar: images seen and in all, running loss and accuracy, images a second."""

    epoch: int
    done: int
    total: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass
class TrainingContext:
    """What a callback sees of a training, and what it can ask for.

    folder: the run's, None where nothing is kept. epoch: the one under way, from 1; in on_epoch_end the one that ended.
    record: the facts of the last epoch that ended in this session. predictions: on validation, of that epoch's
    weights. Both are None before the first. status: in on_train_end, how the session ended: finished, trained,
    interrupted or failed. step_loss: of the last step, the sum of its images' losses, float [] on the device.

    >>> class HalfWay(Callback):
    ...     def on_step_end(self, context):
    ...         if context.epoch == 3 and context.step == context.plan.steps_per_epoch // 2:
    ...             context.stop("half of the third epoch will do")
    """

    training: Training
    plan: Plan
    recipe: Recipe
    folder: Path | None = None
    epoch: int = 1
    record: Epoch | None = None
    predictions: Predictions | None = None
    status: str = ""
    request: int = NOTHING
    reason: str = ""
    step_loss: torch.Tensor = field(default_factory=lambda: torch.zeros(()))

    @property
    def model(self) -> nn.Module:
        """The network: takes float32 [N, C, H, W], gives logits [N, classes]."""
        net = self.classifier.net
        assert isinstance(net, nn.Module)
        return net

    @property
    def classifier(self) -> nn.Module:
        """The network with its preprocessing inside: takes uint8 [N, H, W, C], gives logits [N, classes]."""
        return self.training.classifier

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer. The schedule sets each group's lr before every step, from its initial_lr."""
        return self.training.optimizer

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.training.device

    @property
    def step(self) -> int:
        """Steps of the epoch under way that are done."""
        return self.training.step

    @property
    def history(self) -> tuple[Epoch, ...]:
        """The epochs that have ended, those of earlier sessions of the run too."""
        return tuple(self.training.history)

    @property
    def may_look(self) -> bool:
        """Whether this step is one after which the loop itself waits for the device: every 20th, and the last."""
        return self.training.step % LOOK_EVERY == 0 or self.training.step == self.plan.steps_per_epoch

    def progress(self) -> Tick:
        """How far the epoch is. This waits for the device: ask where may_look says so."""
        training = self.training
        done = self.plan.images_after(training.step)
        loss, accuracy = float(training.loss_sum) / max(done, 1), int(training.correct) / max(done, 1)
        return Tick(training.epoch, done, self.plan.images, loss, accuracy, done / max(training.seconds, 1e-9))

    def stop(self, reason: str = "a callback asked for it") -> None:
        """End the training cleanly: the epoch under way is cut short and validated, then the run is finalized."""
        self.request, self.reason = max(self.request, STOP), reason

    def pause(self) -> None:
        """Keep the run as it stands after this step and raise Paused; `sightlab train --resume` continues it."""
        self.request = PAUSE


class Callback:
    """Override what you need; every method does nothing here.

    state: plain JSON values and tensors under text keys, which checkpoints keep and a resumed run has back before
    on_train_start. changes_training: whether the trained weights depend on the callback; its fingerprint is then part
    of the run's identity. optional: whether an error drops the callback with a line instead of ending the run.

    >>> class GoodEnough(Callback):
    ...     def on_epoch_end(self, context):
    ...         if context.record.validation_accuracy > 0.99:
    ...             context.stop("99 % is enough")
    """

    state: dict[str, Any]
    changes_training: bool = True
    optional: bool = False

    def on_train_start(self, context: TrainingContext) -> None:
        """Before the first step of a session; a resumed run has its state and weights back."""

    def on_epoch_start(self, context: TrainingContext) -> None:
        """Before the first step of an epoch in this session; the network has just been put into training mode."""

    def on_step_end(self, context: TrainingContext) -> None:
        """After every step: the weights have moved. Reading a tensor's value here makes a GPU wait."""

    def on_epoch_end(self, context: TrainingContext) -> None:
        """After an epoch is validated, before its checkpoint is written; record and predictions are the epoch's."""

    def on_train_end(self, context: TrainingContext) -> None:
        """At the end of a session, however it ended; the folder is as complete as it will be."""

    def on_message(self, text: str) -> None:
        """A line for people: what was read, decided or left out."""

    def on_data_progress(self, done: int, total: int) -> None:
        """How many images are decoded, and how many there are; total is 0 where that is not known."""


@dataclass
class Watch(Callback):
    """Functions as a callback; each is optional.

    say: a line of text. epoch: an epoch's facts. tick: how far an epoch is, now and then. decoding: images decoded and
    in all. pause: asked after every step; when it says yes the run is kept and Paused raised.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     watch = Watch(epoch=lambda facts: print("epoch", facts.epoch))
    ...     run = sightlab.train(tiny, home=folder, callbacks=[watch])
    epoch 1
    """

    say: Callable[[str], None] = lambda _: None
    epoch: Callable[[Epoch], None] = lambda _: None
    tick: Callable[[Tick], None] | None = None
    decoding: Callable[[int, int], None] | None = None
    pause: Callable[[], bool] = lambda: False
    changes_training = False

    def on_step_end(self, context: TrainingContext) -> None:
        """See Callback."""
        if self.tick is not None and context.may_look:
            self.tick(context.progress())
        if self.pause():
            context.pause()

    def on_epoch_end(self, context: TrainingContext) -> None:
        """See Callback."""
        assert context.record is not None
        self.epoch(context.record)

    def on_message(self, text: str) -> None:
        """See Callback."""
        self.say(text)

    def on_data_progress(self, done: int, total: int) -> None:
        """See Callback."""
        if self.decoding is not None:
            self.decoding(done, total)


class Callbacks:
    """The callbacks of one training, called in their order.

    A callback that raises ends the training with a CallbackError that names it; an optional one is dropped instead,
    with a line for the others. Paused passes.

    >>> class Broken(Callback):
    ...     def on_message(self, text):
    ...         raise ValueError("no room")
    >>> Callbacks([Broken()]).message("hello")
    Traceback (most recent call last):
    sightlab.training.callbacks.CallbackError: callback Broken failed in on_message: ValueError: no room
    """

    def __init__(self, callbacks: Iterable[Callback] = ()) -> None:
        self.active: list[Callback] = []
        for one in callbacks:
            self.add(one)

    def add(self, callback: Callback) -> None:
        """Call one more, after the others."""
        if "state" not in vars(callback):
            callback.state = {}
        self.active.append(callback)

    def call(self, method: str, *arguments: object) -> None:
        """Call a method of every callback that overrides it."""
        for one in [one for one in self.active if getattr(type(one), method) is not getattr(Callback, method)]:
            try:
                getattr(one, method)(*arguments)
            except Paused:
                raise
            except Exception as error:
                what = one_line(error if isinstance(error, RunError) else f"{type(error).__name__}: {error}")
                if not one.optional:
                    raise CallbackError(f"callback {name_of(one)} failed in {method}: {what}") from error
                self.active.remove(one)
                self.message(f"callback {name_of(one)}: {what}; the run goes on without it")

    def message(self, text: str) -> None:
        """A line for people."""
        self.call("on_message", text)

    def data_progress(self, done: int, total: int) -> None:
        """How many images are decoded, and how many there are."""
        self.call("on_data_progress", done, total)

    def states(self) -> dict[str, dict[str, Any]]:
        """What each callback wants kept, by its key; those with nothing to keep are left out."""
        return {key: dict(one.state) for key, one in self.by_key().items() if one.state}

    def restore(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Give each callback its state back."""
        for key, one in self.by_key().items():
            if key in states:
                one.state = dict(states[key])

    def by_key(self) -> dict[str, Callback]:
        """The callbacks by class name, and by number where there are several of one class."""
        found: dict[str, Callback] = {}
        for one in self.active:
            name = name_of(one)
            count = sum(key.partition("#")[0] == name for key in found)
            found[f"{name}#{count + 1}" if count else name] = one
        return found


def name_of(callback: Callback) -> str:
    """What messages call a callback: the name of its class."""
    return type(callback).__qualname__
