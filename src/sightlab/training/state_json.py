"""Nested state as JSON values and tensors with names, and back: what a checkpoint can store of any part."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sightlab.errors import RunError

# A dict of one such key stands for a value that JSON does not have.
TENSOR, TUPLE, PAIRS = "$tensor", "$tuple", "$dict"
PLAIN = (bool, int, float, str, type(None))


def pack(value: Any, tensors: dict[str, Tensor], where: str = "") -> Any:
    """The value as JSON; its tensors go into `tensors`, each under a name of its own.

    where: the path to the value, as in `callbacks.ema`, for names and errors. Raises RunError for a value of a type
    that neither JSON nor a tensor stands for.

    >>> pack({"betas": (0.9, 0.99), "step": 3}, {})
    {'betas': {'$tuple': [0.9, 0.99]}, 'step': 3}
    """
    if isinstance(value, Tensor):
        name = f"{len(tensors)}.{where}"
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list | tuple):
        items = [pack(item, tensors, f"{where}[{place}]") for place, item in enumerate(value)]
        return {TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, dict):
        inner = [(key, pack(one, tensors, f"{where}.{key}".lstrip("."))) for key, one in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in inner):
            return dict(inner)
        return {PAIRS: [[pack(key, {}, where), one] for key, one in inner]}
    raise RunError(
        f"{where} is a {type(value).__name__}; a checkpoint stores None, bool, int, float, str, list, tuple, dict and "
        "tensors"
    )


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What `pack` was given, its tensors on the CPU; a subclass of dict or tuple comes back as dict or tuple.

    >>> unpack({"betas": {"$tuple": [0.9, 0.99]}}, {})
    {'betas': (0.9, 0.99)}
    """
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if TENSOR in value:
        return tensors[value[TENSOR]]
    if TUPLE in value:
        return tuple(unpack(item, tensors) for item in value[TUPLE])
    if PAIRS in value:
        return {unpack(key, tensors): unpack(one, tensors) for key, one in value[PAIRS]}
    return {key: unpack(one, tensors) for key, one in value.items()}
