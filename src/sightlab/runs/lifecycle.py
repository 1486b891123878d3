"""A run's life: started, kept, paused, resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from sightlab import trackers
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.splits import Splits
from sightlab.errors import DivergedError, RunError, one_line
from sightlab.files import write_text
from sightlab.models.cost import forward_flops
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Run
from sightlab.runs.finalize import end, net_of
from sightlab.runs.git_revision import git_revision
from sightlab.runs.recorder import RunRecorder, now
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.store.database.engine import check
from sightlab.store.run_folder import home_folder, locate, new_folder, read_facts, read_run, recipe_in, status_of
from sightlab.training import checkpoint, compilation, distributed, loop
from sightlab.training.device import environment, own_process
from sightlab.training.forecast import forecast
from sightlab.training.prepare import Prepared, predictions_of, prepare, stepper_of

Data = Splits | ImageSet | Mapping[str, ImageSet]


@dataclass(frozen=True)
class Watch:
    """Who is told what while a run goes on; by default nobody.

    say: a line of text. epoch: an epoch's facts. tick: how far an epoch is. decoding: pictures done and in all.
    pause: asked after every step; when it says yes the run is kept and Paused raised.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder, watch=Watch(epoch=lambda facts: print("epoch", facts.epoch)))
    epoch 1
    """

    say: Callable[[str], None] = lambda _: None
    epoch: Callable[[Epoch], None] = lambda _: None
    tick: Callable[[loop.Tick], None] | None = None
    decoding: Progress | None = None
    pause: Callable[[], bool] = lambda: False


SILENT = Watch()
LASTING = ("started", "git", "compiled")  # facts of a run that a resumed sitting does not change


def train(
    recipe: Recipe,
    model: nn.Module | None = None,
    data: Data | None = None,
    *,
    home: Path | str | None = None,
    watch: Watch = SILENT,
) -> Run:
    """Train a recipe, test the best epoch once, and keep all of it in a new folder of `home`.

    model: a network of your own instead of the recipe's; it takes float32 [N, C, H, W] and is trained in place.
    data: images of your own instead of the recipe's. home: where run folders are kept (see `home_folder`).
    Raises SightlabError: data, recipe, model or device that do not fit, a loss that is no number, a full disk.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder)
    >>> len(run.epochs), run.test.count
    (1, 2000)
    """
    trackers.check(recipe.log)
    recipe = with_runs_found(recipe, Path(home) if home is not None else None, watch.say)
    with own_process(recipe.deterministic), own_home(Path(home) if home is not None else home_folder()) as place:
        prepared = prepare(recipe, model, data, watch.say, watch.decoding, teacher_of(recipe, watch.say))
        check(place)
        folder = new_folder(place, recipe.name)
        with kept_whole(folder):
            write_text(folder / "recipe.yaml", recipe.to_yaml())
            write_text(
                folder / "environment.json",
                json.dumps(environment(prepared.training.device, prepared.processes), indent=1),
            )
            facts = {"started": now(), "planned_epochs": recipe.epochs, "git": git_revision(Path.cwd())}
            return carry_on(RunRecorder(prepared, folder, facts, watch.say), watch)


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
    ...     run = sightlab.train(tiny, home=folder)
    ...     again = sightlab.resume(run)
    >>> again.test == run.test
    True
    """
    found = run.folder if isinstance(run, Run) else locate(str(run))
    facts = read_facts(found)
    status = status_of(facts)
    if status == "finished":
        watch.say(f"{found.name} has ended; nothing is left to do")
        return read_run(found)
    if status == "running":
        raise RunError(
            f"{found.name} is running, as process {facts['process']['pid']}; wait for its end, or stop it first"
        )
    recipe, _ = recipe_in(found)
    trackers.check(recipe.log)
    with own_process(recipe.deterministic), own_home(found.parent) as place:
        folder = place / found.name
        if folder != found:
            shutil.copytree(found, folder)
        prepared = prepare(recipe, model, data, watch.say, watch.decoding, teacher_of(recipe, watch.say))
        if checkpoint.restore(folder / "checkpoints", prepared.training, prepared.identity):
            training = prepared.training
            watch.say(f"{folder.name} goes on at epoch {training.epoch}, step {training.step}")
        else:
            watch.say(f"{folder.name} has no checkpoint; it starts anew")
        with kept_whole(folder):
            kept = {"planned_epochs": recipe.epochs} | {k: v for k, v in facts.items() if k in LASTING}
            return carry_on(RunRecorder(prepared, folder, kept, watch.say), watch)


