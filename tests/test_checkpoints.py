"""Checkpoints: the newest by number, one line for a network that has changed, and what others store in them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sightlab.errors import RunError
from sightlab.training import checkpoint
from sightlab.training.state import Training

CPU = torch.device("cpu")


def training(features: int = 3, bias: bool = True) -> Training:
    net = nn.Sequential(nn.Linear(features, 2, bias=bias))
    return Training(net, torch.optim.SGD(net.parameters(), lr=0.1), CPU)


@pytest.mark.parametrize(
    ("earlier", "later"), [((99_999, 0), (100_000, 0)), ((1, 9_999_999), (1, 10_000_000)), ((9, 12), (10, 0))]
)
def test_the_newest_checkpoint_is_the_one_of_the_highest_number(
    tmp_path: Path, earlier: tuple[int, int], later: tuple[int, int]
) -> None:
    one = training()
    for one.epoch, one.step in (earlier, later):
        checkpoint.save(tmp_path, one, "key")
    fresh = training()
    assert checkpoint.restore(tmp_path, fresh, "key")
    assert (fresh.epoch, fresh.step) == later


def test_the_checkpoints_that_are_kept_are_those_of_the_highest_numbers(tmp_path: Path) -> None:
    one = training()
    for epoch in (99_998, 99_999, 100_000, 100_001):
        one.epoch = epoch
        checkpoint.save(tmp_path, one, "key")
    assert [record.stem[:12] for record in checkpoint.newest_first(tmp_path)] == ["epoch-100001", "epoch-100000"]
    assert len(list(tmp_path.iterdir())) == 4


def test_files_with_other_names_are_no_checkpoints(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, training(), "key")
    (tmp_path / "epoch-last.json").write_text("{}")
    assert [record.stem for record in checkpoint.newest_first(tmp_path)] == ["epoch-00001-step-0000000"]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (training(features=4), "0.weight is [2, 3] there and [2, 4] in this network"),
        (training(bias=False), "this network has no 0.bias"),
    ],
)
def test_a_network_that_has_changed_is_one_line_and_left_alone(tmp_path: Path, other: Training, says: str) -> None:
    checkpoint.save(tmp_path, training(), "key")
    before = [weight.clone() for weight in other.classifier.parameters()]
    with pytest.raises(RunError) as caught:
        checkpoint.restore(tmp_path, other, "key")
    line = str(caught.value)
    assert says in line and "\n" not in line and "epoch-00001-step-0000000.json" in line
    assert all(map(torch.equal, before, other.classifier.parameters()))


def test_a_network_that_has_grown_is_one_line(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, training(bias=False), "key")
    with pytest.raises(RunError, match=r"it has no 0\.bias"):
        checkpoint.restore(tmp_path, training(), "key")


def test_the_caller_says_why_another_trainings_checkpoint_does_not_fit(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, training(), "seed 1")

    def refusal(record: Path, key: str) -> RunError:
        return RunError(f"{record.name}: {key}, not seed 2")

    with pytest.raises(RunError, match=r"^epoch-00001-step-0000000\.json: seed 1, not seed 2$"):
        checkpoint.restore(tmp_path, training(), "seed 2", refusal=refusal)


def test_state_of_other_parts_comes_back_as_it_was(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    average = torch.randn(4, generator=generator)
    state = {
        "callbacks": {"swa": {"count": 3, "average": average, "done": False, "best": None, "names": ["a", "b"]}},
        "schedule": {"milestones": Counter({30: 1, 60: 1}), "betas": (0.9, 0.999), "last_lr": [0.1], "low": -np.inf},
        "$tensor": {"$dict": "a name that the format uses itself"},
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "shared": [average, average],
        "a.b": average[:1],
        "a": {"b": average[1:]},
    }
    checkpoint.save(tmp_path, training(), "key", extra=state)
    found: dict[str, object] = {}
    assert checkpoint.restore(tmp_path, training(), "key", extra=found.update)
    assert repr(found) == repr(state | {"schedule": state["schedule"] | {"milestones": {30: 1, 60: 1}}})  # type: ignore[operator]


def test_a_torch_scheduler_goes_on_where_it_was(tmp_path: Path) -> None:
    def scheduler() -> torch.optim.lr_scheduler.LRScheduler:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4], gamma=0.1)

    def rates(schedule: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
        found = []
        for _ in range(steps):
            schedule.optimizer.step()
            schedule.step()
            found.append(schedule.get_last_lr()[0])
        return found

    first, second = scheduler(), scheduler()
    rates(first, 3)
    checkpoint.save(tmp_path, training(), "key", extra=first.state_dict())
    checkpoint.restore(tmp_path, training(), "key", extra=second.load_state_dict)
    second.optimizer.param_groups[0]["lr"] = 0.1
    assert rates(second, 3) == pytest.approx([0.01, 0.01, 0.01])


def test_a_state_that_cannot_be_stored_is_one_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"callbacks\.mine\.seen is a set; a checkpoint stores "):
        checkpoint.save(tmp_path, training(), "key", extra={"callbacks": {"mine": {"seen": {1, 2}}}})
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_without_such_state_is_readable(tmp_path: Path) -> None:
    """As written before there was any."""
    checkpoint.save(tmp_path, training(), "key")
    record = checkpoint.newest_first(tmp_path)[0]
    facts = json.loads(record.read_text())
    del facts["extra"]
    record.write_text(json.dumps(facts))
    found = {"untouched": True}
    assert checkpoint.restore(tmp_path, training(), "key", extra=found.update)
    assert found == {"untouched": True}
