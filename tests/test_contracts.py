"""Parts of the user's own: what fits its slot is taken, what does not is one line that says why."""

from pathlib import Path

import pytest

from tests.conftest import Cli, refused_with

CODE = """
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
import sightlab


class Focal:
    def __init__(self, gamma=2.0):
        self.gamma = gamma

    def __call__(self, logits, targets):
        ce = nn.functional.cross_entropy(logits, targets, reduction="none")
        return (1 - torch.exp(-ce)) ** self.gamma * ce


def mean(logits, targets):
    return nn.functional.cross_entropy(logits, targets)


def detached(logits, targets):
    return nn.functional.cross_entropy(logits, targets, reduction="none").detach()


def noise(images, rng):
    amount = torch.from_numpy(rng.integers("noise", 20, images[0].numel())).view(images.shape)
    return (images.int() + amount).clamp(0, 255).to(torch.uint8)


def unseeded(images, rng):
    return (images + torch.randint(0, 3, images.shape)).to(torch.uint8)


def swapped(images, rng):
    return images.flip(0)


def smaller(images, rng):
    return images[:, ::2]


def accuracy(predictions):
    return (predictions.logits.argmax(1) == predictions.labels).mean()


def nothing(predictions):
    return float("nan")


def fall(step, total_steps):
    return 1 - step / total_steps


def below(step, total_steps):
    return -1


def anything(x):
    return x


class Quiet(sightlab.Callback):
    def on_epoch_end(self, context):
        pass


class Misspelt(sightlab.Callback):
    def on_epoch_ended(self, context):
        pass


Momentum = torch.optim.NAdam


class Still(torch.optim.SGD):
    def step(self, closure=None):
        pass


class Net(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.linear = nn.Linear(channels * 32 * 32, classes)

    def forward(self, images):
        return self.linear(images.flatten(1))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Focal", "fits as a loss"),
        ("noise", "fits as an augment"),
        ("accuracy", "fits as a metric"),
        ("fall", "fits as a schedule"),
        ("StepLR step_size=3", "fits as a schedule"),
        ("Momentum", "fits as an optimizer"),
        ("Quiet", "fits as a callback"),
        ("Net", "fits as a model"),
        ("Focal gamma=1", "loss.options.gamma=1"),
    ],
)
def test_a_part_that_fits_is_told_by_its_arguments(cli: Cli, file: Path, name: str, says: str) -> None:
    part, *options = name.split()
    status, out, err = cli("check", f"{file}:{part}", *options)
    assert status == 0, err
    assert says in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mean"], "the loss of each image, not their mean"),
        (["detached"], "its value has no gradient"),
        (["unseeded"], "two calls with the same images and generator differ"),
        (["swapped"], "an image changes differently alone than in its batch"),
        (["smaller"], "gave [4, 4, 8, 3], not [4, 8, 8, 3]"),
        (["nothing"], "a metric gives one finite number"),
        (["below"], "a factor is a number from 0"),
        (["Misspelt"], "on_epoch_ended is never called"),
        (["Still"], "its step moves no weight"),
        (["anything"], "its arguments do not say what it is for; add --slot"),
        (["anything", "--slot", "loss"], "loss anything fails on logits [4, 10] and targets int64 [4]"),
        (["Focal", "gama=1"], "loss.options.gama: Focal does not take it; it takes gamma"),
        (["Focal", "--slot", "lose"], "--slot lose: unknown; use model, loss"),
        (["Nobody"], "has no 'Nobody'; it defines:"),
    ],
)
def test_a_part_that_does_not_fit_is_one_line(cli: Cli, file: Path, words: list[str], says: str) -> None:
    refused_with(cli("check", f"{file}:{words[0]}", *words[1:]), says)


def test_a_file_that_is_not_there_is_one_line(cli: Cli, tmp_path: Path) -> None:
    refused_with(cli("check", f"{tmp_path / 'none.py'}:Focal"), "cannot be read: No such file")
    refused_with(cli("check", "focal"), "name a file and what is in it")
