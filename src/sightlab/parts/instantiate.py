"""From what a slot is given to what is called: a class is made, a function gets its options, an object stays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from sightlab.parts.call import call_part, check_options, part_name
from sightlab.parts.registry import resolve
from sightlab.parts.user_code import error_for


def named(slot: str, name: str, options: Mapping[str, Any], positional: int) -> Any:
    """The part of this name, which does not ship, with its options. Raises RecipeError; see `made`."""
    return made(slot, resolve(slot, name), options, positional, name)


def made(slot: str, given: Any, options: Mapping[str, Any], positional: int, name: str = "") -> Any:
    """A part from a class, a function or an object that is a part already.

    options: what the class or the function takes by name; an object takes none. positional: how many arguments the
    part is called with, 0 for one that is not called itself. name: what errors call it. Raises RecipeError for an
    option that is not taken, for a class that cannot be made, and for what cannot be called.

    >>> class Scale:
    ...     def __init__(self, by=2): self.by = by
    ...     def __call__(self, images, rng): return self.by * images
    >>> made("augment", Scale, {"by": 3}, 2)(2, None)
    6
    """
    name = name or part_name(given)
    if inspect.isclass(given):
        given, options = call_part(slot, name, given, options), {}
    if positional and not callable(given):
        raise error_for(slot)(f"{slot} {name} is a {type(given).__name__}, which cannot be called")
    if options:
        check_options(slot, name, given, options, positional)
        return partial(given, **options)
    return given
