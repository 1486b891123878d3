"""For those who write their own training loop: everything prepared before it, and everything kept after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from sightlab.recipes.schema import Recipe
from sightlab.records import Run
from sightlab.runs.finalize import finalize
from sightlab.runs.lifecycle import kept_whole, own_home, save, selecting, started
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.store.database.engine import check
from sightlab.store.run_folder import home_folder, new_folder
from sightlab.training import prepare as training
from sightlab.training.callbacks import Callbacks
from sightlab.training.prepare import GivenParts, OwnData, Prepared

OWN_LOOP = "a loop of the user's own"


def prepare(
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
    say: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """All parts of a training, for a loop of your own; `finish` then keeps the result as `sightlab.train` does.

    The arguments are those of `train`; say: told what was read and decided, a line each. See `Prepared` for what there
    is. Raises SightlabError for what does not fit.

    >>> import sightlab
    >>> prepared = prepare(sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, batch_size=64))
    >>> [len(images) for images, _ in prepared.batches(epoch=1)]
    [64, 64, 32]
    """
    recipe = with_runs_found(selecting(recipe, select_by), say=say)
    parts = GivenParts(model, loss, augment, optimizer, schedule, metrics)
    return training.prepare(recipe, data, parts, say, teacher=teacher_of(recipe.distillation, say))


def finish(prepared: Prepared, *, home: Path | str | None = None, say: Callable[[str], None] = lambda _: None) -> Run:
    """Test the best of the validated epochs once, and keep all of it in a new run folder: bundle, scores and report.

    Nobody can tell what a loop of your own does, so the run's identity is not whole: it is compared with others, and
    never taken for one of them. Raises RunError where no epoch was validated, and for a full disk.

    >>> import sightlab, tempfile
    >>> prepared = prepare(sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False))
    >>> for images, targets in prepared.batches(epoch=1):
    ...     loss = prepared.loss(prepared.classifier(images), targets).mean()
    ...     prepared.optimizer.zero_grad()
    ...     loss.backward()
    ...     prepared.optimizer.step()
    >>> epoch = prepared.validate()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = finish(prepared, home=folder)
    >>> run.best_epoch, run.test.count
    (1, 2000)
    """
    own = prepared.identity
    prepared = replace(prepared, identity=replace(own, parts={**own.parts, "loop": OWN_LOOP}, whole=False))
    with own_home(Path(home).expanduser() if home is not None else home_folder()) as place:
        check(place)
        folder = new_folder(place, prepared.recipe.name)
        with kept_whole(folder):
            nobody = Callbacks()
            recorder = started(prepared, folder, nobody)
            recorder.say = say
            save(recorder, nobody)
            return finalize(recorder)
