"""What one driver of a shared search knows of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Peers:
    """The other drivers, as far as their events tell. resting: those that submit nothing more.

    promised: epochs that each has started to train and not yet reported, by driver and the recipe's hash. announced:
    whether it has been said that this driver waits for them.
    """

    resting: set[str] = field(default_factory=set)
    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    announced: bool = False

    def apply(self, event: Mapping[str, Any], driver: str) -> None:
        """Take in an event of a driver."""
        kind = event["event"]
        if kind in ("rest", "left"):
            self.resting.add(driver)
            self.promised = {key: epochs for key, epochs in self.promised.items() if key[0] != driver}
        elif kind == "given":
            self.promised[driver, event["run"]] = event["epochs"]
        elif kind == "kept":
            self.promised.pop((driver, event["run"]), None)
        elif kind == "epoch" and (driver, event["run"]) in self.promised:
            self.promised[driver, event["run"]] -= 1

    def promised_epochs(self) -> int:
        """Epochs that the others are about to train."""
        return sum(self.promised.values())

    def working(self, living: set[str]) -> set[str]:
        """Those of the living that still submit work; promises of the dead are dropped."""
        self.promised = {key: epochs for key, epochs in self.promised.items() if key[0] in living}
        return living - self.resting
