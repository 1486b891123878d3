"""From a recipe to a training that is ready to move: data, model, optimizer and plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from sightlab.augment.pipeline import augmentation, mixing
from sightlab.data.batches import Batches
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.load import load_data
from sightlab.data.splits import Splits, as_splits
from sightlab.errors import RecipeError
from sightlab.inference import predictions
from sightlab.models import build, freeze_parts, parameter_count
from sightlab.models.classifier import Classifier
from sightlab.models.names import check_name
from sightlab.models.output_check import check_output
from sightlab.optim.averaging import EMA, Lookahead, WeightAverage, falling_alpha
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.schedules import build_schedule
from sightlab.recipes.schema import Recipe
from sightlab.records import Predictions
from sightlab.training import distributed
from sightlab.training.device import choose_device, threads
from sightlab.training.distillation import Distilling, Teacher, distilling, remarks
from sightlab.training.distributed import DistributedStep, Place
from sightlab.training.loop import Plan, Training
from sightlab.training.losses import build_loss
from sightlab.training.shared_memory import SharedMemoryReplicas
from sightlab.training.step import GradientStep, SingleProcess, StepConfig

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A training ready to move, and what it was made from.

    mean, std: of the training images, a channel each. identity: what a checkpoint must have again to be gone on
    from: the recipe's hash, the data, the model where it is not named by the recipe, and the weights of the teacher.
    teacher: which one the training learns from, None for none.
    """

    recipe: Recipe
    splits: Splits
    training: Training
    plan: Plan
    work: StepConfig
    place: Place
    model: str
    parameters: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    identity: str
    teacher: Teacher | None = None

    @property
    def processes(self) -> int:
        """How many processes share each batch."""
        return max(self.place.processes, self.recipe.workers)


def prepare(
    recipe: Recipe,
    model: nn.Module | None = None,
    data: Splits | ImageSet | Mapping[str, ImageSet] | None = None,
    say: Say = lambda _: None,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
) -> Prepared:
    """Data, model, optimizer and plan of a recipe. Raises SightlabError for what does not fit.

    model: a network of the caller's own, taking float32 [N, C, H, W]; it is trained in place. data: images of the
    caller's own. Either stands for the recipe's. say: told what was decided, a line each. teacher: the one that the
    recipe names, opened; needed where it names one that is asked.
    """
    place = distributed.place()
    device = choose_device(recipe.device, place.local_rank)
    check_processes(recipe, device, place)
    if model is None:
        check_name(recipe.model.name)
    splits = splits_of(recipe, data, progress)
    for note in splits.notes:
        say(note)
    for (first, second), count in splits.duplicates.items():
        say(f"{count:,} images of the {second} split are exact duplicates of {first} images")
    if splits.contradicted:
        say(f"{splits.contradicted:,} images are there under two classes, pixel for pixel")
    mean, std = splits.train.moments()
    classifier, name = classifier_of(recipe, model, splits, mean, std, say)
    classifier.to(device).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(classifier, **recipe.optimizer.model_dump())
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    key = splits.key or content_of(splits)
    distilled = distilling_of(recipe, teacher, splits, device, say)
    work = work_of(recipe, splits.train, device, distilled)
    averages = averages_of(recipe, classifier, work.batches.steps * recipe.epochs)
    scaler = GradScaler(device.type, enabled=work.precision is torch.float16)
    return Prepared(
        recipe=recipe,
        splits=splits,
        training=Training(classifier, optimizer, device, averages, scaler),
        plan=plan_of(recipe, work.batches),
        work=work,
        place=place,
        model=name,
        parameters=parameter_count(classifier),
        mean=mean,
        std=std,
        identity="-".join([recipe.hash, key[:16], name, *([teacher.sha256[:16]] if teacher and distilled else [])]),
        teacher=teacher if distilled else None,
    )


def check_processes(recipe: Recipe, device: torch.device, place: Place) -> None:
    """Raise RecipeError for processes or a precision that cannot be had on the device."""
    if recipe.workers > 1 and device.type != "cpu":
        raise RecipeError(
            f"workers: {recipe.workers} share batches on a CPU alone, the device is {device}; use torchrun"
        )
    if recipe.workers > 1 and place.processes > 1:
        raise RecipeError(f"workers: {recipe.workers} under torchrun; give torchrun the processes and leave workers=1")
    if recipe.precision in ("bfloat16", "float16") and device.type != "cuda":
        raise RecipeError(f"precision: {recipe.precision} is for CUDA devices, the device is {device}; float32 works")


