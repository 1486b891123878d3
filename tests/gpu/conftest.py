"""Tests that need a GPU: `make test-gpu` runs them; where there is none they are not collected."""

from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def gpus() -> list[str]:
    """The kinds of GPU that this machine has, as recipes name them."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, here in found.items() if here]


collect_ignore_glob = [] if gpus() else ["test_*.py"]


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.timeout(600))
            item.add_marker(pytest.mark.filterwarnings("default"))  # drivers and compilers warn of many things


@pytest.fixture(params=gpus())
def device(request: pytest.FixtureRequest) -> str:
    """Each kind of GPU that is here."""
    return str(request.param)
