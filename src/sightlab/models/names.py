"""Whether a model's name means anything, asked before minutes are spent on the data."""

from __future__ import annotations

from sightlab.errors import ModelError, suggestion
from sightlab.models.registry import MODELS
from sightlab.models.timm_models import PREFIX, quiet_timm, timm_with
from sightlab.parts.registry import installed
from sightlab.parts.user_code import code_reference, read_source


def check_name(name: str) -> None:
    """Raises ModelError unless the name is a key of MODELS, timm's, a package's, or points into a file that is there.

    >>> check_name("mini-resnet-v7")
    Traceback (most recent call last):
    sightlab.errors.ModelError: unknown model 'mini-resnet-v7'; did you mean mini-resnet-v6?
    """
    reference = code_reference(name)
    if name.startswith(PREFIX):
        with quiet_timm():
            timm_with(name)
    elif reference is not None:
        read_source(reference[0], "model")
    elif name not in MODELS and name not in installed("model"):
        raise ModelError(f"unknown model '{name}'; {suggestion(name, [*MODELS, *installed('model')])}")
