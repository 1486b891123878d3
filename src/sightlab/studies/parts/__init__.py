"""Extra sections of the pages of single studies: one table, one function each."""

from __future__ import annotations

from collections.abc import Callable

from sightlab.report.article import Block
from sightlab.studies.parts.confused_pairs import confusions, digits_479
from sightlab.studies.parts.dead_outputs import dead_outputs
from sightlab.studies.parts.epochs import published_epochs
from sightlab.studies.parts.hidden_scores import hidden_csv
from sightlab.studies.parts.last_batch import last_batch
from sightlab.studies.parts.pairs import published_pairs
from sightlab.studies.study_results import Results

PARTS: dict[str, tuple[str, Callable[[Results], tuple[Block, ...]]]] = {
    "confusions": ("What is taken for what", confusions),
    "dead-outputs": ("Dead outputs, epoch by epoch", dead_outputs),
    "digits-479": ("Does augmentation mend 4, 7 and 9?", digits_479),
    "hidden-csv": ("The CSV nobody has seen", hidden_csv),
    "last-batch": ("The last batch, and all of them", last_batch),
    "published-epochs": ("Epoch by epoch", published_epochs),
    "published-pairs": ("What the published table can tell apart", published_pairs),
}
