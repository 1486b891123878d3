"""What the pages of studies reckon themselves, against closed forms and torch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sightlab.metrics import constant_outputs, last_batch_accuracy
from sightlab.records import Predictions
from sightlab.studies.parts.dead_outputs import floor


def said(logits: np.ndarray, labels: np.ndarray) -> Predictions:
    names = tuple(f"class {n}" for n in range(logits.shape[1]))
    return Predictions(logits.astype(np.float32), labels.astype(np.int64), np.arange(len(labels)), names)


@given(st.integers(2, 8), st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_dead_outputs_cost_at_least_their_share_of_ln_c(classes: int, dead: int, seed: int) -> None:
    dead = min(dead, classes)
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 5)
    logits = np.abs(generator.normal(0, 6, (len(labels), classes)))
    logits[:, :dead] = 0
    loss = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)).item()
    assert loss >= floor(dead, classes) - 1e-9
    assert constant_outputs(logits) == dead


def test_the_least_cost_is_reached_where_all_else_is_right() -> None:
    labels = np.repeat(np.arange(10), 3)
    logits = np.where(labels[:, None] == np.arange(10), 1e3, 0.0)
    logits[:, :2] = 0  # two outputs are dead, and their images get no logit from any other
    loss = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)).item()
    assert loss == pytest.approx(floor(2, 10))
    assert floor(10, 10) == pytest.approx(math.log(10))


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_last_batch_is_the_last_that_a_loader_gives(images: int, batch_size: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits, labels = generator.normal(size=(images, 3)), generator.integers(0, 3, images)
    data = torch.utils.data.TensorDataset(torch.tensor(logits, dtype=torch.float32), torch.tensor(labels))
    *_, (last, truth) = torch.utils.data.DataLoader(data, batch_size=batch_size)
    expected = (last.argmax(1) == truth).float().mean().item()
    assert last_batch_accuracy(said(logits, labels), batch_size) == pytest.approx(expected)


def test_one_image_has_no_constant_outputs() -> None:
    assert constant_outputs(np.zeros((1, 4))) == 0
    assert constant_outputs(np.zeros((2, 4))) == 4


def test_no_predictions_have_no_last_batch() -> None:
    with pytest.raises(ValueError, match="0 predictions in batches of 2; both must be at least 1"):
        last_batch_accuracy(said(np.zeros((0, 3)), np.zeros(0)), 2)
