"""Calls a model's builder with the options, and with those of the known values that its signature takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sightlab.errors import ModelError, suggestion

GIVEN = ("channels", "classes", "height", "width", "stem", "say")


def option_names(builder: Callable[..., object]) -> list[str]:
    """The names of the options that a builder takes: its parameters except the data's shape, the stem and `say`.

    >>> def net(channels, classes, depth=3): ...
    >>> option_names(net)
    ['depth']
    """
    bound = builder.keywords if isinstance(builder, partial) else {}
    return [
        name
        for name, parameter in inspect.signature(builder).parameters.items()
        if name not in GIVEN and name not in bound and parameter.kind in NAMED
    ]


NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def call_builder(
    builder: Callable[..., Any], name: str, given: Mapping[str, object], options: Mapping[str, object]
) -> Any:
    """What builder(...) returns, called with all options and those of the given values that it takes.

    Raises ModelError naming an option that the builder does not take, or one of another type than its default has,
    or a parameter without a default for which there is no value.
    """
    parameters = inspect.signature(builder).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    known = option_names(builder)
    for option, value in options.items():
        if option in given:
            raise ModelError(f"option {option} of model {name} is set from the data; leave it out")
        if option not in known and not takes_all:
            hint = suggestion(option, known) if known else "it takes none"
            raise ModelError(f"unknown option '{option}' for model {name}; {hint}")
        if option in known:
            check_type(name, option, value, parameters[option].default)
    values = {key: value for key, value in given.items() if takes_all or key in parameters} | dict(options)
    for key in known:
        if key not in values and parameters[key].default is inspect.Parameter.empty:
            raise ModelError(
                f"model {name} needs '{key}', which is none of {', '.join(given)}: set it with model.options.{key}=..."
            )
    return builder(**values)


def check_type(name: str, option: str, value: object, default: object) -> None:
    """Raises ModelError when the default is a number or a boolean and the value is not."""
    if isinstance(default, bool):
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, int | float):
        fits, wanted = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        return
    if not fits:
        raise ModelError(f"option {option} of model {name} must be {wanted}, not {value!r}")
