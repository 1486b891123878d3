"""What a part of a training is, as a hash: of its code as it runs, and of all values that the code holds or names.

Two parts with the same fingerprint do the same. The reverse does not hold: another docstring makes another
fingerprint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.files import sha256_of
from sightlab.parts.trace import Trace, qualified_name


def fingerprint(thing: object, *, values: bool = True) -> tuple[str, bool]:
    """What an object given from Python is, and whether all of it could be pinned down.

    thing: a class, a function, an instance or a `torch.nn.Module`. values: of a module's parameters and buffers, also
    take in their values and whether they are trained; without it, names, shapes and dtypes alone.

    Code counts as it was compiled, with its constants, defaults, closures, the arguments of a partial, and the globals
    that it names; the file may have been edited since. Of an instance its attributes count too; of a network each
    module in it, by class, `extra_repr`, attributes and hooks.

    >>> double, triple = lambda x: 2 * x, lambda x: 3 * x
    >>> fingerprint(double) == fingerprint(triple), fingerprint(double)[1]
    (False, True)
    """
    trace = Trace(values)
    trace.add(thing)
    return f"{qualified_name(thing)} sha256:{trace.digest.hexdigest()[:32]}", trace.whole


def file_fingerprint(path: Path | str, name: str) -> str:
    """What a name in a user's file is: the name, and the file's sha256. Where the file lies does not count.

    Raises RunError for a file that cannot be read.
    """
    return f"file:{name} sha256:{content_sha256(path)[:32]}"


def content_sha256(path: Path | str) -> str:
    """The sha256 of a file's content, in hex. Raises RunError for a file that cannot be read."""
    try:
        return sha256_of(Path(path).expanduser())
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error


def weights_fingerprint(net: Any) -> tuple[str, bool]:
    """The names, shapes and values of a module's parameters and buffers as a hash, and whether they could be read."""
    trace = Trace(values=True)
    trace.add_tensors(net)
    return f"sha256:{trace.digest.hexdigest()[:32]}", trace.whole


def has_been_trained(net: Any) -> bool:
    """Whether a module's batch norms have seen images, so that its weights are not fresh from a random generator.

    False says nothing: a network without batch norms does not show it.
    """
    named = ((name.rpartition(".")[2], buffer) for name, buffer in net.named_buffers())
    return any(name == "running_mean" and buffer.device.type != "meta" and bool(buffer.any()) for name, buffer in named)
