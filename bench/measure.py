"""What every benchmark stands on: rows, sides measured in turn, the machine's own rate, one table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import torch

from sightlab.training.device import own_process

ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """A pair: sightlab and a peer, measured in turn in one run.

    ours, theirs: medians of the rounds, in `unit`. times: what is claimed, a ratio of the two so that more is better,
    or the share or the figure that `target` is about. reached: None where nothing was to be reached.
    """

    section: str
    what: str
    side: str
    ours: float
    peer: str
    theirs: float | None
    unit: str
    times: float | None
    target: str = ""
    reached: bool | None = None
    rounds: list[float] = field(default_factory=list)
    their_rounds: list[float] = field(default_factory=list)


def in_turn(sides: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """What each side measures, round by round; a round asks every side once, so a slow minute meets all of them."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(side())
    return found


def faster(
    section: str, what: str, sides: Mapping[str, list[float]], ours: str, peer: str, unit: str, least: float
) -> Row:
    """A row of rates: how many times as fast. least: the target, 0 for none."""
    mine, other = median(sides[ours]), median(sides[peer])
    times = mine / other
    target, reached = (f"at least {least:g} x", times >= least) if least else ("", None)
    return Row(section, what, ours, mine, peer, other, unit, times, target, reached, sides[ours], sides[peer])


def matrix_product_rate() -> float:
    """GFLOP/s of a float32 product of two 2048 x 2048 matrices, with torch's threads."""
    a = torch.rand(2048, 2048)
    a @ a
    started = time.perf_counter()
    for _ in range(10):
        a @ a
    return 10 * 2 * 2048**3 / (time.perf_counter() - started) / 1e9


def with_threads(count: int, work: Callable[[], float]) -> float:
    """Measure with so many threads, denormals flushed, as sightlab itself works."""
    with own_process():
        torch.set_num_threads(count)
        return work()


def seconds_of(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def keep(file: Path, section: str, rows: list[Row], facts: Mapping[str, object]) -> None:
    """Write a section's rows into the JSON file; the other sections stay as they are."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept[section] = {"facts": dict(facts), "rows": [asdict(row) for row in rows]}
    file.write_text(json.dumps(kept, indent=1) + "\n")


WIDTHS = "  {:47}{:>9}  {:9} {:>9}  {:31}{:>7}  {:15} {}"


def show(file: Path) -> None:
    """Print the one table of all sections in the JSON file."""
    print(WIDTHS.format("", "sightlab", "", "peer", "", "ratio", "asked", "").rstrip())
    for section, content in json.loads(file.read_text()).items():
        print(f"{section} ({', '.join(f'{key} {value}' for key, value in content['facts'].items())})")
        for values in content["rows"]:
            print(line_of(Row(**values)))


def line_of(row: Row) -> str:
    """A row as a line of the table."""
    what = row.what if row.side == "sightlab" else f"{row.what}, {row.side}"
    theirs = "" if row.theirs is None else figure(row.theirs)
    times = "" if row.times is None else f"{row.times:.2f}"
    reached = {True: "reached", False: "missed", None: ""}[row.reached]
    ours = f"{row.ours:.2f}" if row.unit == "%" else figure(row.ours)
    return WIDTHS.format(what, ours, row.unit, theirs, row.peer, times, row.target, reached).rstrip()


def figure(value: float) -> str:
    """Three digits or more.

    >>> figure(1234.5), figure(12.345), figure(0.12345)
    ('1,234', '12.3', '0.123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"
