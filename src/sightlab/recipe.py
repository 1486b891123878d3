"""A recipe: one training described by a frozen, validated value. Read from YAML, changed by key=value, hashed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sightlab.errors import RecipeError, one_line, suggestion

FORMAT = 1
SUFFIXES = (".yaml", ".yml")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    short_for: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`data: kmnist` stands for `data: {source: kmnist}`."""
        return {cls.short_for: value} if cls.short_for and isinstance(value, str) else value


class Data(_Group):
    """Which pictures, and how they are divided.

    size: pixels of the shorter side, then a centre crop; None keeps the pictures' own size. channels: None keeps
    their own. limit_per_class: images a class taken from the training split (before validation is cut from it).
    validation: share of the training split set aside where the source has no validation split. split_seed draws
    the divisions; it is not the training's seed, so that runs with several seeds see the same test images.
    """

    short_for = "source"
    source: str = "fashion-mini"
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    channels: Annotated[int, Field(ge=1, le=64)] | None = None
    label: str | None = None
    skip_broken: bool = False
    limit_per_class: Annotated[int, Field(ge=2)] | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    split_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class Model(_Group):
    """Which network. name: one of `sightlab models`, timm/NAME, or path/to/file.py:ClassOrFunction.

    stem: auto, 3x3 or 7x7, for the models that have a choice. pretrained: start from the published weights.
    weights: a .safetensors or .pth file of tensors to start from. options: what the model itself takes.
    """

    short_for = "name"
    name: str = "mini-resnet-v4"
    stem: Literal["auto", "3x3", "7x7"] = "auto"
    pretrained: bool = False
    weights: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _plain_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key, value in options.items():
            parts = value if isinstance(value, list) else [value]
            if not all(isinstance(part, bool | int | float | str) for part in parts):
                raise ValueError(f"option {key} must be a number, a text, true, false or a list of these")
        return options

    @model_validator(mode="after")
    def _one_start(self) -> Model:
        if self.pretrained and self.weights:
            raise ValueError("has both pretrained and weights; start from one of them")
        return self


class Augment(_Group):
    """What is done to training images only. crop_padding: pixels of black around the image before a random crop

    of its own size. flip: probability of a mirror image, left to right.
    """

    crop_padding: Annotated[int, Field(ge=0, le=512)] = 0
    flip: Share = 0.0


class Optimizer(_Group):
    """How weights move. decay_norms_and_biases: weight decay also on these (left out by default)."""

    short_for = "name"
    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    decay_norms_and_biases: bool = False
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    eps: Positive = 1e-8


class Schedule(_Group):
    """The learning rate as a function of the step, as a factor of `lr`.

    warmup_epochs: linear rise from warmup_factor first. step: x gamma every step_epochs. exponential: x gamma each
    epoch. cosine: down to final_factor. one-cycle: up to lr at the share peak_at, then down to final_factor.
    """

    short_for = "name"
    name: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "constant"
    warmup_epochs: NotNegative = 0.0
    warmup_factor: Share = 0.0
    step_epochs: Annotated[int, Field(ge=1)] = 10
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    final_factor: Share = 0.0
    peak_at: Annotated[float, Field(gt=0, lt=1)] = 0.3


class Loss(_Group):
    """Cross-entropy. label_smoothing: share of each label spread evenly over the classes (Szegedy et al. 2016, 7)."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Recipe(_Group):
    """A frozen description of one training.

    clip_norm: the gradients' largest global norm; None does not clip. early_stop: epochs without a better
    validation accuracy after which training ends; None never does. device: auto, cpu, cuda, cuda:N or mps.
    notes: what the author of the recipe states: command, expected time and accuracy with n.
    """

    format: int = FORMAT
    name: Annotated[str, Field(min_length=1, max_length=80)] = "demo"
    notes: str = ""
    data: Data = Data()
    model: Model = Model()
    augment: Augment = Augment()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    loss: Loss = Loss()
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    clip_norm: Positive | None = None
    early_stop: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    device: str = "auto"
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    compile: Literal["auto", "on", "off"] = "auto"

    @field_validator("compile", mode="before")
    @classmethod
    def _yaml_truth(cls, value: Any) -> Any:
        """YAML reads a bare on and off as true and false."""
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @property
    def hash(self) -> str:
        """Sixteen hex digits: equal for two recipes that describe the same result.

        The name and the notes are left out, and so are the settings that the chosen optimizer and schedule do not
        read.

        >>> a = Recipe(name="a", schedule=Schedule(gamma=0.5))
        >>> a.hash == Recipe(name="b").hash, a.hash == Recipe(seed=1).hash
        (True, False)
        """
        values = self.model_dump(mode="json", exclude={"name", "notes", "format"})
        for group, unread in (("optimizer", UNREAD_BY_OPTIMIZER), ("schedule", UNREAD_BY_SCHEDULE)):
            for key in unread.get(values[group]["name"], ()):
                del values[group][key]
        if values["schedule"]["warmup_epochs"] == 0:
            del values["schedule"]["warmup_factor"]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """The whole recipe as YAML that `read_recipe` reads back to an equal one."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


