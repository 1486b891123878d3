"""The end of a run: its test split opened once, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from sightlab import charts, metrics, pictures
from sightlab.data.content_hash import content_of
from sightlab.data.imageset import ImageSet
from sightlab.data.splits import fingerprints
from sightlab.errors import RunError
from sightlab.inference import WithMirror
from sightlab.models.classifier import Classifier
from sightlab.records import Epoch, Predictions, Run, Score
from sightlab.report.explanations import save_explanations
from sightlab.report.galleries import galleries_of, save_galleries
from sightlab.report.writer import write_report
from sightlab.runs.explain_run import explain_run
from sightlab.runs.recorder import RunRecorder, now
from sightlab.store.bundle import OPENINGS, record_opening, save_bundle
from sightlab.store.predictions import save_predictions
from sightlab.training.prepare import Prepared


def finalize(recorder: RunRecorder) -> Run:
    """Open the test split once for the best epoch's weights; write bundle, predictions and pictures."""
    prepared, folder = recorder.prepared, recorder.folder
    training, splits = prepared.training, prepared.splits
    if not training.best:
        raise RunError(f"{folder.name}: no epoch was validated, so there are no weights to test")
    training.classifier.load_state_dict(training.best)
    validation = prepared.predictions(training.classifier, splits.validation)
    test_images = splits.test.open(f"final score of run {folder.name}, epoch {training.best_epoch}")
    test = prepared.predictions(training.classifier, test_images)
    scores = {"validation": metrics.score(validation), "test": metrics.score(test, openings=1)}
    if prepared.recipe.test_flips:
        mirrored = prepared.predictions(WithMirror(training.classifier), test_images)
        scores["test_flips"] = metrics.score(mirrored, openings=1)
    bundle = folder / "bundle"
    (bundle / OPENINGS).unlink(missing_ok=True)  # of an ending that was cut off: its score was never seen
    seen, sealed = np.concatenate(list(splits.seen.values())), fingerprints(test_images)
    saved = save_bundle(
        bundle,
        bundle_facts(prepared, scores, recorder.facts.get("identity")),
        net_of(training.classifier),
        seen,
        sealed,
    )
    keys = {"validation_key": content_of(splits.validation), "test_key": content_of(test_images)}
    recorder.facts |= keys | {"ended": now()}
    record_opening(saved, recorder.facts["test_key"], splits.source, f"final score of run {folder.name}")
    save_predictions(folder / "predictions-validation.safetensors", validation)
    save_predictions(folder / "predictions-test.safetensors", test)
    galleries = galleries_of(test, test_images, validation, splits.validation)
    save_galleries(folder, galleries)
    if not prepared.recipe.report:
        return recorder.write("finished", scores)
    drawn = draw(folder, training.history, test, test_images)
    assert isinstance(training.classifier, Classifier)
    explanations = explain_run(training.classifier, test, test_images, splits.validation, folder.name)
    if explanations is not None:
        save_explanations(folder, explanations)
    run = recorder.write("finished", scores)
    try:
        write_report(run, drawn=drawn)
    except RunError as error:
        recorder.say(f"{error}; the run itself is whole, and `sightlab report {run.id}` writes its report later")
    return run


def draw(folder: Path, history: list[Epoch], test: Predictions, images: ImageSet) -> dict[str, str]:
    """Learning curves, confusion matrix and a sheet of test images with what the model took them for.

    Gives the charts as SVG, for the report.
    """
    confusion = charts.confusion(metrics.confusion_matrix(test), test.classes)
    drawn = {"learning-curves": charts.svg_of(charts.learning_curves(history)), "confusion": charts.svg_of(confusion)}
    for name, svg in drawn.items():
        charts.save_svg(svg, folder / f"{name}.png", folder / f"{name}.svg")
    pictures.save_picture(prediction_sheet(test, images), folder / "predictions.png")
    return drawn


def prediction_sheet(test: Predictions, images: ImageSet, most: int = 50) -> Image.Image:
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


def bundle_facts(prepared: Prepared, scores: Mapping[str, Score], identity: object) -> dict[str, Any]:
    """What a bundle says of itself. identity: of the run, as its record has it; None for one of before identities."""
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
        "bit_depth": prepared.splits.bit_depth,
        "identity": identity,
        "scores": {name: score.to_json() for name, score in scores.items()},
    }


def net_of(classifier: nn.Module) -> nn.Module:
    """The network inside a classifier."""
    net = classifier.net
    assert isinstance(net, nn.Module)
    return net
