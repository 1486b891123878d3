"""Optimizers and schedules of the user's own: they do what torch does with them, and their faults are one line each."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from sightlab.errors import RecipeError
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.schedules import Schedule, build_schedule
from sightlab.recipes.part_groups import CustomOptimizer, CustomSchedule

STEPS, EPOCHS = 5, 6
TOTAL = STEPS * EPOCHS

OPTIMIZERS = """
import torch
from torch.optim import RAdam

def warm(groups, lr, *, factor):
    return torch.optim.SGD(groups, lr=lr * factor)

def nothing(groups, lr): return None
def fails(groups, lr): raise ValueError("two\\nlines")
number = 3
"""

SCHEDULES = """
from torch.optim.lr_scheduler import *

def falling(step, total_steps, power=1.0):
    return (1 - step / total_steps) ** power

def wrong(step, total_steps): return float("nan")
def fails(step, total_steps): raise ValueError("two\\nlines")
class NoSchedule: pass
number = 3
"""


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., str]:
    """The name of an object in a file of the user's own."""
    for name, text in (("opt.py", OPTIMIZERS), ("plan.py", SCHEDULES)):
        (tmp_path / name).write_text(text)
    return lambda file, name: f"{tmp_path / file}:{name}"


def custom_optimizer(name: str, **options: object) -> CustomOptimizer:
    return CustomOptimizer(name=name, lr=0.01, weight_decay=0.1, options=options)


