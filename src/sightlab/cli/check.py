"""`sightlab check`."""

from __future__ import annotations

from typing import Annotated

import typer

from sightlab.cli.output import JSON_OPTION, as_json, out
from sightlab.errors import RecipeError
from sightlab.parts.registry import SLOTS, resolve
from sightlab.parts.user_code import code_reference, load_user_code

EXAMPLES = """\b
Examples:
  sightlab check my.py:Focal
  sightlab check my.py:Focal gamma=2
  sightlab check my.py:Cutout --slot augment
"""


def check(
    part: Annotated[str, typer.Argument(metavar="FILE.py:NAME", help="Your class or function.")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[OPTION=VALUE ...]", help="Options that it takes.")
    ] = None,
    slot: Annotated[str | None, typer.Option(metavar="SLOT", help=f"What it is for: {', '.join(SLOTS)}.")] = None,
    json: bool = JSON_OPTION,
) -> None:
    """Check that a part of your own fits its slot, on a small batch.

    A part is a loss, augmentation, optimizer, schedule, metric, callback or model (docs/extending.md). The file is run.
    Without --slot, the slot follows from the class, or from the names of its arguments: (logits, targets) is a loss,
    (images, rng) an augmentation, (predictions) a metric, (step, total_steps) a schedule.
    """
    from sightlab.training.contracts import check_part, slot_of

    if slot is not None and slot not in SLOTS:
        raise RecipeError(f"--slot {slot}: unknown; use {', '.join(SLOTS)}")
    reference = code_reference(part)
    if reference is None and slot is None:
        raise RecipeError(f"{part}: name a file and what is in it, such as my.py:Focal, or say its slot with --slot")
    found = load_user_code(*reference, slot or "part") if reference else resolve(str(slot), part)
    chosen = slot or slot_of(found)
    if chosen is None:
        raise RecipeError(f"{part}: its arguments do not say what it is for; add --slot, one of {', '.join(SLOTS)}")
    options = options_of(words or [])
    promise = check_part(chosen, found, options)
    if json:
        as_json({"part": part, "slot": chosen, "promise": promise})
        return
    out(f"{part} fits as {'an' if chosen[0] in 'ao' else 'a'} {chosen}: it {promise}")
    key = {"metric": "metrics", "callback": "callbacks"}.get(chosen, chosen)
    out(" ".join([f"next    sightlab train {key}={part}", *(f"{key}.options.{word}" for word in words or [])]))


def options_of(words: list[str]) -> dict[str, object]:
    """`option=value` words as options; values are read as YAML. Raises RecipeError."""
    from sightlab.recipes.overrides import parse_changes

    return {
        key.removeprefix("model.options."): value
        for key, value in parse_changes(f"model.options.{word}" for word in words).items()
    }
