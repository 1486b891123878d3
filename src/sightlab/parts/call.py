"""Calls what a part's name means with its options, and says in one line what it does not take or how it failed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sightlab.errors import SightlabError
from sightlab.parts.user_code import described, error_for

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def call_part(
    slot: str, name: str, function: Callable[..., Any], options: Mapping[str, Any], *args: Any, **given: Any
) -> Any:
    """What function(*args, **given, **options) returns: an optimizer's class, a loss's class, a schedule's function.

    Raises ModelError for models, RecipeError for other slots: for an option that the function does not take or that is
    given already, and for whatever the call itself raises.
    """
    check_options(slot, name, function, options, len(args), given)
    try:
        return function(*args, **given, **options)
    except SightlabError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        raise error_for(slot)(f"{slot} {name} failed: {described(error)}") from error


def check_options(
    slot: str,
    name: str,
    function: Callable[..., Any],
    options: Mapping[str, Any],
    positional: int = 0,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Raise unless the function takes these options. positional, given: what it is called with besides.

    Raises ModelError for models, RecipeError for other slots.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # made in C, without a signature: calling it will tell
        return
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
    held = {one.name for one in parameters[:positional]} | set(given or {})
    known = [one.name for one in parameters if one.kind in NAMED and one.name not in held]
    for option in options:
        if option in held:
            raise error_for(slot)(f"{slot}.options.{option}: the training sets it for {name}; leave it out")
        if option not in known and not takes_all:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise error_for(slot)(f"{slot}.options.{option}: {name} does not take it; {takes}")


def part_name(part: object) -> str:
    """What messages call a part from Python: its own name, or that of its class; of a partial, what it wraps.

    >>> from functools import partial
    >>> part_name(partial(part_name, 1)), part_name(3)
    ('part_name', 'int')
    """
    inner = getattr(part, "func", part)
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))
