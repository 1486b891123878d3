"""The benchmarks: prints one table, and keeps every figure in bench/results.json.

    python bench/run.py [SECTION...]        training, step, data-path, ...; without one, all
    python bench/run.py --show              the table of the figures kept, nothing measured

Every row is a pair measured in turn in one run, a median of 5 rounds unless the table says otherwise. Sections that are
not asked for keep the figures they had. All take about an hour on two cores; nothing else should run meanwhile.
The sections `tune` and `analyze` (bench/tune.py, bench/analyze.py) are measured only when they are asked for.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import torch
from measure import keep, show

from sightlab.training.device import cpu_name, physical_cores

SECTIONS = (
    *("training", "step", "data-path", "inventory", "start-up", "memory", "scaling", "beside", "accuracy"),
    *("explain", "frequency", "corruptions"),
)
BY_NAME = ("tune", "analyze")


def machine() -> dict[str, object]:
    """What the figures hang on."""
    return {"processor": cpu_name(), "cores": physical_cores(), "torch": torch.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join((*SECTIONS, *BY_NAME)))
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results.json")
    parser.add_argument("--show", action="store_true", help="print the table of the figures kept")
    asked = parser.parse_args()
    for name in asked.sections:
        if name not in (*SECTIONS, *BY_NAME):
            parser.error(f"unknown section {name!r}; known: {', '.join((*SECTIONS, *BY_NAME))}")
    for name in () if asked.show else asked.sections or SECTIONS:
        print(f"{name} ...", flush=True)
        rows, facts = importlib.import_module(name.replace("-", "_")).rows()
        keep(asked.json, name, rows, machine() | facts)
    show(asked.json)


if __name__ == "__main__":
    main()
