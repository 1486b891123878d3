"""A training's settings of its process: the caller has its own back, in whatever order trainings end."""

import os
import threading
from collections.abc import Generator, Iterator

import pytest
import torch

from sightlab.training.device import own_process


def flushes() -> bool:
    return bool(torch.tensor(1e-40) * 1 == 0)


def state() -> tuple[object, ...]:
    """All that `own_process` may change."""
    random = torch.get_rng_state().numpy().tobytes()
    return random, flushes(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()


@pytest.fixture(autouse=True)
def own_state() -> Iterator[None]:
    torch.manual_seed(5)
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(1)


def test_blocks_that_overlap_leave_the_callers_state() -> None:
    before = state()
    one, two = own_process(deterministic=True), own_process()
    one.__enter__()
    torch.manual_seed(1)
    two.__enter__()
    torch.manual_seed(2)
    one.__exit__()
    assert flushes()  # the second goes on
    two.__exit__()
    assert state() == before


def test_a_nested_block_gives_the_outer_one_its_state_back() -> None:
    before = state()
    with own_process():
        torch.manual_seed(1)
        inside = state()
        with own_process():
            torch.manual_seed(2)
        assert state() == inside
    assert state() == before


def test_a_block_that_fails_puts_everything_back() -> None:
    before = state()
    with pytest.raises(ValueError, match="no"), own_process(deterministic=True):
        torch.manual_seed(1)
        raise ValueError("no")
    assert state() == before


def trained(seed: int, closed: list[bool] | None = None) -> Generator[float, None, None]:
    def drawn() -> Generator[float, None, None]:
        try:
            for _ in range(3):
                assert flushes()
                torch.manual_seed(seed)
                yield float(torch.rand(()))
        finally:
            if closed is not None:
                closed.append(flushes())

    return own_process().around(drawn())


def test_a_suspended_generator_leaves_the_caller_its_process() -> None:
    before = state()
    expected = next(trained(1))
    closed: list[bool] = []
    one, two = trained(1, closed), trained(2)
    for _ in range(2):
        assert next(one) == expected
        assert state() == before
        next(two)
        assert state() == before
    own = float(torch.rand(()))
    assert own == float(torch.rand((), generator=torch.Generator().manual_seed(5)))
    one.close()
    assert closed == [True]  # at once, and with the training's own settings
    list(two)
    assert not flushes()


def test_threads_that_train_at_once_leave_the_callers_state() -> None:
    before = state()
    entered, ended = threading.Barrier(2), threading.Event()

    def train(first: bool) -> None:
        with own_process():
            entered.wait(10)
            torch.manual_seed(3)
            if not first:
                ended.wait(10)

    threads = [threading.Thread(target=train, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    threads[0].join(10)
    ended.set()
    threads[1].join(10)
    assert state() == before


def test_one_object_is_entered_again() -> None:
    before = state()
    setup = own_process()
    for _ in range(2):
        with setup, setup:
            assert flushes()
        assert state() == before


def test_deterministic_algorithms_have_the_workspace_that_cublas_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.delenv(name, raising=False)
    with own_process(deterministic=True):
        assert os.environ[name] == ":4096:8"
    assert name not in os.environ
    monkeypatch.setenv(name, ":16:8")
    with own_process(deterministic=True):
        assert os.environ[name] == ":16:8"
    assert os.environ[name] == ":16:8"