def epochs(recipe: Recipe, model: nn.Module | None = None, data: Data | None = None) -> Iterator[Epoch]:
    """Train a recipe and yield each epoch's facts; nothing is kept and the test split stays sealed.

    >>> import sightlab
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=2)
    >>> [epoch.epoch for epoch in sightlab.epochs(tiny)]
    [1, 2]
    """
    recipe = with_runs_found(recipe)
    with own_process(recipe.deterministic):
        prepared = prepare(recipe, model, data, teacher=teacher_of(recipe))
        if recipe.compile == "on":
            compilation.choose(prepared, 0.0, SILENT.say)
        with stepping(prepared) as facts:
            yield from facts


def open_run(run: str | Path) -> Run:
    """The run of an id prefix, `last`, or a run folder. Raises RunError.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder)
    ...     sightlab.open_run(run.folder).best_epoch
    1
    """
    return read_run(locate(str(run)))


def carry_on(recorder: RunRecorder, watch: Watch) -> Run:
    """Train from where the training stands to its end, keeping every epoch; then end the run."""
    prepared, folder = recorder.prepared, recorder.folder
    training = prepared.training
    copies = trackers.Copies(() if prepared.place.rank else prepared.recipe.log, folder, watch.say)
    recorder.write("running")
    status = "interrupted"
    try:
        if training.epoch <= prepared.plan.epochs:
            height, width, channels = prepared.splits.shape
            recorder.facts["flops"] = forward_flops(net_of(training.classifier), channels, height, width)
            expected = forecast(prepared)
            watch.say(str(expected))
            known = recorder.facts.get("compiled")
            recorder.facts["compiled"] = compilation.choose(prepared, expected.seconds, watch.say, known)
            recorder.write("running")
        with stepping(prepared, watch, recorder.beat) as facts:
            for epoch in facts:
                checkpoint.save(folder / "checkpoints", training, prepared.identity)
                recorder.write("running")
                copies.epoch(epoch)
                watch.epoch(epoch)
        run, status = end(recorder), "finished"
        return run
    except loop.Paused:
        checkpoint.save(folder / "checkpoints", training, prepared.identity)
        recorder.write("interrupted")
        raise loop.Paused(folder.name) from None
    except KeyboardInterrupt:
        recorder.write("interrupted")
        raise
    except DivergedError as error:
        kept = f"epoch {training.history[-1].epoch} is kept in {folder}" if training.history else "no epoch was ended"
        status = "failed"
        recorder.facts["reason"] = str(error)
        recorder.write("failed")
        raise DivergedError(f"{error}; {kept}") from error
    except Exception as error:
        status = "failed"
        recorder.facts["reason"] = one_line(f"{type(error).__name__}: {error}")
        if recorder.status != "finished":  # what goes wrong with a finished run's pictures does not take its score
            with suppress(OSError):  # a full disk is the error that is told of, not that it cannot be written down
                recorder.write("failed")
        raise
    finally:
        copies.end(read_run(folder), status)


@contextmanager
def stepping(
    prepared: Prepared, watch: Watch = SILENT, beat: Callable[[], None] = lambda: None
) -> Iterator[Iterator[Epoch]]:
    """The training's epochs; its worker processes end with the block. beat: called after every step."""
    stepper = stepper_of(prepared)
    asked = watch.pause
    if prepared.place.processes > 1:
        asked = partial(distributed.agreed, watch.pause, prepared.training.device)

    def pause() -> bool:
        beat()
        return asked()

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


@contextmanager
def own_home(home: Path) -> Iterator[Path]:
    """Where this process keeps its run: the first of torchrun's processes for good, the others for the time being."""
    try:
        if distributed.place().rank == 0:
            yield home
        else:
            with TemporaryDirectory() as other:
                yield Path(other)
    finally:
        distributed.leave()


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
