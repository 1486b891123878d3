"""Which parts there are: names by slot, known without importing what they name.

A part is named in a recipe by the name of one that ships, by a name that an installed package registers, or by
`path/to/file.py:Name`. A package registers a part as an entry point of the group `sightlab.parts`:

    [project.entry-points."sightlab.parts"]
    "loss.focal" = "mypackage.losses:Focal"

Nothing here imports torch. What ships is built in the room that owns it; `resolve` is for all other parts.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sightlab.errors import RecipeError, one_line, suggestion
from sightlab.parts.user_code import code_reference, error_for, load_user_code

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "sightlab.parts"
SLOTS = ("model", "loss", "augment", "optimizer", "schedule", "metric", "callback")

# The parts that ship, by slot, each with its version. A version is raised when the same settings come to mean other
# numbers, so that runs of before are not taken for runs of now. Models have a table of their own that needs torch,
# sightlab.models.MODELS; here are those whose version is not 1.
SHIPPED: dict[str, dict[str, int]] = {
    "model": {},
    "loss": {"cross-entropy": 1, "bce": 1},
    "augment": {},
    "optimizer": {"sgd": 1, "adam": 1, "adamw": 1, "lion": 1, "lamb": 1, "muon": 1},
    "schedule": {"constant": 1, "step": 1, "exponential": 1, "cosine": 1, "one-cycle": 1},
    "metric": dict.fromkeys(("accuracy", "loss", "top5", "balanced_accuracy", "auc", "calibration_error", "brier"), 1),
    "callback": {"tensorboard": 1, "mlflow": 1, "wandb": 1},
}


@cache
def installed(slot: str) -> dict[str, EntryPoint]:
    """The entry points of a slot by the part's name. Of two packages with one name, the first by package name wins."""
    from importlib.metadata import entry_points  # 30 ms, which `sightlab --help` does without

    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=package_of):
        of_slot, dot, name = point.name.partition(".")
        if dot and of_slot == slot:
            found.setdefault(name, point)
    return found


def package_of(point: EntryPoint) -> str:
    """The name of the package that registers an entry point."""
    return point.dist.name if point.dist is not None else ""


def known_names(slot: str) -> list[str]:
    """The names of a slot's parts: those that ship, then those of installed packages. Models that ship are not listed.

    >>> known_names("loss")[:2]
    ['cross-entropy', 'bce']
    """
    return list(dict.fromkeys([*SHIPPED[slot], *installed(slot)]))


def is_shipped(slot: str, name: str) -> bool:
    """Whether a name is that of a part that ships; of models, any that is neither a file's nor an entry point's."""
    if slot == "model":
        return code_reference(name) is None and name not in installed(slot)
    return name in SHIPPED[slot]


def check_part_name(slot: str, name: str) -> None:
    """Raises ValueError, one line, unless the name is known or points into a file; the file is not opened.

    >>> check_part_name("optimizer", "sdg")
    Traceback (most recent call last):
    ValueError: unknown optimizer 'sdg'; did you mean sgd?
    """
    if code_reference(name) is None and name not in SHIPPED[slot] and name not in installed(slot):
        known = suggestion(name, known_names(slot)) if known_names(slot) else "no installed package registers one"
        raise ValueError(f"unknown {slot} {name!r}; {known}")


def resolve(slot: str, name: str) -> object:
    """The object that a name means: what `file.py:Name` or an installed package's entry point gives.

    Parts that ship are built by their own rooms and are not resolved here. Raises ModelError for models, RecipeError
    for other slots: an unknown name, a file that cannot be read, or code that fails when it is run or imported.
    """
    reference = code_reference(name)
    if reference is not None:
        return load_user_code(*reference, slot)
    point = installed(slot).get(name)
    if point is None:
        names = known_names(slot)
        hint = suggestion(name, names) if names else f"no installed package registers one (entry points {GROUP})"
        raise error_for(slot)(f"unknown {slot} {name!r}; {hint}")
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # a package's own code may raise anything
        raise error_for(slot)(
            f"{slot} {name} of package {package_of(point)} ({point.value}) cannot be imported: "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error


def version(slot: str, name: str) -> str:
    """The version of a part that ships ("1"), or of the package that registers it ("mypackage 0.3").

    Raises RecipeError for a part in a file: what that is follows from its content.

    >>> version("optimizer", "sgd")
    '1'
    """
    if is_shipped(slot, name):
        return str(SHIPPED[slot].get(name, 1))
    point = installed(slot).get(name)
    if point is None:
        raise RecipeError(f"{slot} {name!r} has no version: it is not installed")
    return f"{package_of(point)} {point.dist.version}" if point.dist is not None else point.value
