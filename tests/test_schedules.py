"""Schedules equal torch's schedulers step by step, stay in [0, 1] and join without a jump."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from sightlab.errors import RecipeError
from sightlab.optim.schedules import ONE_CYCLE_START, build_schedule
from sightlab.recipes.overrides import changed
from sightlab.recipes.part_groups import SCHEDULES, Cosine
from sightlab.recipes.schema import Recipe

STEPS, EPOCHS = 7, 12
TOTAL = STEPS * EPOCHS


def torchs(scheduler_of: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], steps: int) -> list[float]:
    """The learning rates that a scheduler of torch's gives, one a step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = scheduler_of(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(name: str, *, steps: int = STEPS, epochs: int = EPOCHS, **settings: object) -> list[float]:
    part = SCHEDULES[name]
    read = {key: value for key, value in settings.items() if key in part.model_fields}
    schedule = build_schedule(part(**read), steps_per_epoch=steps, epochs=epochs)
    return [schedule(step) for step in range(steps * epochs)]


def test_constant_is_1() -> None:
    assert ours("constant") == [1.0] * TOTAL


def test_step_is_torchs_step_lr() -> None:
    expected = torchs(lambda o: lr_scheduler.StepLR(o, 5, gamma=0.3), EPOCHS)
    assert ours("step", step_epochs=5, gamma=0.3)[::STEPS] == pytest.approx(expected, abs=1e-12)


def test_exponential_is_torchs_exponential_lr() -> None:
    expected = torchs(lambda o: lr_scheduler.ExponentialLR(o, 0.911), EPOCHS)
    assert ours("exponential", gamma=0.911)[::STEPS] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["step", "exponential"])
def test_the_factor_is_constant_within_an_epoch(name: str) -> None:
    factors = ours(name, gamma=0.5, step_epochs=2)
    for epoch in range(EPOCHS):
        assert len(set(factors[epoch * STEPS : (epoch + 1) * STEPS])) == 1


def test_study_4_ends_near_a_hundredth_of_its_learning_rate() -> None:
    # "from 1e-3 to 1e-5 in 50 epochs", x 0.911 each epoch
    assert 1e-3 * ours("exponential", epochs=50, gamma=0.911)[-1] == pytest.approx(1e-5, rel=0.05)


@pytest.mark.parametrize("final_factor", [0.0, 0.2])
def test_cosine_is_torchs_cosine_annealing_lr(final_factor: float) -> None:
    expected = torchs(lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=final_factor), TOTAL)
    assert ours("cosine", final_factor=final_factor) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("peak_at", "final_factor"), [(0.3, 0.0), (0.5, 0.01), (0.01, 0.001), (0.25, 0.04)])
def test_one_cycle_is_torchs_one_cycle_lr(peak_at: float, final_factor: float) -> None:
    expected = torchs(
        lambda o: lr_scheduler.OneCycleLR(
            o,
            max_lr=1.0,
            total_steps=TOTAL,
            pct_start=peak_at,
            cycle_momentum=False,
            final_div_factor=ONE_CYCLE_START / final_factor if final_factor else math.inf,
        ),
        TOTAL,
    )
    found = ours("one-cycle", peak_at=peak_at, final_factor=final_factor)
    assert found == pytest.approx(expected, abs=1e-12)


def test_warm_up_is_torchs_linear_lr() -> None:
    expected = torchs(lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=3 * STEPS), TOTAL)
    assert ours("constant", warmup_epochs=3, warmup_factor=0.1) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine"])
def test_what_follows_warm_up_counts_from_its_end(name: str) -> None:
    warmed = ours(name, epochs=EPOCHS + 2, warmup_epochs=2, gamma=0.5, step_epochs=3)
    assert warmed[2 * STEPS :] == ours(name, gamma=0.5, step_epochs=3)


def test_a_warm_up_need_not_be_whole_epochs() -> None:
    factors = ours("constant", steps=10, epochs=2, warmup_epochs=0.5)
    assert factors == pytest.approx([0, 0.2, 0.4, 0.6, 0.8] + [1.0] * 15)


shares = st.floats(0, 1)


@given(
    name=st.sampled_from(sorted(SCHEDULES)),
    steps=st.integers(1, 20),
    epochs=st.integers(1, 12),
    warmup=shares,
    settings=st.fixed_dictionaries(
        {
            "warmup_factor": shares,
            "gamma": st.floats(0, 1, exclude_min=True),
            "final_factor": shares,
            "peak_at": st.floats(0, 1, exclude_min=True, exclude_max=True),
            "step_epochs": st.integers(1, 5),
        }
    ),
)
def test_a_factor_is_always_a_share(
    name: str, steps: int, epochs: int, warmup: float, settings: dict[str, object]
) -> None:
    warmup_epochs = 0.0 if name == "one-cycle" else warmup * epochs
    for factor in ours(name, steps=steps, epochs=epochs, warmup_epochs=warmup_epochs, **settings):
        assert math.isfinite(factor)
        assert -1e-12 <= factor <= 1 + 1e-12


@given(
    name=st.sampled_from(["constant", "step", "exponential", "cosine"]),
    warmup_epochs=st.integers(1, 6),
    steps=st.integers(1, 30),
    warmup_factor=shares,
)
def test_warm_up_joins_without_a_jump(name: str, warmup_epochs: int, steps: int, warmup_factor: float) -> None:
    factors = ours(name, steps=steps, epochs=8, warmup_epochs=warmup_epochs, warmup_factor=warmup_factor)
    end = warmup_epochs * steps
    assert factors[0] == pytest.approx(warmup_factor)
    assert factors[end] == pytest.approx(1)
    rise = (1 - warmup_factor) / end
    assert factors[end] - factors[end - 1] == pytest.approx(rise, abs=1e-12)


@pytest.mark.parametrize("final_factor", [0.0, 0.3])
@pytest.mark.parametrize("name", ["cosine", "one-cycle"])
def test_the_last_step_is_near_the_final_factor(name: str, final_factor: float) -> None:
    assert ours(name, steps=100, final_factor=final_factor)[-1] == pytest.approx(final_factor, abs=1e-4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_training_of_one_step_moves(name: str) -> None:
    assert ours(name, steps=1, epochs=1) == [1.0]


def test_a_step_outside_the_training_is_refused() -> None:
    schedule = build_schedule(Cosine(), steps_per_epoch=3, epochs=2)
    for step in (-1, 6):
        with pytest.raises(ValueError, match="outside the schedule's 6 steps"):
            schedule(step)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "cosin"}, "schedule.name: unknown schedule 'cosin'; did you mean cosine?"),
        ({"schedule": "one_cycle"}, "unknown schedule 'one_cycle'; did you mean one-cycle?"),
        ({"schedule": "one-cycle", "warmup_epochs": 1}, "schedule.warmup_epochs: one-cycle does not read it; it reads"),
        ({"schedule": "step", "gamma": 1.5}, "schedule.gamma: input should be less than or equal to 1, found 1.5"),
        ({"schedule": "step", "step_epochs": 0}, "schedule.step_epochs: input should be greater than or equal to 1"),
        ({"schedule": "cosine", "final_factor": math.nan}, "schedule.final_factor: input should be"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        changed(Recipe(), changes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warmup_epochs": 20}, "schedule.warmup_epochs is 20; it must be at most epochs, which is 12"),
        ({"steps": 0}, "schedule: steps_per_epoch is 0; it must be at least 1"),
    ],
)
def test_a_schedule_that_does_not_fit_the_training_is_told(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        ours("cosine", **settings)
