"""What a search may vary: lists of values and ranges of numbers, read from `key=...` words."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from sightlab.errors import StudyError
from sightlab.recipes.keys import field_type, full_key
from sightlab.recipes.overrides import changed, parse_lists, readable
from sightlab.recipes.schema import Recipe

Values = Mapping[str, Any]  # {dotted path: value}, one trial's place in the space

# Trials are compared on the same validation images and under the same conditions; these keys would change either, or
# nothing of the result at all.
FIXED = {
    "format", "name", "notes", "callbacks", "test_flips", "report", "device", "processes", "compile", "deterministic",
    "data.source", "data.label", "data.skip_broken", "data.limit_per_class", "data.validation", "data.split_seed",
    "data.layout", "data.classes", "data.split", "data.config", "data.list", "data.label_from", "data.shape",
    "data.ignore", "data.encoding", "data.bit_depth",
}  # fmt: skip
MOST_CELLS = 10_000
NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?::(.*))?")
OF_WORDS = re.compile(r"[\w-]+\.\.[\w-]+(:\w*)?")  # looks like a range, of something that has no order


@dataclass(frozen=True)
class Choice:
    """A list of values, in the order they were given."""

    values: tuple[Any, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included. whole: integers only. log: uniform in the logarithm."""

    low: float
    high: float
    whole: bool = False
    log: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"low": self.low, "high": self.high, "whole": self.whole, "log": self.log}

    def share(self, value: float) -> float:
        """How far along the range a value lies, in [0, 1].

        >>> Range(0.001, 0.1, log=True).share(0.01)
        0.5
        """
        low, high, here = (math.log(one) if self.log else one for one in (self.low, self.high, value))
        return (here - low) / (high - low)


Axis = Choice | Range


@dataclass(frozen=True)
class Space:
    """What varies, {dotted path: how}, in the order it was given.

    >>> fixed, space = parse_space(["lr=0.01,0.1", "batch_size=32..64", "epochs=3"])
    >>> fixed, list(space.axes), space.cells
    ({'epochs': 3}, ['optimizer.lr', 'batch_size'], None)
    """

    axes: Mapping[str, Axis] = field(default_factory=dict)

    @property
    def ranges(self) -> list[str]:
        """The keys that have a range."""
        return [key for key, axis in self.axes.items() if isinstance(axis, Range)]

    @property
    def cells(self) -> int | None:
        """How many trials the whole space has; None where a range makes them endless."""
        if self.ranges:
            return None
        return math.prod(len(axis.values) for axis in self.axes.values() if isinstance(axis, Choice))

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination of the lists, the last key changing fastest. Raises ValueError where there is a range."""
        if self.ranges:
            raise ValueError(f"{self.ranges[0]} is a range, which has no cells")
        lists = [axis.values for axis in self.axes.values() if isinstance(axis, Choice)]
        for values in itertools.product(*lists):
            yield dict(zip(self.axes, values, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {key: axis.to_json() for key, axis in self.axes.items()}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Space:
        """The space that `to_json` wrote. Raises KeyError, TypeError for anything else."""
        return cls(
            {key: Choice(tuple(one["values"])) if "values" in one else Range(**one) for key, one in facts.items()}
        )


def parse_space(words: Sequence[str]) -> tuple[dict[str, Any], Space]:
    """The `key=...` words as what is the same for all trials, {dotted path: value}, and what varies.

    `key=v1,v2` is a list, `key=low..high` a range, `key=low..high:log` one uniform in the logarithm, `key=v` the
    same for all. Raises RecipeError for an unknown key, StudyError for values that cannot be searched.
    """
    fixed: dict[str, Any] = {}
    axes: dict[str, Axis] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise StudyError(
                f"{word!r} is not key=value; give lists such as lr=0.03,0.1 or ranges such as lr=0.001..0.1:log"
            )
        path, text = full_key(key.strip()), text.strip()
        if path in fixed or path in axes:
            raise StudyError(f"{path} is given twice; keep one of them")
        found = axis_of(path, text)
        if isinstance(found, Choice) and len(found.values) == 1:
            fixed[path] = found.values[0]
        else:
            axes[path] = found
    check_varying(axes)
    return fixed, Space(axes)


def axis_of(path: str, text: str) -> Axis:
    """What a key's text means: a range of numbers, or a list of one value or more."""
    if not text or text.startswith(",") or text.endswith(",") or ",," in text:
        raise StudyError(f"{path}: {text!r} has an empty value; give values such as 1,2,3")
    kinds = number_kinds(path)
    match = RANGE.fullmatch(text)
    if match is None and ".." in text and kinds and not is_text(path):
        raise StudyError(f"{path}: {text!r} is not a range; one is low..high or low..high:log, such as 0.001..0.1:log")
    if not kinds and (match or (OF_WORDS.fullmatch(text) and not takes_any(path))):
        raise StudyError(f"{path}: {text!r} is a range, but the key takes no numbers; list its values: {path}=A,B")
    if match is None:
        return Choice(tuple(parse_lists([f"{path}={text}"])[path]))
    return range_of(path, text, match, kinds)


