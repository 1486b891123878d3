"""Parts from a file of the user's own: `path/to/file.py:Name`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from sightlab.errors import ModelError, RecipeError, SightlabError, one_line


def code_reference(name: str) -> tuple[Path, str] | None:
    """The file and the name inside it that a part's name points to, or None when it is of another kind.

    >>> code_reference("nets/small.py:Net")
    (PosixPath('nets/small.py'), 'Net')
    >>> code_reference("resnet18") is None
    True
    """
    path, mark, inside = name.rpartition(".py:")
    return (Path(path + ".py"), inside) if mark else None


def load_user_code(path: Path, inside: str, slot: str) -> object:
    """What the file calls `inside`: a class, a function or any other object.

    The file is run, as `import` runs it: it is the user's own code. slot: what the part is for ("model", "loss"), which
    errors name. Raises ModelError for models, RecipeError for other slots, for every way in which this can fail.
    """
    source, digest = read_source(path, slot)
    module = run_file(path, source, digest, slot)
    try:
        found: object = getattr(module, inside)
    except AttributeError as error:
        names = ", ".join(defined(module)) or "no class or function"
        raise error_for(slot)(f"{path} has no '{inside}'; it defines: {names}") from error
    return found


def read_source(path: Path, slot: str) -> tuple[bytes, str]:
    """A file's bytes and their SHA-256 in hex. Raises ModelError or RecipeError when it cannot be read."""
    import hashlib  # loads OpenSSL, which `sightlab --help` does without

    try:
        source = path.read_bytes()
    except OSError as error:
        raise error_for(slot)(f"{slot} code {path} cannot be read: {error.strerror}") from error
    return source, hashlib.sha256(source).hexdigest()


def run_file(path: Path, source: bytes, digest: str, slot: str) -> ModuleType:
    """The module made by running the bytes that were read, known to Python by their SHA-256.

    The bytes themselves are run, not the file or a cached byte code of it: what runs is what the hash was taken of.
    """
    name = f"sightlab_user_code_{digest}"
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
        raise error_for(slot)(f"{slot} code {path} failed: {described(error)}") from error
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


def error_for(slot: str) -> type[SightlabError]:
    """The error of a slot: a part of a recipe, except for models, which have their own."""
    return ModelError if slot == "model" else RecipeError


def described(error: BaseException) -> str:
    """An exception's type and text in one line."""
    text = one_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
