"""A transformer small enough for quick tests, and a subject for any network."""

import numpy as np
import torch
from torch import Tensor, nn

from sightlab.data.imageset import ImageSet
from sightlab.lens.subject import Subject
from sightlab.models.classifier import Classifier


class SmallTransformer(nn.Module):
    """Patches of 4 x 4, a class token where `prefix` is above 0 and register tokens after it, two blocks of 2 heads."""

    def __init__(self, side: int, channels: int = 1, classes: int = 2, prefix: int = 1, depth: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, 8, 4, stride=4)
        self.prefix = nn.Parameter(torch.randn(1, prefix, 8))
        self.positions = nn.Parameter(torch.randn(1, prefix + (side // 4) ** 2, 8))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True) for _ in range(depth)
        )
        self.head = nn.Linear(8, classes)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.prefix.expand(len(patches), -1, -1), patches], dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(tokens.mean(1))
        return logits


def subject_with(net: nn.Module, side: int, channels: int = 1, count: int = 6, name: str = "net") -> Subject:
    """A network and noise of two classes, which it sees with values from 0 to 255."""
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels)).astype(np.uint8)
    labels = np.arange(count) % 2
    classes = ("one", "two")
    classifier = Classifier(net, [0.0] * channels, [1 / 255] * channels).eval()
    return Subject(name, classifier, ImageSet(images, labels, classes), torch.device("cpu"), "noise", classes)
