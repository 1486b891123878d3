"""Networks that others trained: timm's own layout, its own preprocessing, and what a subject makes of them."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from sightlab.errors import ModelError, RunError
from sightlab.lens.subject import subject_of
from sightlab.models.pretrained_networks import pretrained_network


def saved(name: str, folder: Path) -> tuple[torch.nn.Module, Path]:
    """timm's network with random weights, and a file of them in the layout of its published ones."""
    net = timm.create_model(name, pretrained=False).eval()
    file = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, file)
    return net, file


@pytest.mark.parametrize("name", ["resnet10t", "vit_small_patch16_224.dino"])
def test_a_file_in_timms_layout_gives_the_network_with_timms_own_preprocessing(name: str, tmp_path: Path) -> None:
    """The DINO ViT has no head: it gives features. Pixels are normalised as timm's description says."""
    net, file = saved(name, tmp_path)
    found = pretrained_network(f"timm/{name}", file)
    assert len(found.outputs) == (1000 if name == "resnet10t" else 0)
    images = torch.randint(0, 256, (2, found.size, found.size, 3), generator=torch.Generator().manual_seed(0))
    facts = timm.data.resolve_model_data_config(net)
    mean, std = (torch.tensor(facts[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    pixels = (images.permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        torch.testing.assert_close(found.classifier(images.to(torch.uint8)), net(pixels), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "weights", "says"),
    [
        ("timm/resnet_of_nobody", None, "has no model 'resnet_of_nobody'"),
        ("timm/resnet10t", "missing.pth", "missing.pth: no such file of weights"),
        ("pretrained/efficientnet-lite0", "missing.pth", "its weights come with its package"),
    ],
)
def test_what_cannot_be_had_is_one_line(name: str, weights: str | None, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        pretrained_network(name, weights)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_one_line(tmp_path: Path) -> None:
    _, file = saved("resnet10t", tmp_path)
    with pytest.raises(ModelError, match="published weights are not available") as caught:
        pretrained_network("timm/vit_small_patch16_224.dino", file)
    assert "\n" not in str(caught.value)


def test_a_pretrained_subject_needs_data_and_says_whose_classes_they_are(small_data: str) -> None:
    with pytest.raises(RunError, match="name labelled images with --data SOURCE"):
        subject_of("pretrained/efficientnet-lite0")
    subject = subject_of("pretrained/efficientnet-lite0", small_data, limit=3)
    assert (subject.images.shape, len(subject.images), subject.labelled) == ((224, 224, 3), 3, False)
    assert any("no answer is right or wrong" in note for note in subject.notes)
    assert any("licence Apache-2.0" in note for note in subject.notes)


def test_a_runs_subject_is_its_validation_split_and_never_its_test_split(small_run: Path) -> None:
    subject = subject_of(small_run, limit=40)
    assert (subject.labelled, len(subject.images), subject.source) == (True, 40, "validation split of fashion-mini")
    counts = np.bincount(subject.images.labels)
    assert counts.max() - counts.min() <= 1
    assert np.array_equal(subject.images.images, subject_of(small_run, limit=40).images.images)
    with pytest.raises(RunError, match="sealed test split"):
        subject_of(small_run, "fashion-mini:test")
