"""Contracts: what a part of the user's own must do, checked on a small batch before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightlab.augment.counter_rng import CounterRNG
from sightlab.errors import RecipeError
from sightlab.models.builder import call_builder
from sightlab.models.output_check import check_output
from sightlab.optim.custom_schedules import given_schedule
from sightlab.parts.call import call_part, part_name
from sightlab.parts.instantiate import made
from sightlab.parts.user_code import described
from sightlab.records import Predictions
from sightlab.training.callbacks import Callback
from sightlab.training.losses import Loss

BATCH = 4


def check_loss(loss: Loss, classes: int, soft_targets: bool = False) -> None:
    """Raise RecipeError unless (logits float32 [B, classes], targets) gives a differentiable float [B].

    targets: int64 [B]; with soft_targets, as mixing makes them, float [B, classes].
    """
    logits = torch.linspace(-1, 1, BATCH * classes).view(BATCH, classes).requires_grad_()
    hard = torch.arange(BATCH) % classes
    targets = nn.functional.one_hot(hard, classes).float() if soft_targets else hard
    kind = f"targets float [{BATCH}, {classes}] of mixed images" if soft_targets else f"targets int64 [{BATCH}]"
    found = called("loss", loss, logits, targets, given=f"logits [{BATCH}, {classes}] and {kind}")
    check_tensor("loss", loss, found, (BATCH,), "the loss of each image, not their mean (reduction='none')")
    if not found.requires_grad:
        raise RecipeError(f"loss {part_name(loss)}: its value has no gradient; compute it from the logits with torch")


def check_augment(augment: Callable[..., Any], shape: tuple[int, int, int]) -> None:
    """Raise RecipeError unless (images uint8 [B, H, W, C], CounterRNG) gives images of that shape, the same each time.

    shape: (height, width, channels). A change that depends on anything but the images and the generator would not
    survive a resume, or another number of processes.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, *shape), dtype=np.uint8)
    rng = CounterRNG(1, 1, np.arange(BATCH))
    runs = []
    for _ in range(2):
        images = torch.from_numpy(pixels.copy())
        found = called("augment", augment, images, rng, given=f"uint8 {list(images.shape)} and a CounterRNG")
        check_tensor("augment", augment, found, tuple(images.shape), "images [B, H, W, C] with values from 0 to 255")
        runs.append(found.clone())
    if not torch.equal(*runs):
        raise RecipeError(
            f"augment {part_name(augment)}: two calls with the same images and generator differ; draw random numbers "
            "from the generator (rng.uniform('my name'), rng.integers(...)), not from torch or numpy"
        )
    single = augment(torch.from_numpy(pixels[1:2].copy()), CounterRNG(1, 1, np.arange(1, 2)))
    if not torch.equal(single, runs[0][1:2]):
        raise RecipeError(
            f"augment {part_name(augment)}: an image changes differently alone than in its batch; each image's change "
            "must follow from the image and its own numbers, so that batches may be shared by processes"
        )


def check_metric(metric: Callable[[Predictions], float]) -> None:
    """Raise RecipeError unless Predictions of two classes give a finite number."""
    logits = np.array([[2, 1], [0, 3], [0, 1], [1, 0]], np.float32)
    example = Predictions(logits, np.array([0, 0, 1, 1]), np.arange(4), ("a", "b"))
    found = called("metric", metric, example, given="Predictions of 4 images and 2 classes")
    try:
        finite = bool(np.isfinite(float(found)))
    except (TypeError, ValueError):
        finite = False
    if not finite:
        raise RecipeError(f"metric {part_name(metric)}: gave {found!r:.40}; a metric gives one finite number")


def check_optimizer(optimizer: Callable[..., Any]) -> None:
    """Raise RecipeError unless (param_groups, lr=...) gives a torch optimizer whose step moves weights."""
    net = nn.Linear(3, 2)
    groups = [{"params": [net.weight], "lr": 0.1}, {"params": [net.bias], "lr": 0.1}]
    found = called("optimizer", optimizer, groups, lr=0.1, given="two parameter groups and lr=0.1")
    if not isinstance(found, torch.optim.Optimizer):
        raise RecipeError(
            f"optimizer {part_name(optimizer)}: gave a {type(found).__name__}, not a torch.optim.Optimizer"
        )
    before = net.weight.detach().clone()
    net(torch.ones(4, 3)).square().sum().backward()
    found.step()
    if torch.equal(before, net.weight):
        raise RecipeError(f"optimizer {part_name(optimizer)}: its step moves no weight")


