"""Training speed, images a second: sightlab against a plain loop, Lightning's Trainer and timm's step.

MiniResNet-v4 and ResNet-18 (3x3 stem) on 28 x 28 grey images, batches of 64 and 128, crop of 2 pixels and flip.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median

import peers
import torch
from measure import ROUNDS, Row, faster, in_turn, matrix_product_rate, with_threads
from own_loop import OwnLoop

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.models import build
from sightlab.training.device import physical_cores
from sightlab.training.prepare import prepare

# Floating-point operations an image, forward and backward: three times the forward pass's, two a multiplication.
MODELS = {"mini-resnet-v4": 170e6, "resnet18": 2.73e9}
BATCHES = (64, 128)


def our_loop(images: ImageSet, model: str, batch_size: int, processes: int) -> Iterator[int]:
    """sightlab's own steps; yields the images of each."""
    recipe = sightlab.recipe(
        "mini-resnet-v4",
        model=model,
        batch_size=batch_size,
        processes=processes,
        flip=0.5,
        crop_padding=2,
        epochs=100_000,
    )
    own = OwnLoop(prepare(recipe, data={"train": images, "test": images}))
    try:
        while True:
            yield own.train(1)
    finally:
        own.close()


def our_rate(images: ImageSet, model: str, batch_size: int, processes: int, seconds: float, warm: int) -> float:
    """Images a second of sightlab."""
    steps = our_loop(images, model, batch_size, processes)
    try:
        return peers.rate(steps, seconds, warm)
    finally:
        steps.close()  # type: ignore[attr-defined]


def their_rate(peer: str, images: ImageSet, model: str, batch_size: int, seconds: float, warm: int) -> float:
    """Images a second of a peer."""
    torch.manual_seed(1)
    network = build(model, channels=1, classes=10, height=28, width=28)
    pictures = peers.Pictures(images.images, images.labels)
    if peer == "Lightning":
        return peers.lightning_rate(network, pictures, batch_size, seconds, warm)
    loop = {"plain loop": peers.plain_loop, "timm's step": peers.timm_loop}[peer]
    return peers.rate(loop(network, pictures, batch_size), seconds, warm)


def rows(seconds: float = 5.0) -> tuple[list[Row], dict[str, object]]:
    """Every model and batch size, every side in turn."""
    images = sightlab.load_data("fashion-mini", validation=0.01).train
    cores = physical_cores()
    ours = f"processes={cores}"
    found: list[Row] = []
    products: list[float] = []
    for model, flop in MODELS.items():
        warm = 3 if model == "mini-resnet-v4" else 1
        for batch in BATCHES:
            of_peer = {
                peer: partial(their_rate, peer, images, model, batch, seconds, warm)
                for peer in ("plain loop", "Lightning", "timm's step")
            }
            sides = of_peer | {
                "sightlab": partial(our_rate, images, model, batch, 1, seconds, warm),
                ours: partial(our_rate, images, model, batch, cores, seconds, warm),
                "matrix product": matrix_product_rate,
            }
            rates = in_turn({name: partial(with_threads, cores, side) for name, side in sides.items()})
            asked = model == "mini-resnet-v4" and batch == 64
            what = f"{model}, batch {batch}"
            unit = "images/s"
            found += [
                faster("training", what, rates, "sightlab", "plain loop", unit, 1.4 if asked else 0),
                faster("training", what, rates, ours, "plain loop", unit, 1.6 if asked else 0),
                faster("training", what, rates, "sightlab", "Lightning", unit, 2 if asked else 0),
                faster("training", what, rates, "sightlab", "timm's step", unit, 0),
            ]
            product = median(rates["matrix product"])
            products.append(product)
            for side in ("sightlab", ours):
                reached = median(rates[side]) * flop / 1e9
                share = reached / product
                target = ("at least 0.55", share >= 0.55) if asked else ("", None)
                found.append(Row("training", what, side, reached, "matrix product", product, "GFLOP/s", share, *target))
    facts = {"n": ROUNDS, "seconds a round": seconds, "matrix product GFLOP/s": round(median(products))}
    return found, facts
