"""The lifecycle of a run: start, fit, pause, resume, finalize."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from sightlab import callbacks as loggers
from sightlab.errors import DivergedError, RecipeError, RunError, one_line
from sightlab.files import write_text
from sightlab.models.cost import forward_flops
from sightlab.parts.instantiate import named
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Run
from sightlab.runs.finalize import finalize, net_of
from sightlab.runs.git_revision import git_revision
from sightlab.runs.recorder import RunRecorder, now
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.store.database.engine import check
from sightlab.store.run_folder import (
    home_folder,
    identity_in,
    locate,
    new_folder,
    read_facts,
    read_run,
    recipe_in,
    status_of,
)
from sightlab.training import checkpoint, compilation, distributed, loop
from sightlab.training.callbacks import Callback, CallbackError, Callbacks, Paused, TrainingContext, name_of
from sightlab.training.contracts import check_callback
from sightlab.training.device import environment, own_process
from sightlab.training.forecast import forecast
from sightlab.training.identity import check_resumable
from sightlab.training.prepare import GivenParts, OwnData, Prepared, prepare

LASTING = (
    "started",
    "git",
    "compiled",
    "callbacks",
    "identity",
)  # facts of a run that a resumed session does not change


def train(
    recipe: Recipe,
    model: nn.Module | None = None,
    data: OwnData | None = None,
    *,
    loss: Any = None,
    augment: Any = None,
    optimizer: Any = None,
    schedule: Any = None,
    metrics: Sequence[Any] = (),
    select_by: str | None = None,
    callbacks: Sequence[Callback] = (),
    home: Path | str | None = None,
    watch: Callback | None = None,
) -> Run:
    """Train a recipe, test the best epoch once, and keep all of it in a new folder of `home`.

    Each of these stands for what the recipe names (docs/extending.md has examples of all). model: a network, taking
    float32 [N, C, H, W] and giving logits [N, classes]; it is trained in place. data: images of your own. loss:
    (logits float [B, C], targets int64 [B] or float [B, C]) -> float [B]. augment: (images [B, H, W, C], CounterRNG) ->
    images, after the recipe's own. optimizer: a torch optimizer over the model, or (parameter groups, lr=) -> one.
    schedule: (step, total steps) -> factor of the learning rate, or a class of torch's LRScheduler.

    metrics: of Predictions, kept by epoch beside the recipe's. select_by: the name of one of them, by which the best
    epoch is chosen. callbacks: called beside the recipe's. home: where run folders are kept (see `home_folder`). watch:
    the old name of one callback.

    Raises SightlabError: data, recipe, model, part or device that do not fit, a loss that is no number, a callback that
    raises, a full disk.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder)
    >>> len(run.epochs), run.test.count
    (1, 2000)
    """
    parts = GivenParts(model, loss, augment, optimizer, schedule, metrics, with_watch(callbacks, watch))
    active = callbacks_of(recipe.callbacks, recipe.processes, parts.callbacks)
    place = Path(home).expanduser() if home is not None else home_folder()
    recipe = with_runs_found(selecting(recipe, select_by), place, active.message)
    with own_process(recipe.deterministic), own_home(place) as place:
        teacher = teacher_of(recipe.distillation, active.message)
        prepared = prepare(recipe, data, parts, active.message, active.data_progress, teacher)
        check(place)
        folder = new_folder(place, recipe.name)
        with kept_whole(folder):
            return fit(started(prepared, folder, active), active)


def resume(
    run: Run | str | Path,
    model: nn.Module | None = None,
    data: OwnData | None = None,
    *,
    loss: Any = None,
    augment: Any = None,
    optimizer: Any = None,
    schedule: Any = None,
    metrics: Sequence[Any] = (),
    callbacks: Sequence[Callback] = (),
    watch: Callback | None = None,
) -> Run:
    """Resume a run that was paused, killed or stopped, from its newest whole checkpoint.

    On a CPU the result is bit for bit that of a run that was never stopped. A run that has ended is given back as it
    is. What came from Python when the run was started must be given again, and be the same. Raises RunError when the
    run cannot be found, or when recipe, data or a part are not what it was started with.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder)
    ...     again = sightlab.resume(run)
    >>> again.test == run.test
    True
    """
    parts = GivenParts(model, loss, augment, optimizer, schedule, metrics, with_watch(callbacks, watch))
    found = run.folder if isinstance(run, Run) else locate(str(run))
    facts = read_facts(found)
    status = status_of(facts)
    recipe, _ = recipe_in(found)
    active = callbacks_of(recipe.callbacks, recipe.processes, parts.callbacks)
    if status == "finished":
        active.message(f"{found.name} is finished; nothing to resume")
        return read_run(found)
    if status == "running":
        raise RunError(
            f"{found.name} is running, as process {facts['process']['pid']}; wait for its end, or stop it first"
        )
    with own_process(recipe.deterministic), own_home(found.parent) as place:
        folder = place / found.name
        if folder != found:
            shutil.copytree(found, folder)
        teacher = teacher_of(recipe.distillation, active.message)
        prepared = prepare(recipe, data, parts, active.message, active.data_progress, teacher)
        check_resumable(identity_in(facts), prepared.identity)
        if restored(prepared, folder, active, str(facts.get("recipe_hash"))):
            training = prepared.training
            active.message(f"{folder.name} resumes at epoch {training.epoch}, step {training.step}")
        else:
            active.message(f"{folder.name} has no checkpoint; it starts anew")
        with kept_whole(folder):
            kept = {"planned_epochs": recipe.epochs} | {k: v for k, v in facts.items() if k in LASTING}
            return fit(RunRecorder(prepared, folder, kept, active.message), active)


def epochs(
    recipe: Recipe,
    model: nn.Module | None = None,
    data: OwnData | None = None,
    *,
    loss: Any = None,
    augment: Any = None,
    optimizer: Any = None,
    schedule: Any = None,
    metrics: Sequence[Any] = (),
    select_by: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> Iterator[Epoch]:
    """Train a recipe and yield each epoch's facts; nothing is kept and the test split stays sealed.

    The arguments are those of `train`.

    >>> import sightlab
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=2)
    >>> [epoch.epoch for epoch in sightlab.epochs(tiny)]
    [1, 2]
    """
    parts = GivenParts(model, loss, augment, optimizer, schedule, metrics, callbacks)
    recipe = with_runs_found(selecting(recipe, select_by))
    return own_process(recipe.deterministic).around(epochs_of(recipe, data, parts))


def epochs_of(recipe: Recipe, data: OwnData | None, parts: GivenParts) -> Generator[Epoch, None, None]:
    """See `epochs`; this process stays as it was set up between them."""
    active = callbacks_of(recipe.callbacks, recipe.processes, parts.callbacks)
    prepared = prepare(recipe, data, parts, active.message, active.data_progress, teacher_of(recipe.distillation))
    if recipe.compile == "on":
        compilation.choose(prepared, 0.0, active.message)
    context = TrainingContext(prepared.training, prepared.plan, recipe)
    active.call("on_train_start", context)
    with closing(prepared.gradient_step()) as step:
        yield from loop.epochs(context, step, prepared.validation, active)


def selecting(recipe: Recipe, select_by: str | None) -> Recipe:
    """The recipe with another metric that chooses the best epoch: one given from Python has no name that it knows."""
    return recipe if select_by is None else recipe.model_copy(update={"select_by": select_by})


def open_run(run: str | Path) -> Run:
    """The run of an id prefix, `last`, or a run folder. Raises RunError.

    >>> import sightlab
    >>> try:
    ...     sightlab.open_run("no-such-folder/no-such-run")
    ... except sightlab.SightlabError as error:
    ...     print(str(error).partition(':')[0])
    no run 'no-such-folder/no-such-run'
    """
    return read_run(locate(str(run)))


def fit(recorder: RunRecorder, callbacks: Callbacks) -> Run:
    """Train from where the training stands to its end, with a checkpoint after every epoch; then finalize the run."""
    prepared, folder = recorder.prepared, recorder.folder
    training, plan = prepared.training, prepared.plan
    context = TrainingContext(training, plan, prepared.recipe, folder, epoch=training.epoch)
    callbacks.add(recorder)
    recorder.write("running")
    context.status = "interrupted"
    try:
        if not loop.is_over(training, plan):
            foresee(recorder, callbacks)
        callbacks.call("on_train_start", context)
        with closing(prepared.gradient_step()) as step:
            for _ in loop.epochs(context, step, prepared.validation, callbacks):
                save(recorder, callbacks)
                recorder.write("running")
        run, context.status = finalize(recorder), "finished"
    except Paused:
        context.status = "trained" if loop.is_over(training, plan) else "interrupted"
        save(recorder, callbacks)
        recorder.write(context.status)
        raise Paused(folder.name) from None
    except CallbackError as error:
        save(recorder, callbacks)
        recorder.write("interrupted")
        raise CallbackError(f"{error}; the run is kept, go on with --resume {folder.name}") from error
    except KeyboardInterrupt:
        recorder.write("interrupted")
        raise
    except DivergedError as error:
        kept = f"epoch {training.history[-1].epoch} is kept in {folder}" if training.history else "no epoch was ended"
        failed(recorder, context, str(error))
        raise DivergedError(f"{error}; {kept}") from error
    except Exception as error:
        failed(recorder, context, f"{type(error).__name__}: {error}")
        raise
    finally:
        if context.status != "finished":
            with suppress(CallbackError):  # what ended the session is told, not this
                callbacks.call("on_train_end", context)
    callbacks.call("on_train_end", context)
    return run


def started(prepared: Prepared, folder: Path, callbacks: Callbacks) -> RunRecorder:
    """Write what a new run's folder starts with; the recorder of the run."""
    write_text(folder / "recipe.yaml", prepared.recipe.to_yaml())
    machine = environment(prepared.training.device, prepared.processes)
    write_text(folder / "environment.json", json.dumps(machine, indent=1))
    facts = {
        "started": now(),
        "planned_epochs": prepared.recipe.epochs,
        "git": git_revision(Path.cwd()),
        "identity": prepared.identity.to_json(),
        "callbacks": sorted(name for name, one in callbacks.by_key().items() if one.changes_training),
    }
    return RunRecorder(prepared, folder, facts, callbacks.message)


