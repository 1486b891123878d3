"""What makes two runs the same training, or the same but for their seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

# The starting weights of a network given from Python. Seeds of one training each start from weights of their own.
START = "start"
NAMES = {
    "recipe": "recipe",
    "seed": "seed",
    "processes": "number of processes",
    "train": "training data",
    "validation": "validation data",
    "test": "test data",
    "model": "network",
    "weights": "weights it starts from",
    START: "weights it starts from",
    "teacher": "teacher",
    "augment": "augmentation",
}


@dataclass(frozen=True)
class Identity:
    """What decides the outcome of a training, as hashes and short texts.

    recipe: hash of the recipe without its seed, its data, and what has a fingerprint of its own. data: {train,
    validation, test: hash of class names, image shape, labels and pixels}; where the files lie does not count. parts:
    {slot: fingerprint} of the network, loss, optimizer and so on, of the weights that training starts from, and of the
    teacher. processes: how many share each batch. whole: whether all of it could be pinned down. Without that, an
    identity is equal to no other, not even to itself.

    >>> data = {"train": "a1", "validation": "b2", "test": "c3"}
    >>> one, two = (Identity("f0", seed, data, {"model": "model:cnn@1"}, 1, whole=True) for seed in (1, 2))
    >>> one.same_training(two), one.same_but_seed(two), one.differing(two)
    (False, True, ('seed',))
    """

    recipe: str
    seed: int
    data: Mapping[str, str]
    parts: Mapping[str, str]
    processes: int
    whole: bool

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> str:
        """32 hex digits by which checkpoints, the index of runs and the database know the training.

        The weights that a network given from Python starts from are not in it: a resumed run takes the checkpoint's.
        """
        return self._digest(self.seed)

    @property
    def key_but_seed(self) -> str:
        """32 hex digits: `key` without the seed.

        A shipped network draws its weights from the seed, and one that is given from Python, built anew for each seed,
        does the same.
        """
        return self._digest(None)

    def same_training(self, other: Identity) -> bool:
        """Whether both describe the same training. Never true unless both are whole."""
        return self.whole and other.whole and self.key == other.key and self._start == other._start

    def same_but_seed(self, other: Identity) -> bool:
        """Whether both describe the same training up to the seed. Never true unless both are whole."""
        return self.whole and other.whole and self.key_but_seed == other.key_but_seed

    def differing(self, other: Identity) -> tuple[str, ...]:
        """What differs, by name: fields, splits of the data, and slots of the parts."""
        fields = [name for name in ("recipe", "seed", "processes") if getattr(self, name) != getattr(other, name)]
        return (*fields, *_changed(self.data, other.data), *_changed(self.parts, other.parts))

    def value_of(self, name: str) -> str:
        """The value at a name that `differing` gave; "none" where there is none."""
        if name in ("recipe", "seed", "processes"):
            return str(getattr(self, name))
        return self.data.get(name) or self.parts.get(name) or "none"

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The identity that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            recipe=str(values["recipe"]),
            seed=int(values["seed"]),
            data={str(split): str(digest) for split, digest in values["data"].items()},
            parts={str(slot): str(part) for slot, part in values["parts"].items()},
            processes=int(values["processes"]),
            whole=values["whole"] is True,
        )

    @property
    def _start(self) -> str | None:
        return self.parts.get(START)

    def _digest(self, seed: int | None) -> str:
        parts = {slot: part for slot, part in self.parts.items() if slot != START}
        values = [self.recipe, seed, dict(self.data), parts, self.processes]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def what_differs(name: str) -> str:
    """What `Identity.differing` names, in words.

    >>> what_differs("train"), what_differs("loss")
    ('training data', 'loss')
    """
    return NAMES.get(name, name)


def _changed(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
