"""The test on a CSV file that no training has seen, done once for each run and stored with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sightlab import evaluation
from sightlab.files import sha256_of, write_text
from sightlab.records import Score
from sightlab.studies.study_results import Results

FILE = "hidden-test.json"


def test_hidden(results: Results, say: Callable[[str], None] = lambda _: None) -> None:
    """Test each row's first run on the study's hidden CSV, if that was not done before. Raises DataError, RunError."""
    csv = results.plan.csv
    if csv is None or not csv.hidden.is_file():
        return
    for row in results.rows:
        for one in row.runs[:1]:
            if tested_before(one.folder, csv.hidden) is None:
                tested = evaluation.evaluate(one.folder, csv.hidden)
                say(f"{row.name} on {csv.hidden.name}: {tested.score}")
                facts = {"sha256": sha256_of(csv.hidden), "score": tested.score.to_json()}
                write_text(one.folder / FILE, json.dumps(facts, indent=1))


def tested_before(folder: Path, csv: Path) -> Score | None:
    """The score of a run on this very file; None where it was not tested on it."""
    try:
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if csv.is_file() and facts["sha256"] != sha256_of(csv):
            return None
        return Score.from_json(facts["score"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
