"""The fields by which runs can be filtered and sorted: one readable table, and the keys of recipes."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from sightlab.errors import RecipeError, RunError, suggestion

Kind = Literal["text", "number", "truth", "time", "any", "list"]


@dataclass(frozen=True)
class Field:
    """A field that a filter may name.

    column: of the table `runs`; of another table as `table.column`, of which a run has any number of rows. path: to a
    value within a column of nested values, `document`: a recipe's key, or the figure of an analysis. kind: what it is
    compared with. help: one line.
    """

    name: str
    kind: Kind
    help: str
    column: str = ""
    path: tuple[str, ...] = ()
    document: str = "settings"

    @property
    def many(self) -> bool:
        """Whether a run may have several: a comparison is then true if it is of one of them."""
        return "." in self.column

    @property
    def of_test(self) -> bool:
        """Whether it is a score on the test split."""
        return self.name.startswith("test_") and self.name != "test_images" and not self.path


ANALYSIS, EXAMPLE = "analysis.", "analysis.corruptions.accuracy"
FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("run", "text", "its id, which is the name of its folder", "id"),
        Field("status", "text", "running, finished, trained (its test split is sealed), interrupted or failed"),
        Field("reason", "text", "why it failed"),
        Field("recipe", "text", "the recipe's name; `recipe.KEY` is one of its keys"),
        Field("recipe_hash", "text", "equal for recipes that describe the same result"),
        Field("identity", "text", "equal for runs of one training, with its seed, data and parts"),
        Field("identity_but_seed", "text", "equal for runs of one training with any seed"),
        Field("model", "text", "the network's name"),
        Field("seed", "number", "of the training"),
        Field("parameters", "number", "of the network"),
        Field("flops", "number", "of one image's forward pass"),
        Field("data", "text", "the data set, as the recipe names it"),
        Field("data_key", "text", "hash of the images it was trained on"),
        Field("train_images", "number", "images it was trained on"),
        Field("validation_images", "number", "images it was validated on"),
        Field("test_images", "number", "images of the test split"),
        Field("planned_epochs", "number", "epochs it was to have"),
        Field("epochs", "number", "epochs it has had"),
        Field("best_epoch", "number", "the epoch that validation chose"),
        Field("validation_accuracy", "number", "of the best epoch, 0 to 1"),
        Field("validation_loss", "number", "of the best epoch, in nats"),
        Field("test_accuracy", "number", "of the best epoch, 0 to 1"),
        Field("test_low", "number", "lower end of the 95 % interval of test_accuracy"),
        Field("test_high", "number", "upper end of the 95 % interval of test_accuracy"),
        Field("test_loss", "number", "of the best epoch, in nats"),
        Field("test_top5", "number", "share of test images whose class is among the best five answers"),
        Field("test_count", "number", "test images that were scored"),
        Field("test_correct", "number", "test images that were classified correctly"),
        Field("openings", "number", "how often the test split has been opened for it"),
        Field("seconds", "number", "of training and validation"),
        Field("images_per_second", "number", "in training"),
        Field("started", "time", "when it began, UTC"),
        Field("ended", "time", "when it ended, UTC"),
        Field("heartbeat", "time", "when its process was last heard of, UTC"),
        Field("host", "text", "the machine's name"),
        Field("device", "text", "cpu, cuda:0, mps"),
        Field("cpu", "text", "the processor's name"),
        Field("system", "text", "the operating system"),
        Field("git_revision", "text", "commit of the folder it was started in"),
        Field("git_dirty", "truth", "whether files differed from that commit"),
        Field("binned_at", "time", "when it was put into the bin, UTC"),
        Field("home", "text", "the folder of its home; `.` for the one that the database lies in"),
        Field("tag", "text", "any of its tags", "tags.tag"),
        Field("note", "text", "the text of any of its notes", "notes.text"),
        Field("study", "text", "the name of any of its studies", "study_runs.study"),
    )
}


def field_named(name: str) -> Field:
    """The field of this name: one of FIELDS, the figure of an analysis, `analysis.NAME.FIGURE`, else a key of recipes.

    A key is given by its path, its last part, or either after `recipe.`. Raises RunError, one line, for a name that is
    none of these, or that could mean several keys.

    >>> field_named("lr").path, field_named("recipe.epochs").path, field_named("epochs").path
    (('optimizer', 'lr'), ('epochs',), ())
    """
    if name in FIELDS:
        return FIELDS[name]
    if name.startswith(ANALYSIS):
        return analysis_field(name)
    from sightlab.recipes.keys import GROUPS, SHORT, full_key, leaf_keys

    key = name.removeprefix("recipe.")
    keys = leaf_keys()
    known = {*keys, *SHORT, *GROUPS, *(one.rpartition(".")[2] for one in keys)}
    is_option = any(key.startswith(start) and key != start for start in ("options.", "model.options."))
    if key not in known and not is_option:
        raise RunError(f"unknown field {name!r}; {meant(name, [*FIELDS, *keys, *known])}")
    if key in GROUPS and key not in SHORT:
        first = next(one for one in keys if one.startswith(f"{key}."))
        raise RunError(f"{name} is a group of a recipe's keys; name one of them, such as {first}")
    try:
        path = tuple(full_key(key).split("."))
    except RecipeError as error:
        raise RunError(str(error)) from error
    return Field(name, "any" if is_option else recipe_kind(path), "a key of its recipe", path=path)


def analysis_field(name: str) -> Field:
    """The figure of an analysis, `analysis.NAME.FIGURE`. Raises RunError for a name without both."""
    path = tuple(name.removeprefix(ANALYSIS).split("."))
    if len(path) != 2 or not all(path):
        raise RunError(f"unknown field {name!r}; the figure of an analysis is analysis.NAME.FIGURE, such as {EXAMPLE}")
    return Field(name, "number", "a figure of sightlab analyze", path=path, document="analyses")


def meant(name: str, known: list[str]) -> str:
    """What a misspelt field most likely meant; all of them are too many to list."""
    text = suggestion(name, known)
    return text if text.startswith("did you mean") else "docs/runs.md lists the fields"


def recipe_kind(path: tuple[str, ...]) -> Kind:
    """What a recipe's key holds; any where it may be of several kinds."""
    from sightlab.recipes.keys import field_type

    kinds = set(kinds_in(field_type(".".join(path[:-1]), path[-1])))
    return kinds.pop() if len(kinds) == 1 else "any"


def kinds_in(annotation: Any) -> Iterator[Kind]:
    """The kinds of values that a type allows, None aside."""
    origin = get_origin(annotation)
    if origin is Literal or annotation is str:
        yield "text"
    elif annotation is bool:
        yield "truth"
    elif annotation in (int, float):
        yield "number"
    elif origin in (tuple, list, dict) or annotation in (tuple, list, dict):
        yield "list"
    elif origin in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from kinds_in(one)
    elif origin is not None:  # Annotated
        yield from kinds_in(get_args(annotation)[0])