def check_callback(callback: Any) -> None:
    """Raise RecipeError unless it is a Callback and what it overrides exists in Callback."""
    if not isinstance(callback, Callback):
        raise RecipeError(f"callback {part_name(callback)}: not a sightlab.Callback; derive the class from it")
    for name in dir(type(callback)):
        if name.startswith("on_") and not hasattr(Callback, name):
            known = ", ".join(one for one in dir(Callback) if one.startswith("on_"))
            raise RecipeError(f"callback {part_name(callback)}: {name} is never called; there are {known}")


def called(slot: str, part: Callable[..., Any], *arguments: Any, given: str, **keywords: Any) -> Any:
    """What a part gives. Raises RecipeError where it raises. given: the arguments, in words."""
    try:
        return part(*arguments, **keywords)
    except Exception as error:
        raise RecipeError(f"{slot} {part_name(part)} fails on {given}: {described(error)}") from error


def check_tensor(slot: str, part: Any, found: Any, shape: tuple[int, ...], meaning: str) -> None:
    """Raise RecipeError unless a part gave a tensor of this shape. meaning: what it must be, in words."""
    if not isinstance(found, Tensor):
        raise RecipeError(f"{slot} {part_name(part)}: gave a {type(found).__name__}; it must give {meaning}")
    if tuple(found.shape) != shape:
        raise RecipeError(f"{slot} {part_name(part)}: gave {list(found.shape)}, not {list(shape)}: {meaning}")


def check_schedule(schedule: Any) -> None:
    """Raise RecipeError unless it gives a factor from 0 for every step of three epochs of ten steps."""
    factor = given_schedule(schedule, 10, 3)
    for step in range(30):
        factor(step)


def check_model(model: Any) -> None:
    """Raise ModelError unless it gives logits [N, 10] for images of 3 x 32 x 32, or of 1 x 28 x 28."""
    given = {"channels": 3, "classes": 10, "height": 32, "width": 32}
    net = model if isinstance(model, nn.Module) else call_builder(model, part_name(model), given, {})
    check_output(net, 3, 10, 32, 32, part_name(model))


SHAPE = (8, 8, 3)  # of the images that an augmentation is checked with
CHECKS: dict[str, tuple[Callable[[Any], None], str]] = {
    "model": (check_model, "gives logits [N, classes] for images [N, 3, 32, 32]"),
    "loss": (
        lambda part: check_loss(part, 10),
        "gives the loss of each image, float [B], with a gradient",
    ),
    "augment": (
        lambda part: check_augment(part, SHAPE),
        "gives images of the same shape; each a function of the image and its own random numbers",
    ),
    "optimizer": (check_optimizer, "takes parameter groups and lr, and moves weights"),
    "schedule": (check_schedule, "gives a factor from 0 for every step"),
    "metric": (check_metric, "gives one finite number for predictions"),
    "callback": (check_callback, "overrides methods that are called"),
}
# The names of the first arguments by which a function or a class with __call__ is told to be of a slot.
ARGUMENTS = {
    ("logits", "targets"): "loss",
    ("images", "rng"): "augment",
    ("predictions",): "metric",
    ("step", "total_steps"): "schedule",
    ("params", "lr"): "optimizer",
    ("param_groups", "lr"): "optimizer",
}
CLASSES: tuple[tuple[type, str], ...] = (
    (nn.Module, "model"),
    (torch.optim.Optimizer, "optimizer"),
    (torch.optim.lr_scheduler.LRScheduler, "schedule"),
    (Callback, "callback"),
)


def slot_of(part: Any) -> str | None:
    """The slot that a part is for, by its class or the names of its first arguments; None where these do not tell.

    A loss that is an nn.Module has a forward (logits, targets).

    >>> slot_of(lambda logits, targets: logits), slot_of(torch.optim.SGD), slot_of(lambda x: x)
    ('loss', 'optimizer', None)
    """
    kind = part if inspect.isclass(part) else type(part)
    call = kind.forward if issubclass(kind, nn.Module) else kind.__call__ if inspect.isclass(part) else part
    with suppress(TypeError, ValueError):
        names = tuple(name for name in inspect.signature(call).parameters if name != "self")
        for first, slot in ARGUMENTS.items():
            if names[: len(first)] == first:
                return slot
    return next((slot for base, slot in CLASSES if issubclass(kind, base)), None)


def check_part(slot: str, part: Any, options: Mapping[str, Any]) -> str:
    """What a part was found to do, in words. Raises RecipeError or ModelError for what its slot cannot use."""
    check, promise = CHECKS[slot]
    if slot in ("loss", "augment", "metric"):
        part = made(slot, part, options, 1 if slot == "metric" else 2)
    elif slot == "callback":
        part = call_part(slot, part_name(part), part, options) if inspect.isclass(part) else part
    elif options:
        part = partial(part, **options)
    check(part)
    return promise
