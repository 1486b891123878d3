"""torchvision's published ImageNet weights for the ResNets, from its cache or downloaded and checked."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from sightlab.errors import ModelError, one_line
from sightlab.models.weights import fit_state

PUBLISHED = ("resnet18", "resnet34", "resnet50")


def load_published(model: nn.Module, name: str, say: Callable[[str], None]) -> None:
    """Copies torchvision's default published weights of the model `name` into it, in place.

    The first convolution is fitted to other channels; it stays as it was where the model has the 3x3 stem, and so
    does the head where the model has not 1000 classes. `say` is told all that. The file is checked against the hash
    in its name when it is downloaded, and read without running code.

    Raises ModelError when there are no such weights, or when they can be neither found nor downloaded.
    """
    if name not in PUBLISHED:
        raise ModelError(
            f"model {name} has no published weights; pretrained=true works for {', '.join(PUBLISHED)} and for timm/NAME"
        )
    from torchvision.models import get_model_weights  # half a second, and only needed here

    weights = get_model_weights(name).DEFAULT
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
    fresh = []
    if model.get_parameter("conv1.weight").shape[2:] != state["conv1.weight"].shape[2:]:
        fresh.append("conv1.weight")
        say(f"{name}: conv1 left as initialised, the published 7x7 stem does not fit the 3x3 stem; stem=7x7 takes it")
    fit_state(model, state, str(weights), say, fresh)
