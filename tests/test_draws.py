"""Counter-based numbers: the published generator's, uniform, independent, and a function of the sample alone."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sightlab.augment.counter_rng import GOLDEN, WORD, CounterRNG, mixed, mixed_word

MANY = CounterRNG(3, 4, np.arange(20_000))
# Seeds are fixed, so a test either always passes or never; chance alone would put a p-value below this once in 10,000.
UNLIKELY = 1e-4


def test_the_finaliser_gives_splitmix64s_published_sequence() -> None:
    # The reference implementation's first five numbers from state 1234567, as the literature lists them.
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    states = np.array([(1234567 + GOLDEN * (step + 1)) & WORD for step in range(5)], np.uint64)
    assert mixed(states).tolist() == published


@given(st.integers(0, WORD))
def test_one_word_is_mixed_as_in_an_array(word: int) -> None:
    assert mixed_word(word) == int(mixed(np.array([word], np.uint64))[0])


def test_a_samples_word_is_two_finalisers_over_the_key_of_seed_epoch_and_stream() -> None:
    # Numbers of earlier versions must come back: the definition, written out with Python's integers.
    key = 0
    for part in (3, 4, zlib.crc32(b"crop")):
        key = mixed_word((key + GOLDEN * (part + 1)) & WORD)
    sample = mixed_word((17 * GOLDEN + key) & WORD)
    expected = [mixed_word((sample + GOLDEN * counter) & WORD) for counter in (1, 2, 3)]
    assert MANY.words("crop", 3)[17].tolist() == expected


@given(
    st.integers(0, 2**63 - 1),
    st.integers(0, 10_000),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=20),
    st.data(),
)
def test_a_samples_numbers_depend_on_no_other_sample(
    seed: int, epoch: int, index: list[int], data: st.DataObject
) -> None:
    places = np.array(index)
    order = np.array(data.draw(st.permutations(range(len(index)))))
    whole = CounterRNG(seed, epoch, places).words("flip", 3)
    alone = np.concatenate([CounterRNG(seed, epoch, places[i : i + 1]).words("flip", 3) for i in order])
    assert (whole[order] == alone).all()


def test_more_numbers_begin_with_the_same_ones() -> None:
    assert (MANY.words("crop", 5)[:, :2] == MANY.words("crop", 2)).all()


def test_seed_epoch_sample_stream_and_counter_each_change_the_numbers() -> None:
    index = np.arange(1000)
    sets = [
        CounterRNG(1, 2, index).words("a", 2),
        CounterRNG(2, 2, index).words("a", 2),
        CounterRNG(1, 3, index).words("a", 2),
        CounterRNG(2, 1, index).words("a", 2),
        CounterRNG(1, 2, index + 1000).words("a", 2),
        CounterRNG(1, 2, index).words("b", 2),
    ]
    assert len(np.unique(np.concatenate(sets))) == len(sets) * 2000


@pytest.mark.parametrize("counter", [0, 1, 7])
def test_uniform_numbers_are_uniform(counter: int) -> None:
    numbers = MANY.uniform("any", 8)[:, counter]
    assert numbers.min() >= 0 and numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > UNLIKELY


@pytest.mark.parametrize("below", [2, 9, 10, 257])
def test_whole_numbers_are_as_likely(below: int) -> None:
    numbers = MANY.integers("any", below)[:, 0]
    assert stats.chisquare(np.bincount(numbers, minlength=below)).pvalue > UNLIKELY


def test_whole_numbers_below_1_are_0() -> None:
    assert not MANY.integers("any", 1).any()


@pytest.mark.parametrize(
    "other",
    [
        CounterRNG(4, 4, MANY.index).uniform("a")[:, 0],
        CounterRNG(3, 5, MANY.index).uniform("a")[:, 0],
        CounterRNG(3, 4, MANY.index + 1).uniform("a")[:, 0],
        MANY.uniform("b")[:, 0],
        MANY.uniform("a", 2)[:, 1],
    ],
    ids=["seed", "epoch", "neighbour", "stream", "counter"],
)
def test_neighbouring_numbers_are_independent(other: np.ndarray) -> None:
    table = np.histogram2d(MANY.uniform("a")[:, 0], other, bins=10, range=[[0, 1], [0, 1]])[0]
    assert stats.chi2_contingency(table).pvalue > UNLIKELY
