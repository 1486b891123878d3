"""A run's whole life: started, kept, paused, resumed, ended; its test split opened once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sightlab import charts, metrics, pictures
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.splits import Splits, fingerprints
from sightlab.errors import DivergedError, RunError
from sightlab.files import write_text
from sightlab.recipes.reading import parse_recipe
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Predictions, Run, Score
from sightlab.store.bundle import record_opening, save_bundle
from sightlab.store.folder import locate, new_folder, read_facts, read_run, runs_folder, write_facts
from sightlab.store.tables import save_predictions
from sightlab.testing import content_of
from sightlab.training import checkpoint, loop
from sightlab.training.distributed import agreed
from sightlab.training.prepare import Prepared, predictions_of, prepare, stepper_of
from sightlab.training.workers import environment

Data = Splits | ImageSet | Mapping[str, ImageSet]


@dataclass(frozen=True)
class Watch:
    """Who is told what while a run goes on; by default nobody.

    say: a line of text. epoch: an epoch's facts. tick: how far an epoch is. decoding: pictures done and in all.
    pause: asked after every step; when it says yes the run is kept and Paused raised.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, runs=folder, watch=Watch(epoch=lambda facts: print("epoch", facts.epoch)))
    epoch 1
    """

    say: Callable[[str], None] = lambda _: None
    epoch: Callable[[Epoch], None] = lambda _: None
    tick: Callable[[loop.Tick], None] | None = None
    decoding: Progress | None = None
    pause: Callable[[], bool] = lambda: False


SILENT = Watch()


def train(
    recipe: Recipe,
    model: nn.Module | None = None,
    data: Data | None = None,
    *,
    runs: Path | str | None = None,
    watch: Watch = SILENT,
) -> Run:
    """Train a recipe, test the best epoch once, and keep all of it in a new folder of `runs`.

    model: a network of your own instead of the recipe's; it takes float32 [N, C, H, W] and is trained in place.
    data: images of your own instead of the recipe's. runs: where run folders are kept (see `runs_folder`).
    Raises SightlabError: data, recipe, model or device that do not fit, a loss that is no number, a full disk.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, runs=folder)
    >>> len(run.epochs), run.test.count
    (1, 2000)
    """
    with own_randomness():
        prepared = prepare(recipe, model, data, watch.say, watch.decoding)
        folder = new_folder(Path(runs) if runs is not None else runs_folder(), recipe.name)
        with kept_whole(folder):
            write_text(folder / "recipe.yaml", recipe.to_yaml())
            started = datetime.now(UTC).isoformat(timespec="milliseconds")
            write_text(folder / "environment.json", json.dumps(environment(prepared.training.device), indent=1))
            return carry_on(prepared, folder, watch, {"started": started, "planned_epochs": recipe.epochs})


def resume(
    run: Run | str | Path, model: nn.Module | None = None, data: Data | None = None, *, watch: Watch = SILENT
) -> Run:
    """Go on with a run that was paused, killed or stopped, from its newest whole checkpoint.

    On a CPU the result is bit for bit that of a run that was never stopped. A run that has ended is given back as it
    is. model, data: what the run was started with, where these did not come from its recipe.
    Raises RunError when the run cannot be found or does not fit.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, runs=folder)
    ...     again = sightlab.resume(run)
    >>> again.test == run.test
    True
    """
    folder = run.folder if isinstance(run, Run) else locate(str(run))
    facts = read_facts(folder)
    if facts.get("status") == "done":
        watch.say(f"{folder.name} has ended; nothing is left to do")
        return read_run(folder)
    path = folder / "recipe.yaml"
    try:
        recipe = parse_recipe(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    with own_randomness():
        prepared = prepare(recipe, model, data, watch.say, watch.decoding)
        if checkpoint.restore(folder / "checkpoints", prepared.training, prepared.identity):
            training = prepared.training
            watch.say(f"{folder.name} goes on at epoch {training.epoch}, step {training.step}")
        else:
            watch.say(f"{folder.name} has no checkpoint; it starts anew")
        with kept_whole(folder):
            return carry_on(
                prepared, folder, watch, {"started": facts.get("started", ""), "planned_epochs": recipe.epochs}
            )


def epochs(recipe: Recipe, model: nn.Module | None = None, data: Data | None = None) -> Iterator[Epoch]:
    """Train a recipe and yield each epoch's facts; nothing is kept and the test split stays sealed.

    >>> import sightlab
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=2)
    >>> [epoch.epoch for epoch in sightlab.epochs(tiny)]
    [1, 2]
    """
    prepared = prepare(recipe, model, data)
    with stepping(prepared) as facts:
        yield from facts


def open_run(run: str | Path) -> Run:
    """The run of an id prefix, `last`, or a run folder. Raises RunError.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, runs=folder)
    ...     sightlab.open(run.folder).best_epoch
    1
    """
    return read_run(locate(str(run)))


def carry_on(prepared: Prepared, folder: Path, watch: Watch, extra: dict[str, Any]) -> Run:
    """Train from where the training stands to its end, keeping every epoch; then end the run."""
    training = prepared.training
    note(prepared, folder, "training", extra)
    try:
        with stepping(prepared, watch) as facts:
            for epoch in facts:
                checkpoint.save(folder / "checkpoints", training, prepared.identity)
                note(prepared, folder, "training", extra)
                watch.epoch(epoch)
    except loop.Paused:
        checkpoint.save(folder / "checkpoints", training, prepared.identity)
        note(prepared, folder, "paused", extra)
        raise loop.Paused(folder.name) from None
    except DivergedError as error:
        note(prepared, folder, "diverged", extra)
        kept = f"epoch {training.history[-1].epoch} is kept in {folder}" if training.history else "no epoch was ended"
        raise DivergedError(f"{error}; {kept}") from error
    return end(prepared, folder, extra)


@contextmanager
def stepping(prepared: Prepared, watch: Watch = SILENT) -> Iterator[Iterator[Epoch]]:
    """The training's epochs; its worker processes end with the block."""
    stepper = stepper_of(prepared)
    pause = watch.pause
    if prepared.place.processes > 1:
        pause = partial(agreed, watch.pause, prepared.training.device)
    try:
        yield loop.epochs(
            prepared.training,
            prepared.plan,
            stepper,
            lambda classifier: predictions_of(prepared, classifier, prepared.splits.validation),
            tick=watch.tick,
            pause=pause,
        )
    finally:
        stepper.close()


