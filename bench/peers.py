"""Training as users of other tools write it, on the same network: a plain loop, Lightning's Trainer, timm's step.

All of them read pictures through a DataLoader with PIL transforms in this process, take the network in its default
memory order, and use as many threads as there are cores.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

LR, MOMENTUM = 0.05, 0.9


class Pictures(Dataset[tuple[Tensor, int]]):
    """What a tutorial's data set does: a PIL image through transforms, one at a time."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], padding: int = 2) -> None:
        self.images = images
        self.labels = labels.tolist()
        steps = [transforms.RandomCrop(images.shape[1], padding=padding), transforms.RandomHorizontalFlip()]
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        image = self.images[place]
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        return self.transform(picture), self.labels[place]


def plain_loop(network: nn.Module, pictures: Pictures, batch_size: int) -> Iterator[int]:
    """A tutorial's training loop; yields the images of each step."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(pictures, batch_size=batch_size, shuffle=True, drop_last=True)
    running_loss, correct = 0.0, 0
    while True:
        for batch, labels in loader:
            optimizer.zero_grad()
            logits = network(batch)
            loss = loss_of(logits, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            correct += (logits.argmax(1) == labels).sum().item()
            yield len(labels)


def timm_loop(network: nn.Module, pictures: Pictures, batch_size: int) -> Iterator[int]:
    """The step of timm's train.py, with its loader, optimizer, loss and meters; yields the images of each step."""
    from timm.data import create_loader
    from timm.loss import LabelSmoothingCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.utils import AverageMeter

    network.train()
    channels = pictures.images.shape[3]
    size = (channels, *pictures.images.shape[1:3])
    change = pictures.transform
    loader = create_loader(
        pictures, input_size=size, batch_size=batch_size, is_training=True, use_prefetcher=False, num_workers=0
    )
    pictures.transform = change  # create_loader puts its own there; all sides change pictures alike
    optimizer = create_optimizer_v2(network, opt="sgd", lr=LR, momentum=MOMENTUM, weight_decay=5e-4)
    loss_of = LabelSmoothingCrossEntropy(0.1)
    losses = AverageMeter()
    while True:
        for batch, labels in loader:
            loss = loss_of(network(batch), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.update(loss.item(), len(labels))
            yield len(labels)


def rate(steps: Iterator[int], seconds: float, warm: int = 3) -> float:
    """Images a second, after a few steps that do not count."""
    for _ in range(warm):
        next(steps)
    started, images = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        images += next(steps)
    return images / (time.perf_counter() - started)


def lightning_rate(network: nn.Module, pictures: Pictures, batch_size: int, seconds: float, warm: int = 3) -> float:
    """Images a second of Lightning's Trainer, without its progress bar, logger and checkpoints."""
    warnings.filterwarnings("ignore")
    import lightning

    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.loss_of = nn.CrossEntropyLoss()

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            images, labels = batch
            logits = self.network(images)
            loss: Tensor = self.loss_of(logits, labels)
            self.log("train_loss", loss)
            self.log("train_accuracy", (logits.argmax(1) == labels).float().mean())
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=LR, momentum=MOMENTUM)

    class Stopwatch(lightning.Callback):
        started = 0.0
        images = 0
        steps = 0
        rate = 0.0

        def on_train_batch_end(self, *asked: Any) -> None:
            trainer, _, _, batch, _ = asked
            self.steps += 1
            now = time.perf_counter()
            if self.steps == warm:
                self.started = now
            elif self.steps > warm:
                self.images += len(batch[1])
                if now - self.started >= seconds:
                    self.rate = self.images / (now - self.started)
                    trainer.should_stop = True

    watch = Stopwatch()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=False,
        callbacks=[watch],
    )
    trainer.fit(Module(), DataLoader(pictures, batch_size=batch_size, shuffle=True, drop_last=True))
    return watch.rate
