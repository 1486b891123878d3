"""Checkpoints: the whole state of a training, written so that a torn one is never restored.

A checkpoint is `NAME.safetensors` (weights, best weights, optimizer) and `NAME.json` (position, sums, history, and the
sha256 of the tensors). Each is written to a temporary file, flushed and renamed, the JSON last: it is what makes the
checkpoint count. The one before is kept; a checkpoint whose tensors do not have their sha256 is skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor

from sightlab.errors import RunError, SightlabError
from sightlab.files import sha256_of, write_bytes, write_text
from sightlab.records import Epoch
from sightlab.training.state import Training
from sightlab.training.state_json import pack, unpack

KEPT = 2
NAME = re.compile(r"epoch-(\d+)-step-(\d+)")


def save(folder: Path, training: Training, identity: str, extra: dict[str, Any] | None = None) -> None:
    """Write a checkpoint of a training that stands between two steps.

    identity: what a training must have to be resumed from it. extra: the state of other parts (callbacks, a schedule),
    nested JSON values, tuples and tensors. Raises OSError as writing does, and RunError for state that cannot be
    stored; earlier checkpoints are then still there.
    """
    name = f"epoch-{training.epoch:05d}-step-{training.step:07d}"
    tensors = tensors_of(training)
    optimizer_tensors, optimizer_facts = flattened(training.optimizer.state_dict())
    tensors |= {f"optimizer.{key}": value for key, value in optimizer_tensors.items()}
    others: dict[str, Tensor] = {}
    packed_optimizer = pack(optimizer_facts, others, "optimizer")
    packed_extra = pack(extra or {}, others)
    tensors |= {f"extra.{key}": value for key, value in others.items()}
    # Serialised in memory first: safetensors' own writer does not say what the system refused.
    content = serialised({key: plain(value) for key, value in tensors.items()})
    digest = write_bytes(folder / f"{name}.safetensors", content)
    facts = {
        "identity": identity,
        "sha256": digest,
        "epoch": training.epoch,
        "step": training.step,
        "seconds": training.seconds,
        "loss_sum": float(training.loss_sum),
        "correct": int(training.correct),
        "stopped": training.stopped,
        "history": [epoch.to_json() for epoch in training.history],
        "optimizer": packed_optimizer,
        "scaler": training.scaler.state_dict(),
        "extra": packed_extra,
    }
    write_text(folder / f"{name}.json", json.dumps(facts))
    remove_old(folder)


def another_training(record: Path, found: str) -> RunError:
    """The error for a checkpoint whose identity is not the training's."""
    return RunError(
        f"{record}: belongs to another recipe or other data, or has another teacher (its identity is {found}); resume "
        "with what it was started with, or start a new run"
    )


def restore(
    folder: Path,
    training: Training,
    identity: str | Collection[str],
    *,
    extra: Callable[[dict[str, Any]], object] = lambda _: None,
    refusal: Callable[[Path, str], SightlabError] = another_training,
) -> bool:
    """Set a new training to the newest whole checkpoint. False if there is none.

    identity: the training's; of several any will do. extra: called with the `extra` that was saved, tensors on the CPU;
    not called for a checkpoint that has none. refusal: (the checkpoint's file, its identity) -> the error to raise if
    that is another identity. Raises RunError for a network whose tensors differ from the checkpoint's; the training is
    then as it was.
    """
    for record in newest_first(folder):
        found = read(record)
        if found is None:
            continue
        facts, tensors = found
        if facts["identity"] not in ({identity} if isinstance(identity, str) else identity):
            raise refusal(record, facts["identity"])
        check_network(record, training, tensors)
        put_back(training, facts, tensors)
        if facts.get("extra"):
            extra(unpack(facts["extra"], starting_with("extra.", tensors)))
        return True
    return False


