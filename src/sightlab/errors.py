"""What a user may see go wrong: one line each, naming the place, what was found and what would work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SightlabError(Exception):
    """A mistake or a mishap that the user can mend. The command line prints it as one line, exit status 2.

    >>> import sightlab
    >>> try:
    ...     sightlab.recipe("dmo")
    ... except sightlab.SightlabError as error:
    ...     print(error)
    unknown recipe 'dmo'; did you mean demo?
    """


class DataError(SightlabError):
    """A data set that cannot be found, read or used as asked."""


class RecipeError(SightlabError):
    """A recipe, or a change to one, that does not describe a training."""


class ModelError(SightlabError):
    """A model that cannot be built, or weights that do not fit it."""


class RunError(SightlabError):
    """A run or a bundle that cannot be found, opened, resumed or written."""


class StudyError(SightlabError):
    """A study that cannot be read, planned or reported."""


class DeviceError(SightlabError):
    """A device that this machine, or this build of torch, does not have."""


class DivergedError(SightlabError):
    """A training whose loss stopped being a number."""


class MetricError(SightlabError):
    """A metric that fails on a training's predictions, or is no number."""


def one_line(text: object) -> str:
    """The text with every run of white space, line ends too, as one space.

    >>> one_line("a\\n  b")
    'a b'
    """
    return " ".join(str(text).split())


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to add to "unknown ...": the nearest known name, or all of them when none is near.

    >>> suggestion("mini-resnet-v7", ["mini-resnet-v6", "cnn"])
    'did you mean mini-resnet-v6?'
    >>> suggestion("zebra", ["cnn", "resnet18"])
    'known: cnn, resnet18'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not near:
        folded = {n.casefold().replace("_", "-"): n for n in names}
        near = [folded[key] for key in [name.casefold().replace("_", "-")] if key in folded]
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(names)
