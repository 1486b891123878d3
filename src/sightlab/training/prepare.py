"""From a recipe to a training that is ready to start: data, model, optimizer and plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from sightlab.augment.pipeline import Augmentation, Mixing, augmentation, mixing
from sightlab.data.batches import Batches
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.load import load_data
from sightlab.data.splits import Splits, as_splits
from sightlab.errors import RecipeError
from sightlab.inference import predictions
from sightlab.metrics.registry import METRICS
from sightlab.models import build, check_name, freeze_parts, parameter_count
from sightlab.models.classifier import Classifier
from sightlab.models.output_check import check_output
from sightlab.optim.averaging import EMA, Lookahead, WeightAverage, falling_alpha
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.schedules import build_schedule
from sightlab.parts.instantiate import made, named
from sightlab.recipes import part_groups
from sightlab.recipes.part_groups import AveragingKeys, CustomLoss, LossKeys
from sightlab.recipes.schema import Augment, Data, Distillation, Model, Recipe
from sightlab.records import Epoch, Predictions
from sightlab.records.identity import Identity
from sightlab.training import distributed
from sightlab.training.callbacks import Callbacks, TrainingContext
from sightlab.training.contracts import check_augment, check_loss
from sightlab.training.device import choose_device, threads
from sightlab.training.distillation import Distilling, Teacher, distilling, remarks
from sightlab.training.distributed import DistributedStep, Place
from sightlab.training.identity import called, identity_of
from sightlab.training.loop import end_epoch
from sightlab.training.losses import LOSSES, cross_entropy, in_one_operation
from sightlab.training.losses import Loss as LossFunction
from sightlab.training.shared_memory import SharedMemoryReplicas
from sightlab.training.state import Metric, Plan, Training
from sightlab.training.step import GradientStep, SingleProcess, StepConfig, batch_of

Say = Callable[[str], None]
OwnData = Splits | ImageSet | Mapping[str, ImageSet]


@dataclass(frozen=True)
class GivenParts:
    """Objects from Python that stand for what a recipe names; None, or an empty sequence, leaves the recipe's own.

    docs/extending.md says what each must be.
    """

    model: nn.Module | None = None
    loss: Any = None
    augment: Any = None
    optimizer: Any = None
    schedule: Any = None
    metrics: Sequence[Any] = ()
    callbacks: Sequence[Any] = ()

    def given(self) -> dict[str, Any]:
        """The objects by their slot, None where there is none; what `identity_of` takes."""
        one = ("model", "loss", "augment", "optimizer", "schedule")
        several = {"metric": list(self.metrics) or None, "callback": list(self.callbacks) or None}
        return {slot: getattr(self, slot) for slot in one} | several


@dataclass(frozen=True)
class Prepared:
    """A training ready to start, and what it was made from.

    splits: the data, the test split sealed. training: network, optimizer and all else that changes. plan: what the loop
    is to do. config: what every step needs. image_loss: the loss of each image. mean, std: of the training images, a
    channel each. identity: by which this training is resumed, reused and compared. teacher: None for none.

    Your own loop, where `sightlab.train` does not do what you need (docs/extending.md):

    >>> import sightlab
    >>> prepared = sightlab.prepare(sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1))
    >>> for images, targets in prepared.batches(epoch=1):
    ...     loss = prepared.loss(prepared.classifier(images), targets).mean()
    ...     prepared.optimizer.zero_grad()
    ...     loss.backward()
    ...     prepared.optimizer.step()
    >>> prepared.validate().epoch
    1
    """

    recipe: Recipe
    splits: Splits
    training: Training
    plan: Plan
    config: StepConfig
    place: Place
    model: str
    parameters: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    identity: Identity
    image_loss: LossFunction = cross_entropy
    teacher: Teacher | None = None

    @property
    def processes(self) -> int:
        """How many processes share each batch."""
        return max(self.place.processes, self.recipe.processes)

    @property
    def classifier(self) -> nn.Module:
        """The network with its preprocessing inside: takes uint8 or float [B, H, W, C], gives logits [B, classes]."""
        return self.training.classifier

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer over the network's parameters."""
        return self.training.optimizer

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """An epoch's batches for a loop of your own, augmented and mixed, on the device, each image once.

        Gives (images: uint8 or float [B, H, W, C] with values from 0 to 255, targets: int64 [B], or float [B, classes]
        where images are mixed). Before each, the optimizer's learning rate is set as the schedule says, and the network
        is in training mode. epoch: from 1; the same epoch gives the same batches.
        """
        self.training.start_epoch(epoch)
        self.classifier.train()
        started = time.perf_counter()
        for step in range(self.plan.steps_per_epoch):
            factor = self.plan.schedule((epoch - 1) * self.plan.steps_per_epoch + step)
            for group in self.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            indices = self.config.batches.indices(epoch, step)
            images, targets, _ = batch_of(self.config, indices, 0, len(indices), epoch, self.training.device)
            yield images, targets
            self.training.seconds = time.perf_counter() - started

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The recipe's loss of each image, float [B], added to the epoch's sums: call it once a step.

        logits: float [B, classes]. targets: as `batches` gives them.
        """
        losses = self.image_loss(logits, targets)
        with torch.no_grad():
            labels = targets if targets.ndim == 1 else targets.argmax(1)
            self.training.add_step(losses.detach().sum(), (logits.argmax(1) == labels).sum())
        return losses

    def validate(self) -> Epoch:
        """End the epoch: measure the validation split, keep the weights if they are the best so far; its facts."""
        context = TrainingContext(self.training, self.plan, self.recipe, epoch=self.training.epoch)
        return end_epoch(context, self.validation, Callbacks())

    def validation(self, classifier: nn.Module) -> Predictions:
        """The predictions of a classifier on the validation split."""
        return self.predictions(classifier, self.splits.validation)

    def predictions(self, classifier: nn.Module, images: ImageSet) -> Predictions:
        """The logits of a whole split, by all processes there are."""
        device = self.training.device
        if self.place.processes > 1:
            return distributed.shared_predictions(classifier, images, device, self.place)
        with threads(max(self.recipe.processes, torch.get_num_threads())):
            return predictions(classifier, images, device)

    def gradient_step(self) -> GradientStep:
        """How the steps' gradients come about: alone, with forked processes, or with torchrun's. Close it at the end.

        Forked processes see the weights as they are now: ask for them once the training is restored.
        """
        training, config = self.training, self.config
        if self.place.processes > 1:
            distributed.join(training.device)
            return DistributedStep(config, training.classifier, training.device, self.place, training.scaler)
        if self.recipe.processes > 1:
            return SharedMemoryReplicas(config, training.classifier, self.recipe.processes)
        return SingleProcess(config, training.device, training.scaler)


def prepare(
    recipe: Recipe,
    data: OwnData | None = None,
    parts: GivenParts = GivenParts(),
    say: Say = lambda _: None,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
) -> Prepared:
    """Data, model, optimizer and plan of a recipe. Raises SightlabError for what does not fit.

    data: images of the caller's own. parts: objects of the caller's own; a network takes float32 [N, C, H, W] and is
    trained in place. Each stands for what the recipe names. say: told what was decided, a line each. teacher: the one
    that the recipe names, opened; needed where it names one that is asked.
    """
    place = distributed.place()
    device = choose_device(recipe.device, place.local_rank)
    check_processes(recipe.processes, recipe.precision, device, place)
    if parts.model is None:
        check_name(recipe.model.name)
    splits = splits_of(recipe.data, data, progress)
    for note in notes_on(splits):
        say(note)
    mean, std = splits.train.moments()
    net, name = network_of(recipe.model, parts.model, recipe.seed, splits, say)
    distilled = distilling_of(recipe.distillation, teacher, splits, device, say)
    processes = max(place.processes, recipe.processes)
    taught_by = teacher.sha256 if teacher and distilled else None
    identity = identity_of(recipe, splits, parts.given(), processes, taught_by)
    classifier = Classifier(net, mean, std).to(device).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(classifier, recipe.optimizer, parts.optimizer)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    loss = loss_of(recipe.loss, parts.loss)
    check_loss(loss, len(splits.classes), soft_targets=recipe.augment.mixes)
    batches = Batches(len(splits.train), recipe.batch_size, recipe.seed, splits.train.groups)
    config = StepConfig(
        images=splits.train,
        batches=batches,
        seed=recipe.seed,
        augment=augmentation_of(recipe.augment, parts.augment, splits.shape),
        loss=in_one_operation(loss),
        mixing=mixing_of(recipe.augment),
        precision=precision_of(recipe.precision, device),
        distilling=distilled,
    )
    steps = batches.steps
    metrics, lower = metrics_of(recipe.metrics, recipe.select_by, parts.metrics)
    schedule = build_schedule(recipe.schedule, steps, recipe.epochs, parts.schedule, higher_is_better=not lower)
    return Prepared(
        recipe=recipe,
        splits=splits,
        training=Training(
            classifier,
            optimizer,
            device,
            averages_of(recipe.averaging, classifier, steps * recipe.epochs),
            GradScaler(device.type, enabled=config.precision is torch.float16),
        ),
        plan=Plan(
            epochs=recipe.epochs,
            images=batches.count,
            batch_size=recipe.batch_size,
            steps_per_epoch=steps,
            schedule=schedule,
            clip_norm=recipe.clip_norm,
            early_stop=recipe.early_stop,
            metrics=metrics,
            select_by=recipe.select_by.rpartition(":")[2],
            lower_is_better=lower,
        ),
        config=config,
        place=place,
        model=name,
        parameters=parameter_count(classifier),
        mean=mean,
        std=std,
        identity=identity,
        image_loss=loss,
        teacher=teacher if distilled else None,
    )


def notes_on(splits: Splits) -> Iterator[str]:
    """What a reader of the result must know of the data, a line each."""
    yield from splits.notes
    for (first, second), count in splits.duplicates.items():
        yield f"{count:,} images of the {second} split are exact duplicates of {first} images"
    if splits.contradicted:
        yield f"{splits.contradicted:,} images are there under two classes, pixel for pixel"


def check_processes(processes: int, precision: str, device: torch.device, place: Place) -> None:
    """Raise RecipeError for processes or a precision that cannot be had on the device."""
    if processes > 1 and device.type != "cpu":
        raise RecipeError(f"processes: {processes} share batches on CPUs only; the device is {device}: use torchrun")
    if processes > 1 and place.processes > 1:
        raise RecipeError(f"processes: {processes} under torchrun, which has its own; leave processes=1")
    if precision in ("bfloat16", "float16") and device.type != "cuda":
        raise RecipeError(f"precision: {precision} is for CUDA devices; the device is {device}: float32 works")


def loss_of(asked: LossKeys, given: Any = None) -> LossFunction:
    """The loss that a recipe names, or one given from Python: (logits, targets) -> the loss of each image [B]."""
    loss: LossFunction
    if given is not None:
        loss = made("loss", given, {}, 2)
    elif isinstance(asked, CustomLoss):
        loss = named("loss", asked.name, asked.options, 2)
    else:
        loss = partial(LOSSES[asked.name], **asked.model_dump(exclude={"name"}))
    return loss


def augmentation_of(asked: Augment, given: Any, shape: tuple[int, int, int]) -> Augmentation:
    """The recipe's augmentation and, after it, the user's own: named in the recipe, or given from Python."""
    own = {"mixup", "cutmix", "mixed", "custom", "options"}
    shipped = augmentation(**asked.model_dump(exclude=own))
    if given is None and asked.custom is None:
        return shipped
    if given is not None:
        custom = made("augment", given, {}, 2)
    else:
        custom = named("augment", str(asked.custom), asked.options, 2)
    check_augment(custom, shape)
    return lambda images, rng: custom(shipped(images, rng), rng)


def mixing_of(asked: Augment) -> Mixing | None:
    """How pairs of images are mixed; None where the recipe mixes none."""
    if not asked.mixes:
        return None
    return mixing(mixup=asked.mixup, cutmix=asked.cutmix, probability=asked.mixed)


def metrics_of(names: Sequence[str], select_by: str, given: Sequence[Any] = ()) -> tuple[dict[str, Metric], bool]:
    """The metrics to measure after every epoch, by name; and whether lower values of the selecting one are better.

    A metric is called by its name, the last part of `file.py:Name`, or the name of the function or class.
    """
    found: dict[str, Metric] = {}
    for name in dict.fromkeys([*names, select_by]):
        if name in METRICS:
            found[name] = METRICS[name]
        elif not any(name == called(one) for one in given):
            found[name.rpartition(":")[2]] = named("metric", name, {}, 1)
    found |= {called(one): made("metric", one, {}, 1) for one in given}
    chosen = found[select_by.rpartition(":")[2]]
    kept = {name: metric for name, metric in found.items() if name not in ("accuracy", "loss")}
    return kept, not getattr(chosen, "higher_is_better", True)


def distilling_of(
    asked: Distillation, teacher: Teacher | None, splits: Splits, device: torch.device, say: Say
) -> Distilling | None:
    """What the recipe's teacher adds to the loss; None where none is asked. Raises RecipeError for an unfit one."""
    if not asked.asks:
        return None
    if teacher is None:
        raise RecipeError(
            f"distillation.teacher: {asked.teacher} is named and was not opened; give `prepare` what "
            "sightlab.runs.resolve_teacher.teacher_of opens"
        )
    weighing = asked.model_dump(include={"temperature", "alpha"})
    found = distilling(teacher, splits.classes, splits.shape, device, **weighing)
    for line in remarks(teacher, found, splits.sealed):
        say(line)
    return found


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """The type of the forward pass: float32 but on CUDA devices that have bfloat16, or where asked for."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def averages_of(asked: AveragingKeys, classifier: nn.Module, steps: int) -> WeightAverage | None:
    """The averages of weights that a recipe asks for. steps: of the whole training."""
    if isinstance(asked, part_groups.EMA):
        return EMA(classifier, asked.decay, warmup_power=asked.warmup_power)
    if isinstance(asked, part_groups.Lookahead):
        alpha = falling_alpha(steps, asked.every) if asked.alpha == "falling" else asked.alpha
        return Lookahead(classifier, asked.every, alpha)
    return None


def splits_of(asked: Data, data: OwnData | None = None, progress: Progress | None = None) -> Splits:
    """The splits that a recipe describes, or those of the caller's own data."""
    limit, share = asked.limit_per_class, asked.validation
    if data is not None:
        seed, size, channels = asked.split_seed, asked.size, asked.channels
        return as_splits(data, validation=share, limit_per_class=limit, seed=seed, size=size, channels=channels)
    return load_data(
        asked.source,
        limit_per_class=limit,
        validation=share,
        split_seed=asked.split_seed,
        progress=progress,
        **asked.reading,
    )


def network_of(asked: Model, given: nn.Module | None, seed: int, splits: Splits, say: Say) -> tuple[nn.Module, str]:
    """The network to train, and what to call it."""
    height, width, channels = splits.shape
    if given is not None:
        check_output(given, channels, len(splits.classes), height, width)
        freeze_parts(given, asked.freeze, say)
        kind = type(given)
        return given, f"module {kind.__module__}.{kind.__qualname__}"
    # Weights are drawn from torch's global generator; the recipe's seed decides them and nothing before it.
    torch.manual_seed(seed % 2**63)
    net = build(
        asked.name,
        channels=channels,
        classes=len(splits.classes),
        height=height,
        width=width,
        stem=asked.stem,
        pretrained=asked.pretrained,
        weights=Path(asked.weights) if asked.weights else None,
        class_names=splits.classes,
        options=asked.options,
        say=say,
    )
    freeze_parts(net, asked.freeze, say)
    return net, asked.name