def foresee(recorder: RunRecorder, callbacks: Callbacks) -> None:
    """Say what the training will take, and decide whether it is compiled."""
    prepared = recorder.prepared
    height, width, channels = prepared.splits.shape
    recorder.facts["flops"] = forward_flops(net_of(prepared.classifier), channels, height, width)
    expected = forecast(prepared)
    callbacks.message(str(expected))
    known = recorder.facts.get("compiled")
    recorder.facts["compiled"] = compilation.choose(prepared, expected.seconds, callbacks.message, known)
    recorder.write("running")


def failed(recorder: RunRecorder, context: TrainingContext, reason: str) -> None:
    """Put a failure on record. What goes wrong with a finished run's pictures does not take its score."""
    context.status = "failed"
    recorder.facts["reason"] = one_line(reason)
    if recorder.status != "finished":
        with suppress(OSError):  # a full disk is the error that is told of, not that it cannot be written down
            recorder.write("failed")


def save(recorder: RunRecorder, callbacks: Callbacks) -> None:
    """Write a checkpoint of the training, with the state of its callbacks and its schedule."""
    prepared = recorder.prepared
    schedule: dict[str, Any] = getattr(prepared.plan.schedule, "state_dict", dict)()
    extra = {"callbacks": callbacks.states(), "schedule": schedule}
    checkpoint.save(recorder.folder / "checkpoints", prepared.training, prepared.identity.key, extra)


