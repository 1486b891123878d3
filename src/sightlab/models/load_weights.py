"""Weights from a file into a model: safetensors, or what torch.save wrote if it holds tensors and nothing else."""

from __future__ import annotations

import json
import math
import pickle
import re
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sightlab.errors import ModelError, one_line

WRAPPERS = ("state_dict", "model", "model_state_dict")
PREFIXES = ("module.", "_orig_mod.")
TORCH_ZIP = b"PK\x03\x04"
# The format before torch 1.6: a pickle of protocol 2 that begins with a ten-byte magic number.
TORCH_LEGACY = b"\x80\x02\x8a\x0a"
# What timm calls otherwise than we do: the squeeze-and-excitation of its residual blocks.
OTHER_NAMES = ((".se.fc", ".attention.fc"),)


def load_weights(model: nn.Module, path: Path, say: Callable[[str], None], class_names: Sequence[str] = ()) -> None:
    """Load the weights of a file into the model, in place; all but the first and last layer must match.

    The first convolution is fitted to another number of input channels (`fit_channels`), and the last linear layer is
    left as it was when the file's has another number of classes, or when the file is a bundle's and its classes are
    not those of class_names, where these are given; `say` is told of both. A state dict may stand alone or under one
    of the keys of WRAPPERS, its names may have the prefixes of DataParallel or torch.compile.

    Raises ModelError when the file cannot be read, would need code to run, or does not fit; the model is then
    unchanged.
    """
    state = read_state(path)
    head = last_linear(model)
    fresh = set()
    learnt = classes_beside(path)
    if class_names and learnt and list(class_names) != learnt and len(class_names) == len(learnt):
        fresh = {name for name in (f"{head}.weight", f"{head}.bias") if name in state}
        example = next((old, new) for old, new in zip(learnt, class_names, strict=True) if old != new)
        say(
            f"{head} left as initialised: the classes of {path} are others ('{example[0]}' where '{example[1]}' is now)"
        )
    fit_state(model, state, str(path), say, fresh)


