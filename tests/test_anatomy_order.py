"""Stages are refused where their places are in another order than the image's: none of maps, none that moves evenly."""

import pytest
import torch
from torch import nn

from sightlab.lens.anatomy import anatomy_of, in_order
from sightlab.models.pretrained_networks import pretrained_network


@pytest.mark.parametrize(
    ("move", "known", "order"),
    [
        ((0.1, 0.1), False, True),
        ((-0.1, -0.1), False, False),  # a guess must move with the image
        ((-0.1, -0.1), True, True),  # what looks for what stands out may change where the image did not
        ((-0.1, -0.01), True, False),
        ((0.1, -0.1), True, False),
        ((0.25, 0.0), True, False),  # tokens sorted by windows
        ((0.001, -0.001), True, True),  # too little to tell
    ],
)
def test_places_are_in_order_by_how_evenly_a_change_moves(move: tuple[float, float], known: bool, order: bool) -> None:
    assert in_order(move, known=known) is order


@pytest.mark.parametrize("seed", range(12))
def test_maps_of_a_few_rows_are_kept_whatever_the_weights(seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(60, 3),
        )  # fmt: skip
        grids = [stage.grid for stage in anatomy_of(net.eval(), (1, 12, 20)).stages]
    assert grids == [(12, 20), (12, 20), (3, 5), (3, 5), (3, 5)]


@pytest.mark.slow
def test_every_block_of_the_vit_that_was_trained_for_saliency_is_found() -> None:
    net = pretrained_network("pretrained/vit-s14-focus").classifier.net
    assert [stage.module for stage in anatomy_of(net, (3, 224, 224)).blocks] == [f"blocks.{n}" for n in range(12)]
