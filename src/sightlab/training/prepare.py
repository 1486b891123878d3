"""From a recipe to a training that is ready to move: data, model, optimizer and plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from sightlab.augment.pipeline import augmentation
from sightlab.data.batches import steps_per_epoch
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.load import load
from sightlab.data.splits import Splits, as_splits
from sightlab.errors import RecipeError
from sightlab.models import build, parameter_count
from sightlab.models.check import check_output
from sightlab.models.classifier import Classifier
from sightlab.models.names import check_name
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.schedules import build_schedule
from sightlab.recipes.schema import Recipe
from sightlab.training.loop import Plan, Training
from sightlab.training.workers import choose_device, prepare_process

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A training ready to move, and what it was made from.

    mean, std: of the training images, a channel each. identity: what a checkpoint must have again to be gone on
    from: the recipe's hash, the data, and the model where it is not named by the recipe.
    """

    recipe: Recipe
    splits: Splits
    training: Training
    plan: Plan
    model: str
    parameters: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    identity: str


def prepare(
    recipe: Recipe,
    model: nn.Module | None = None,
    data: Splits | ImageSet | Mapping[str, ImageSet] | None = None,
    say: Say = lambda _: None,
    progress: Progress | None = None,
) -> Prepared:
    """Data, model, optimizer and plan of a recipe. Raises SightlabError for what does not fit.

    model: a network of the caller's own, taking float32 [N, C, H, W]; it is trained in place. data: images of the
    caller's own. Either stands for the recipe's. say: told what was decided, a line each.
    """
    if recipe.workers > 1:
        raise RecipeError(f"workers: this version trains in one process, found {recipe.workers}; workers=1 works")
    if recipe.compile == "on":
        raise RecipeError("compile: this version does not compile models, found 'on'; compile=auto works")
    device = choose_device(recipe.device)
    prepare_process()
    if model is None:
        check_name(recipe.model.name)
    splits = splits_of(recipe, data, progress)
    for note in splits.notes:
        say(note)
    for (first, second), count in splits.duplicates.items():
        say(f"{count:,} images of the {second} split are exact duplicates of {first} images")
    mean, std = splits.train.moments()
    classifier, name = classifier_of(recipe, model, splits, mean, std, say)
    classifier.to(device).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(classifier, **recipe.optimizer.model_dump())
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    key = splits.key or content_of(splits)
    return Prepared(
        recipe=recipe,
        splits=splits,
        training=Training(classifier, optimizer, device),
        plan=plan_of(recipe, len(splits.train)),
        model=name,
        parameters=parameter_count(classifier),
        mean=mean,
        std=std,
        identity=f"{recipe.hash}-{key[:16]}-{name}",
    )


def splits_of(
    recipe: Recipe, data: Splits | ImageSet | Mapping[str, ImageSet] | None, progress: Progress | None
) -> Splits:
    """The splits a recipe describes, or those of the caller's own data."""
    asked = recipe.data
    limit, share = asked.limit_per_class, asked.validation
    if data is not None:
        return as_splits(data, validation=share, limit_per_class=limit, seed=asked.split_seed)
    return load(
        asked.source,
        size=asked.size,
        channels=asked.channels,
        label=asked.label,
        skip_broken=asked.skip_broken,
        limit_per_class=limit,
        validation=share,
        split_seed=asked.split_seed,
        progress=progress,
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
            options=asked.options,
            say=say,
        )
        return Classifier(net, mean, std), asked.name
    check_output(model, channels, len(splits.classes), height, width)
    kind = type(model)
    return Classifier(model, mean, std), f"module {kind.__module__}.{kind.__qualname__}"


def plan_of(recipe: Recipe, train_images: int) -> Plan:
    """What the loop is to do."""
    asked = recipe.schedule
    schedule = build_schedule(
        asked.name,
        steps_per_epoch=steps_per_epoch(train_images, recipe.batch_size),
        epochs=recipe.epochs,
        **asked.model_dump(exclude={"name"}),
    )
    return Plan(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        schedule=schedule,
        loss=nn.CrossEntropyLoss(label_smoothing=recipe.loss.label_smoothing),
        augment=augmentation(crop_padding=recipe.augment.crop_padding, flip=recipe.augment.flip),
        clip_norm=recipe.clip_norm,
        early_stop=recipe.early_stop,
    )


def content_of(splits: Splits) -> str:
    """The content of data given from Python as a hash: what its labels and images are."""
    digest = hashlib.sha256()
    for images in (splits.train, splits.validation):
        digest.update(images.labels.tobytes())
        digest.update(images.images.tobytes())
    return digest.hexdigest()