def check_network(record: Path, training: Training, tensors: dict[str, Tensor]) -> None:
    """Raise RunError, naming the first tensor that differs, if the network is not the one of the checkpoint."""
    stored, own = starting_with("weights.", tensors), training.classifier.state_dict()
    for name in [*own, *stored]:
        if name not in stored:
            differs = f"it has no {name}, which this network has"
        elif name not in own:
            differs = f"this network has no {name}, which it has"
        elif stored[name].shape != own[name].shape:
            differs = f"{name} is {list(stored[name].shape)} there and {list(own[name].shape)} in this network"
        else:
            continue
        raise RunError(
            f"{record}: of another network: {differs}; resume with the network it was started with, or start a new run"
        )


def starting_with(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with the prefix, under the rest of their names."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def put_back(training: Training, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Set every part of the training to the state in the checkpoint."""
    training.classifier.load_state_dict(starting_with("weights.", tensors))
    training.best = {key: value.to(training.device) for key, value in starting_with("best.", tensors).items()}
    if training.averages:
        training.averages.load_state_tensors(starting_with("average.", tensors))
    training.scaler.load_state_dict(facts["scaler"])
    optimizer_facts = unpack(facts["optimizer"], starting_with("extra.", tensors))
    training.optimizer.load_state_dict(unflattened(starting_with("optimizer.", tensors), optimizer_facts))
    match_layouts(training.optimizer)
    training.start_epoch(facts["epoch"])
    training.step, training.seconds = facts["step"], facts["seconds"]
    training.loss_sum += facts["loss_sum"]
    training.correct += facts["correct"]
    training.stopped = facts.get("stopped", "")  # checkpoints of earlier releases have none
    training.history = [Epoch.from_json(epoch) for epoch in facts["history"]]


def tensors_of(training: Training) -> dict[str, Tensor]:
    """The weights now and at the best epoch, and their running averages."""
    averages = training.averages.state_tensors() if training.averages else {}
    parts = {"weights": training.classifier.state_dict(), "best": training.best, "average": averages}
    return {f"{part}.{key}": value for part, tensors in parts.items() for key, value in tensors.items()}


def plain(tensor: Tensor) -> Tensor:
    """A copy that safetensors can write: on the CPU, in row-major order, sharing memory with nothing."""
    return tensor.detach().cpu().contiguous().clone()


def match_layouts(optimizer: torch.optim.Optimizer) -> None:
    """Give each state tensor the memory format of its weight: files are row-major, weights are channels_last."""
    for weight, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                state[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def flattened(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state: its tensors by name, and everything else."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        values[str(index)] = {key: value for key, value in entries.items() if not isinstance(value, Tensor)}
        tensors |= {f"{index}.{key}": value for key, value in entries.items() if isinstance(value, Tensor)}
    return tensors, {"values": values, "groups": state["param_groups"]}


def unflattened(tensors: dict[str, Tensor], facts: dict[str, Any]) -> dict[str, Any]:
    """The state that `flattened` took apart."""
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in facts["values"].items()}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state[int(index)][key] = value
    return {"state": state, "param_groups": facts["groups"]}


def newest_first(folder: Path) -> list[Path]:
    """The JSON files of the checkpoints, newest first: by epoch, then by step."""
    positions = {file: NAME.fullmatch(file.stem) for file in folder.glob("epoch-*.json")}
    numbers = {file: (int(found[1]), int(found[2])) for file, found in positions.items() if found}
    return sorted(numbers, key=lambda file: numbers[file], reverse=True)


def read(record: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """A checkpoint's JSON and tensors; None if it is torn or damaged."""
    tensors_file = record.with_suffix(".safetensors")
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        if sha256_of(tensors_file) != facts["sha256"]:
            return None
        return facts, load_file(tensors_file)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None


def remove_old(folder: Path) -> None:
    """Remove all but the newest checkpoints, JSON first, and whatever a killed process left half-written."""
    for record in newest_first(folder)[KEPT:]:
        record.unlink(missing_ok=True)
    named = {record.stem for record in newest_first(folder)}
    for file in folder.iterdir():
        if file.stem not in named:
            file.unlink(missing_ok=True)
