"""`sightlab lr`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sightlab.cli.output import JSON_OPTION, as_json, out, progress_bar, say
from sightlab.cli.train import recipe_of

EXAMPLES = """\b
Examples:
  sightlab lr
  sightlab lr mini-resnet-v4 data=kmnist batch_size=128
  sightlab lr cnn --high 1 --steps 200 --picture lr.svg
"""


def lr(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE] [KEY=VALUE ...]", help="Recipe name or YAML file, and changes to it."),
    ] = None,
    low: Annotated[float, typer.Option(help="Lowest learning rate, of the first step.")] = 1e-5,
    high: Annotated[float, typer.Option(help="Highest learning rate, of the last step.")] = 10.0,
    steps: Annotated[int, typer.Option(min=10, help="Number of steps.")] = 100,
    picture: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the chart, .png or .svg.")] = Path(
        "learning-rates.png"
    ),
    json: bool = JSON_OPTION,
) -> None:
    """Find a learning rate: raise it step by step and watch the loss.

    The suggestion lies where the loss falls fastest, well below where it diverges (Smith 2017). Nothing is saved, and
    neither validation nor test data are used.
    """
    recipe = recipe_of(words or [])
    with progress_bar("reading images") as decoding, progress_bar("steps") as bar:
        from sightlab import charts
        from sightlab.runs.resolve_teacher import teacher_of
        from sightlab.runs.resolve_weights import with_runs_found
        from sightlab.training.device import own_process
        from sightlab.training.lr_finder import find_lr
        from sightlab.training.prepare import prepare

        recipe = with_runs_found(recipe, say=say)
        with own_process(recipe.deterministic):
            prepared = prepare(recipe, say=say, progress=decoding, teacher=teacher_of(recipe.distillation, say))
            found = find_lr(prepared, low, high, steps, bar)
    charts.save_chart(charts.learning_rates(found.lrs, found.losses, found.suggestion), picture)
    if json:
        facts = {"suggestion": found.suggestion, "lrs": found.lrs, "losses": found.losses, "picture": str(picture)}
        as_json(facts)
        return
    least = min(found.losses)
    where = found.lrs[found.losses.index(least)]
    out(f"suggestion   lr={found.suggestion:g}")
    out(f"lowest loss  {least:.4f} at lr {where:.3g}, from {found.losses[0]:.4f} at the start")
    out(f"picture      {picture}")