UNREAD_BY_OPTIMIZER = {"sgd": ("betas", "eps"), "adam": ("momentum", "nesterov"), "adamw": ("momentum", "nesterov")}
UNREAD_BY_SCHEDULE = {
    "constant": ("step_epochs", "gamma", "final_factor", "peak_at"),
    "step": ("final_factor", "peak_at"),
    "exponential": ("step_epochs", "final_factor", "peak_at"),
    "cosine": ("step_epochs", "gamma", "peak_at"),
    "one-cycle": ("step_epochs", "gamma"),
}
SHORT = {"data": "data.source", "model": "model.name", "optimizer": "optimizer.name", "schedule": "schedule.name"}


def shipped_recipes() -> list[str]:
    """The names of the recipes that ship, sorted."""
    folder = resources.files("sightlab") / "recipes"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def shipped_text(name: str) -> str:
    """The YAML of a recipe that ships. Raises RecipeError for another name."""
    if name not in shipped_recipes():
        raise RecipeError(f"unknown recipe {name!r}; {suggestion(name, shipped_recipes())}")
    return (resources.files("sightlab") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def read_recipe(name: str) -> Recipe:
    """The recipe of this name, or in the YAML file at this path.

    Raises RecipeError for an unknown name, an unreadable file, or a key or value that does not fit.
    """
    path = Path(name)
    if path.suffix in SUFFIXES or path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            raise RecipeError(f"{path}: cannot be read as a recipe: {reason}") from error
        return parse_recipe(text, str(path))
    return parse_recipe(shipped_text(name), f"recipe {name}")


def parse_recipe(text: str, where: str) -> Recipe:
    """The recipe in a YAML text. where: how errors name its place."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{where}: not YAML: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{where}: holds {type(values).__name__}, a recipe is a mapping of keys such as `epochs: 10`")
    written = values.get("format", FORMAT)
    if not isinstance(written, int) or written > FORMAT or written < 1:
        raise RecipeError(
            f"{where}: format {written!r}, this sightlab reads format {FORMAT}; "
            "upgrade sightlab to read a recipe from the future"
        )
    return validated(values, where)


def validated(values: Mapping[str, Any], where: str) -> Recipe:
    """The recipe of these nested values. Raises RecipeError, one line, naming the first key that does not fit."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = [str(part) for part in first["loc"]]
        key = ".".join(p for p in place if p in place[:1] or not p.startswith(("function-", "constrained-")))
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{where}: unknown key {key!r}; {suggestion_for(place)}") from error
        found = first.get("input")
        shown = f", found {found!r}" if isinstance(found, bool | int | float | str | None) else ""
        message = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{where}: {key}: {one_line(message)[:1].lower()}{one_line(message)[1:]}{shown}") from error


def suggestion_for(place: Sequence[str]) -> str:
    """Where a misspelt key most likely belongs: the nearest key of its group, else of the whole recipe."""
    keys = leaf_keys()
    by_leaf = {k.rpartition(".")[2]: k for k in keys}
    if place[-1] in by_leaf:
        return f"did you mean {by_leaf[place[-1]]}?"
    group = ".".join(place[:-1])
    siblings = [k.rpartition(".")[2] for k in keys if k.rpartition(".")[0] == group]
    text = suggestion(place[-1], [*siblings, *(GROUPS if not group else ())])
    elsewhere = suggestion(place[-1], by_leaf)
    if text.startswith("known") and elsewhere.startswith("did you mean"):
        leaf = elsewhere.removeprefix("did you mean ").removesuffix("?")
        return f"did you mean {by_leaf[leaf]}?"
    return text


def leaf_keys() -> list[str]:
    """Every key that holds a value, as dotted paths in the recipe's order."""
    keys: list[str] = []
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Group):
            keys += [f"{name}.{leaf}" for leaf in kind.model_fields]
        else:
            keys.append(name)
    return keys


