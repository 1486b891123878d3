"""timm's models by their own names, `timm/NAME`, fitted to the data's channels, classes and size."""

from __future__ import annotations

import contextlib
import difflib
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from sightlab.errors import ModelError, one_line
from sightlab.models.regularise import share

PREFIX = "timm/"
# sightlab's names of options, and timm's.
RENAMED = {"dropout": "drop_rate", "stochastic_depth": "drop_path_rate"}


def timm_model(
    name: str,
    *,
    channels: int,
    classes: int,
    height: int,
    width: int,
    pretrained: bool,
    options: Mapping[str, object],
    say: Callable[[str], None],
) -> nn.Module:
    """timm.create_model for these images. name: with the prefix. options: timm's own, and dropout, stochastic_depth.

    The image size is passed to the models that want it (vision transformers), the others take any. Raises ModelError
    when timm is not installed, does not know the name or the option, or cannot get the published weights.
    """
    with quiet_timm():
        timm = timm_with(name)
        settings = {RENAMED.get(key, key): value for key, value in options.items()}
        for key in options.keys() & RENAMED.keys():
            check_rate(key, options[key], name)
        settings |= {"in_chans": channels, "num_classes": classes, "pretrained": pretrained}
        if pretrained:
            say(f"{name}: published weights from timm's cache, or downloaded")
        model = create_for(timm, name, height, width, settings)
    for line in uncovered(model, name, height, width):
        say(line)
    return model


def create_for(timm: Any, name: str, height: int, width: int, settings: Mapping[str, object]) -> nn.Module:
    """The model made for one image size where it wants to know it. Raises ModelError for a keyword it refuses."""
    size = height if height == width else (height, width)
    try:
        return create(timm, name, {**settings, "img_size": size})
    except _Refused as refusal:
        if refusal.keyword != "img_size":
            raise unknown_option(name, refusal.keyword) from refusal
    try:
        return create(timm, name, settings)
    except _Refused as refusal:
        raise unknown_option(name, refusal.keyword) from refusal


def uncovered(model: nn.Module, name: str, height: int, width: int) -> Iterator[str]:
    """A warning for the user when patches do not cover the image: timm drops the remaining pixels silently."""
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    if isinstance(patch, tuple) and len(patch) == 2 and (height % patch[0] or width % patch[1]):
        seen = f"{height // patch[0] * patch[0]} x {width // patch[1] * patch[1]}"
        yield (
            f"{name}: its {patch[0]} x {patch[1]} patches cover only {seen} of {height} x {width} pixels; "
            "set data.size to a multiple of the patch size, or model.options.patch_size"
        )


class _Refused(Exception):  # noqa: N818 - not an error but an answer
    """A model does not take a keyword."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


def create(timm: Any, name: str, settings: Mapping[str, object]) -> nn.Module:
    """timm.create_model, its refusal of a keyword told apart from everything else that can go wrong."""
    try:
        model: nn.Module = timm.create_model(name.removeprefix(PREFIX), **settings)
    except Exception as error:  # timm, its hub client and each of its 1,000 models raise their own
        keyword = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if isinstance(error, TypeError) and keyword:
            raise _Refused(keyword[1]) from error
        reason = f"{type(error).__name__}: {one_line(error)}"
        if settings["pretrained"]:
            raise ModelError(
                f"{name}: the published weights are not available ({reason}); without a network use weights=FILE"
            ) from error
        raise ModelError(f"{name} cannot be built with {dict(settings)}: {reason}") from error
    return model


def unknown_option(name: str, keyword: str) -> ModelError:
    """The error for a keyword that a timm model does not take, by sightlab's name for it."""
    ours = {theirs: own for own, theirs in RENAMED.items()}.get(keyword, keyword)
    return ModelError(f"model {name} takes no option '{ours}'")


def check_rate(option: str, value: object, name: str) -> None:
    """Raises ModelError unless the value is a number in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ModelError(f"option {option} of model {name} must be a number, not {value!r}")
    share(option, value)


def timm_with(name: str) -> Any:
    """The timm package, which has the model. name: with the prefix.

    Raises ModelError when timm is not installed, or does not know the name. timm's own schemes, which would fetch a
    model's description from a hub, are not names of models.
    """
    try:
        import timm  # three seconds, and only needed for its models
    except ImportError as error:
        raise ModelError(f"model {name} needs timm, which is not installed: pip install 'sightlab[timm]'") from error
    bare = name.removeprefix(PREFIX)
    if not timm.is_model(bare):
        near = difflib.get_close_matches(bare, timm.list_models(), n=3, cutoff=0.6)
        hint = f"near: {', '.join(near)}" if near else "timm.list_models() lists them"
        raise ModelError(f"timm {timm.__version__} has no model '{bare}'; {hint}")
    return timm


@contextlib.contextmanager
def quiet_timm() -> Iterator[None]:
    """Within the block, warnings from inside timm and its hub client's lines about retries are not shown.

    What is printed goes to stderr: stdout is kept for results.
    """
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            for module in ("timm", "huggingface_hub"):
                warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
            yield
    finally:
        hub.setLevel(level)