def end(prepared: Prepared, folder: Path, extra: dict[str, Any]) -> Run:
    """Open the test split once for the best epoch's weights; write bundle, predictions and pictures."""
    training, splits = prepared.training, prepared.splits
    training.classifier.load_state_dict(training.best)
    validation = predictions_of(prepared, training.classifier, splits.validation)
    test_images = splits.test.open(f"final score of run {folder.name}, epoch {training.best_epoch}")
    test = predictions_of(prepared, training.classifier, test_images)
    scores = {"validation": metrics.score(validation), "test": metrics.score(test, openings=1)}
    bundle = folder / "bundle"
    (bundle / "openings.jsonl").unlink(missing_ok=True)  # of an ending that was cut off: its score was never seen
    saved = save_bundle(bundle, bundle_facts(prepared, scores), net_of(training.classifier), seen_by(splits))
    record_opening(saved, content_of(test_images), splits.source, f"final score of run {folder.name}")
    save_predictions(folder / "predictions-validation.safetensors", validation)
    save_predictions(folder / "predictions-test.safetensors", test)
    draw(folder, training.history, test, test_images)
    return note(prepared, folder, "done", extra, scores)


def draw(folder: Path, history: list[Epoch], test: Predictions, images: ImageSet) -> None:
    """Learning curves, confusion matrix and a sheet of test images with what the model took them for."""
    curves = charts.learning_curves(history)
    charts.save_chart(curves, folder / "learning-curves.png", folder / "learning-curves.svg")
    matrix = metrics.confusion_matrix(test)
    charts.save_chart(charts.confusion(matrix, test.classes), folder / "confusion.png", folder / "confusion.svg")
    pictures.save_picture(prediction_sheet(test, images), folder / "predictions.png")