GROUPS = ("data", "model", "augment", "optimizer", "schedule", "loss")


def full_key(key: str) -> str:
    """The dotted path that a user's key means: a path, a group's short form, or a leaf name that is unique.

    >>> full_key("lr"), full_key("data"), full_key("data.size"), full_key("options.dropout")
    ('optimizer.lr', 'data.source', 'data.size', 'model.options.dropout')
    """
    keys = leaf_keys()
    if key in keys:
        return key
    if key in SHORT:
        return SHORT[key]
    for prefix in ("model.options.", "options."):
        if key.startswith(prefix) and len(key) > len(prefix):
            return "model.options." + key.removeprefix(prefix)
    matches = [k for k in keys if k.rpartition(".")[2] == key]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RecipeError(f"key {key!r} could mean {' or '.join(matches)}; write the one you mean in full")
    if key in GROUPS:
        inside = ", ".join(k for k in keys if k.startswith(key + "."))
        raise RecipeError(f"key {key!r} is a group; set one of {inside}")
    raise RecipeError(f"unknown key {key!r}; {suggestion_for(key.split('.'))}")


def parse_changes(words: Iterable[str]) -> dict[str, Any]:
    """`key=value` words as {dotted path: value}; values are read as YAML (`0.03`, `true`, `null`, text).

    >>> parse_changes(["lr=1e-3", "epochs=3", "data=kmnist", "early_stop=null"])
    {'optimizer.lr': 0.001, 'epochs': 3, 'data.source': 'kmnist', 'early_stop': None}
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise RecipeError(f"{word!r} is not key=value; a change looks like lr=0.03")
        path = full_key(key.strip())
        if path in changes:
            raise RecipeError(f"{path} is given twice; keep one of them")
        changes[path] = change_value(path, text)
    return changes


def change_value(path: str, text: str) -> Any:
    """The value that a change's text means: text as it stands for keys that take text, else as YAML reads it.

    Text keys must not be guessed at: `name=1e3` is no number, `compile=off` no truth value. Numbers like 1e-3 are
    text in YAML 1.1, so they are tried as numbers too.
    """
    group, _, leaf = path.rpartition(".")
    kind = None if group == "model.options" else field_type(group, leaf)
    optional = type(None) in get_args(kind)
    if optional and text.casefold() in ("", "null", "none", "~"):
        return None
    if kind is str or get_origin(kind) is Literal or str in get_args(kind):
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: {text!r} is not a value: {one_line(error)}") from error
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def field_type(group: str, leaf: str) -> Any:
    """The type of a recipe's key."""
    holder = Recipe.model_fields[group].annotation if group else Recipe
    assert isinstance(holder, type) and issubclass(holder, BaseModel)
    return holder.model_fields[leaf].annotation


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with these values at these keys, validated anew.

    changes: dotted paths, short forms or unique leaf names, as `full_key` takes them.

    >>> changed(Recipe(), {"lr": 0.03, "model": "cnn"}).optimizer.lr
    0.03
    """
    values = recipe.model_dump(mode="python")
    for key, value in changes.items():
        *groups, leaf = full_key(key).split(".")
        holder = values
        for group in groups:
            holder = holder[group]
        holder[leaf] = value
    return validated(values, recipe.name)


def differences(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """What changed between two recipes: {dotted path: (before, after)}, in the recipe's order.

    >>> differences(Recipe(), changed(Recipe(), {"lr": 0.03}))
    {'optimizer.lr': (0.1, 0.03)}
    """
    found = {}
    for key in leaf_keys():
        group, _, leaf = key.rpartition(".")
        old = getattr(getattr(before, group) if group else before, leaf)
        new = getattr(getattr(after, group) if group else after, leaf)
        if old != new:
            found[key] = (old, new)
    return found
