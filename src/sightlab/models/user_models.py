"""Models of the user's own: `path/to/net.py:Net`, or a name that an installed package registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from sightlab.errors import ModelError
from sightlab.models.builder import call_builder
from sightlab.parts.registry import resolve
from sightlab.parts.user_code import code_reference, described, read_source


def user_model(
    name: str, given: Mapping[str, object], options: Mapping[str, object], say: Callable[[str], None]
) -> nn.Module:
    """The module that the class or function of this name gives.

    A file is run, as `import` runs it: it is the user's own code. say: told the file and the SHA-256 of its content,
    which tells two versions of it apart. Raises ModelError for every way in which this can fail.
    """
    reference = code_reference(name)
    if reference is not None:
        path, inside = reference
        name = f"{path.name}:{inside}"
        say(f"model code: {name} (sha256 {read_source(path, 'model')[1][:8]}...)")
        builder = resolve("model", f"{path}:{inside}")
    else:
        builder = resolve("model", name)
    if isinstance(builder, nn.Module):
        raise ModelError(f"{name} is a model that is built already; name its class, or a function that builds it")
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
