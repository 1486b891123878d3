"""Training speed: sightlab against a plain PyTorch loop, in turn in one run.

Command: python bench/training.py [--json FILE] [--seconds 6]

MiniResNet-v4 on 28 x 28 grey images, batch 64 and 128, crop of 2 pixels, flip. The plain loop is what a tutorial has:
a DataLoader (num_workers 0) with PIL transforms, the model in its default memory order, as many threads as cores. Rates
are images a second, medians of 5 rounds; each round runs every side once. The machine's own float32 matrix product
stands beside them.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.training.loop import train_step
from sightlab.training.prepare import prepare, stepper_of
from sightlab.training.workers import cpu_name, own_process, physical_cores

ROUNDS = 5
FLOP_AN_IMAGE = 170e6  # MiniResNet-v4 at 28 x 28, forward and backward


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """What a tutorial's data set does: a PIL image through transforms, one at a time."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images.images
        self.labels = images.labels.tolist()
        steps = [transforms.RandomCrop(28, padding=2), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        self.change = transforms.Compose([*steps, transforms.Normalize(0.5, 0.5)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return self.change(Image.fromarray(self.images[place, :, :, 0])), self.labels[place]


def plain_loop(images: ImageSet, batch_size: int) -> Iterator[int]:
    """A tutorial's training loop; yields the images of each step."""
    from sightlab.models import build

    model = build("mini-resnet-v4", channels=1, classes=10, height=28, width=28).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(Pictures(images), batch_size=batch_size, shuffle=True, drop_last=True)
    running_loss, correct = 0.0, 0
    while True:
        for batch, labels in loader:
            optimizer.zero_grad()
            logits = model(batch)
            loss = loss_of(logits, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            correct += (logits.argmax(1) == labels).sum().item()
            yield len(labels)


def ours(images: ImageSet, batch_size: int, workers: int) -> Iterator[int]:
    """sightlab's own steps."""
    recipe = sightlab.recipe(
        "mini-resnet-v4", batch_size=batch_size, workers=workers, flip=0.5, crop_padding=2, epochs=100_000
    )
    prepared = prepare(recipe, data={"train": images, "test": images})
    stepper = stepper_of(prepared)
    try:
        prepared.training.classifier.train()
        while True:
            count = len(prepared.work.batches.places(prepared.training.epoch, prepared.training.step))
            train_step(prepared.training, prepared.plan, stepper)
            if prepared.training.step == prepared.plan.steps_per_epoch:
                prepared.training.start_epoch(prepared.training.epoch + 1)
            yield count
    finally:
        stepper.close()


def rate(steps: Iterator[int], seconds: float) -> float:
    """Images a second, after three steps that do not count."""
    for _ in range(3):
        next(steps)
    started, images = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        images += next(steps)
    return images / (time.perf_counter() - started)


def matrix_product_rate() -> float:
    """GFLOP/s of a float32 product of two 2048 x 2048 matrices."""
    a = torch.rand(2048, 2048)
    a @ a
    started = time.perf_counter()
    for _ in range(10):
        a @ a
    return 10 * 2 * 2048**3 / (time.perf_counter() - started) / 1e9


def with_threads(count: int, work: Callable[[], float]) -> float:
    """Run with so many threads, flushing denormals, as sightlab itself does."""
    with own_process():
        torch.set_num_threads(count)
        return work()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    images = sightlab.load("fashion-mini", validation=0.01).train
    cores = physical_cores()
    rows = []
    for batch_size in (64, 128):
        sides: dict[str, Callable[[], Iterator[int]]] = {
            "plain loop": lambda b=batch_size: plain_loop(images, b),
            "sightlab": lambda b=batch_size: ours(images, b, 1),
            f"sightlab workers={cores}": lambda b=batch_size: ours(images, b, cores),
        }
        rates: dict[str, list[float]] = {name: [] for name in sides}
        products = []
        for _ in range(ROUNDS):
            products.append(with_threads(cores, matrix_product_rate))
            for name, side in sides.items():
                steps = side()
                rates[name].append(with_threads(cores, lambda s=steps: rate(s, options.seconds)))
                steps.close()
        product = median(products)
        base = median(rates["plain loop"])
        for name, found in rates.items():
            one = median(found)
            share = one * FLOP_AN_IMAGE / 1e9 / product
            facts = {"batch": batch_size, "side": name, "images_per_second": one, "times": one / base, "rounds": found}
            rows.append({**facts, "share_of_matrix_product": share, "gflops_matrix_product": product})
            print(
                f"batch {batch_size:4}  {name:22} {one:7.0f} images/s  ({min(found):.0f} to {max(found):.0f})  "
                f"{one / base:5.2f} x plain  {share:5.1%} of the matrix product's {product:.0f} GFLOP/s"
            )
    if options.json:
        options.json.write_text(
            json.dumps({"cpu": cpu_name(), "cores": cores, "rounds": ROUNDS, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