def restored(prepared: Prepared, folder: Path, callbacks: Callbacks, recipe_hash: str) -> bool:
    """Set a new training to a run's newest whole checkpoint; False if there is none. Raises RunError.

    recipe_hash: in the run's record, by which checkpoints of before identities know it.
    """

    def take(extra: Mapping[str, Any]) -> None:
        callbacks.restore(extra.get("callbacks", {}))
        if schedule := extra.get("schedule"):
            prepared.plan.schedule.load_state_dict(schedule)  # type: ignore[attr-defined]

    keys = (prepared.identity.key, key_of_old(prepared, recipe_hash))
    return checkpoint.restore(folder / "checkpoints", prepared.training, keys, extra=take)


def key_of_old(prepared: Prepared, recipe_hash: str) -> str:
    """This training's key in checkpoints of before identities: recipe, content of the data files, network, teacher."""
    teacher = [prepared.teacher.sha256[:16]] if prepared.teacher else []
    return "-".join([recipe_hash, prepared.splits.key[:16], prepared.model, *teacher])


def callbacks_of(names: Sequence[str], processes: int, given: Sequence[Callback]) -> Callbacks:
    """The callbacks of these names, then those given from Python. Raises RecipeError.

    Loggers write from the first of torchrun's processes alone.
    """
    loggers.check_installed(names)
    first = distributed.place().rank == 0
    found: list[Callback] = []
    for name in names:
        if name not in loggers.CALLBACKS:
            found.append(named("callback", name, {}, 0))
        elif first:
            found.append(loggers.CALLBACKS[name]())
    for one in [*found, *given]:
        check_callback(one)
        if one.changes_training and processes > 1:
            name = name_of(one)
            raise RecipeError(
                f"processes: {processes}, with callback {name}, which may change the training: "
                "the other processes would not see it; use processes=1, or set changes_training = False in its class"
            )
    return Callbacks([*found, *given])


def with_watch(callbacks: Sequence[Callback], watch: Callback | None) -> tuple[Callback, ...]:
    """The callbacks, and what was given under the name of the release before."""
    if watch is None:
        return tuple(callbacks)
    warnings.warn("watch=... is now callbacks=[...]; the old name goes with the next release", FutureWarning, 3)
    return (*callbacks, watch)


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
