"""Where a step's time goes, MiniResNet-v4, batch 64, in milliseconds: what the engine can save, and what it cannot.

`network alone` is forward, loss and backward on one batch that stays: no data path, no optimizer, no sums.
`convolutions alone` is each convolution's forward and backward, by itself on tensors that stay in the caches.
`two processes, no exchange` is the network alone in two processes of one thread with 32 images each, which never wait
for each other: what `processes=2` could reach at best.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from measure import ROUNDS, Row, in_turn, with_threads
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from training import our_rate, their_rate

import sightlab
from sightlab.models import build
from sightlab.training.device import physical_cores

BATCH, STEPS, SECONDS = 64, 40, 2.0


def milliseconds(work: Callable[[], object], steps: int = STEPS) -> float:
    """What a call takes, over many."""
    for _ in range(3):
        work()
    started = time.perf_counter()
    for _ in range(steps):
        work()
    return 1000 * (time.perf_counter() - started) / steps


def network_step(order: torch.memory_format, batch_size: int = BATCH) -> Callable[[], None]:
    """Forward, loss and backward on one batch."""
    network = build("mini-resnet-v4", channels=1, classes=10, height=28, width=28).train().to(memory_format=order)
    images = torch.randn(batch_size, 1, 28, 28).contiguous(memory_format=order)
    labels = torch.randint(0, 10, (batch_size,))

    def step() -> None:
        network.zero_grad()
        F.cross_entropy(network(images), labels).backward()

    return step


def convolutions() -> Callable[[], None]:
    """Every convolution of the network, forward and backward, each by itself."""
    network = build("mini-resnet-v4", channels=1, classes=10, height=28, width=28).to(memory_format=torch.channels_last)
    calls: list[tuple[nn.Conv2d, Tensor, Tensor]] = []

    def note(module: nn.Conv2d, asked: tuple[Tensor], answer: Tensor) -> None:
        calls.append((module, asked[0].detach(), answer.detach()))

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)  # type: ignore[arg-type]
    network(torch.randn(BATCH, 1, 28, 28).contiguous(memory_format=torch.channels_last))

    def run() -> None:
        for place, (conv, image, answer) in enumerate(calls):
            stride, padding = list(conv.stride), list(conv.padding)
            F.conv2d(image, conv.weight, conv.bias, stride, padding)  # type: ignore[arg-type]
            asked = [place > 0, True, True]  # the pictures themselves get no gradient
            torch.ops.aten.convolution_backward(
                answer, image, conv.weight, [len(answer[0])], stride, padding, [1, 1], False, [0, 0], 1, asked
            )

    def unrecorded() -> None:
        with torch.no_grad():
            run()

    return unrecorded


def apart() -> float:
    """Milliseconds of the network alone in two processes of one thread that never meet."""
    torch.set_num_threads(1)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, f"{milliseconds(network_step(torch.channels_last, BATCH // 2)):.6f}".encode())
        os._exit(0)
    mine = milliseconds(network_step(torch.channels_last, BATCH // 2))
    other = float(os.read(reading, 100))
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    return max(mine, other)


def rows() -> tuple[list[Row], dict[str, object]]:
    """Whole steps, then what they are made of."""
    images = sightlab.load_data("fashion-mini", validation=0.01).train

    def whole(processes: int) -> float:
        return 1000 * BATCH / our_rate(images, "mini-resnet-v4", BATCH, processes, SECONDS, 3)

    def plain_whole() -> float:
        return 1000 * BATCH / their_rate("plain loop", images, "mini-resnet-v4", BATCH, SECONDS, 3)

    sides: dict[str, Callable[[], float]] = {
        "whole": partial(whole, 1),
        "plain whole": plain_whole,
        "network": lambda: milliseconds(network_step(torch.channels_last)),
        "plain network": lambda: milliseconds(network_step(torch.contiguous_format)),
        "convolutions": lambda: milliseconds(convolutions()),
        "two images": lambda: milliseconds(network_step(torch.channels_last, 2)),
        "processes=2": partial(whole, 2),
        "apart": apart,
    }
    found = in_turn({name: partial(with_threads, physical_cores(), side) for name, side in sides.items()})
    middle = {name: median(times) for name, times in found.items()}

    def row(what: str, mine: str, peer: str, theirs: str) -> Row:
        ratio = middle[mine] / middle[theirs]
        return Row("step", what, "sightlab", middle[mine], peer, middle[theirs], "ms", ratio)

    return [
        row("whole step", "whole", "plain loop", "plain whole"),
        row("network alone", "network", "plain loop's network alone", "plain network"),
        row("whole step", "whole", "network alone", "network"),
        row("network alone", "network", "convolutions alone", "convolutions"),
        row("network alone, 2 images", "two images", "network alone, 64 images", "network"),
        row("whole step, processes=2", "processes=2", "two processes, no exchange", "apart"),
    ], {"n": ROUNDS, "model": "mini-resnet-v4", "batch": BATCH}
