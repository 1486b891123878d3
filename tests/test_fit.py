"""Pictures are resized and cut as torchvision does it."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from sightlab.data.containers.base import DataFile
from sightlab.data.containers.tars import read_tar
from sightlab.data.pictures.decode import Decoding, decode, fit
from sightlab.errors import DataError
from tests.picture_files import noise, real


def torchvision_fit(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    image = Image.fromarray(picture if picture.shape[2] == 3 else picture[..., 0])
    image = v2.functional.resize(image, [size], v2.InterpolationMode.BILINEAR, antialias=True)
    return np.asarray(v2.functional.center_crop(image, [size, size])).reshape(size, size, -1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.sampled_from([1, 3]))
def test_fit_is_torchvisions_resize_and_centre_crop(height: int, width: int, size: int, channels: int) -> None:
    picture = noise(height, width, channels, seed=height)
    np.testing.assert_array_equal(fit(picture, size), torchvision_fit(picture, size))


@functools.cache
def real_mosaic() -> NDArray[np.uint8]:
    """A 96 x 160 picture of 15 real ones."""
    archive = read_tar(DataFile.at(real("cifar100-subset.tar")))
    names = [f"cifar100/test/{kind}/000{n}.png" for kind in ("castle", "leopard", "orchid") for n in range(5)]
    tiles = {name: decode(data, name) for name, data in archive.stream(names)}
    rows = [np.concatenate([tiles[name] for name in names[i : i + 5]], axis=1) for i in (0, 5, 10)]
    return np.concatenate(rows)


@pytest.mark.parametrize("size", [13, 28, 32, 64, 96, 120])
def test_fit_of_real_pictures_is_torchvisions(size: int) -> None:
    picture = real_mosaic()
    np.testing.assert_array_equal(fit(picture, size), torchvision_fit(picture, size))
    tensor = torch.from_numpy(picture).permute(2, 0, 1)
    theirs = v2.functional.center_crop(v2.functional.resize(tensor, [size], antialias=True), [size, size])
    # On tensors torchvision rounds in other places than Pillow: one step of 255 at most.
    assert np.abs(fit(picture, size).astype(int) - theirs.permute(1, 2, 0).numpy()).max() <= 1


def test_fit_leaves_a_picture_of_the_size_as_it_is_and_refuses_a_thread() -> None:
    picture = noise(8, 8)
    assert fit(picture, 8) is picture
    with pytest.raises(DataError, match=r"1000000 x 1 pixels .* too narrow"):
        fit(np.zeros((1, 1_000_000, 1), np.uint8), 224)


@pytest.mark.parametrize("size", [0, -3, 10_001])
def test_a_size_that_no_picture_has_is_refused(size: int) -> None:
    with pytest.raises(DataError, match=f"size is {size}; it takes a whole number from 1 to 10000"):
        Decoding(size=size)
