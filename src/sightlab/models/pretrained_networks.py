"""Networks as others trained them, to be looked at: `pretrained/NAME` from a package, `timm/NAME` with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sightlab.errors import ModelError
from sightlab.models.classifier import Classifier
from sightlab.models.packaged import PREFIX as PACKAGED_PREFIX
from sightlab.models.packaged import imagenet_classes, packaged_model
from sightlab.models.timm_models import PREFIX as TIMM_PREFIX
from sightlab.models.timm_models import create, quiet_timm, timm_with

IMAGENET = 1000


@dataclass(frozen=True, eq=False)
class PretrainedNetwork:
    """A network with its preprocessing, in eval mode, on the CPU.

    classifier: takes uint8 [N, size, size, 3]. outputs: the names of its logits; () where it gives features. about:
    what it is, and where its weights are from. licence: of the weights, as their source states it.
    """

    name: str
    classifier: Classifier
    size: int
    outputs: tuple[str, ...]
    about: str
    licence: str


def is_pretrained(word: str) -> bool:
    """Whether a word names a network that others trained.

    >>> is_pretrained("pretrained/efficientnet-lite0"), is_pretrained("resnet18")
    (True, False)
    """
    return word.startswith((PACKAGED_PREFIX, TIMM_PREFIX))


def pretrained_network(name: str, weights: Path | str | None = None) -> PretrainedNetwork:
    """The network of this name with its published weights.

    timm's are in its cache, or downloaded; weights: a file in the layout of theirs (safetensors, or a state dict that
    is read without running code) to take instead. Raises ModelError for an unknown name, weights that cannot be had,
    and outputs that are neither features nor ImageNet's 1,000 classes.
    """
    if name.startswith(PACKAGED_PREFIX):
        if weights is not None:
            raise ModelError(f"{name}: its weights come with its package; leave out weights")
        classifier, known = packaged_model(name)
        outputs = imagenet_classes() if known.answers else ()
        return PretrainedNetwork(name, classifier, known.size, outputs, known.about, known.licence)
    return timm_network(name, weights)


def timm_network(name: str, weights: Path | str | None) -> PretrainedNetwork:
    """A network of timm with its own preprocessing: mean and standard deviation as its description has them."""
    file = None if weights is None else Path(weights).expanduser()
    if file is not None and not file.is_file():
        raise ModelError(f"{file}: no such file of weights")
    settings: dict[str, object] = {"pretrained": True}
    if file is not None:
        settings["pretrained_cfg_overlay"] = {"file": str(file)}
    with quiet_timm():
        timm = timm_with(name)
        net = create(timm, name, settings)
        facts = timm.data.resolve_model_data_config(net)
    described = net.pretrained_cfg
    classes = int(described.get("num_classes", 0))  # type: ignore[union-attr, operator]
    if classes not in (0, IMAGENET):
        raise ModelError(f"{name}: its {classes:,} classes have no names here; take a network for ImageNet-1k")
    channels, height, width = facts["input_size"]
    if channels != 3 or height != width:
        raise ModelError(f"{name}: takes {channels} x {height} x {width} images, not square ones in colour")
    source = str(file or described.get("hf_hub_id") or "its published weights")  # type: ignore[union-attr, operator]
    return PretrainedNetwork(
        name=name,
        classifier=Classifier(net, facts["mean"], facts["std"]).eval(),
        size=int(height),
        outputs=imagenet_classes() if classes else (),
        about=f"timm's {name.removeprefix(TIMM_PREFIX)}, weights from {source}",
        licence=str(described.get("license") or "not stated"),  # type: ignore[union-attr, operator]
    )
