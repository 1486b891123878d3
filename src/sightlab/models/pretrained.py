"""torchvision's published ImageNet weights, from its cache or downloaded and checked."""

from __future__ import annotations

import contextlib
import io
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sightlab.errors import ModelError, one_line
from sightlab.models.load_weights import first_convolution, fit_state, last_linear
from sightlab.models.registry import MODELS

# DenseNet's files are from before torch forbade dots in names: denselayer1.norm.1 is denselayer1.norm1 now.
OLD_NAMES = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$")
POSITIONS = "encoder.pos_embedding"
HEADS = ("fc.", "hidden.", "classifier.", "heads.")


def load_published(model: nn.Module, name: str, say: Callable[[str], None]) -> None:
    """Load torchvision's default published weights of the model `name` into it, in place.

    Layers that do not fit the data are fitted, or left as initialised, as `fit_published` says. The file is checked
    against the hash in its name when it is downloaded, and read without running code.

    Raises ModelError when there are no such weights, or when they can be neither found nor downloaded.
    """
    known = MODELS.get(name)
    if known is None or not known.published:
        having = ", ".join(each for each, model in MODELS.items() if model.published)
        raise ModelError(f"model {name} has no published weights; pretrained=true works for {having} and for timm/NAME")
    from torchvision.models import get_model_weights  # half a second, and only needed here

    weights = get_model_weights(known.published).DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not file.exists():
        say(f"{name}: downloading {weights} from {weights.url}")
    try:
        # torch.hub tells stdout that it downloads, which is kept for results; its bar is only of use on a terminal.
        with contextlib.redirect_stdout(io.StringIO()):
            state = weights.get_state_dict(progress=sys.stderr.isatty(), check_hash=True, weights_only=True)
    except Exception as error:  # urllib, the file system, the hash and the unpickler each raise their own
        if file.exists():
            raise ModelError(
                f"{name}: {file} is damaged ({one_line(error)[:100]}); delete it, or use weights=FILE"
            ) from error
        raise ModelError(
            f"{name}: could not download {weights.url} ({one_line(error)}); looked in {file.parent}, use weights=FILE"
        ) from error
    fit_published(model, state, name, str(weights), say)


def fit_published(
    model: nn.Module, state: Mapping[str, Tensor], name: str, source: str, say: Callable[[str], None]
) -> None:
    """Load a published state dict into the model, in place, except for layers of another shape; `say` is told of them.

    The first convolution is fitted to other channels, and stays as initialised if its kernel has another size (the 3x3
    stem, a transformer's smaller patches). A transformer's position embeddings are interpolated to its number of
    patches. The head stays as initialised if the model has not 1000 classes, or has hidden layers of its own.

    name: the model's; source: what messages call the weights. Raises ModelError for any other mismatch.
    """
    own = model.state_dict()
    given = {OLD_NAMES.sub(r"\1\2", key): value for key, value in state.items()}
    fresh = {key for key in own if key.startswith(HEADS) and key not in given}
    if fresh:
        fresh |= {key for key in own if key.startswith(HEADS)}
        given = {key: value for key, value in given.items() if not key.startswith(HEADS)}
        say(f"{name}: {last_linear(model)} and what else is its own head left as initialised")
    stem = first_convolution(model)
    theirs, ours = given[stem].shape[2:], own[stem].shape[2:]
    if theirs != ours:
        fresh.add(stem)
        say(f"{name}: {stem.removesuffix('.weight')} left as initialised, {misfit(name, theirs[0], ours[0])}")
    if POSITIONS in own and own[POSITIONS].shape != given[POSITIONS].shape:
        before, after = side_of(given[POSITIONS]), side_of(own[POSITIONS])
        say(f"{name}: positions interpolated from {before} to {after} patches a side")
        given[POSITIONS] = positions_for(given[POSITIONS], after)
    fit_state(model, given, source, say, fresh)


def misfit(name: str, theirs: int, ours: int) -> str:
    """Why a first convolution of one size does not take weights of another, and which one does."""
    if MODELS[name].has_stem:
        return (
            f"the published {theirs}x{theirs} stem does not fit the {ours}x{ours} stem; stem={theirs}x{theirs} takes it"
        )
    return (
        f"the published {theirs}x{theirs} patches do not fit {ours}x{ours}; "
        f"options.patch_size={theirs} and a larger data.size take them"
    )


def side_of(positions: Tensor) -> int:
    """The patches a side of position embeddings. positions: [1, 1 + patches, tokens], the class token first."""
    return math.isqrt(positions.shape[1] - 1)


def positions_for(positions: Tensor, side: int) -> Tensor:
    """Positions [1, 1 + n * n, tokens] for side x side patches, by bicubic interpolation.

    Dosovitskiy et al. 2021, section 3.2.

    >>> positions_for(torch.ones(1, 1 + 49, 8), 4).shape
    torch.Size([1, 17, 8])
    """
    before = side_of(positions)
    grid = positions[:, 1:].transpose(1, 2).reshape(1, -1, before, before)
    resized = nn.functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=True)
    return torch.cat([positions[:, :1], resized.flatten(2).transpose(1, 2)], 1)
