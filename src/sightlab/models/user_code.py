"""Models from a file of the user's own: `path/to/net.py:Net`."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from sightlab.errors import ModelError, one_line
from sightlab.models.builder import call_builder


def code_reference(name: str) -> tuple[Path, str] | None:
    """The file and the name inside it that a model's name points to, or None when it is of another kind.

    >>> code_reference("nets/small.py:Net")
    (PosixPath('nets/small.py'), 'Net')
    >>> code_reference("resnet18") is None
    True
    """
    path, mark, inside = name.rpartition(".py:")
    return (Path(path + ".py"), inside) if mark else None


def own_model(
    path: Path, inside: str, given: Mapping[str, object], options: Mapping[str, object], say: Callable[[str], None]
) -> nn.Module:
    """The module that the class or function `inside` of the file gives.

    The file is run, as `import` runs it: it is the user's own code. say: told the file and the SHA-256 of its
    content, which tells two versions of it apart. Raises ModelError for every way in which this can fail.
    """
    name = f"{path.name}:{inside}"
    source, digest = read_source(path)
    say(f"model code: {name} (sha256 {digest[:8]}...)")
    module = run_file(path, source, digest)
    builder = getattr(module, inside, None)
    if builder is None:
        raise ModelError(
            f"{path} has no '{inside}'; it defines: {', '.join(defined(module)) or 'no class or function'}"
        )
    if isinstance(builder, nn.Module):
        raise ModelError(f"{name} is a model that is made already; name its class, or a function that makes it")
    if not callable(builder):
        raise ModelError(f"{name} is a {type(builder).__name__}; it must be a class or a function that gives a model")
    try:
        model = call_builder(builder, name, given, options)
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{name} failed: {described(error)}") from error
    if not isinstance(model, nn.Module):
        raise ModelError(f"{name} gave a value of type {type(model).__name__}; it must give a torch.nn.Module")
    return model


def read_source(path: Path) -> tuple[bytes, str]:
    """A file's bytes and their SHA-256 in hex. Raises ModelError when it cannot be read."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model code {path} cannot be read: {error.strerror}") from error
    return source, hashlib.sha256(source).hexdigest()


def run_file(path: Path, source: bytes, digest: str) -> ModuleType:
    """The module made by running the bytes that were read, known to Python by their SHA-256.

    The bytes themselves are run, not the file or a cached byte code of it: what runs is what the hash was taken of.
    """
    name = f"sightlab_model_code_{digest}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module: Any = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    # dataclasses and typing look a class's module up by its name.
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's own code
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ModelError(f"model code {path} failed: {described(error)}") from error
    checked: ModuleType = module
    return checked


def defined(module: ModuleType) -> list[str]:
    """The public classes and functions that a module itself defines, sorted."""
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    )


def described(error: BaseException) -> str:
    """An exception's type and text in one line."""
    text = one_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
