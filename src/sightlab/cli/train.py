"""`sightlab train`."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, say
from sightlab.errors import RunError

if TYPE_CHECKING:
    from sightlab.recipes.schema import Recipe
    from sightlab.records import Run

EXAMPLES = """\b
Examples:
  sightlab train
  sightlab train mini-resnet-v4 data=kmnist epochs=5
  sightlab train cnn data=photos/ size=64 flip=0.5 lr=0.03
  sightlab train my-recipe.yaml seed=7 --json
  sightlab train cnn teacher=3fa2 temperature=4 alpha=0.9
  sightlab train --resume last
"""
STOPPED = 130


def train(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE] [KEY=VALUE ...]", help="Recipe name or YAML file, and changes to it."),
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Continue a run that was stopped.")] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> int:
    """Train a recipe; test the best epoch once.

    RECIPE is one of `sightlab recipes` or a YAML file; the default is `demo`. KEY is a dotted path (optimizer.lr) or
    its last part where that is unique (lr); data=, model=, optimizer= and schedule= set the names, alpha= is
    distillation.alpha. With teacher=RUN the network also learns from the outputs of that run's model.
    """
    if resume is not None and words:
        raise RunError(f"--resume takes a run's own recipe; leave out {' '.join(words)!r}, or start a new run")
    recipe = recipe_of(words or []) if resume is None else None
    from sightlab.callbacks.progress import TrainingProgress
    from sightlab.runs import lifecycle
    from sightlab.store.run_folder import locate
    from sightlab.training.callbacks import Paused, Watch

    silent = os.environ.get("RANK", "0") != "0"  # the first of torchrun's processes speaks for all
    with asked_to_pause() as asked, TrainingProgress() as progress:
        callbacks = [Watch(pause=lambda: bool(asked)), *([] if silent else [progress])]
        try:
            if recipe is not None:
                run = lifecycle.train(recipe, home=home, callbacks=callbacks)
            else:
                run = lifecycle.resume(locate(str(resume), home), callbacks=callbacks)
        except Paused as paused:
            say(f"paused; resume with: sightlab train --resume {paused}")
            return STOPPED
    if silent:
        return 0
    if json:
        as_json(run.to_json())
    else:
        result(run)
    return 0


def recipe_of(words: list[str]) -> Recipe:
    """The recipe that the command's words mean; what they change is said."""
    from sightlab.recipes.loader import read_recipe
    from sightlab.recipes.overrides import changed, changed_keys, parse_changes, recipe_word

    shipped = read_recipe(recipe_word(words), say)
    recipe = changed(shipped, parse_changes(word for word in words if "=" in word))
    for key, (before, after) in changed_keys(shipped, recipe).items():
        say(f"{key}: {before} -> {after}")
    return recipe


@contextlib.contextmanager
def asked_to_pause() -> Iterator[list[int]]:
    """The first Ctrl-C asks for a pause after the batch under way; a second one stops at once."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the shape of a handler
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        with contextlib.suppress(RuntimeError):  # this process is in the middle of writing a line
            say("\nfinishing the batch and saving the run; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def result(run: Run) -> None:
    """The end of a run, for a person."""
    assert run.test is not None
    best = next(epoch for epoch in run.epochs if epoch.epoch == run.best_epoch)
    short = run.id.partition("-")[0]
    out(f"test accuracy   {run.test}")
    if run.test_flips:
        out(f"with flips      {run.test_flips}: each image and its mirror image together")
    out(f"best epoch      {run.best_epoch} of {len(run.epochs)}, by validation ({best.validation_accuracy:.2%} there)")
    out(f"model           {run.model}, {run.parameters:,} parameters; {run.images_per_second:,.0f} images/s")
    report = run.folder / "report.html"
    kept = "report.html, bundle, metrics, predictions, pictures" if report.is_file() else "bundle, metrics, predictions"
    out(f"run             {run.folder}/  ({kept})")
    out(f"next            open {report}" if report.is_file() else f"next            sightlab report {short}")
    out(f"                sightlab predict {short} PICTURE...        predict the class of images")
    out(f"                sightlab test {short} --data SOURCE        score it on data it has not seen")