def stepper_of(prepared: Prepared) -> GradientStep:
    """How the steps' gradients come about: alone, with worker processes, or with torchrun's.

    Worker processes see the weights as they are now: ask for them once the training is restored.
    """
    training, work = prepared.training, prepared.work
    if prepared.place.processes > 1:
        distributed.join(training.device)
        return DistributedStep(work, training.classifier, training.device, prepared.place, training.scaler)
    if prepared.recipe.workers > 1:
        return SharedMemoryReplicas(work, training.classifier, prepared.recipe.workers)
    return SingleProcess(work, training.device, training.scaler)


def predictions_of(prepared: Prepared, classifier: nn.Module, images: ImageSet) -> Predictions:
    """The logits of a whole split, by all processes there are."""
    device = prepared.training.device
    if prepared.place.processes > 1:
        return distributed.shared_predictions(classifier, images, device, prepared.place)
    with threads(max(prepared.recipe.workers, torch.get_num_threads())):
        return predictions(classifier, images, device)


def work_of(recipe: Recipe, images: ImageSet, device: torch.device, distilled: Distilling | None = None) -> StepConfig:
    """What the steps work on."""
    asked = recipe.augment
    pairs = {"mixup": asked.mixup, "cutmix": asked.cutmix}
    mixing_keys = {"mixup", "cutmix", "mixed"}
    return StepConfig(
        images=images,
        batches=Batches(len(images), recipe.batch_size, recipe.seed, images.groups),
        seed=recipe.seed,
        augment=augmentation(**asked.model_dump(exclude=mixing_keys)),
        loss=build_loss(recipe.loss.name, recipe.loss.label_smoothing),
        mixing=mixing(**pairs, probability=asked.mixed) if any(pairs.values()) else None,
        precision=precision_of(recipe.precision, device),
        distilling=distilled,
    )


def distilling_of(
    recipe: Recipe, teacher: Teacher | None, splits: Splits, device: torch.device, say: Say
) -> Distilling | None:
    """What the recipe's teacher adds to the loss; None where none is asked. Raises RecipeError for an unfit one."""
    asked = recipe.distillation
    if not asked.asks:
        return None
    if teacher is None:
        raise RecipeError(
            f"distillation.teacher: {asked.teacher} is named and was not opened; give `prepare` what "
            "sightlab.runs.resolve_teacher.teacher_of(recipe) opens"
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


def averages_of(recipe: Recipe, classifier: nn.Module, steps: int) -> WeightAverage | None:
    """The averages of weights that a recipe asks for. steps: of the whole training."""
    asked = recipe.averaging
    if asked.name == "ema":
        return EMA(classifier, asked.decay, warmup_power=asked.warmup_power)
    if asked.name == "none":
        return None
    alpha = falling_alpha(steps, asked.every) if asked.alpha == "falling" else asked.alpha
    return Lookahead(classifier, asked.every, alpha)


def splits_of(
    recipe: Recipe, data: Splits | ImageSet | Mapping[str, ImageSet] | None, progress: Progress | None
) -> Splits:
    """The splits a recipe describes, or those of the caller's own data."""
    asked = recipe.data
    limit, share = asked.limit_per_class, asked.validation
    if data is not None:
        return as_splits(data, validation=share, limit_per_class=limit, seed=asked.split_seed)
    return load_data(
        asked.source,
        limit_per_class=limit,
        validation=share,
        split_seed=asked.split_seed,
        progress=progress,
        **asked.reading,
    )


def classifier_of(
    recipe: Recipe,
    model: nn.Module | None,
    splits: Splits,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    say: Say,
) -> tuple[Classifier, str]:
    """The classifier to train, and what to call its network."""
    height, width, channels = splits.shape
    asked = recipe.model
    if model is None:
        # Weights are drawn from torch's global generator; the recipe's seed decides them and nothing before it.
        torch.manual_seed(recipe.seed % 2**63)
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
        return Classifier(net, mean, std), asked.name
    check_output(model, channels, len(splits.classes), height, width)
    freeze_parts(model, asked.freeze, say)
    kind = type(model)
    return Classifier(model, mean, std), f"module {kind.__module__}.{kind.__qualname__}"


def plan_of(recipe: Recipe, batches: Batches) -> Plan:
    """What the loop is to do."""
    asked = recipe.schedule
    schedule = build_schedule(
        asked.name, steps_per_epoch=batches.steps, epochs=recipe.epochs, **asked.model_dump(exclude={"name"})
    )
    return Plan(
        epochs=recipe.epochs,
        images=batches.count,
        batch_size=recipe.batch_size,
        steps_per_epoch=batches.steps,
        schedule=schedule,
        clip_norm=recipe.clip_norm,
        early_stop=recipe.early_stop,
    )


def content_of(splits: Splits) -> str:
    """The content of data given from Python as a hash: what its labels and images are."""
    digest = hashlib.sha256()
    for images in (splits.train, splits.validation):
        digest.update(images.labels.tobytes())
        for block in images.blocks():
            digest.update(block.tobytes())
    return digest.hexdigest()