def classes_beside(path: Path) -> list[str]:
    """The class names in the bundle of a weights file, in order; empty if the file is not part of a bundle."""
    try:
        facts = json.loads((path.parent / "bundle.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    classes = facts.get("classes") if isinstance(facts, dict) else None
    return [str(name) for name in classes] if isinstance(classes, list) else []


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, by name, on the CPU. Its format is read from its first bytes.

    Raises ModelError when it cannot be read, is cut short, is of neither format or holds more than tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ModelError(f"weights {path} cannot be read: {error.strerror}") from error
    if not head:
        raise ModelError(f"weights {path} is an empty file")
    if head.startswith((TORCH_ZIP, TORCH_LEGACY)):
        return state_dict_in(read_torch(path), path)
    if head[8:] == b"{" or path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"weights {path} is cut short or damaged: {one_line(error)}") from error
    if head.startswith(b"\x80"):
        raise ModelError(f"{path} is a plain pickle, which could run code; {how_to_convert(path)}")
    raise ModelError(f"weights {path} is neither a safetensors file nor one that torch.save wrote")


def read_torch(path: Path) -> Any:
    """What torch.save wrote, loaded without running code from the file. Raises ModelError."""
    try:
        # An open file, not its name: torch.load goes by the name's suffix where it has one.
        with path.open("rb") as file, warnings.catch_warnings():
            # torch warns of what the file is like; whatever matters of that ends in an error below.
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        names = re.findall(r"GLOBAL ([\w.]+)", str(error))
        found = names[0] if names else "objects other than tensors"
        raise ModelError(
            f"{path} holds more than tensors ({found}), which could run code; {how_to_convert(path)}"
        ) from error
    except Exception as error:  # torch.load raises KeyError, EOFError, struct.error, RuntimeError ... on broken files
        text = one_line(error).split(". ")[0] or type(error).__name__
        raise ModelError(f"weights {path} is cut short or damaged: {text}") from error


def how_to_convert(path: Path) -> str:
    """What to do with a file that could only be loaded by running code."""
    return f"convert it where you trust it: torch.save(model.state_dict(), '{path.stem}-tensors.pth')"


def state_dict_in(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict of a loaded file, unwrapped and without prefixes of wrapped models. Raises ModelError."""
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state dict (names and tensors)")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(
                f"{path} is not a state dict: {name!r} is a {type(value).__name__}, not a tensor; "
                f"keep the state dict alone, or under one of the keys {', '.join(WRAPPERS)}"
            )
    state = dict(content)
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def fit_state(
    model: nn.Module,
    state: Mapping[str, Tensor],
    source: str,
    say: Callable[[str], None],
    fresh: Collection[str] = (),
) -> None:
    """Load a state dict into the model, in place; the first convolution and the head are fitted as in `load_weights`.

    source: the state's origin, for messages. fresh: names that keep the model's values.
    Raises ModelError naming the first name that is missing, misshapen, not finite or unexpected.
    """
    own = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    given = renamed(state, own)
    first, head = first_convolution(model), last_linear(model)
    if first in own and first in given and differ_in_channels(given[first], own[first]) and first not in fresh:
        say(f"{first}: {given[first].shape[1]} input channels in {source} fitted to {own[first].shape[1]}")
        given[first] = fit_channels(given[first], own[first].shape[1])
    left = set(fresh) | other_head(own, given, head)
    if left - set(fresh):
        counts = [len(weights[f"{head}.weight"]) for weights in (given, own)]
        say(f"{head} left as initialised: {counts[0]} classes in {source}, {counts[1]} in the model")
    for name, value in own.items():
        if name not in left:
            check_entry(name, given.get(name), value, source)
    for name, value in given.items():
        if name not in own and name not in left:
            raise ModelError(f"{source} has {name} {list(value.shape)}, which the model does not have")
    model.load_state_dict({name: value for name, value in given.items() if name not in left}, strict=False)


def renamed(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """The state dict with another library's names replaced by the model's own, where it has such."""
    found = {}
    for name, value in state.items():
        names = [name, *(name.replace(theirs, ours) for theirs, ours in OTHER_NAMES)]
        found[next((each for each in names if each in own), name)] = value
    return found


def check_entry(name: str, given: Tensor | None, own: Tensor, source: str) -> None:
    """Raises ModelError when the given tensor cannot replace the model's own.

    A batch norm's count of batches may be missing: files from before torch 0.4.1 do not have it.
    """
    if given is None:
        if not name.endswith(".num_batches_tracked"):
            raise ModelError(f"{source} has no {name} {list(own.shape)}, which the model needs")
        return
    if given.shape != own.shape:
        raise ModelError(f"{name} is {list(given.shape)} in {source}, {list(own.shape)} in the model")
    if given.is_floating_point() != own.is_floating_point():
        given_type, own_type = (str(t.dtype).removeprefix("torch.") for t in (given, own))
        raise ModelError(f"{name} is {given_type} in {source}, {own_type} in the model")
    if given.is_floating_point() and not torch.isfinite(given).all():
        raise ModelError(f"{name} in {source} holds values that are not finite")


def first_convolution(model: nn.Module) -> str:
    """The name of the weight of the first ungrouped convolution, the one that takes the image; empty without one."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            return f"{name}.weight".lstrip(".") if module.groups == 1 else ""
    return ""


def last_linear(model: nn.Module) -> str:
    """The name of the last linear layer, the one that gives the logits; empty without one."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return names[-1] if names else ""


def other_head(own: Mapping[str, Tensor], given: Mapping[str, Tensor], head: str) -> set[str]:
    """The names of the last linear layer's tensors where the file's differs in the number of classes alone."""
    weight = f"{head}.weight"
    if weight not in own or weight not in given or given[weight].ndim != 2:
        return set()
    if len(given[weight]) == len(own[weight]) or given[weight].shape[1] != own[weight].shape[1]:
        return set()
    return {weight, f"{head}.bias"}


def differ_in_channels(given: Tensor, own: Tensor) -> bool:
    """Whether two convolution weights [out, in, k, k] differ in their input channels and nothing else."""
    if given.ndim != 4 or own.ndim != 4 or given.shape[1] == own.shape[1]:
        return False
    return given.shape[0] == own.shape[0] and given.shape[2:] == own.shape[2:]


def fit_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution's weights [out, before, k, k] for another number of input channels, as timm fits them.

    One channel: the sum over the input channels, which answers a grey image as the original answers it in colour.
    Otherwise the channels are repeated in turn and scaled by before / channels, so that the sum stays about the same.

    >>> fit_channels(torch.tensor([[[[1.0]], [[2.0]], [[3.0]]]]), 1)
    tensor([[[[6.]]]])
    """
    before = weight.shape[1]
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight.repeat(1, math.ceil(channels / before), 1, 1)[:, :channels] * (before / channels)