def range_of(path: str, text: str, match: re.Match[str], kinds: set[type]) -> Range:
    """The range that a text means. kinds: of the numbers that the key takes."""
    low, high, scale = match[1], match[2], match[3]
    if scale not in (None, "log"):
        raise StudyError(f"{path}: {text!r} ends in :{scale}; a range ends in :log or has no suffix")
    ends = float(low), float(high)
    written_whole = all(re.fullmatch(r"[-+]?\d+", end) for end in (low, high))
    whole = written_whole if ".options." in path else float not in kinds
    if whole and not all(end.is_integer() for end in ends):
        raise StudyError(f"{path}: {text!r} has fractional ends, but the key takes integers")
    if not ends[0] < ends[1] < math.inf:
        raise StudyError(f"{path}: {text!r} is empty; a range is low..high with low below high")
    if scale == "log" and ends[0] <= 0:
        raise StudyError(f"{path}: {text!r} starts at {low}, which has no logarithm; start above 0, or leave out :log")
    return Range(int(ends[0]), int(ends[1]), True, scale == "log") if whole else Range(*ends, False, scale == "log")


def number_kinds(path: str) -> set[type]:
    """The kinds of number, int and float, that a key takes; both for a model's own options."""
    group, _, leaf = path.rpartition(".")
    return {int, float} if group.endswith(".options") else numbers_in(field_type(group, leaf))


def numbers_in(kind: Any) -> set[type]:
    """int and float, as far as a type has them by itself; not inside a tuple."""
    if kind in (int, float):
        return {kind}
    if get_origin(kind) is Annotated:
        return numbers_in(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return set().union(*map(numbers_in, get_args(kind)))
    return set()


def takes_any(path: str) -> bool:
    """Whether a key takes any text at all; model.name takes the name of a model or a file."""
    return is_text(path) and path != "model.name"


def is_text(path: str) -> bool:
    """Whether a key takes any text, in which two dots mean nothing."""
    group, _, leaf = path.rpartition(".")
    kind = field_type(group, leaf)
    return kind is str or str in get_args(kind)


def check_varying(axes: Mapping[str, Axis]) -> None:
    """Raise StudyError where nothing varies, where a key does that may not, and for a grid that is too large."""
    if "seed" in axes:
        raise StudyError("seed: the same for every trial; --seeds N trains each with N seeds")
    for path in axes:
        if path in FIXED:
            raise StudyError(f"{path}: cannot vary: trials share images and conditions; give one value")
    if not axes:
        raise StudyError("nothing to search: no key has several values; give lr=0.03,0.1 or lr=0.001..0.1:log")
    cells = Space(axes).cells
    if cells is not None and cells > MOST_CELLS:
        raise StudyError(
            f"the grid has {cells:,} cells, at most {MOST_CELLS:,} are allowed; give ranges, such as lr=0.001..0.1:log"
        )


def check_fit(recipe: Recipe, space: Space) -> None:
    """Raise RecipeError for a value that does not fit its key, before anything is trained."""
    for path, axis in space.axes.items():
        part = part_that_reads(path, recipe, space)
        for value in axis.values if isinstance(axis, Choice) else (axis.low, axis.high):
            changed(recipe, {**part, path: value})


def part_that_reads(path: str, recipe: Recipe, space: Space) -> Values:
    """The change to a part of the space that reads a key; none where the space does not choose among parts.

    >>> _, space = parse_space(["optimizer=sgd,adam", "eps=1e-8,1e-6"])
    >>> part_that_reads("optimizer.eps", Recipe(), space)
    {'optimizer.name': 'adam'}
    """
    key = f"{path.partition('.')[0]}.name"
    names = space.axes.get(key)
    if path == key or not isinstance(names, Choice):
        return {}
    return next(({key: name} for name in names.values if path in readable(recipe, {key: name, path: None})), {})


def worded(values: Values) -> str:
    """A trial's values as words, each key by its last part.

    >>> worded({"optimizer.lr": 0.0316227766, "model.name": "cnn"})
    'lr=0.03162 model=cnn'
    """
    return " ".join(f"{short_key(key)}={shown(value)}" for key, value in values.items())


def short_key(path: str) -> str:
    """A short name of a key.

    >>> short_key("optimizer.lr"), short_key("model.name"), short_key("model.options.width")
    ('lr', 'model', 'width')
    """
    group, _, leaf = path.rpartition(".")
    return group if leaf == "name" and group else leaf


def shown(value: Any) -> str:
    """A value as text, a number with four digits.

    >>> shown(0.000123456), shown(64), shown(None), shown(True)
    ('0.0001235', '64', 'null', 'true')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
