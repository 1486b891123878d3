"""Averages of weights follow their formulas, and leave the training they stand beside alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import timm.utils
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sightlab.errors import RecipeError, RunError
from sightlab.optim.averaging import EMA, Lookahead, WeightAverage, falling_alpha

Make = Callable[[nn.Module], WeightAverage]
KINDS: dict[str, Make] = {
    "ema": lambda model: EMA(model, 0.9),
    "warmed ema": lambda model: EMA(model, 0.9, warmup_power=2 / 3),
    "lookahead": lambda model: Lookahead(model, every=2, alpha=0.6),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 16, 4))
    return net.to(memory_format=torch.channels_last)


def scalar(value: float) -> nn.Module:
    """A model of one weight."""
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, value)
    return model


def train(net: nn.Module, steps: range, after: Callable[[int], None]) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in steps:
        torch.manual_seed(step)
        optimizer.zero_grad()
        net(torch.randn(6, 3, 6, 6).to(memory_format=torch.channels_last)).square().mean().backward()
        optimizer.step()
        after(step)


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tensors.items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_ema_equals_torchs_bit_for_bit_batch_norm_included() -> None:
    net = network()
    ours = EMA(net, 0.9)
    theirs = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)

    def both(step: int) -> None:
        ours.update(step)
        # torch averages batch norm's count as well, which cannot hold a fraction: it is no oracle for that.
        net[1].num_batches_tracked = net[1].num_batches_tracked.double()
        theirs.module[1].num_batches_tracked = theirs.module[1].num_batches_tracked.double()
        theirs.update_parameters(net)
        net[1].num_batches_tracked = net[1].num_batches_tracked.long()

    train(net, range(8), both)
    found, expected = ours.state_tensors(), theirs.module.state_dict()
    assert found.pop("1.num_batches_tracked").item() == 8
    assert expected.pop("1.num_batches_tracked").item() != 8
    assert same(found, expected)


@pytest.mark.parametrize("power", [2 / 3, 1.0])
def test_a_warmed_up_ema_equals_timms(power: float) -> None:
    net = network()
    ours = EMA(net, 0.75, warmup_power=power)
    theirs = timm.utils.ModelEmaV3(net, decay=0.75, use_warmup=True, warmup_power=power)

    def both(step: int) -> None:
        ours.update(step)
        theirs.update(net, step + 1)

    train(net, range(8), both)
    assert same(ours.state_tensors(), theirs.module.state_dict())


def test_ema_of_a_straight_line_lags_by_its_memory() -> None:
    # a_n = d a_{n-1} + (1 - d) n with a_0 = 0 has the closed form n - d (1 - d^n) / (1 - d).
    model, d, n = scalar(0.0), 0.8, 12
    average = EMA(model, d)
    for step in range(n + 1):
        nn.init.constant_(model.weight, float(step))
        average.update(step)
    assert average.state_tensors()["weight"].item() == pytest.approx(n - d * (1 - d**n) / (1 - d))


def test_the_first_update_forgets_the_untrained_weights() -> None:
    model = scalar(100.0)
    average = EMA(model, 0.999)
    nn.init.constant_(model.weight, 3.0)
    average.update(0)
    assert average.state_tensors()["weight"].item() == 3.0


def test_with_power_1_the_average_is_the_mean_until_the_decay_is_reached() -> None:
    model = scalar(0.0)
    average = EMA(model, 0.9, warmup_power=1)
    values = [float((7 * step) % 5) for step in range(10)]
    for step, value in enumerate(values):
        nn.init.constant_(model.weight, value)
        average.update(step)
        assert average.state_tensors()["weight"].item() == pytest.approx(sum(values[: step + 1]) / (step + 1))
    assert [average.decay_at(step) for step in (9, 10, 10**6)] == [0.9, 0.9, 0.9]


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.8, 1.0])
def test_lookahead_goes_a_share_alpha_of_the_way(alpha: float) -> None:
    # Each cycle the fast weights go `every` steps of -1 from the slow ones, which follow by alpha * every.
    model, every = scalar(0.0), 3
    lookahead = Lookahead(model, every=every, alpha=alpha)
    path = []
    for step in range(3 * every):
        with torch.no_grad():
            model.weight -= 1
        lookahead.update(step)
        path.append(model.weight.item())
    cycle = [-alpha * every * c for c in range(4)]
    assert path == pytest.approx([v for c in range(3) for v in (cycle[c] - 1, cycle[c] - 2, cycle[c + 1])])
    assert lookahead.state_tensors()["weight"].item() == pytest.approx(cycle[3])


def test_lookahead_with_alpha_1_changes_nothing() -> None:
    plain, ahead = network(), network()
    train(plain, range(6), lambda step: None)
    train(ahead, range(6), Lookahead(ahead, every=2, alpha=1.0).update)
    assert same(plain.state_dict(), ahead.state_dict())


def test_lookaheads_alpha_may_change_with_the_step() -> None:
    model = scalar(0.0)
    lookahead = Lookahead(model, every=2, alpha=lambda step: {1: 1.0, 3: 0.5}[step])
    path = []
    for step in range(4):
        with torch.no_grad():
            model.weight += 1
        lookahead.update(step)
        path.append(model.weight.item())
    assert path == [1, 2, 3, 3]


def test_airbenchs_alpha_falls_from_1_to_its_floor() -> None:
    alpha = falling_alpha(40, every=5, decay=0.95, power=3)
    assert [alpha(step) for step in (19, 39)] == pytest.approx([1 - 0.95**5 / 8, 1 - 0.95**5])
    path = [alpha(step) for step in range(40)]
    assert path == sorted(path, reverse=True)


@every_kind
def test_the_averaged_model_is_there_in_the_block_only_whatever_ends_it(make: Make) -> None:
    net = network()
    average = make(net)
    train(net, range(3), average.update)
    before, averages = copied(net.state_dict()), copied(average.state_tensors())
    assert not same(before, averages)
    with pytest.raises(KeyboardInterrupt), average.averaged():
        assert same(net.state_dict(), averages)
        raise KeyboardInterrupt
    assert same(net.state_dict(), before)
    assert same(average.state_tensors(), averages)


@every_kind
def test_a_look_at_the_averaged_model_does_not_disturb_the_training(make: Make) -> None:
    def ended(look: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        net = network()
        average = make(net)

        def after(step: int) -> None:
            average.update(step)
            if look:
                with average.averaged(), torch.no_grad():
                    net(torch.randn(5, 3, 6, 6))

        train(net, range(5), after)
        return net.state_dict(), average.state_tensors()

    for looked, unseen in zip(ended(True), ended(False), strict=True):
        assert same(looked, unseen)


@every_kind
def test_a_restored_average_goes_on_with_the_same_bits(make: Make) -> None:
    whole = network()
    average = make(whole)
    train(whole, range(7), average.update)

    first = network()
    kept = make(first)
    train(first, range(3), kept.update)
    second = network()
    restored = make(second)
    second.load_state_dict(first.state_dict())
    restored.load_state_tensors({key: value.contiguous().clone() for key, value in kept.state_tensors().items()})
    train(second, range(3, 7), restored.update)
    assert same(second.state_dict(), whole.state_dict())
    assert same(restored.state_tensors(), average.state_tensors())


@every_kind
def test_averages_keep_their_memory_and_the_weights_order_in_it(make: Make) -> None:
    net = network()
    average = make(net)
    places = {name: value.data_ptr() for name, value in average.state_tensors().items()}
    own = {name: value.data_ptr() for name, value in net.state_dict().items()}
    train(net, range(4), average.update)
    assert {name: value.data_ptr() for name, value in average.state_tensors().items()} == places
    assert {name: value.data_ptr() for name, value in net.state_dict().items()} == own
    strides = {name: value.stride() for name, value in net.state_dict().items()}
    assert {name: value.stride() for name, value in average.state_tensors().items()} == strides
    assert average.state_tensors()["0.weight"].is_contiguous(memory_format=torch.channels_last)


@every_kind
def test_an_update_allocates_nothing(make: Make) -> None:
    net = network()
    average = make(net)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        average.update(1)
    assert any("foreach_copy" in event.key for event in profile.key_averages())
    assert sum(abs(event.self_cpu_memory_usage) for event in profile.events()) == 0


@every_kind
def test_a_model_that_moved_in_memory_is_still_followed(make: Make) -> None:
    net = scalar(0.0)
    average = make(net)
    net.weight.data = torch.ones(1, 1, dtype=torch.float64)
    average.update(0)
    average.update(1)
    assert average.state_tensors()["weight"].item() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"3.bias": None}, "has no value for 3.bias; it belongs to another model"),
        ({"4.bias": torch.zeros(2)}, "has a value the model does not know, 4.bias; it belongs to another model"),
        ({"3.bias": torch.zeros(7)}, "3.bias is [7], the model's [4]; it is another model's"),
    ],
)
def test_anothers_averages_are_refused_whole(change: dict[str, Tensor | None], message: str) -> None:
    average = EMA(network())
    before = copied(average.state_tensors())
    wrong = {key: value + 1 for key, value in before.items()} | change
    with pytest.raises(RunError, match=re.escape(message)):
        average.load_state_tensors({key: value for key, value in wrong.items() if value is not None})
    assert same(average.state_tensors(), before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: EMA(net, 1.0), "decay is 1; it must be from 0 to below 1"),
        (lambda net: EMA(net, -0.1), "decay is -0.1; it must be from 0 to below 1"),
        (lambda net: EMA(net, warmup_power=0), "warmup_power is 0; it must be a number above 0"),
        (lambda net: Lookahead(net, every=0), "every is 0; it must be at least 1 step"),
        (lambda net: Lookahead(net, alpha=0.0), "alpha is 0; it must be above 0 and at most 1"),
        (lambda net: Lookahead(net, alpha=1.5), "alpha is 1.5; it must be above 0 and at most 1"),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_one_line(make: Make, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        make(nn.Linear(1, 1))