def test_torchs_optimizers_step_as_they_do_by_themselves(own: Callable[..., str]) -> None:
    def trained(optimizer_of: Callable[[nn.Module], torch.optim.Optimizer]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
        optimizer = optimizer_of(net)
        for _ in range(6):
            optimizer.zero_grad()
            net(torch.randn(5, 4)).square().mean().backward()
            optimizer.step()
        return [parameter.detach() for parameter in net.parameters()]

    def theirs(net: nn.Module) -> torch.optim.Optimizer:
        # By hand what the recipe says: weight decay for matrices alone.
        matrices = [p for p in net.parameters() if p.ndim > 1]
        rest = [p for p in net.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
        return torch.optim.RAdam(groups, lr=0.01, betas=(0.8, 0.9))

    ours = custom_optimizer(own("opt.py", "RAdam"), betas=[0.8, 0.9])
    found, expected = trained(lambda net: build_optimizer(net, ours)), trained(theirs)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Sophia", {}, "has no 'Sophia'; it defines: fails, nothing, warm"),
        ("number", {}, "is a int; it must be a class or a function that gives an optimizer"),
        ("nothing", {}, "gave a value of type NoneType; it must give a torch.optim.Optimizer"),
        ("fails", {}, "failed: ValueError: two lines"),
        ("warm", {"factr": 2.0}, "optimizer.options.factr: "),
        ("warm", {"lr": 2.0}, "optimizer.options.lr: the training sets it for "),
        ("warm", {}, "missing 1 required keyword-only argument: 'factor'"),
        ("RAdam", {"betas": [2.0, 0.9]}, "failed: ValueError: Invalid beta parameter at index 0: 2.0"),
    ],
)
def test_code_that_gives_no_optimizer_is_told_in_one_line(
    own: Callable[..., str], name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as caught:
        build_optimizer(nn.Linear(2, 2), custom_optimizer(own("opt.py", name), **options))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named_with_the_slot() -> None:
    with pytest.raises(RecipeError, match=r"schedule code none\.py cannot be read: No such file or directory"):
        build_schedule(CustomSchedule(name="none.py:f"), STEPS, EPOCHS)


def schedule_of(name: str, interval: str = "step", **options: object) -> Schedule:
    return build_schedule(CustomSchedule(name=name, interval=interval, options=options), STEPS, EPOCHS)


def torchs(scheduler_of: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], steps: int) -> list[float]:
    """The learning rates that a scheduler of torch's gives, one a step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = scheduler_of(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_a_function_is_given_the_step_and_the_whole(own: Callable[..., str]) -> None:
    schedule = schedule_of(own("plan.py", "falling"), power=2.0)
    assert [schedule(step) for step in (0, 15, 29)] == pytest.approx([1.0, 0.25, (1 / 30) ** 2])


def test_an_interval_of_epochs_counts_them(own: Callable[..., str]) -> None:
    schedule = schedule_of(own("plan.py", "falling"), "epoch")
    assert [schedule(step) for step in range(TOTAL)] == [1 - step // STEPS / EPOCHS for step in range(TOTAL)]


@pytest.mark.parametrize(
    ("name", "interval", "options"),
    [
        ("CosineAnnealingLR", "step", {"eta_min": 0.1}),
        ("OneCycleLR", "step", {"max_lr": 1.0}),
        ("PolynomialLR", "step", {"total_iters": 20, "power": 2.0}),
        ("CosineAnnealingWarmRestarts", "step", {"T_0": 7}),
        ("MultiStepLR", "epoch", {"milestones": [2, 4], "gamma": 0.5}),
        ("ExponentialLR", "epoch", {"gamma": 0.7}),
    ],
)
def test_torchs_schedulers_give_the_factors_they_give_torch(
    own: Callable[..., str], name: str, interval: str, options: dict[str, object]
) -> None:
    by_epoch = interval == "epoch"
    length = {"CosineAnnealingLR": {"T_max": TOTAL}, "OneCycleLR": {"total_steps": TOTAL}}.get(name, {})
    expected = torchs(lambda o: getattr(lr_scheduler, name)(o, **length, **options), EPOCHS if by_epoch else TOTAL)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        schedule = schedule_of(own("plan.py", name), interval, **options)
        # A resumed training asks for a late step first.
        late = schedule(TOTAL - 1)
        found = [schedule(step) for step in range(TOTAL)]
    assert found == pytest.approx([expected[step // STEPS if by_epoch else step] for step in range(TOTAL)])
    assert (late, told) == (found[-1], [])


SCORES = [0.5, 0.6, 0.6, 0.59, 0.6, 0.61, 0.6, 0.6, 0.6, 0.6]


def test_reduce_on_plateau_watches_the_validation_score(own: Callable[..., str]) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=1)
    name = own("plan.py", "ReduceLROnPlateau")
    ours, resumed = (schedule_of(name, factor=0.5, patience=1) for _ in range(2))
    found = []
    for score in SCORES:
        theirs.step(score)
        ours.observe(score)
        found.append(ours(0))
        assert found[-1] == optimizer.param_groups[0]["lr"]
        # As a checkpoint keeps it: a fresh schedule goes on from there.
        resumed.load_state_dict(json.loads(json.dumps(ours.state_dict())))
        assert resumed.state_dict() == ours.state_dict()
    assert found[-1] < found[0] == 1.0


def test_reduce_on_plateau_waits_for_a_fall_where_lower_is_better(own: Callable[..., str]) -> None:
    part = CustomSchedule(name=own("plan.py", "ReduceLROnPlateau"), options={"patience": 0, "factor": 0.5})
    factors = {}
    for higher_is_better in (True, False):
        schedule = build_schedule(part, STEPS, EPOCHS, higher_is_better=higher_is_better)
        for score in (3.0, 2.0, 1.0):
            schedule.observe(score)
        factors[higher_is_better] = schedule(0)
    assert factors == {True: 0.25, False: 1.0}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wrong", {}, "gave nan for step 0; a factor is a number from 0"),
        ("fails", {}, "failed: ValueError: two lines"),
        (
            "NoSchedule",
            {},
            "is the class NoSchedule; it must be a function (step, total_steps, **options) -> factor, or",
        ),
        ("number", {}, "is a int; it must be a function (step, total_steps, **options) -> factor, or a class of torch"),
        ("falling", {"pwer": 2.0}, "schedule.options.pwer: "),
        ("falling", {"step": 2}, "schedule.options.step: the training sets it for "),
        ("StepLR", {}, "missing 1 required positional argument: 'step_size'"),
    ],
)
def test_code_that_gives_no_schedule_is_told_in_one_line(
    own: Callable[..., str], name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as caught:
        schedule_of(own("plan.py", name), **options)(0)
    assert "\n" not in str(caught.value)


def test_a_step_outside_the_training_is_refused(own: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match="step 30 is outside the schedule's 30 steps"):
        schedule_of(own("plan.py", "falling"))(TOTAL)
