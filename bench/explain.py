"""24 Grad-CAMs of MiniResNet-v4 on KMNIST-sized images, beyond the forward pass: against a backward pass, and torchcam.

torchcam's call is what its users write for a batch: a forward pass, the maps of a list of classes, and their resizing
to the images' size. The network's weights are random: what a map costs does not depend on them.
"""

from __future__ import annotations

from functools import partial
from statistics import median

import torch
from measure import ROUNDS, Row, in_turn, seconds_of
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.lens.anatomy import anatomy_of
from sightlab.lens.saliency.cam import grad_cam
from sightlab.lens.saliency.choose import choose
from sightlab.lens.saliency.target import Target, predicted
from sightlab.models import build
from sightlab.models.classifier import Classifier
from sightlab.training.device import own_process, physical_cores

MODEL, IMAGES, SIDE, MOST, REPEATS = "mini-resnet-v4", 24, 28, 2.0, 20


def seconds_each(work: object) -> float:
    """Seconds of one call, the mean over REPEATS."""
    assert callable(work)
    return seconds_of(lambda: [work() for _ in range(REPEATS)]) / REPEATS


def theirs(classifier: Classifier, images: Tensor, layer: str) -> None:
    """torchcam's Grad-CAM of the predicted classes, its forward pass included, at the images' size."""
    from torchcam.methods import GradCAM

    pixels = classifier.normalised(images).requires_grad_()
    with GradCAM(classifier.net, target_layer=layer) as extractor:
        logits = classifier.net(pixels)
        maps = extractor(logits.argmax(1).tolist(), logits)[0]
    F.interpolate(maps[:, None], (SIDE, SIDE), mode="bilinear", align_corners=False)


def rows() -> tuple[list[Row], dict[str, object]]:
    """Grad-CAM less its forward pass against a backward pass, and all of it against torchcam.

    Beyond the forward pass may be nothing: up to the stage Grad-CAM's own records no graph, as a plain one does.
    """
    torch.manual_seed(0)
    net = build(MODEL, channels=1, classes=10, height=SIDE, width=SIDE)
    classifier = Classifier(net, [0.19], [0.35]).eval().to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (IMAGES, SIDE, SIDE, 1), dtype=torch.uint8)
    anatomy = anatomy_of(net, (1, SIDE, SIDE))
    stage = choose(anatomy, "grad-cam").stage
    assert stage is not None
    target = Target(classifier, images, predicted(classifier, images), anatomy, stage)

    def forward() -> Tensor:
        return target.scores(classifier(images)).sum()

    with own_process():
        sides = {
            "forward": partial(seconds_each, forward),
            "forward and backward": partial(seconds_each, lambda: forward().backward()),
            "sightlab": partial(seconds_each, partial(grad_cam, target)),
            "torchcam": partial(seconds_each, partial(theirs, classifier, images, stage.module)),
        }
        found = in_turn(sides)
    forwards = found["forward"]
    beyond = {name: [a - b for a, b in zip(values, forwards, strict=True)] for name, values in found.items()}
    backward, mine = (max(0.0, median(beyond[name])) for name in ("forward and backward", "sightlab"))
    whole, other = (median(found[name]) for name in ("sightlab", "torchcam"))
    what = f"{IMAGES} Grad-CAMs of {MODEL} beyond the forward pass"
    made = [
        Row(
            *("explain", what, "sightlab", 1000 * mine, "a backward pass", 1000 * backward, "ms", mine / backward),
            *(f"at most {MOST:g} x", mine <= MOST * backward, beyond["sightlab"], beyond["forward and backward"]),
        ),
        Row(
            *(
                "explain",
                f"{IMAGES} Grad-CAMs, the forward pass too",
                "sightlab",
                1000 * whole,
                "torchcam",
                1000 * other,
            ),
            *("ms", other / whole, "at least 1 x", whole <= other, found["sightlab"], found["torchcam"]),
        ),
    ]
    return made, {"n": ROUNDS, "of": f"{REPEATS} calls each", "layer": stage.module, "threads": physical_cores()}
