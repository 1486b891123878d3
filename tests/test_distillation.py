"""Distillation: the loss by its formula, a teacher that sees what the student sees, the same bits every time."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import sightlab
from sightlab.errors import RunError
from sightlab.inference import predictions
from sightlab.models import build
from sightlab.models.classifier import Classifier
from sightlab.recipes.schema import Recipe
from sightlab.training import checkpoint, compilation
from sightlab.training.callbacks import Paused
from sightlab.training.distillation import Teacher, distilling, remarks
from sightlab.training.losses import soft_target_loss
from sightlab.training.prepare import GivenParts, Prepared, prepare
from sightlab.training.step import forward_backward
from tests.test_compiling import has_compiler
from tests.test_engine import MIXED, Plain
from tests.test_training import run_loop, same, tiny, weights, without_times

CPU = torch.device("cpu")
CLASSES = sightlab.load_data("fashion-mini").classes
Logits = NDArray[np.float64]


def teacher(classes: tuple[str, ...] = CLASSES, seed: int = 5) -> Teacher:
    """A network with batch norm and random weights, and another normalisation than that of any data here."""
    torch.manual_seed(seed)
    net = build("mini-resnet-v1", channels=1, classes=10, height=28, width=28)
    sha256 = hashlib.sha256(str(seed).encode()).hexdigest()
    return Teacher(Classifier(net, [0.3], [0.4]), classes, (28, 28, 1), np.empty(0, np.uint64), "t", sha256)


def taught(net: nn.Module | None = None, by: Teacher | None = None, **changes: Any) -> Prepared:
    """A training of about a second with a teacher."""
    return prepare(tiny(teacher="a run", **changes), parts=GivenParts(model=net), teacher=by or teacher())


def drawn(seed: int, rows: int = 6, classes: int = 5, spread: float = 3.0) -> Logits:
    return np.random.default_rng(seed).normal(0, spread, (rows, classes))


def softmax(logits: Logits) -> Logits:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def by_definition(z: Logits, v: Logits, temperature: float) -> float:
    p, q = softmax(v / temperature), softmax(z / temperature)
    return float(temperature**2 * (p * np.log(p / q)).sum(1).mean())


def cross_entropy(logits: Logits, labels: NDArray[np.int64]) -> float:
    return float(-np.log(softmax(logits)[np.arange(len(labels)), labels]).mean())


# The loss


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_the_loss_is_the_divergence_of_the_softened_answers_times_the_squared_temperature(temperature: float) -> None:
    z, v = drawn(0), drawn(1)
    ours = float(soft_target_loss(torch.tensor(z), torch.tensor(v), temperature))
    assert ours == pytest.approx(by_definition(z, v, temperature), rel=1e-12)
    one, two = (torch.distributions.Categorical(logits=torch.tensor(x) / temperature) for x in (v, z))
    theirs = temperature**2 * torch.distributions.kl_divergence(one, two).mean()
    assert ours == pytest.approx(float(theirs), rel=1e-12)
    narrow = float(soft_target_loss(torch.tensor(z).float(), torch.tensor(v).float(), temperature))
    assert narrow == pytest.approx(ours, rel=1e-4)


def gradient(z: Logits, v: Logits, temperature: float) -> Logits:
    logits = torch.tensor(z, requires_grad=True)
    soft_target_loss(logits, torch.tensor(v), temperature).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    return logits.grad.numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_its_gradient_is_that_of_the_papers_equation_2(temperature: float) -> None:
    """dC/dz = (q - p) / T there; here times T^2, and a mean over rows."""
    z, v = drawn(2), drawn(3)
    expected = temperature * (softmax(z / temperature) - softmax(v / temperature)) / len(z)
    np.testing.assert_allclose(gradient(z, v, temperature), expected, atol=1e-12)


def test_at_a_high_temperature_it_matches_logits() -> None:
    """Equation 4: with logits of mean zero, dC/dz = (z - v) / (N T^2) for N classes; here times T^2."""
    z, v = (one - one.mean(1, keepdims=True) for one in (drawn(4), drawn(5)))
    errors = [np.abs(gradient(z, v, t) - (z - v) / z.shape[1] / len(z)).max() for t in (100.0, 1000.0)]
    assert errors[0] < 0.02
    # What equation 3 leaves out of the exponential's series is of the order of 1 / T.
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.1)


def test_it_is_nothing_where_the_student_answers_as_the_teacher_does() -> None:
    z = drawn(6)
    assert soft_target_loss(torch.tensor(z), torch.tensor(z + 7), 3.0).item() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(gradient(z, z + 7, 3.0), 0, atol=1e-12)


# What the steps do


def test_the_teacher_normalises_in_its_own_way_and_its_classes_are_matched_by_name() -> None:
    classes = CLASSES[3:] + CLASSES[:3]
    images = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), dtype=np.uint8)
    logits, hard = torch.tensor(drawn(7, 8, 10)).float(), torch.tensor(2.0)
    by = teacher(classes)
    heard = distilling(by, CLASSES, (28, 28, 1), CPU, temperature=2.0, alpha=0.25)
    with torch.no_grad():
        own = by.classifier.net((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.3) / 0.4).numpy()
    in_order = own[:, [classes.index(name) for name in CLASSES]].astype(np.float64)
    expected = 0.75 * 2.0 + 0.25 * by_definition(logits.double().numpy(), in_order, 2.0)
    assert float(heard(hard, logits, torch.from_numpy(images))) == pytest.approx(expected, rel=1e-4)
    assert list(remarks(by, heard, np.empty(0, np.uint64))) == [
        "the classes of t come in another order; they are matched by name"
    ]


@pytest.mark.parametrize("words", [{"flip": 0.5, "crop_padding": 2}, MIXED, {"cutmix": 1.0}], ids=str)
def test_the_teacher_sees_the_very_batch_of_the_student(words: dict[str, Any]) -> None:
    prepared = taught(**words)
    seen: dict[str, list[Tensor]] = {"teacher": [], "student": []}
    assert prepared.config.distilling is not None
    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: seen[name].append(given[0].clone()))
        for name, module in (
            ("teacher", prepared.config.distilling.classifier),
            ("student", prepared.training.classifier),
        )
    ]
    prepared.training.classifier.train()
    for step in range(2):
        prepared.gradient_step().gradients(prepared.training.classifier, 1, step)
    for hook in hooks:
        hook.remove()
    assert len(seen["teacher"]) == 2
    assert all(torch.equal(one, two) for one, two in zip(seen["teacher"], seen["student"], strict=True))


def test_the_teacher_learns_nothing_itself() -> None:
    by = teacher()
    before = {name: value.clone() for name, value in by.classifier.state_dict().items()}
    run_loop(taught(by=by, epochs=1))
    assert same(by.classifier.state_dict(), before)
    assert not by.classifier.training
    assert all(p.grad is None for p in by.classifier.parameters())


def test_an_epochs_loss_is_the_distilled_one_and_that_of_validation_is_plain() -> None:
    """With a learning rate too small to move a weight, the sums of an epoch are those of one pass over the split."""
    still = {"lr": 1e-30, "nesterov": False, "momentum": 0, "weight_decay": 0, "crop_padding": 0, "flip": 0}
    by = teacher()
    prepared = taught(by=by, epochs=1, batch_size=37, temperature=3.0, alpha=0.4, **still)
    (facts,) = run_loop(prepared)
    said, asked = (
        predictions(one, prepared.splits.train, CPU) for one in (prepared.training.classifier, by.classifier)
    )
    z, v = said.logits.astype(np.float64), asked.logits.astype(np.float64)
    expected = 0.6 * cross_entropy(z, said.labels) + 0.4 * by_definition(z, v, 3.0)
    assert facts.train_loss == pytest.approx(expected, rel=1e-5)
    said = predictions(prepared.training.classifier, prepared.splits.validation, CPU)
    assert facts.validation_loss == pytest.approx(cross_entropy(said.logits.astype(np.float64), said.labels), rel=1e-5)


def test_with_alpha_0_it_is_the_untaught_training_to_the_bit() -> None:
    short = {"limit_per_class": 20, "epochs": 2}
    plain, none, some = prepare(tiny(**short)), taught(**short, alpha=0.0, temperature=9), taught(**short, alpha=0.1)
    histories = [without_times(run_loop(one)) for one in (plain, none, some)]
    assert histories[0] == histories[1] != histories[2]
    assert same(weights(plain), weights(none))
    assert not same(weights(plain), weights(some))
    assert none.identity == plain.identity
    assert none.config.distilling is plain.config.distilling is None


def test_the_hash_is_that_of_before_without_a_teacher_and_another_with_one() -> None:
    def hashed(**keys: Any) -> str:
        return Recipe(distillation=keys).hash

    # A recipe's hash is that of what differs from the defaults as JSON, and of sgd's momentum, whatever it is.
    nothing = hashlib.sha256(b'{"optimizer":{"momentum":0.9}}').hexdigest()[:16]
    assert hashed() == hashed(temperature=2, alpha=0.5) == hashed(teacher="a", alpha=0) == nothing
    different = [{"teacher": "a"}, {"teacher": "b"}, {"teacher": "a", "alpha": 1}, {"teacher": "a", "temperature": 1}]
    assert len({nothing, *(hashed(**keys) for keys in different)}) == 5


# However it is done


def gradients(prepared: Prepared, step: int) -> list[Tensor]:
    stepper = prepared.gradient_step()
    try:
        prepared.training.classifier.train()
        stepper.gradients(prepared.training.classifier, 1, step)
        return [w.grad.clone() for w in prepared.training.classifier.parameters() if w.grad is not None]
    finally:
        stepper.close()


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("words", [{"label_smoothing": 0.1}, MIXED], ids=["plain", "mixed"])
def test_the_gradient_of_several_processes_is_that_of_one(processes: int, words: dict[str, Any]) -> None:
    for step in (0, 6):  # 400 images: the last batch of 64 is one of 16, shared 6, 5 and 5 among three
        one, several = (gradients(taught(Plain(), processes=n, **words), step) for n in (1, processes))
        for alone, together in zip(one, several, strict=True):
            assert float((alone - together).abs().max()) <= 1e-6


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taught_training_resumes_to_the_bit(tmp_path: Path, workers: int) -> None:
    words = {"workers": workers, "model": "mini-resnet-v1", "options": {"dropout": 0.2}, "epochs": 2, **MIXED}
    words |= {"limit_per_class": 20, "batch_size": 32}  # five steps an epoch
    whole, first, second, other = taught(**words), taught(**words), taught(**words), taught(by=teacher(seed=6), **words)
    history = run_loop(whole)
    with pytest.raises(Paused):
        run_loop(first, pause_after=7)
    checkpoint.save(tmp_path, first.training, first.identity.key)
    with pytest.raises(RunError, match="or has another teacher"):
        checkpoint.restore(tmp_path, other.training, other.identity.key)
    assert checkpoint.restore(tmp_path, second.training, second.identity.key)
    run_loop(second)
    assert without_times(second.training.history) == without_times(history)
    assert same(weights(second), weights(whole))
    assert same(second.training.best, whole.training.best)


def test_the_softmax_is_in_float32_where_the_passes_are_not() -> None:
    prepared = taught(Plain())
    losses = []
    for precision in (torch.float32, torch.bfloat16):
        work = dataclasses.replace(prepared.config, precision=precision)
        losses.append(forward_backward(work, CPU, Tensor.backward, prepared.training.classifier, 1, 0).loss)
    assert losses[0].dtype == losses[1].dtype == torch.float32
    assert not torch.equal(losses[0], losses[1])
    torch.testing.assert_close(losses[1], losses[0], rtol=0.02, atol=0)


@pytest.mark.slow
@has_compiler
def test_a_compiled_student_learns_the_same() -> None:
    plain, compiled = (taught(limit_per_class=20, epochs=1, lr=0.01, compile=word) for word in ("off", "on"))
    for one in (plain, compiled):
        compilation.choose(one, 10, lambda _: None)
        run_loop(one)
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(compiled)[name], value, rtol=1e-3, atol=1e-4)
