"""The trained networks on a CSV file that nobody has seen."""

from __future__ import annotations

from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.studies.hidden_csv import tested_before
from sightlab.studies.study_results import Results


def hidden_csv(results: Results) -> tuple[Block, ...]:
    """The score of each row's first run on the hidden CSV, beside that of its own sealed test split."""
    if results.plan.csv is None:
        return ()
    lines = []
    for row in results.rows:
        for one in row.runs[:1]:
            score = tested_before(one.folder, results.plan.csv.hidden)
            if score is not None:
                own = one.result.score
                low, high = score.interval
                cells = (f"{score.accuracy:.2%}", f"{low:.2%} to {high:.2%}", f"{score.count:,}")
                lines.append((row.name, f"{own.accuracy:.2%}", f"{own.count:,}", *cells))
    if not lines:
        return (Text("Not tested yet: `sightlab study run` tests each row's first run when all are trained."),)
    header = ("network", "own test split", "images", "hidden CSV", "95 % interval", "images")
    words = (
        f"`sightlab test` on {results.plan.csv.hidden.name}, whose rows no training, no choice of an epoch and no "
        "choice of a network has seen. The opening is on record beside each model."
    )
    return Text(words), Table(header, rows_of(lines), right=(1, 2, 3, 4, 5))
