"""Any augmentation: a function of seed, epoch and sample, whatever the batch and the number of processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms.v2 import functional as F  # noqa: N812 - its usual name

from sightlab.augment.chunks import LARGE
from sightlab.augment.chunks import one_thread as in_one_thread
from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.pipeline import POLICIES, augmentation
from sightlab.augment.resized_crop import draw_resized_crop
from sightlab.errors import RecipeError
from tests.torchvisions import each, furthest, pictures
from tests.torchvisions import one_thread as one_thread

EVERYTHING: list[dict[str, Any]] = [
    {"resized_crop": 0.08},
    {"resized_crop": 0.5, "flip": 0.5},
    {"greyscale": 0.5},
    {"crop_padding": 4, "flip": 0.5},
    {"crop_padding": 2, "crop_mode": "reflect", "flip": 0.5, "flip_mode": "alternating"},
    {"translate": 3},
    {"rotate": 20.0, "scale": 0.2},
    {"rotate": 20.0, "interpolation": "nearest"},
    {"colour_jitter": (0.4, 0.4, 0.4, 0.1)},
    {"erase": 0.5},
    {"erase": 0.5, "erase_fill": "noise"},
    *({"policy": policy} for policy in POLICIES),
    {"crop_padding": 2, "flip": 0.5, "translate": 2, "rotate": 9.0, "policy": "randaugment", "erase": 0.3},
]
every = pytest.mark.parametrize("asked", EVERYTHING, ids=str)


@every
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_shares_of_an_uneven_epoch_are_bitwise_the_whole(
    asked: dict[str, Any], channels: int, processes: int
) -> None:
    change, split = augmentation(**asked), pictures(59, 28, 28, channels)
    order = np.random.default_rng(3).permutation(59)
    whole = change(split[torch.from_numpy(order)], CounterRNG(1, 2, order))
    chunks = []
    for start in range(0, 59, 16):
        batch = order[start : start + 16]
        shares = np.array_split(batch, processes)
        chunks += [change(split[torch.from_numpy(share)], CounterRNG(1, 2, share)) for share in shares]
    assert torch.equal(torch.cat(chunks), whole)


@every
@settings(max_examples=4, deadline=None)
@given(order=st.permutations(range(24)), cut=st.integers(0, 24))
def test_a_sample_does_not_depend_on_its_batch(asked: dict[str, Any], order: list[int], cut: int) -> None:
    change, split = augmentation(**asked), pictures(24, 9, 13, 3)
    alone = torch.cat([change(split[i : i + 1], CounterRNG(5, 6, np.array([i]))) for i in range(24)])
    chunks = [np.array(order[:cut], np.int64), np.array(order[cut:], np.int64)]
    together = torch.cat([change(split[torch.from_numpy(p)], CounterRNG(5, 6, p)) for p in chunks])
    assert torch.equal(together, alone[order])


@every
def test_the_input_stays_and_another_epoch_gives_another_image(asked: dict[str, Any]) -> None:
    change, images = augmentation(**asked), pictures(32, 28, 28, 3)
    before = images.clone()
    first, second = (change(images, CounterRNG(1, epoch, np.arange(32))) for epoch in (1, 2))
    assert torch.equal(images, before)
    assert first.shape == images.shape and first.dtype == torch.uint8
    assert torch.equal(first, second) == (asked == {"policy": "none"})


@every
def test_torchs_and_numpys_global_generators_are_not_touched(asked: dict[str, Any]) -> None:
    change, images = augmentation(**asked), pictures(8, 16, 16, 3)
    state, numpys = torch.get_rng_state(), np.random.get_state()[1].tolist()
    change(images, CounterRNG(1, 2, np.arange(8)))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.random.get_state()[1].tolist() == numpys


def test_nothing_asked_for_is_no_change() -> None:
    images = pictures(4, 8, 8, 3)
    assert augmentation()(images, CounterRNG(1, 2, np.arange(4))) is images


def test_alternating_flips_reach_the_pixels() -> None:
    images = pictures(16, 9, 9, 3)
    change = augmentation(flip=0.5, flip_mode="alternating")
    one, two, three = (change(images, CounterRNG(1, epoch, np.arange(16))) for epoch in (1, 2, 3))
    assert torch.equal(one, each(F.horizontal_flip, two)) and torch.equal(one, three)


def test_resized_crops_reach_the_pixels() -> None:
    images, rng = pictures(16, 20, 28, 3), CounterRNG(1, 2, np.arange(16))
    boxes = draw_resized_crop(rng, 20, 28, (0.3, 1.0)).tolist()
    expected = each(lambda image, box: F.resized_crop(image, *box, size=[20, 28], antialias=True), images, boxes)
    assert furthest(augmentation(resized_crop=0.3)(images, rng), expected) <= 1


def test_a_share_of_images_loses_its_colour() -> None:
    images = torch.randint(256, (2000, 4, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    changed = augmentation(greyscale=0.2)(images, CounterRNG(1, 2, np.arange(2000)))
    grey = (changed == changed[..., :1]).flatten(1).all(1)
    assert stats.binomtest(int(grey.sum()), 2000, 0.2).pvalue > 1e-6
    assert torch.equal(changed[~grey], images[~grey])
    assert furthest(changed[grey], each(lambda image: F.rgb_to_grayscale(image, 3), images[grey])) <= 1


def test_a_small_batch_stays_in_one_thread_and_the_threads_come_back() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with in_one_thread(torch.zeros(10)):
            assert torch.get_num_threads() == 1
        with in_one_thread(torch.zeros(1).expand(LARGE + 1)):
            assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), in_one_thread(torch.zeros(10)):
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"policy": "randaugmnt"}, "augment.policy: unknown 'randaugmnt'; did you mean randaugment?"),
        ({"crop_mode": "wrap"}, "augment.crop_mode: unknown 'wrap'; known: black, reflect"),
        ({"flip_mode": "always"}, "augment.flip_mode: unknown 'always'"),
        ({"interpolation": "cubic"}, "augment.interpolation: unknown 'cubic'"),
        ({"erase_fill": "nois"}, "augment.erase_fill: unknown 'nois'; did you mean noise?"),
        ({"flip": 0.3, "flip_mode": "alternating"}, "augment.flip is 0.3"),
        ({"scale": 1.0}, "augment.scale is 1.0"),
        ({"resized_crop": 1.5}, "augment.resized_crop is 1.5"),
        ({"colour_jitter": (0.1, 0.1, 0.1, 0.6)}, "augment.colour_jitter is"),
        ({"colour_jitter": (-0.1, 0.0, 0.0, 0.0)}, "augment.colour_jitter is"),
        ({"policy": "randaugment", "randaugment_magnitude": 31}, "augment.randaugment_magnitude is 31"),
        ({"policy": "randaugment", "randaugment_ops": -1}, "augment.randaugment_ops is -1"),
    ],
    ids=str,
)
def test_what_is_no_augmentation_is_refused_in_one_line(asked: dict[str, Any], line: str) -> None:
    with pytest.raises(RecipeError) as refused:
        augmentation(**asked)
    assert str(refused.value).startswith(line) and "\n" not in str(refused.value)