def prediction_sheet(test: Predictions, images: ImageSet, most: int = 50) -> Any:
    """The first images of a split with the predicted class under each; wrong ones marked and the true class named."""
    shown = min(most, len(test))
    predicted = test.logits[:shown].argmax(1)
    wrong = predicted != test.labels[:shown]
    captions = [
        f"{test.classes[guess]}\n({test.classes[label]})" if bad else test.classes[guess]
        for guess, label, bad in zip(predicted, test.labels[:shown], wrong, strict=True)
    ]
    title = f"The first {shown} test images and what the model takes them for (true class in brackets where wrong)"
    return pictures.contact_sheet(images.gather(np.arange(shown)), captions, wrong=wrong.tolist(), title=title)


def note(
    prepared: Prepared, folder: Path, status: str, extra: dict[str, Any], scores: Mapping[str, Score] | None = None
) -> Run:
    """Write what is known of the run by now; give it back as a Run."""
    training = prepared.training
    history = training.history
    seconds = sum(epoch.seconds for epoch in history) + training.seconds
    train_seconds = sum(len(prepared.splits.train) / epoch.images_per_second for epoch in history)
    run = Run(
        id=folder.name,
        folder=folder,
        recipe=prepared.recipe.name,
        recipe_hash=prepared.recipe.hash,
        model=prepared.model,
        parameters=prepared.parameters,
        epochs=tuple(history),
        best_epoch=training.best_epoch,
        validation=scores["validation"] if scores else None,
        test=scores["test"] if scores else None,
        seconds=seconds,
        images_per_second=len(history) * len(prepared.splits.train) / train_seconds if train_seconds else 0.0,
    )
    splits = prepared.splits
    data = {
        "source": splits.source,
        "key": splits.key,
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
        "classes": list(splits.classes),
        "notes": list(splits.notes),
    }
    write_facts(folder, run, status, {**extra, "data": data, "openings": splits.test.openings})
    return run


def bundle_facts(prepared: Prepared, scores: Mapping[str, Score]) -> dict[str, Any]:
    """What a bundle says of itself."""
    height, width, channels = prepared.splits.shape
    recipe = prepared.recipe
    return {
        "model": prepared.model,
        "stem": recipe.model.stem,
        "options": recipe.model.options,
        "parameters": prepared.parameters,
        "classes": prepared.splits.classes,
        "height": height,
        "width": width,
        "channels": channels,
        "mean": prepared.mean,
        "std": prepared.std,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.hash,
        "data": prepared.splits.source,
        "data_key": prepared.splits.key,
        "scores": {name: score.to_json() for name, score in scores.items()},
    }


def net_of(classifier: nn.Module) -> nn.Module:
    """The network inside a classifier."""
    net = classifier.net
    assert isinstance(net, nn.Module)
    return net


def seen_by(splits: Splits) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Fingerprints of all images that training and selection see. uint64 [train + validation]."""
    return np.concatenate([fingerprints(splits.train), fingerprints(splits.validation)])


@contextmanager
def own_randomness() -> Iterator[None]:
    """Leave the caller's torch generator as it was: training seeds the global one at every step."""
    with torch.random.fork_rng():
        yield


@contextmanager
def kept_whole(folder: Path) -> Iterator[None]:
    """Turn a disk that is full or not writable into one line; what was written before is whole and stays."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: cannot be written: {error.strerror or error}; what was kept before is whole, "
            f"go on with --resume {folder.name} once there is room"
        ) from error
